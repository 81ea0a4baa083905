//! Public relations between the cells of two groups of axes.
//!
//! Spec: spec/v1/zk.md, section 2.5.

use crate::plan::wire::WireId;

/// One factor of a map: a group of axes of the operand and the group of axes of the result it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// The next `axes` axes stay as they are.
    Same {
        /// Number of axes.
        axes: usize,
    },
    /// The next axes of the operand become the next axes of the result.
    Related(Pairs),
}

/// A set of pairs (cell of the operand's group, cell of the result's group); each pair at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pairs {
    /// Row-major order is kept: groups of equal size.
    Reshape {
        /// Axes of the operand's group.
        from: Vec<usize>,
        /// Axes of the result's group.
        to: Vec<usize>,
    },
    /// Cell `i` becomes cell `i + offset`, where that exists; one axis each.
    Place {
        /// Size of the operand's axis.
        from: usize,
        /// Size of the result's axis.
        to: usize,
        /// Position of cell 0.
        offset: usize,
    },
    /// Cell `start + step * j` becomes cell `j`; one axis each.
    Slice {
        /// Size of the operand's axis.
        from: usize,
        /// Size of the result's axis.
        to: usize,
        /// Cell that becomes cell 0.
        start: usize,
        /// Distance.
        step: usize,
    },
    /// Cell `stride * o + dilation * k - pad` becomes cell `(o, k)`, where it exists: one axis to two.
    Window(Window),
    /// As `Window`, summed over `k`: one axis to one.
    WindowSum(Window),
    /// Cell `o` becomes the cells `(o, k)` whose window position exists: one axis of size `windows` to two.
    WindowReal(Window),
    /// Cell 0 becomes the cells `(o, k)` whose window position exists: one axis of size 1 to two.
    WindowMask(Window),
    /// Row `ids[c]` becomes cell `c`: one axis of size `rows` to the axes of the public wire `ids`.
    Rows {
        /// Public wire with values in `0 .. rows - 1`.
        ids: WireId,
        /// Axes of `ids`.
        shape: Vec<usize>,
        /// Size of the operand's axis.
        rows: usize,
    },
}

/// One axis of the geometry of a convolution or pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Size of the image axis.
    pub size: usize,
    /// Number of windows.
    pub windows: usize,
    /// Taps of a window.
    pub taps: usize,
    /// Step between windows.
    pub stride: usize,
    /// Step between taps.
    pub dilation: usize,
    /// Padding before the first cell.
    pub pad: usize,
}
