use veridical_argument::labels::ROUND;
use veridical_argument::multilinear::{eq_table, evaluate_integers, shape_variables};
use veridical_argument::rounds::next_claim;
use veridical_argument::transcript::VerifierTranscript;

use super::*;
use crate::testing::Random;

/// Tensors in a stack, with claims on them.
struct Fixture {
    stack: Stack,
    elements: Vec<F>,
    tensors: Vec<Vec<i32>>,
}

impl Fixture {
    fn new(random: &mut Random, shapes: &[&[usize]], minimum: usize) -> Self {
        let shapes: Vec<Vec<usize>> = shapes.iter().map(|shape| shape.to_vec()).collect();
        let stack = Stack::new(shapes.clone(), minimum).unwrap();
        // What no tensor holds is arbitrary.
        let mut elements = random.base_vec(1 << stack.variables());
        let mut tensors = Vec::new();
        for (tensor, shape) in shapes.iter().enumerate() {
            let integers: Vec<i32> = (0..shape.iter().product::<usize>())
                .map(|_| random.integer())
                .collect();
            stack.scatter(tensor, &integers, &mut elements);
            tensors.push(integers);
        }
        Self {
            stack,
            elements,
            tensors,
        }
    }

    /// Claims on random tensors, of which some come twice.
    fn claims(&self, random: &mut Random, count: usize) -> Vec<Claim> {
        let mut claims: Vec<Claim> = Vec::new();
        for _ in 0..count {
            if !claims.is_empty() && random.below(4) == 0 {
                let mut again = claims[random.below(claims.len())].clone();
                // Another wire of the same tensor.
                again.wire.0 += self.tensors.len();
                claims.push(again);
                continue;
            }
            let tensor = random.below(self.tensors.len());
            let shape = &self.stack.shapes()[tensor];
            let point = random.extension_vec(shape_variables(shape));
            claims.push(Claim {
                wire: WireId(tensor),
                value: evaluate_integers(&self.tensors[tensor], shape, &point),
                point,
            });
        }
        claims
    }

    fn tensor(&self, wire: WireId) -> usize {
        wire.0 % self.tensors.len()
    }

    /// Rounds that recompute their tables send the same messages.
    fn check_streamed(&self, claims: &[(usize, &Claim)], gamma: EF, proof: &[u8]) {
        for streamed in 0..4 {
            let mut transcript = ProverTranscript::new("test");
            assert_eq!(transcript.challenge(STACK_FOLD), gamma);
            let mut claim = EF::ZERO;
            let mut terms = Vec::new();
            for ((tensor, of_tensor), factor) in claims.iter().zip(gamma.powers()) {
                claim += factor * of_tensor.value;
                terms.extend(self.stack.terms(*tensor, &of_tensor.point).map(|mut term| {
                    term.coefficient *= factor;
                    term
                }));
            }
            let kept = self.stack.variables().saturating_sub(streamed);
            let proved = sums::prove_with(&self.elements, terms, claim, &mut transcript, kept);
            let (_, value) = proved.unwrap();
            transcript.send(STACK_VALUE, &[value]);
            assert_eq!(transcript.finish(), proof);
        }
    }

