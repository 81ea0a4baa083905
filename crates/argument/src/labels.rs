//! Labels of the messages and challenges of the argument, shared by both sides.
//!
//! Spec: spec/v1/zk.md, section 5. A label is absorbed before what it names.

/// Root of the stack of witness wires.
pub const WITNESS_ROOT: &str = "witness root";
/// Proof of work before the lookup argument, of the profile's difficulty (5).
pub const LOOKUP_WORK: &str = "lookup work";
/// `alpha` and `beta`, two challenges in one draw (6).
pub const LOOKUP: &str = "lookup";
/// Denominator of the root of the fractional sums, one element (6.3).
pub const LOOKUP_ROOT: &str = "lookup root";
/// `lambda` of a layer (6.3).
pub const LAYER: &str = "layer";
/// `n0, n1, d0, d1` of a layer (6.3).
pub const LAYER_VALUES: &str = "layer values";
/// Branch challenge of a layer (6.3).
pub const BRANCH: &str = "branch";
/// Evaluations of the wires of all sites, one message (6.4).
pub const SITE_VALUES: &str = "site values";
/// Evaluations for all tables, one message (6.4).
pub const TABLE_VALUES: &str = "table values";
/// Message of a sumcheck round, and the challenge that answers it.
pub const ROUND: &str = "round";
/// `tau` of a group of identities, one challenge per variable (7).
pub const ZERO_POINT: &str = "zero check point";
/// `lambda` of a group of identities (7).
pub const ZERO_FOLD: &str = "zero check fold";
/// Evaluations of the wires of a group of identities (7).
pub const ZERO_VALUES: &str = "zero check values";
/// Point at which an output is compared (5).
pub const OUTPUT_POINT: &str = "output point";
/// `gamma` of several claims on one wire (8.1).
pub const MERGE: &str = "merge";
/// The wire at the final point of a merge (8.1).
pub const MERGED: &str = "merged";
/// Evaluations of the operands of a combination (8.2).
pub const COMBINATION: &str = "combination";
/// The operand of a map at the final point (8.5).
pub const MAPPED: &str = "mapped";
/// The operands of an einsum at the final point, `a` then `b` (8.6).
pub const EINSUM: &str = "einsum";
/// `gamma` of the claims on a stack (9.3).
pub const STACK_FOLD: &str = "stack fold";
/// The stack at the final point (9.3).
pub const STACK_VALUE: &str = "stack value";
