//! Verdict or refusal as JSON.

use thiserror::Error;
use veridical_argument::statement::Statement;
use veridical_program::{Program, ProgramError};
use veridical_verifier::{Request, Verdict, VerifyError, verify};

use crate::statement::{StatementBytes, StatementError};

/// Why a proof is not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The first bytes are neither a program nor a verification key.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The second bytes are no statement about it.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The third bytes are no proof of it.
    #[error(transparent)]
    Proof(#[from] VerifyError),
}

impl Refusal {
    /// Stable name of the check that failed.
    pub fn check(&self) -> &'static str {
        match self {
            Self::Program(error) => error.check(),
            Self::Statement(_) => "Statement",
            Self::Proof(error) => error.name(),
        }
    }
}

/// Verifies a proof of a statement about a program.
///
/// # Errors
/// What is not as it must be.
pub fn check(program: &[u8], statement: &[u8], proof: &[u8]) -> Result<Verdict, Refusal> {
    let program = Program::from_bytes(program)?;
    let given = StatementBytes::read(&program, statement)?;
    let statement = Statement {
        profile: given.registration.profile,
        registration: &given.registration,
        digests: &given.digests,
        inputs: &given.inputs,
        outputs: &given.outputs,
    };
    let request = Request {
        program: &program,
        statement,
    };
    Ok(verify(&request, proof)?)
}

/// [`check`] in JSON: `{"accepted":true,"bits":"100.71","runs":1}`, or
/// `{"accepted":false,"check":"LookupSum","reason":"..."}`.
pub fn answer(program: &[u8], statement: &[u8], proof: &[u8]) -> String {
    match check(program, statement, proof) {
        Ok(verdict) => format!(
            r#"{{"accepted":true,"bits":"{}","runs":{}}}"#,
            verdict.soundness, verdict.counts.batch
        ),
        Err(refusal) => format!(
            r#"{{"accepted":false,"check":"{}","reason":"{}"}}"#,
            refusal.check(),
            escaped(&refusal.to_string())
        ),
    }
}

/// The inside of a JSON string.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            // A message has control characters only from hostile names; a space says as much.
            c if c < ' ' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
