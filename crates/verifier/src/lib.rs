//! Verifier of succinct proofs of inference.
//!
//! Spec: spec/v1/zk.md, sections 5 to 9. A pure function of its arguments: it reads hostile bytes
//! and decides what is accepted, so it neither panics, nor rounds, nor depends on the machine.
//!
//! | Module       | Section | Purpose                                             |
//! |--------------|---------|-----------------------------------------------------|
//! | `error`      |         | one variant per check                               |
//! | `statement`  | 5       | shapes and ranges of the public integers            |
//! | `layout`     | 2.3     | public tensors that the program derives from inputs |
//! | `session`    | 5       | what all steps share                                |
//! | `lookup`     | 6       | fractional sums and their leaves                    |
//! | `zero_check` | 7       | identities                                          |
//! | `reductions` | 8       | claims on wires that are not committed              |
//! | `opening`    | 9       | claims on the stacks                                |

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_types,
    clippy::float_arithmetic,
    clippy::host_endian_bytes,
    clippy::indexing_slicing,
    clippy::integer_division,
    clippy::let_underscore_must_use,
    clippy::panic_in_result_fn,
    clippy::unreachable,
    clippy::wildcard_enum_match_arm
)]

mod error;
mod layout;
mod lookup;
mod opening;
mod reductions;
mod session;
mod statement;
mod zero_check;

pub use error::VerifyError;
pub use session::Counts;

use session::Session;
use veridical_argument::plan::Plan;
use veridical_argument::profile::PROTOCOL;
use veridical_argument::soundness::Description;
use veridical_argument::soundness::bound::Bits;
use veridical_argument::soundness::opening::Gap;
use veridical_argument::statement::{Registration, Statement, Subject};
use veridical_argument::transcript::VerifierTranscript;
use veridical_program::Program;

/// What a proof is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The program; a verification key without weights suffices.
    pub program: &'a Program,
    /// The runs, the profile, and the commitment to the weights.
    pub statement: Statement<'a>,
}

/// The proof holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// What was checked.
    pub counts: Counts,
    /// Bits of soundness: the union bound over every step of such a proof, at least the profile's.
    pub soundness: Bits,
}

/// Verifies a proof that the outputs of every run of a batch are the program's.
///
/// # Errors
/// The check that failed. No bytes make it panic.
pub fn verify(request: &Request<'_>, proof: &[u8]) -> Result<Verdict, VerifyError> {
    statement::check(request)?;
    let plan = Plan::build(request.program, request.statement.batch())?;
    verify_plan(&plan, request, proof)
}

/// [`verify`] for a caller that keeps the plan of its program and batch size.
///
/// The plan MUST be [`Plan::build`] of them: nothing else says what is proven.
///
/// # Errors
/// The check that failed. No bytes make it panic.
pub fn verify_plan(
    plan: &Plan,
    request: &Request<'_>,
    proof: &[u8],
) -> Result<Verdict, VerifyError> {
    statement::check(request)?;
    let subject = Subject::Runs(request.statement);
    argue(plan, request.program, subject, proof)
}

/// Verifies a registration proof: that the integers behind a root keep everything that the loader of the program
/// checks with the true weights (section 12). That they are the weights of this model, nothing here shows.
///
/// # Errors
/// The check that failed; [`VerifyError::Plan`] names the condition of a program that has no registration proof. No
/// bytes make it panic.
pub fn verify_registration(
    program: &Program,
    registration: &Registration,
    proof: &[u8],
) -> Result<Verdict, VerifyError> {
    statement::check_registration(program, registration)?;
    if registration.weight_root.is_none() {
        return Err(VerifyError::WeightRoot { registered: false });
    }
    let plan = Plan::registration(program)?;
    argue(&plan, program, Subject::Weights(registration), proof)
}

/// Sections 5 to 9.
fn argue(
    plan: &Plan,
    program: &Program,
    subject: Subject<'_>,
    proof: &[u8],
) -> Result<Verdict, VerifyError> {
    let mut transcript = VerifierTranscript::new(PROTOCOL, proof);
    subject.absorb(&mut transcript);
    let (mut session, stacks) = Session::new(plan, program, subject, transcript)?;
    let profile = subject.profile();
    let description = Description::of_plan(plan, program.graph(), profile)?;
    let soundness = description
        .report(Gap::of(profile))
        .map_err(VerifyError::Variables)?
        .enforce(profile)?;
    let root = session.receive_witness_root()?;
    lookup::verify(&mut session)?;
    zero_check::verify(&mut session)?;
    session.claim_outputs()?;
    reductions::verify(&mut session)?;
    opening::verify(&mut session, &stacks, &root)?;
    let counts = session.finish(proof.len())?;
    Ok(Verdict { counts, soundness })
}
