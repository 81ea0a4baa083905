//! Verdict or refusal as JSON.

use thiserror::Error;
use veridical_argument::statement::{Registration, Statement};
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
/// The commitment to the weights is the statement's: nothing here compares it with weights, not even where the
/// program holds them. Whoever asks has to know the root.
///
/// # Errors
/// What is not as it must be.
pub fn check(program: &[u8], statement: &[u8], proof: &[u8]) -> Result<Verdict, Refusal> {
    let (verdict, _) = checked(program, statement, proof)?;
    Ok(verdict)
}

fn checked(
    program: &[u8],
    statement: &[u8],
    proof: &[u8],
) -> Result<(Verdict, Registration), Refusal> {
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
    Ok((verify(&request, proof)?, given.registration))
}

/// [`check`] in JSON: `{"accepted":true,"bits":"100.71","model":"0a..","runs":1,"weight_root":"0b.."}`, or
/// `{"accepted":false,"check":"LookupSum","reason":"..."}`.
///
/// Model digest and root say what was accepted, for a host to compare; the root is empty without weights.
pub fn answer(program: &[u8], statement: &[u8], proof: &[u8]) -> String {
    match checked(program, statement, proof) {
        Ok((verdict, registration)) => format!(
            r#"{{"accepted":true,"bits":"{}","model":"{}","runs":{},"weight_root":"{}"}}"#,
            verdict.soundness,
            hex(&registration.model_digest),
            verdict.counts.batch,
            registration
                .weight_root
                .map_or_else(String::new, |root| hex(&root.0)),
        ),
        Err(refusal) => format!(
            r#"{{"accepted":false,"check":"{}","reason":"{}"}}"#,
            refusal.check(),
            escaped(&refusal.to_string())
        ),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    let digits = bytes
        .iter()
        .map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.flatten().collect()
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
