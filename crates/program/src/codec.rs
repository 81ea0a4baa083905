//! The graph as canonical JSON, and back.
//!
//! Spec: spec/v1/program.md, section 3.

mod decode;
mod encode;
mod fields;
mod op;

pub use decode::decode;
pub use encode::encode;

/// Deepest nesting of a graph.
pub const MAX_DEPTH: usize = 6;
/// Most nodes, and most constants.
pub const MAX_NODES: i64 = 65_536;
/// Most operands, and most constants, of a node.
pub const MAX_OPERANDS: i64 = 64;
/// Most inputs, and most outputs.
pub const MAX_PORTS: i64 = 256;
/// Longest axis.
pub const MAX_DIMENSION: i64 = 1 << 24;
/// Most axes of a tensor.
pub const MAX_RANK: i64 = 8;
/// Most axes of a constant.
pub const MAX_CONST_RANK: i64 = 6;
/// Greatest kernel, stride, dilation and padding of a window.
pub const MAX_WINDOW: i64 = 1 << 15;
