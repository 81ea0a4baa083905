//! Canonical integer program: graph, codec, digest and loader conditions.
//!
//! Spec: spec/v1/program.md.
//!
//! | Module      | Purpose                                                        |
//! |-------------|----------------------------------------------------------------|
//! | `graph`     | plain types: tensors, constants, nodes                         |
//! | `json`      | strict JSON and its canonical form                             |
//! | `codec`     | graph to canonical JSON and back                               |
//! | `container` | the safetensors file                                           |
//! | `merkle`    | framed SHA-256, tree hash                                      |
//! | `boundary`  | received numbers to integers, integers to published numbers    |
//! | `error`     | one variant per check                                          |

// This crate belongs to the verifier closure: it reads hostile bytes and decides what is accepted,
// so it may neither panic, nor round, nor depend on the machine. Keep these attributes;
// tests/test_architecture.py looks for them. Exceptions are `#[expect(..., reason = "...")]`.
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

pub mod boundary;
mod check;
pub mod codec;
pub mod constant;
pub mod container;
mod digest;
pub mod error;
mod exact;
pub mod graph;
pub mod json;
pub mod merkle;
mod program;

pub use constant::{ConstData, Dtype};
pub use error::{ContainerError, GraphError, NodeError, ProgramError};
pub use graph::{
    ConstInfo, ConstKind, Decode, Encode, Graph, Input, M, Node, Op, Output, P, TensorInfo, Window,
};
pub use program::Program;
