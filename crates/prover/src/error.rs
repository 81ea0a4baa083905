//! Why a proof was not made.

use thiserror::Error;
use veridical_argument::claims::ClaimError;
use veridical_argument::leaves::LeavesError;
use veridical_argument::pcs::{PcsError, VariablesError};
use veridical_argument::plan::PlanError;
use veridical_executor::ExecutorError;

use crate::gkr::GkrError;
use crate::opening::OpeningError;
use crate::reduce::ReduceError;
use crate::values::ValuesError;
use crate::zero_check::ZeroCheckError;

/// Why a proof was not made.
#[derive(Debug, Error)]
pub enum ProveError {
    /// The program could not be run.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// The program cannot be proven, or not for so many runs.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The lookups are too many.
    #[error(transparent)]
    Leaves(#[from] LeavesError),
    /// A stack is too large.
    #[error(transparent)]
    Variables(#[from] VariablesError),
    /// The integers of a wire could not be found.
    #[error(transparent)]
    Values(#[from] ValuesError),
    /// The lookup argument.
    #[error(transparent)]
    Lookup(#[from] GkrError),
    /// The identities.
    #[error(transparent)]
    ZeroCheck(#[from] ZeroCheckError),
    /// The reductions.
    #[error(transparent)]
    Reduce(#[from] ReduceError),
    /// The openings.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The commitment scheme.
    #[error(transparent)]
    Pcs(#[from] PcsError),
    /// Two evaluations of one wire at one point differ.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A verification key holds no weights.
    #[error("const {constant} is missing: a verification key cannot be proven with")]
    MissingConstant {
        /// Const id.
        constant: usize,
    },
    /// A witness wire has no integers.
    #[error("wire {wire} has no integers")]
    MissingWire {
        /// Wire id.
        wire: usize,
    },
    /// The commitment is to the weights of another program.
    #[error("the weight commitment is of another model than the program")]
    OtherModel,
    /// There is nothing to register.
    #[error("a program without weights needs no registration proof")]
    NoWeights,
    /// The stack has more elements than the commitment scheme takes.
    #[error("the stack of the {what} is larger than the commitment scheme takes")]
    TooLarge {
        /// Which stack.
        what: &'static str,
    },
    /// One statement for each run.
    #[error("{digests} statements for {inputs} runs")]
    Runs {
        /// Number of statement digests.
        digests: usize,
        /// Number of runs.
        inputs: usize,
    },
}
