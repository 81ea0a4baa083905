//! Why a tensor cannot be contracted.

use thiserror::Error;

/// Arguments that do not fit each other: a defect of the caller, never of the witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ContractError {
    /// The tensor has another number of cells than its axes.
    #[error("a tensor of {found} cells has axes for {expected}")]
    Cells {
        /// Cells of the tensor.
        found: usize,
        /// Product of the axes.
        expected: usize,
    },
    /// The point has another number of coordinates than an axis has variables.
    #[error("axis {axis} has {expected} variables, its segment {found} coordinates")]
    Segment {
        /// Position of the axis.
        axis: usize,
        /// Coordinates of the segment.
        found: usize,
        /// Variables of the axis.
        expected: usize,
    },
    /// The layout of the result does not name every kept axis once.
    #[error("the result is laid out without the kept axis {axis}, or names another one")]
    Layout {
        /// Position of the axis.
        axis: usize,
    },
    /// The rows of the result are shorter than its last axis.
    #[error("rows of {stride} cells cannot hold an axis of {size}")]
    Stride {
        /// Cells of a row.
        stride: usize,
        /// Size of the last axis.
        size: usize,
    },
}
