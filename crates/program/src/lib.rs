//! Canonical integer program: graph, codec, digest and loader conditions.
//!
//! Spec: spec/v1/program.md.

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

pub mod constant;
pub mod graph;
mod program;

pub use constant::{ConstData, Dtype};
pub use graph::{
    ConstInfo, ConstKind, Decode, Encode, Graph, Input, Node, Op, Output, TensorInfo, Window,
};
pub use program::Program;
