//! The identities of a plan.
//!
//! Spec: spec/v1/zk.md, section 7.

use std::borrow::Cow;
use std::collections::BTreeMap;

use p3_field::{Field, PrimeCharacteristicRing};
use rayon::prelude::*;
use thiserror::Error;
use tracing::info_span;
use veridical_argument::claims::Claim;
use veridical_argument::field::{EF, F};
use veridical_argument::formulas::expression::Sent;
use veridical_argument::formulas::zero_check::{Group as Identities, groups};
use veridical_argument::labels::{ZERO_FOLD, ZERO_POINT, ZERO_VALUES};
use veridical_argument::multilinear::restrict;
use veridical_argument::plan::{Identity, Plan, WireId};
use veridical_argument::transcript::{ProverTranscript, Transcript};

use crate::cells::{Layout, evaluate};
use crate::sumcheck::{Group, Outcome, Part, Sumcheck, SumcheckError, Table, Term};
use crate::values::{Integers, Values};

/// Why the identities of a plan cannot be proved: the plan and the values do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ZeroCheckError {
    /// A wire of an identity has no integers, or another number of them than cells.
    #[error("wire {} of an identity has no integers of its shape", .wire.0)]
    Wire {
        /// Which wire.
        wire: WireId,
    },
    /// The sumcheck of a group cannot be started.
    #[error(transparent)]
    Sumcheck(#[from] SumcheckError),
}

/// Proves the identities group by group; the claims on their wires are in the order of their messages.
///
/// An identity that does not hold gives messages that a verifier refuses.
///
/// # Errors
/// Plan and values do not belong together.
pub fn prove(
    plan: &Plan,
    values: &Values<'_>,
    transcript: &mut ProverTranscript,
) -> Result<Vec<Claim>, ZeroCheckError> {
    let integers = |wire| values.integers(wire);
    prove_with(plan, &integers, transcript)
}

fn prove_with<'v>(
    plan: &Plan,
    integers: &(dyn Fn(WireId) -> Option<Integers<'v>> + Sync),
    transcript: &mut ProverTranscript,
) -> Result<Vec<Claim>, ZeroCheckError> {
    let mut claims = Vec::new();
    for identities in groups(plan) {
        let tau = transcript.challenges(ZERO_POINT, identities.variables);
        let lambda = transcript.challenge(ZERO_FOLD);
        let _span = info_span!("group").entered();
        let spaces = Space::of(plan, &identities, lambda);
        let parts = spaces.iter().map(|space| space.part(plan, integers));
        let sumcheck = Sumcheck {
            equality: Some(tau),
            parts: parts.collect::<Result<_, _>>()?,
        };
        let outcome = sumcheck.prove(EF::ZERO, transcript)?;
        let known = unbroadcast(plan, &spaces, &outcome);
        let value = |sent: &Sent| -> Result<EF, ZeroCheckError> {
            let wire = sent.wire;
            let missing = ZeroCheckError::Wire { wire };
            if let Some(value) = known.get(sent) {
                return Ok(*value);
            }
            // A broadcast factor vanished, which a random point does not let happen.
            let integers = integers(wire).ok_or(missing)?;
            let shape = &plan.wire(wire).ok_or(missing)?.shape;
            Ok(evaluate(shape, integers, &sent.point(&outcome.point)))
        };
        let values: Vec<EF> = identities
            .sent
            .iter()
            .map(value)
            .collect::<Result<_, _>>()?;
        transcript.send(ZERO_VALUES, &values);
        let sent = identities.sent.iter().zip(values);
        claims.extend(sent.map(|(sent, value)| Claim {
            wire: sent.wire,
            point: sent.point(&outcome.point),
            value,
        }));
    }
    Ok(claims)
}

/// The identities of a group over one list of axes, and the wires in them.
struct Space<'p> {
    axes: &'p [usize],
    wires: Vec<WireId>,
    groups: Vec<Group>,
}

impl<'p> Space<'p> {
    /// The spaces of a group; `lambda^i` weighs its `i`-th identity.
    fn of(plan: &'p Plan, identities: &Identities, lambda: EF) -> Vec<Self> {
        let mut spaces: Vec<Self> = Vec::new();
        let mut by_axes: BTreeMap<&[usize], usize> = BTreeMap::new();
        let members = identities.identities.iter();
        let members = members.filter_map(|&at| plan.identities.get(at));
        for (identity, weight) in members.zip(lambda.powers()) {
            let axes = identity.shape.as_slice();
            let at = *by_axes.entry(axes).or_insert(spaces.len());
            if at == spaces.len() {
                spaces.push(Self {
                    axes,
                    wires: Vec::new(),
                    groups: Vec::new(),
                });
            }
            spaces[at].add(identity, weight);
        }
        spaces
    }

    fn add(&mut self, identity: &Identity, weight: EF) {
        let terms = identity.terms.iter().map(|term| Term {
            coeff: F::from_i64(term.coeff),
            factors: term.factors.iter().map(|wire| self.table(*wire)).collect(),
        });
        let terms = terms.collect();
        self.groups.push(Group { weight, terms });
    }

    /// Position of the table of a wire.
    fn table(&mut self, wire: WireId) -> usize {
        let found = self.wires.iter().position(|known| *known == wire);
        found.unwrap_or_else(|| {
            self.wires.push(wire);
            self.wires.len() - 1
        })
    }

    fn part<'v>(
        &self,
        plan: &Plan,
        integers: &(dyn Fn(WireId) -> Option<Integers<'v>> + Sync),
    ) -> Result<Part<'static>, ZeroCheckError> {
        let layout = Layout::compact(self.axes);
        let table = |&wire: &WireId| {
            let missing = ZeroCheckError::Wire { wire };
            let shape = &plan.wire(wire).ok_or(missing)?.shape;
            let integers = integers(wire).ok_or(missing)?;
            if integers.len() != shape.iter().product() {
                return Err(missing);
            }
            Ok(Table::Base(Cow::Owned(layout.table(shape, integers))))
        };
        Ok(Part {
            shape: layout.shape(),
            tables: self.wires.par_iter().map(table).collect::<Result<_, _>>()?,
            groups: self.groups.clone(),
        })
    }
}

/// The wires at their own points, from their tables at the common one.
fn unbroadcast(plan: &Plan, spaces: &[Space<'_>], outcome: &Outcome) -> BTreeMap<Sent, EF> {
    let tables = spaces
        .iter()
        .flat_map(|space| space.wires.iter().map(move |wire| (space.axes, *wire)));
    tables
        .zip(&outcome.values)
        .filter_map(|((axes, wire), value)| {
            let shape = &plan.wire(wire)?.shape;
            let (_, factor) = restrict(axes, shape, &outcome.point);
            let sent = Sent::new(plan, outcome.point.len(), axes, wire);
            Some((sent, *value * factor.try_inverse()?))
        })
        .collect()
}

#[cfg(test)]
mod tests;
