//! Several claims on one wire become one.
//!
//! Spec: spec/v1/zk.md, section 8.1.

use std::borrow::Cow;

use p3_field::PrimeCharacteristicRing;
use veridical_argument::claims::Claim;
use veridical_argument::field::EF;
use veridical_argument::labels::{MERGE, MERGED};
use veridical_argument::stack::CellTerm;
use veridical_argument::transcript::{ProverTranscript, Transcript};

use crate::cells::Layout;
use crate::opening::omega::Omega;
use crate::sumcheck::{Sumcheck, SumcheckError, Table};
use crate::values::Integers;

/// Proves the claims on a wire by one claim; one claim alone stays as it is, and no message is sent.
///
/// # Errors
/// The points of the claims are none of the wire.
pub fn merge(
    shape: &[usize],
    integers: Integers<'_>,
    claims: Vec<Claim>,
    transcript: &mut ProverTranscript,
) -> Result<Option<Claim>, SumcheckError> {
    if claims.len() < 2 {
        return Ok(claims.into_iter().next());
    }
    let Some(wire) = claims.first().map(|claim| claim.wire) else {
        return Ok(None);
    };
    let gamma = transcript.challenge(MERGE);
    let layout = Layout::dense(shape);
    let variables = layout.shape().variables();
    let mut terms = Vec::with_capacity(claims.len());
    let mut folded = EF::ZERO;
    for (claim, factor) in claims.into_iter().zip(gamma.powers()) {
        if claim.point.len() != variables {
            return Err(SumcheckError::Point {
                found: claim.point.len(),
                expected: variables,
            });
        }
        folded += factor * claim.value;
        terms.push(CellTerm {
            address: 0,
            coefficient: factor,
            point: claim.point,
        });
    }
    let weights = Omega::new(terms).table(variables);
    let table = layout.table(shape, integers);
    let sumcheck = Sumcheck::product(
        variables,
        Table::Base(Cow::Owned(table)),
        Table::Packed(weights),
    );
    let outcome = sumcheck.prove(folded, transcript)?;
    let value = outcome.values.first().copied().unwrap_or_default();
    transcript.send(MERGED, &[value]);
    Ok(Some(Claim {
        wire,
        point: outcome.point,
        value,
    }))
}

#[cfg(test)]
mod tests {
    use veridical_argument::labels::ROUND;
    use veridical_argument::multilinear::{eq, evaluate_integers, shape_variables};
    use veridical_argument::plan::WireId;
    use veridical_argument::rounds::next_claim;
    use veridical_argument::transcript::VerifierTranscript;

    use super::*;
    use crate::testing::Random;

    fn claims(random: &mut Random, shape: &[usize], integers: &[i32], count: usize) -> Vec<Claim> {
        let claim = |_| {
            let point = random.extension_vec(shape_variables(shape));
            Claim {
                wire: WireId(3),
                value: evaluate_integers(integers, shape, &point),
                point,
            }
        };
        (0..count).map(claim).collect()
    }

    #[test]
    fn claims_become_one_that_holds() {
        let mut random = Random::new(1);
        for shape in [
            &[1, 1][..],
            &[2],
            &[5, 7],
            &[3, 4, 9],
            &[6, 300],
            &[2, 12, 32, 8],
        ] {
            let integers: Vec<i32> = (0..shape.iter().product::<usize>())
                .map(|_| random.integer())
                .collect();
            for count in 2..8 {
                let claims = claims(&mut random, shape, &integers, count);
                let mut transcript = ProverTranscript::new("test");
                let held = Integers::I32(&integers);
                let merged = merge(shape, held, claims.clone(), &mut transcript).unwrap();
                let merged = merged.unwrap();
                let proof = transcript.finish();

                let mut transcript = VerifierTranscript::new("test", &proof);
                let gamma = transcript.challenge(MERGE);
                let fold = |sum: EF, value: EF| sum * gamma + value;
                let mut claim = claims
                    .iter()
                    .rev()
                    .map(|claim| claim.value)
                    .fold(EF::ZERO, fold);
                let mut point = Vec::new();
                for _ in 0..shape_variables(shape) {
                    let message = transcript.receive(ROUND, 2).unwrap();
                    point.push(transcript.challenge(ROUND));
                    claim = next_claim(claim, &message, *point.last().unwrap());
                }
                let value = transcript.receive(MERGED, 1).unwrap()[0];
                transcript.finish().unwrap();
                let weights = claims.iter().rev().map(|claim| eq(&claim.point, &point));
                assert_eq!(claim, value * weights.fold(EF::ZERO, fold));
                assert_eq!(merged.value, evaluate_integers(&integers, shape, &point));
                assert_eq!(
                    merged,
                    Claim {
                        wire: WireId(3),
                        point,
                        value
                    }
                );
            }
        }
    }

    #[test]
    fn one_claim_stays() {
        let mut random = Random::new(2);
        let mut transcript = ProverTranscript::new("test");
        let claims = claims(&mut random, &[3], &[1, 2, 3], 1);
        let held = Integers::I32(&[1, 2, 3]);
        let merged = merge(&[3], held, claims.clone(), &mut transcript).unwrap();
        assert_eq!(merged.as_ref(), claims.first());
        assert_eq!(merge(&[3], held, Vec::new(), &mut transcript), Ok(None));
        assert!(transcript.is_empty());
    }

    #[test]
    fn points_of_another_wire_are_refused() {
        let mut random = Random::new(3);
        let claims = claims(&mut random, &[3], &[1, 2, 3], 2);
        let mut transcript = ProverTranscript::new("test");
        assert_eq!(
            merge(&[9], Integers::I32(&[0; 9]), claims, &mut transcript),
            Err(SumcheckError::Point {
                found: 2,
                expected: 4
            })
        );
    }
}
