//! Deterministic executor of canonical integer programs.
//!
//! Spec: spec/v1/program.md, sections 3 to 5 and 8. The same program and inputs give the same bits on
//! every machine, for every instruction set, number of threads and batch size.
//!
//! | Module        | Purpose                                                             |
//! |---------------|---------------------------------------------------------------------|
//! | `executor`    | checks inputs, runs the plan                                        |
//! | `interpreter` | every operation straight from the specification                     |
//! | `kernels`     | fast loops, and the only `unsafe` code                              |
//! | `plan`        | fusions, shared buffers, prepared steps                             |
//! | `steps`       | the prepared form of each operation                                 |
//! | `trace`       | all tensors of a run, their Merkle roots, single-element steps      |

#![deny(clippy::float_arithmetic, unsafe_code)]

mod error;
mod executor;
mod interpreter;
mod kernels;
mod plan;
mod steps;
mod trace;

pub use error::ExecutorError;
pub use executor::{Executor, Options};
pub use kernels::Isa;
pub use trace::Trace;
