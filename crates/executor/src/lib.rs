//! Deterministic executor of canonical integer programs.
//!
//! Spec: spec/v1/program.md.

#![deny(clippy::float_arithmetic)]
