//! Prover of succinct proofs of inference.
//!
//! Spec: spec/v1/zk.md.

mod cells;
pub mod contract;
pub mod gkr;
pub mod merge;
pub mod opening;
pub mod sumcheck;
#[cfg(test)]
mod testing;
pub mod values;
pub mod zero_check;
