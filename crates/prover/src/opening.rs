//! All claims on a stack become one, which its commitment opens.
//!
//! Spec: spec/v1/zk.md, section 9.

pub(crate) mod omega;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use p3_field::PrimeCharacteristicRing;
use thiserror::Error;
use tracing::info_span;
use veridical_argument::claims::{Claim, ClaimError};
use veridical_argument::field::{EF, F};
use veridical_argument::labels::{STACK_FOLD, STACK_VALUE};
use veridical_argument::pcs::{Committed, PcsError};
use veridical_argument::plan::WireId;
use veridical_argument::stack::Stack;
use veridical_argument::transcript::{ProverTranscript, Transcript};

use crate::sumcheck::SumcheckError;

/// Why the claims on a stack cannot be opened.
#[derive(Debug, Error)]
pub enum OpeningError {
    /// A claim is on a wire that is no tensor of the stack.
    #[error("wire {} is no tensor of the stack", .0.0)]
    Wire(WireId),
    /// Two claims on a tensor at one point have different values.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The stack has another number of elements than its cells need.
    #[error("the stack has {found} elements, its layout {expected}")]
    Length {
        /// Elements.
        found: usize,
        /// Elements of the layout.
        expected: usize,
    },
    /// The sumcheck cannot be started.
    #[error(transparent)]
    Sumcheck(#[from] SumcheckError),
    /// The commitment cannot be opened.
    #[error(transparent)]
    Commitment(#[from] PcsError),
}

/// A claim on a tensor of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StackClaim {
    tensor: usize,
    point: Vec<EF>,
    value: EF,
}

/// Proves claims on wires, in order of arrival, by one opening of the stack; `tensor` is the position of a wire in it.
///
/// # Errors
/// The claims are none of this stack, or the commitment is none of its values.
pub fn open(
    stack: &Stack,
    committed: &Committed,
    claims: Vec<Claim>,
    tensor: impl Fn(WireId) -> Option<usize>,
    transcript: &mut ProverTranscript,
) -> Result<(), OpeningError> {
    let (point, value) = info_span!("batching sumcheck")
        .in_scope(|| fold(stack, committed.values(), claims, tensor, transcript))?;
    info_span!("whir").in_scope(|| committed.open(transcript, &point, value))?;
    Ok(())
}

/// The sumcheck of the claims: the point at which the stack is opened, and its value there.
///
/// # Errors
/// The claims are none of this stack.
pub fn fold(
    stack: &Stack,
    elements: &[F],
    claims: Vec<Claim>,
    tensor: impl Fn(WireId) -> Option<usize>,
    transcript: &mut ProverTranscript,
) -> Result<(Vec<EF>, EF), OpeningError> {
    let expected = 1 << stack.variables();
    if elements.len() != expected {
        return Err(OpeningError::Length {
            found: elements.len(),
            expected,
        });
    }
    let claims = on_stack(claims, tensor)?;
    let gamma = transcript.challenge(STACK_FOLD);
    let mut folded = EF::ZERO;
    let mut terms = Vec::new();
    for (claim, factor) in claims.iter().zip(gamma.powers()) {
        folded += factor * claim.value;
        terms.extend(stack.terms(claim.tensor, &claim.point).map(|mut term| {
            term.coefficient *= factor;
            term
        }));
    }
    let (point, value) = sums::prove(elements, terms, folded, transcript)?;
    transcript.send(STACK_VALUE, &[value]);
    Ok((point, value))
}

/// Claims on the tensors of a stack in order of arrival, equal ones once.
///
/// Several wires may be one tensor, so claims that differ as claims on wires may be equal here.
fn on_stack(
    claims: Vec<Claim>,
    tensor: impl Fn(WireId) -> Option<usize>,
) -> Result<Vec<StackClaim>, OpeningError> {
    let mut known: BTreeMap<(usize, Vec<EF>), EF> = BTreeMap::new();
    let mut distinct = Vec::with_capacity(claims.len());
    for Claim { wire, point, value } in claims {
        let tensor = tensor(wire).ok_or(OpeningError::Wire(wire))?;
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
