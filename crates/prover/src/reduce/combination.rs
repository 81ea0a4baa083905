//! Sums of wires.
//!
//! Spec: spec/v1/zk.md, section 8.2.

use p3_field::{Field, PrimeCharacteristicRing};
use veridical_argument::claims::Claim;
use veridical_argument::field::{EF, F};
use veridical_argument::labels;
use veridical_argument::multilinear::{chi_space, restrict};
use veridical_argument::plan::{Combination, Wire, WireId};

use super::{ReduceError, Reducer, Source};

/// An operand of a combination.
struct Operand {
    wire: WireId,
    point: Vec<EF>,
    /// Coefficient, with the factor of the axes along which the operand is broadcast.
    coeff: EF,
    cells: usize,
    value: Option<EF>,
}

impl<S: Source> Reducer<'_, S> {
    /// Sends the evaluations of all operands.
    ///
    /// One of them follows from the claim and the others: one without integers, else the largest.
    pub(super) fn combination(
        &mut self,
        wire: &Wire,
        combination: &Combination,
        claim: &Claim,
    ) -> Result<(), ReduceError> {
        let mut operands = Vec::with_capacity(combination.terms.len());
        for &(coeff, operand) in &combination.terms {
            let shape = &self.wire(operand)?.shape;
            let (point, factor) = restrict(&wire.shape, shape, &claim.point);
            operands.push(Operand {
                wire: operand,
                coeff: factor * F::from_i64(coeff),
                cells: shape.iter().product(),
                value: self.ledger.known(operand, &point),
                point,
            });
        }
        let implied = self.implied(&operands);
        let mut rest =
            claim.value - chi_space(&wire.shape, &claim.point) * F::from_i64(combination.constant);
        for (position, operand) in operands.iter_mut().enumerate() {
            if Some(position) == implied {
                continue;
            }
            let value = match operand.value {
                Some(value) => value,
                None => self.evaluate(operand.wire, &operand.point)?,
            };
            operand.value = Some(value);
            rest -= operand.coeff * value;
        }
        if let Some(operand) = implied.and_then(|position| operands.get_mut(position)) {
            operand.value = match operand.coeff.try_inverse() {
                Some(inverse) => Some(rest * inverse),
                None if self.values.integers(operand.wire).is_none() => {
                    return Err(ReduceError::NotImplied {
                        wire: claim.wire.0,
                        operand: operand.wire.0,
                    });
                }
                None => Some(self.evaluate(operand.wire, &operand.point)?),
            };
        }
        let value = |operand: &Operand| operand.value.unwrap_or_default();
        let values: Vec<EF> = operands.iter().map(value).collect();
        self.transcript.send(labels::COMBINATION, &values);
        for (operand, value) in operands.into_iter().zip(values) {
            self.add(operand.wire, operand.point, value)?;
        }
        Ok(())
    }

    /// The operand whose evaluation is not computed.
    fn implied(&self, operands: &[Operand]) -> Option<usize> {
        let cost = |operand: &Operand| {
            if self.values.integers(operand.wire).is_none() {
                usize::MAX
            } else {
                operand.cells
            }
        };
        let unknown = operands
            .iter()
            .enumerate()
            .filter(|(_, operand)| operand.value.is_none());
        unknown
            .max_by_key(|(_, operand)| cost(operand))
            .map(|(position, _)| position)
    }
}
