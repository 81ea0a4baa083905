//! Every Rust error as an exception of `veridical.errors`.

use pyo3::prelude::*;
use thiserror::Error;
use veridical_executor::ExecutorError;
use veridical_program::ProgramError;
use veridical_program::boundary::BoundaryError;
use veridical_prover::ProveError;
use veridical_seeds::SeedError;
use veridical_verifier::VerifyError;

/// The Python classes; `veridical.errors` defines them.
mod raised {
    pyo3::import_exception!(veridical.errors, InputError);
    pyo3::import_exception!(veridical.errors, InternalError);
    pyo3::import_exception!(veridical.errors, ProgramError);
    pyo3::import_exception!(veridical.errors, ProgramMissingError);
    pyo3::import_exception!(veridical.errors, ProofError);
    pyo3::import_exception!(veridical.errors, SeedError);
}

/// What may fail beneath the adapter, or in an argument.
#[derive(Debug, Error)]
pub(crate) enum CoreError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    #[error(transparent)]
    Boundary(#[from] BoundaryError),
    #[error(transparent)]
    Prove(#[from] ProveError),
    #[error("{name}: {0}", name = .0.name())]
    Verify(#[from] VerifyError),
    #[error("{name}: {0}", name = .0.name())]
    Seed(#[from] SeedError),
    #[error("no threads: {reason}")]
    ThreadPool { reason: String },
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    #[error("cannot read the file: {source}")]
    File {
        path: String,
        source: std::io::Error,
    },
    /// An exception of Python itself, which passes unchanged.
    #[error(transparent)]
    Python(#[from] PyErr),
}

/// An argument that does not fit the program.
#[derive(Debug, Error)]
pub(crate) enum ArgumentError {
    #[error("{what} {name:?} is missing")]
    MissingTensor { what: &'static str, name: String },
    #[error("there is no {what} {name:?}; the program has {known:?}")]
    UnknownTensor {
        what: &'static str,
        name: String,
        known: Vec<String>,
    },
    #[error("{what} {name:?} is no array")]
    NoArray { what: &'static str, name: String },
    #[error("{what} {name:?} has dtype {actual}, accepted are {expected}")]
    Dtype {
        what: &'static str,
        name: String,
        actual: String,
        expected: &'static str,
    },
    #[error("{what} {name:?} has shape {actual:?}, expected (batch, {})", list(.expected))]
    Shape {
        what: &'static str,
        name: String,
        expected: Vec<usize>,
        actual: Vec<usize>,
    },
    #[error("{what} {name:?} has a batch of {actual}, another tensor one of {expected}")]
    Batch {
        what: &'static str,
        name: String,
        expected: usize,
        actual: usize,
    },
    #[error("{what} has {expected} bytes, not {actual}")]
    Length {
        what: &'static str,
        expected: usize,
        actual: usize,
    },
    #[error("logits are no C-contiguous array")]
    Layout,
    #[error("a salt has 32 bytes, not {actual}")]
    Salt { actual: usize },
    #[error("there is no const {id}, or this verification key does not hold it")]
    Const { id: usize },
    #[error("profile {name:?} is none of standard, strong")]
    Profile { name: String },
    #[error("statements, inputs and outputs of a proof do not belong together")]
    Runs,
    #[error("isa {name:?} is none of auto, portable, avx2, avx512")]
    Isa { name: String },
    #[error("the file has {actual} bytes, at most {limit} are read")]
    FileSize {
        path: String,
        actual: u64,
        limit: u64,
    },
    #[error("not a regular file")]
    FileType { path: String },
}

fn list(shape: &[usize]) -> String {
    shape
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

impl From<CoreError> for PyErr {
    fn from(error: CoreError) -> Self {
        let message = error.to_string();
        match error {
            CoreError::Program(e) => {
                raised::ProgramError::new_err((message, e.location(), e.check()))
            }
            CoreError::Executor(e) => executor(message, &e),
            CoreError::Boundary(e) => {
                raised::InputError::new_err((message, None::<String>, e.name()))
            }
            CoreError::Prove(e) => prove(message, &e),
            CoreError::Verify(_) => raised::ProofError::new_err((message, "proof", "tier")),
            CoreError::Seed(_) => raised::SeedError::new_err((message, "seed", "seed")),
            CoreError::ThreadPool { .. } => raised::InternalError::new_err(message),
            CoreError::Argument(e) => argument(message, &e),
            CoreError::File { path, .. } => raised::InputError::new_err((message, path, "file")),
            CoreError::Python(e) => e,
        }
    }
}

fn argument(message: String, error: &ArgumentError) -> PyErr {
    match error {
        ArgumentError::FileSize { path, .. } => {
            raised::ProgramError::new_err((message, path.clone(), "file"))
        }
        ArgumentError::FileType { path } => {
            raised::InputError::new_err((message, path.clone(), "file"))
        }
        _ => raised::InputError::new_err((message, None::<String>, "argument")),
    }
}

fn prove(message: String, error: &ProveError) -> PyErr {
    match error {
        ProveError::Executor(e) => executor(message, e),
        ProveError::MissingConstant { .. } => {
            raised::ProgramMissingError::new_err((message, None::<String>, "program"))
        }
        ProveError::Plan(_)
        | ProveError::Leaves(_)
        | ProveError::Variables(_)
        | ProveError::OtherModel
        | ProveError::NoWeights
        | ProveError::Runs { .. }
        | ProveError::TooLarge { .. } => {
            raised::InputError::new_err((message, None::<String>, "proof"))
        }
        _ => raised::InternalError::new_err(message),
    }
}

fn executor(message: String, error: &ExecutorError) -> PyErr {
    match error {
        ExecutorError::MissingConstant { .. } => {
            raised::ProgramMissingError::new_err((message, None::<String>, "program"))
        }
        ExecutorError::ThreadPool { .. } => raised::InternalError::new_err(message),
        _ => raised::InputError::new_err((message, None::<String>, "execution")),
    }
}
