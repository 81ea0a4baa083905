//! A verifier of section 8 that says only whether it accepts.

use p3_field::{Field, PrimeCharacteristicRing};
use veridical_argument::claims::{Claim, Ledger};
use veridical_argument::field::{EF, F};
use veridical_argument::formulas::einsum::{EinsumVariables, Operand};
use veridical_argument::formulas::map::MapVariables;
use veridical_argument::formulas::pairs;
use veridical_argument::labels::{COMBINATION, EINSUM, MAPPED, MERGE, MERGED, ROUND};
use veridical_argument::multilinear::{
    chi_space, eq, evaluate_integers, restrict, segments, shape_variables,
};
use veridical_argument::plan::{Definition, Pairs, Wire, WireId};
use veridical_argument::rounds::next_claim;
use veridical_argument::transcript::{Transcript, VerifierTranscript};

use super::model::Model;

/// Which check failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(&'static str);

fn require(holds: bool, check: &'static str) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(Refused(check)) }
}

struct Verifier<'m, 't, 'p> {
    model: &'m Model,
    ledger: &'t mut Ledger,
    transcript: &'t mut VerifierTranscript<'p>,
}

pub(super) fn verify(
    model: &Model,
    ledger: &mut Ledger,
    transcript: &mut VerifierTranscript<'_>,
) -> Result<(), Refused> {
    let mut verifier = Verifier {
        model,
        ledger,
        transcript,
    };
    for (id, wire) in model.plan.wires.iter().enumerate().rev() {
        let committed = matches!(
            wire.definition,
            Definition::Witness { .. } | Definition::Weight { .. }
        );
        if !committed {
            let claims = verifier.ledger.take(WireId(id));
            verifier.wire(wire, &claims)?;
        }
    }
    Ok(())
}

impl Verifier<'_, '_, '_> {
    fn wire(&mut self, wire: &Wire, claims: &[Claim]) -> Result<(), Refused> {
        let id = claims.first().map(|claim| claim.wire);
        if let Definition::Public { .. } | Definition::One | Definition::Iota = wire.definition {
            return claims.iter().try_for_each(|claim| {
                let integers = &self.model.integers[claim.wire.0];
                let value = evaluate_integers(integers, &wire.shape, &claim.point);
                require(value == claim.value, "public")
            });
        }
        let (Some(id), Some(claim)) = (id, self.merge(wire, claims)?) else {
            return Ok(());
        };
        self.reduce(id, wire, &claim)
    }

    fn receive(&mut self, label: &'static str, count: usize) -> Result<Vec<EF>, Refused> {
        let values = self.transcript.receive(label, count);
        values.map_err(|_| Refused("length"))
    }

    fn sumcheck(
        &mut self,
        claim: EF,
        variables: usize,
        degree: usize,
    ) -> Result<(EF, Vec<EF>), Refused> {
        let mut claim = claim;
        let mut point = Vec::new();
        for _ in 0..variables {
            let message = self.receive(ROUND, degree)?;
            let challenge = self.transcript.challenge(ROUND);
            claim = next_claim(claim, &message, challenge);
            point.push(challenge);
        }
        Ok((claim, point))
    }

    fn merge(&mut self, wire: &Wire, claims: &[Claim]) -> Result<Option<Claim>, Refused> {
        let [first, _, ..] = claims else {
            return Ok(claims.first().cloned());
        };
        let gamma = self.transcript.challenge(MERGE);
        let powers = || claims.iter().zip(gamma.powers());
        let folded = powers().map(|(claim, power)| claim.value * power).sum();
        let (last, point) = self.sumcheck(folded, shape_variables(&wire.shape), 2)?;
        let value = self.receive(MERGED, 1)?[0];
        let weights = powers().map(|(claim, power)| eq(&claim.point, &point) * power);
        require(last == value * weights.sum::<EF>(), "merge")?;
        let wire = first.wire;
        Ok(Some(Claim { wire, point, value }))
    }

    fn add(&mut self, wire: WireId, point: Vec<EF>, value: EF) -> Result<(), Refused> {
        let claim = Claim { wire, point, value };
        self.ledger.add(claim).map_err(|_| Refused("equal claims"))
    }

    fn reduce(&mut self, id: WireId, wire: &Wire, claim: &Claim) -> Result<(), Refused> {
        let shape = |wire: WireId| self.model.plan.wires[wire.0].shape.as_slice();
        match &wire.definition {
            Definition::Combination(combination) => {
                let values = self.receive(COMBINATION, combination.terms.len())?;
                let constant = F::from_i64(combination.constant);
                let mut sum = chi_space(&wire.shape, &claim.point) * constant;
                let mut later = Vec::new();
                for (&(coeff, operand), &value) in combination.terms.iter().zip(&values) {
                    let (point, factor) = restrict(
                        &wire.shape,
                        &self.model.plan.wires[operand.0].shape,
                        &claim.point,
                    );
                    sum += factor * value * F::from_i64(coeff);
                    later.push((operand, point, value));
                }
                require(sum == claim.value, "combination")?;
                for (operand, point, value) in later {
                    self.add(operand, point, value)?;
                }
                Ok(())
            }
            Definition::Sum { of, axes } => {
                let operand = shape(*of);
                let mut value = claim.value;
                let mut point = Vec::new();
                // Summed axes have no segment in the result.
                let parts = segments(&wire.shape, &claim.point);
                for (axis, (&n, part)) in operand.iter().zip(parts).enumerate() {
                    if axes.contains(&axis) {
                        for _ in 0..shape_variables(&[n]) {
                            point.push(EF::TWO.inverse());
                            value *= EF::TWO.inverse();
                        }
                    } else {
                        point.extend_from_slice(part);
                    }
                }
                self.add(*of, point, value)
            }
            Definition::View(view) => {
                let point = view.bits.iter().map(|&bit| claim.point[bit]).collect();
                self.add(view.of, point, claim.value)
            }
            Definition::Map { of, factors } => {
                let map = MapVariables::new(shape(*of), factors);
                let (last, challenges) = self.sumcheck(claim.value, map.summed(), 2)?;
                let value = self.receive(MAPPED, 1)?[0];
                let mut product = value;
                let related = map.related(&claim.point).into_iter();
                for ((relation, result), operand) in
                    related.zip(map.challenge_segments(&challenges))
                {
                    let ids = match relation {
                        Pairs::Rows { ids, .. } => self.model.integers[ids.0].as_slice(),
                        _ => &[],
                    };
                    product *= pairs::evaluate(relation, operand, result, ids);
                }
                require(product == last, "map")?;
                self.add(*of, map.operand_point(&claim.point, &challenges), value)
            }
            Definition::Einsum { a, b, labels } => {
                let variables = EinsumVariables::new(labels, shape(*a), shape(*b), &wire.shape);
                let (summed, degree) = (variables.summed(), variables.degree());
                let (last, challenges) = self.sumcheck(claim.value, summed, degree)?;
                let values = self.receive(EINSUM, 2)?;
                let weight = variables.shared_eq(&claim.point, &challenges);
                require(weight * values[0] * values[1] == last, "einsum")?;
                let point = |operand| variables.operand_point(operand, &claim.point, &challenges);
                self.add(*a, point(Operand::A), values[0])?;
                self.add(*b, point(Operand::B), values[1])
            }
            _ => panic!("wire {id:?} is not reduced"),
        }
    }
}
