use veridical_argument::formulas::expression::Evaluations;
use veridical_argument::labels::ROUND;
use veridical_argument::multilinear::{eq, evaluate_integers};
use veridical_argument::plan::{Definition, Fill, Role, Term as PlanTerm, Wire};
use veridical_argument::rounds::next_claim;
use veridical_argument::transcript::VerifierTranscript;

use super::*;
use crate::testing::Random;

const ROLE: Role = Role {
    node: 0,
    what: "test",
};

/// Wires with integers, and identities that hold for them.
struct Fixture {
    plan: Plan,
    integers: Vec<Vec<i32>>,
}

impl Fixture {
    fn new() -> Self {
        let plan = Plan {
            batch: 1,
            wires: Vec::new(),
            tables: Vec::new(),
            sites: Vec::new(),
            identities: Vec::new(),
            outputs: Vec::new(),
        };
        Self {
            plan,
            integers: Vec::new(),
        }
    }

    fn wire(&mut self, shape: &[usize], integers: Vec<i32>) -> WireId {
        assert_eq!(shape.iter().product::<usize>(), integers.len());
        self.plan.wires.push(Wire {
            shape: shape.to_vec(),
            definition: Definition::Witness {
                fill: Fill::Tensor(0),
            },
            tensor: None,
            role: ROLE,
        });
        self.integers.push(integers);
        WireId(self.integers.len() - 1)
    }

    fn identity(&mut self, shape: &[usize], terms: &[(i64, &[WireId])]) {
        let term = |(coeff, factors): &(i64, &[WireId])| PlanTerm {
            coeff: *coeff,
            factors: factors.to_vec(),
        };
        self.plan.identities.push(Identity {
            shape: shape.to_vec(),
            terms: terms.iter().map(term).collect(),
            role: ROLE,
        });
    }

    /// Products of two or three wires over `[.., n]`, one of which is broadcast along the last axis.
    fn products(&mut self, random: &mut Random, shape: &[usize], cubic: bool) {
        let cells: usize = shape.iter().product();
        let n = *shape.last().unwrap();
        let mut rows = shape.to_vec();
        *rows.last_mut().unwrap() = 1;
        let below = |random: &mut Random, end| i32::try_from(random.below(end)).unwrap();
        let small = |random: &mut Random| below(random, 401) - 200;
        let a: Vec<i32> = (0..cells).map(|_| small(random)).collect();
        let b: Vec<i32> = (0..cells / n).map(|_| small(random)).collect();
        let h: Vec<i32> = (0..cells).map(|_| below(random, 2)).collect();
        let product: Vec<i32> = (0..cells)
            .map(|at| if cubic { h[at] } else { 1 } * a[at] * b[at / n] - 5 * h[at])
            .collect();
        let a = self.wire(shape, a);
        let b = self.wire(&rows, b);
        let h = self.wire(shape, h);
        let product = self.wire(shape, product);
        self.identity(shape, &[(1, &[h, h]), (-1, &[h])]);
        let factors = [h, a, b];
        let factors = if cubic { &factors[..] } else { &factors[1..] };
        self.identity(shape, &[(7, factors), (-35, &[h]), (-7, &[product])]);
        // The broadcast wire in its own, smaller space too.
        self.identity(&rows, &[(3, &[b]), (-3, &[b])]);
    }

    fn prove(&self) -> (Vec<Claim>, Vec<u8>) {
        let integers = |wire: WireId| self.integers.get(wire.0).map(|held| Integers::I32(held));
        let mut transcript = ProverTranscript::new("test");
        let claims = prove_with(&self.plan, &integers, &mut transcript).unwrap();
        (claims, transcript.finish())
    }

    /// The verifier of the page; the claims if the proof is accepted.
    fn verify(&self, proof: &[u8]) -> Option<Vec<Claim>> {
        let mut transcript = VerifierTranscript::new("test", proof);
        let mut claims = Vec::new();
        for group in groups(&self.plan) {
            let tau = transcript.challenges(ZERO_POINT, group.variables);
            let lambda = transcript.challenge(ZERO_FOLD);
            let mut claim = EF::ZERO;
            let mut point = Vec::new();
            for _ in 0..group.variables {
                let message = transcript.receive(ROUND, group.degree).unwrap();
                point.push(transcript.challenge(ROUND));
                claim = next_claim(claim, &message, *point.last().unwrap());
            }
            let values = transcript.receive(ZERO_VALUES, group.sent.len()).unwrap();
            let evaluations = Evaluations::new(&self.plan, &point, &group.sent, &values);
            let sum = group.identities.iter().rev().fold(EF::ZERO, |sum, &at| {
                let identity = &self.plan.identities[at];
                sum * lambda + evaluations.terms(&identity.shape, &identity.terms).unwrap()
            });
            if claim != eq(&tau, &point) * sum {
                return None;
            }
            claims.extend(group.sent.iter().zip(values).map(|(sent, value)| Claim {
                wire: sent.wire,
                point: sent.point(&point),
                value,
            }));
        }
        transcript.finish().unwrap();
        Some(claims)
    }
}

#[test]
fn identities_are_proved_group_by_group() {
    let mut random = Random::new(4);
    let mut fixture = Fixture::new();
    // Of equally many variables with other axes; with and without a product of three; without variables.
    for (shape, cubic) in [
        (&[1, 1][..], false),
        (&[1, 16, 32], false),
        (&[2, 9, 17], true),
        (&[1, 16, 32], true),
        (&[3, 5], false),
        (&[2, 3, 48], true),
        (&[5, 3, 100], false),
        (&[2, 12, 8, 8], false),
    ] {
        fixture.products(&mut random, shape, cubic);
    }
    let (claims, proof) = fixture.prove();
    for claim in &claims {
        let shape = &fixture.plan.wires[claim.wire.0].shape;
        let value = evaluate_integers(&fixture.integers[claim.wire.0], shape, &claim.point);
        assert_eq!(claim.value, value);
    }
    assert_eq!(fixture.verify(&proof), Some(claims));
}

#[test]
fn an_identity_that_does_not_hold_is_refused() {
    let mut random = Random::new(5);
    for shape in [&[1, 1][..], &[3, 5], &[2, 3, 48]] {
        let mut fixture = Fixture::new();
        fixture.products(&mut random, shape, true);
        let held = fixture.integers.len();
        for wire in [2, held - 1] {
            let at = random.below(fixture.integers[wire].len());
            fixture.integers[wire][at] += 7;
            let (_, proof) = fixture.prove();
            assert_eq!(fixture.verify(&proof), None);
            fixture.integers[wire][at] -= 7;
        }
        let (claims, proof) = fixture.prove();
        assert_eq!(fixture.verify(&proof), Some(claims));
    }
}

#[test]
fn wires_without_integers_are_refused() {
    let mut fixture = Fixture::new();
    let wire = fixture.wire(&[4], vec![0; 4]);
    fixture.identity(&[4], &[(1, &[wire])]);
    fixture.plan.wires[0].shape = vec![3];
    fixture.plan.identities[0].shape = vec![3];
    let integers = |wire: WireId| fixture.integers.get(wire.0).map(|held| Integers::I32(held));
    let mut transcript = ProverTranscript::new("test");
    assert_eq!(
        prove_with(&fixture.plan, &integers, &mut transcript),
        Err(ZeroCheckError::Wire { wire })
    );
    assert_eq!(
        prove_with(&fixture.plan, &|_| None, &mut transcript),
        Err(ZeroCheckError::Wire { wire })
    );
}
