//! Claims on wires become claims on what defines them.
//!
//! Spec: spec/v1/zk.md, section 8; the messages are those that `veridical-verifier` reads.
//!
//! | Module        | Section  | Purpose                              |
//! |---------------|----------|--------------------------------------|
//! | `combination` | 8.2      | sums of wires                        |
//! | `domain`      | 8.5, 8.6 | storage of the tables of a sumcheck  |
//! | `einsum`      | 8.6      | products of wires                    |
//! | `map`         | 8.5      | public pairs of cells                |

mod combination;
mod domain;
mod einsum;
mod error;
mod map;
#[cfg(test)]
mod tests;

pub use error::ReduceError;

use p3_field::PrimeCharacteristicRing;
use tracing::info_span;
use veridical_argument::claims::{Claim, Ledger};
use veridical_argument::field::EF;
use veridical_argument::formulas::view::{sum_point, view_point};
use veridical_argument::multilinear::shape_variables;
use veridical_argument::plan::{Definition, Plan, Wire, WireId};
use veridical_argument::transcript::ProverTranscript;

use crate::contract::{Axis, Contracted, Contractor, Layout};
use crate::merge::merge;
use crate::values::{Integers, Values};

/// The integers of wires.
pub trait Source {
    /// The integers of a wire, row-major; `None` where a proof can do without them.
    fn integers(&self, wire: WireId) -> Option<Integers<'_>>;
}

impl Source for Values<'_> {
    fn integers(&self, wire: WireId) -> Option<Integers<'_>> {
        Values::integers(self, wire)
    }
}

/// Reduces all claims to claims on committed wires, which are left in the ledger.
///
/// # Errors
/// Plan, integers and claims do not belong together.
pub fn run(
    plan: &Plan,
    values: &impl Source,
    ledger: &mut Ledger,
    transcript: &mut ProverTranscript,
) -> Result<(), ReduceError> {
    run_with(Contractor::default(), plan, values, ledger, transcript)
}

/// As [`run`], with the kernels of one instruction set; the messages are the same for all.
///
/// # Errors
/// As for [`run`].
pub fn run_with(
    contractor: Contractor,
    plan: &Plan,
    values: &impl Source,
    ledger: &mut Ledger,
    transcript: &mut ProverTranscript,
) -> Result<(), ReduceError> {
    let mut reducer = Reducer {
        contractor,
        plan,
        values,
        ledger,
        transcript,
    };
    for (id, wire) in plan.wires.iter().enumerate().rev() {
        match wire.definition {
            Definition::Witness { .. } | Definition::Weight { .. } => {}
            // The verifier evaluates these itself.
            Definition::Public { .. } | Definition::One | Definition::Iota => {
                reducer.ledger.take(WireId(id));
            }
            Definition::Combination(_)
            | Definition::Sum { .. }
            | Definition::View(_)
            | Definition::Map { .. }
            | Definition::Einsum { .. } => {
                if let Some(claim) = reducer.single(WireId(id), wire)? {
                    reducer.reduce(wire, &claim)?;
                }
            }
        }
    }
    Ok(())
}

/// The state of the reductions.
struct Reducer<'a, S> {
    contractor: Contractor,
    plan: &'a Plan,
    values: &'a S,
    ledger: &'a mut Ledger,
    transcript: &'a mut ProverTranscript,
}

impl<'a, S: Source> Reducer<'a, S> {
    /// Section 8.1: the only claim on a wire, or one that stands for several.
    fn single(&mut self, id: WireId, wire: &Wire) -> Result<Option<Claim>, ReduceError> {
        let claims = self.ledger.take(id);
        let expected = shape_variables(&wire.shape);
        if let Some(claim) = claims.iter().find(|claim| claim.point.len() != expected) {
            return Err(ReduceError::Point {
                wire: id.0,
                found: claim.point.len(),
                expected,
            });
        }
        if claims.len() < 2 {
            return Ok(claims.into_iter().next());
        }
        let integers = self.integers(id)?;
        Ok(info_span!("merge")
            .in_scope(|| merge(&wire.shape, integers, claims, self.transcript))?)
    }

    /// A claim on a wire becomes claims on its operands.
    fn reduce(&mut self, wire: &Wire, claim: &Claim) -> Result<(), ReduceError> {
        match &wire.definition {
            Definition::Combination(combination) => {
                info_span!("combination").in_scope(|| self.combination(wire, combination, claim))
            }
            Definition::Sum { of, axes } => {
                let shape = &self.wire(*of)?.shape;
                let (point, halves) = sum_point(shape, axes, &claim.point);
                let halves = u64::try_from(halves).unwrap_or(u64::MAX);
                self.add(*of, point, claim.value.div_2exp_u64(halves))
            }
            Definition::View(view) => {
                self.add(view.of, view_point(view, &claim.point), claim.value)
            }
            Definition::Map { of, factors } => {
                info_span!("map").in_scope(|| self.map(*of, factors, claim))
            }
            Definition::Einsum { a, b, labels } => {
                info_span!("einsum").in_scope(|| self.einsum(wire, [*a, *b], labels, claim))
            }
            Definition::Public { .. }
            | Definition::One
            | Definition::Iota
            | Definition::Witness { .. }
            | Definition::Weight { .. } => Ok(()),
        }
    }

    fn wire(&self, id: WireId) -> Result<&'a Wire, ReduceError> {
        self.plan.wire(id).ok_or(ReduceError::NoWire { wire: id.0 })
    }

    fn integers(&self, id: WireId) -> Result<Integers<'a>, ReduceError> {
        self.values
            .integers(id)
            .ok_or_else(|| match self.plan.wire(id) {
                Some(wire) => ReduceError::Missing {
                    wire: id.0,
                    node: wire.role.node,
                    what: wire.role.what,
                },
                None => ReduceError::NoWire { wire: id.0 },
            })
    }

    fn add(&mut self, wire: WireId, point: Vec<EF>, value: EF) -> Result<(), ReduceError> {
        Ok(self.ledger.add(Claim { wire, point, value })?)
    }

    fn evaluate(&self, id: WireId, point: &[EF]) -> Result<EF, ReduceError> {
        let shape = &self.wire(id)?.shape;
        let contractor = self.contractor;
        Ok(match self.integers(id)? {
            Integers::I8(integers) => contractor.evaluate(integers, shape, point),
            Integers::I16(integers) => contractor.evaluate(integers, shape, point),
            Integers::I32(integers) => contractor.evaluate(integers, shape, point),
        }?)
    }

    fn contract(
        &self,
        id: WireId,
        axes: &[Axis<'_>],
        layout: &Layout<'_>,
    ) -> Result<Contracted, ReduceError> {
        let contractor = self.contractor;
        Ok(match self.integers(id)? {
            Integers::I8(integers) => contractor.contract(integers, axes, layout),
            Integers::I16(integers) => contractor.contract(integers, axes, layout),
            Integers::I32(integers) => contractor.contract(integers, axes, layout),
        }?)
    }
}
