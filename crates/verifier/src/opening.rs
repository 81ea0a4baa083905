//! Claims on the stacks.
//!
//! Spec: spec/v1/zk.md, section 9.

use std::collections::BTreeMap;

use p3_field::PrimeCharacteristicRing;
use veridical_argument::claims::{Claim, ClaimError};
use veridical_argument::field::EF;
use veridical_argument::labels;
use veridical_argument::pcs;
use veridical_argument::plan::{Definition, WireId};
use veridical_argument::profile::Stack as Kind;
use veridical_argument::stack::Stack;
use veridical_argument::transcript::{Root, Transcript};

use crate::VerifyError;
use crate::session::{Session, Stacks};

/// A claim on a tensor of a stack.
struct StackClaim {
    tensor: usize,
    point: Vec<EF>,
    value: EF,
}

/// Opens the stack of weights, if the program has any, then that of the witness.
pub fn verify(
    session: &mut Session<'_>,
    stacks: &Stacks,
    witness_root: &Root,
) -> Result<(), VerifyError> {
    let plan = session.plan;
    if let Some(weights) = &stacks.weights {
        let root = session.subject.registration().weight_root;
        let root = root.ok_or(VerifyError::WeightRoot { registered: false })?;
        let constant = |wire: WireId| match plan.wire(wire).map(|wire| &wire.definition) {
            Some(Definition::Weight { constant }) => Some(*constant),
            Some(_) | None => None,
        };
        let claims = session.ledger.take_all(|wire| constant(wire).is_some());
        let tensor = |wire| weights.tensors.binary_search(&constant(wire)?).ok();
        let claims = on_stack(claims, tensor)?;
        open(session, Kind::Weights, &weights.stack, &root, &claims)?;
    }
    let witness = &stacks.witness;
    let claims = session.ledger.take_all(|wire| {
        let wire = plan.wire(wire).map(|wire| &wire.definition);
        matches!(wire, Some(Definition::Witness { .. }))
    });
    let tensor = |wire| witness.tensors.binary_search(&wire).ok();
    let claims = on_stack(claims, tensor)?;
    open(
        session,
        Kind::Witness,
        &witness.stack,
        witness_root,
        &claims,
    )
}

/// Claims on the tensors of a stack in order of arrival, equal ones once.
///
/// Several wires may be one tensor, so claims that differ as claims on wires may be equal here.
fn on_stack(
    claims: Vec<Claim>,
    tensor: impl Fn(WireId) -> Option<usize>,
) -> Result<Vec<StackClaim>, VerifyError> {
    let mut known: BTreeMap<(usize, Vec<EF>), EF> = BTreeMap::new();
    let mut distinct = Vec::with_capacity(claims.len());
    for Claim { wire, point, value } in claims {
        let tensor = tensor(wire).ok_or(VerifyError::Inconsistent {
            what: "tensor of a stack",
        })?;
        match known.insert((tensor, point.clone()), value) {
            None => distinct.push(StackClaim {
                tensor,
                point,
                value,
            }),
            Some(earlier) if earlier == value => {}
            Some(_) => return Err(ClaimError::Unequal { wire }.into()),
        }
    }
    Ok(distinct)
}

/// Section 9.3: one sumcheck over all claims, one opening.
fn open(
    session: &mut Session<'_>,
    kind: Kind,
    stack: &Stack,
    root: &Root,
    claims: &[StackClaim],
) -> Result<(), VerifyError> {
    let name = match kind {
        Kind::Weights => "weights",
        Kind::Witness => "witness",
    };
    let gamma = session.transcript.challenge(labels::STACK_FOLD);
    let folded = claims
        .iter()
        .rev()
        .fold(EF::ZERO, |sum, claim| sum * gamma + claim.value);
    let (last, point) = session.sumcheck(folded, stack.variables(), 2)?;
    let [value] = session.receive(labels::STACK_VALUE)?;
    let omega = claims.iter().rev().fold(EF::ZERO, |sum, claim| {
        sum * gamma + stack.omega(claim.tensor, &claim.point, &point)
    });
    if last != value * omega {
        return Err(VerifyError::StackClaim { stack: name });
    }
    session.counts.openings = session.counts.openings.saturating_add(claims.len());
    pcs::verify(
        session.subject.profile(),
        kind,
        stack.variables(),
        root,
        &mut session.transcript,
        &point,
        value,
    )
    .map_err(|error| VerifyError::Opening { stack: name, error })
}
