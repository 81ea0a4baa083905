//! Why a program has no plan.

use thiserror::Error;

/// A program or batch that cannot be proven.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// There is no run.
    #[error("a batch has at least one run")]
    EmptyBatch,
    /// Two different integers would satisfy the same relation modulo the field.
    #[error(
        "node {node} ({op}): the relation is not injective: {condition}: {actual} exceeds {limit}"
    )]
    NotInjective {
        /// Node.
        node: usize,
        /// Its operation.
        op: &'static str,
        /// What must hold.
        condition: &'static str,
        /// Left side.
        actual: i128,
        /// Right side.
        limit: i128,
    },
    /// The plan would be larger than what a verifier agrees to hold.
    #[error("node {node}: {actual} {what}, at most {limit} are provable")]
    TooLarge {
        /// Node, or the number of nodes for what belongs to no node.
        node: usize,
        /// What there would be too much of.
        what: &'static str,
        /// How much; saturated.
        actual: usize,
        /// How much is possible.
        limit: usize,
    },
    /// The graph breaks a rule that every loaded program keeps.
    #[error("node {node}: {what}")]
    Inconsistent {
        /// Node.
        node: usize,
        /// What is wrong.
        what: &'static str,
    },
}