    fn check(&self, claims: &[Claim]) {
        let tensor = |wire| Some(self.tensor(wire));
        let mut transcript = ProverTranscript::new("test");
        let fold = fold(
            &self.stack,
            &self.elements,
            claims.to_vec(),
            tensor,
            &mut transcript,
        );
        let (point, value) = fold.unwrap();
        let proof = transcript.finish();

        let mut distinct: Vec<(usize, &Claim)> = Vec::new();
        for claim in claims {
            let tensor = self.tensor(claim.wire);
            if !distinct
                .iter()
                .any(|(t, c)| *t == tensor && c.point == claim.point)
            {
                distinct.push((tensor, claim));
            }
        }
        let mut transcript = VerifierTranscript::new("test", &proof);
        let gamma = transcript.challenge(STACK_FOLD);
        let mut claim = distinct
            .iter()
            .rev()
            .fold(EF::ZERO, |sum, (_, claim)| sum * gamma + claim.value);
        let mut at = Vec::new();
        for _ in 0..self.stack.variables() {
            let message = transcript.receive(ROUND, 2).unwrap();
            at.push(transcript.challenge(ROUND));
            claim = next_claim(claim, &message, *at.last().unwrap());
        }
        let sent = transcript.receive(STACK_VALUE, 1).unwrap()[0];
        transcript.finish().unwrap();
        let omega = distinct
            .iter()
            .rev()
            .fold(EF::ZERO, |sum, (tensor, claim)| {
                sum * gamma + self.stack.omega(*tensor, &claim.point, &at)
            });
        assert_eq!(claim, sent * omega);
        assert_eq!((at, sent), (point.clone(), value));
        self.check_streamed(&distinct, gamma, &proof);
        let weights = eq_table(&point);
        let direct: EF = weights
            .iter()
            .zip(&self.elements)
            .map(|(w, s)| *w * *s)
            .sum();
        assert_eq!(value, direct);
    }
}

#[test]
fn claims_on_a_stack_become_one_that_holds() {
    let mut random = Random::new(6);
    let shapes: [&[&[usize]]; 8] = [
        &[&[1]],
        &[&[5]],
        &[&[3, 5], &[7]],
        &[&[64, 64], &[1], &[3]],
        &[&[96, 40], &[5, 7, 9], &[1000]],
        &[&[300, 20], &[12, 32, 8], &[1, 1], &[2, 2, 2]],
        &[&[1 << 14], &[100, 100]],
        &[&[1 << 15], &[33, 500]],
    ];
    for shapes in shapes {
        for minimum in [0, 11] {
            let fixture = Fixture::new(&mut random, shapes, minimum);
            for count in [0, 1, 2, 9] {
                let claims = fixture.claims(&mut random, count);
                fixture.check(&claims);
            }
        }
    }
}

#[test]
fn claims_that_do_not_fit_are_refused() {
    let mut random = Random::new(8);
    let fixture = Fixture::new(&mut random, &[&[6, 5]], 0);
    let claims = fixture.claims(&mut random, 1);
    let prove = |claims: Vec<Claim>, elements: &[F], tensor: Option<usize>| {
        let mut transcript = ProverTranscript::new("test");
        fold(
            &fixture.stack,
            elements,
            claims,
            |_| tensor,
            &mut transcript,
        )
        .unwrap_err()
    };
    assert!(matches!(
        prove(claims.clone(), &fixture.elements, None),
        OpeningError::Wire(WireId(0))
    ));
    assert!(matches!(
        prove(claims.clone(), &fixture.elements[1..], Some(0)),
        OpeningError::Length {
            found: 31,
            expected: 32
        }
    ));
    let mut two = vec![claims[0].clone(), claims[0].clone()];
    two[1].value += EF::ONE;
    assert!(matches!(
        prove(two, &fixture.elements, Some(0)),
        OpeningError::Claim(_)
    ));
}

#[test]
fn messages_do_not_depend_on_the_number_of_threads() {
    let mut random = Random::new(9);
    let fixture = Fixture::new(&mut random, &[&[96, 40], &[5, 7, 9], &[1 << 13]], 0);
    let claims = fixture.claims(&mut random, 20);
    let proof = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut transcript = ProverTranscript::new("test");
            let tensor = |wire| Some(fixture.tensor(wire));
            let claims = claims.clone();
            let folded = fold(
                &fixture.stack,
                &fixture.elements,
                claims,
                tensor,
                &mut transcript,
            );
            let (_, value) = folded.unwrap();
            assert_ne!(value, EF::ZERO);
            transcript.finish()
        })
    };
    assert_eq!(proof(1), proof(2));
}
