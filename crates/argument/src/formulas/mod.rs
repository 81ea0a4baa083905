//! Public formulas of relations: where operands are evaluated, and what the verifier computes.
//!
//! Spec: spec/v1/zk.md, sections 2, 6.4, 7 and 8. Prover and verifier take the order of messages,
//! points and claims from here.

pub mod einsum;
pub mod expression;
pub mod map;
pub mod pairs;
pub mod table;
pub mod view;
pub mod zero_check;
