//! Why a node is not accepted (section 4).

use super::checks;

checks! {
    /// Why a node is not accepted (section 4).
    pub enum NodeError {
        /// Wrong number of operands or constants.
        #[error("takes {expected} {what}, has {actual}")]
        Arity {
            /// `operands` or `constants`.
            what: &'static str,
            /// Taken.
            expected: usize,
            /// Given.
            actual: usize,
        },
        /// A constant has the wrong kind.
        #[error("constant {position} must be a {expected}")]
        ConstKind {
            /// Position in `c`.
            position: usize,
            /// `weight` or `table`.
            expected: &'static str,
        },
        /// A constant has an element type that this operation does not take.
        #[error("constant {position} has the element type {actual}, which is not accepted here")]
        ConstDtype {
            /// Position in `c`.
            position: usize,
            /// Found.
            actual: &'static str,
        },
        /// A constant has a shape that does not fit.
        #[error("constant {position} has shape {actual:?}, expected {expected:?}")]
        ConstShape {
            /// Position in `c`.
            position: usize,
            /// Fits.
            expected: Vec<usize>,
            /// Found.
            actual: Vec<usize>,
        },
        /// An operand has too few or too many axes.
        #[error("operand {position} has rank {actual}, expected {expected}")]
        Rank {
            /// Position in `in`.
            position: usize,
            /// Rank, or least rank, that fits.
            expected: usize,
            /// Found.
            actual: usize,
        },
        /// Operands do not fit each other.
        #[error("operand {position} has shape {actual:?}, which does not fit {expected:?}")]
        OperandShape {
            /// Position in `in`.
            position: usize,
            /// What it must fit.
            expected: Vec<usize>,
            /// Found.
            actual: Vec<usize>,
        },
        /// An operand that must be narrow is not.
        #[error("operand {position} has the range {lo}..={hi}, which does not fit 16 bits")]
        NotNarrow {
            /// Position in `in`.
            position: usize,
            /// Least.
            lo: i32,
            /// Greatest.
            hi: i32,
        },
        /// An operand may hold values that this operation does not accept.
        #[error("operand {position} has the range {actual_lo}..={actual_hi}, must lie in {lo}..={hi}")]
        OperandRange {
            /// Position in `in`.
            position: usize,
            /// Least accepted.
            lo: i128,
            /// Greatest accepted.
            hi: i128,
            /// Least found.
            actual_lo: i128,
            /// Greatest found.
            actual_hi: i128,
        },
        /// The declared shape of the result is not the derived one.
        #[error("the result is declared as {declared:?}, its shape is {derived:?}")]
        ResultShape {
            /// Derived.
            derived: Vec<usize>,
            /// Declared.
            declared: Vec<usize>,
        },
        /// The derived range of the result is not inside the declared one.
        #[error("the result reaches {lo}..={hi}, declared is {declared_lo}..={declared_hi}")]
        ResultRange {
            /// Least derived.
            lo: i128,
            /// Greatest derived.
            hi: i128,
            /// Least declared.
            declared_lo: i32,
            /// Greatest declared.
            declared_hi: i32,
        },
        /// A product that must not exceed the field modulus does, so that a decomposition would
        /// not be unique in the field.
        #[error("{condition}: {actual} exceeds {limit}")]
        Field {
            /// The condition.
            condition: &'static str,
            /// Value of its left side.
            actual: i128,
            /// Right side.
            limit: i128,
        },
        /// `groups` does not divide the channels.
        #[error("{groups} groups do not divide {channels} channels")]
        Groups {
            /// Groups.
            groups: usize,
            /// Input or output channels.
            channels: usize,
        },
        /// The window is larger than the padded image.
        #[error("axis {axis}: a window of {window} positions exceeds the padded length {length}")]
        WindowSize {
            /// 0 height, 1 width.
            axis: usize,
            /// Span of the window.
            window: i128,
            /// Length with padding.
            length: i128,
        },
        /// A pooling window lies in the padding alone.
        #[error("axis {axis}: window {index} holds no real position")]
        EmptyWindow {
            /// 0 height, 1 width.
            axis: usize,
            /// Index along that axis.
            index: i128,
        },
        /// The number of coefficients is not that of operands.
        #[error("{operands} operands, {coefficients} coefficients")]
        Coefficients {
            /// Operands.
            operands: usize,
            /// Coefficients.
            coefficients: usize,
        },
        /// A coefficient is zero.
        #[error("coefficient {position} is zero")]
        ZeroCoefficient {
            /// Position in `coeff`.
            position: usize,
        },
        /// The table does not cover the index range of the operand.
        #[error("the operand reaches the indices {lo}..={hi}, the table covers {first}..={last}")]
        TableCover {
            /// Least reached.
            lo: i128,
            /// Greatest reached.
            hi: i128,
            /// First covered.
            first: i128,
            /// Last covered.
            last: i128,
        },
        /// An exponential table has a negative entry.
        #[error("entry {index} of the table is {value}, none may be negative")]
        TableNegative {
            /// Row.
            index: usize,
            /// Entry.
            value: i64,
        },
        /// The first entry of an exponential table is not its maximum, or below 1.
        #[error("entry 0 of the table is {first}, must be at least 1 and the maximum, {maximum}")]
        TablePeak {
            /// Entry 0.
            first: i128,
            /// Maximum.
            maximum: i128,
        },
        /// An attribute is outside the limits that depend on others.
        #[error("{name} is {value}, must be in {lo}..={hi}")]
        Attribute {
            /// Attribute or derived quantity.
            name: &'static str,
            /// Found.
            value: i128,
            /// Least.
            lo: i128,
            /// Greatest.
            hi: i128,
        },
        /// The greatest numerator of a softmax is below 1, so that a row could sum to zero.
        #[error("the upper bound of operand 0 is {actual}, must be at least 1")]
        ZeroDenominator {
            /// Upper bound.
            actual: i32,
        },
        /// A list of axes is not ascending, or names an axis that does not exist.
        #[error("axes {axes:?} must ascend and lie below {rank}")]
        Axes {
            /// Found.
            axes: Vec<usize>,
            /// Rank of the operand.
            rank: usize,
        },
        /// A permutation is none.
        #[error("perm {perm:?} is no permutation of {rank} axes")]
        Permutation {
            /// Found.
            perm: Vec<usize>,
            /// Rank of the operand.
            rank: usize,
        },
        /// A new shape has another number of elements.
        #[error("the operand has {actual} elements, the new shape {expected}")]
        ElementCount {
            /// New.
            expected: usize,
            /// Of the operand.
            actual: usize,
        },
        /// `start`, `stop` and the length of the axis are not in this order.
        #[error("slice {start}..{stop} of an axis of length {length}")]
        SliceBounds {
            /// First index.
            start: usize,
            /// One past the last.
            stop: usize,
            /// Length.
            length: usize,
        },
    }
}
