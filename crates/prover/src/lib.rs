//! Prover of succinct proofs of inference.
//!
//! Spec: spec/v1/zk.md.

pub mod contract;
pub mod sumcheck;
#[cfg(test)]
mod testing;
pub mod values;
