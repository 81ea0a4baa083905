//! A prover that follows the specification word by word, on dense tables, for small programs.
//!
//! It shares with the verifier what the crate `argument` holds (plan, order of messages, points) and
//! nothing with the real prover but the integers of witness wires, so that it can finish a proof of
//! any assignment to them.

mod dense;
mod layers;
mod tables;

pub use dense::{Forger, Honest, Step, prove, registration};
pub use tables::Integers;
