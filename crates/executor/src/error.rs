//! What can go wrong in a run: bad inputs, rows without weight, sizes beyond the limits.

use crate::Isa;

/// Why a program could not be run on the given inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// A verification key has no weights.
    #[error("constant {constant} has no data: a verification key cannot be run, load the program")]
    MissingConstant {
        /// Const id.
        constant: usize,
    },
    /// This machine cannot run the requested instruction set.
    #[error("this processor has no {}, choose another instruction set", isa.name())]
    IsaUnavailable {
        /// What was asked for.
        isa: Isa,
    },
    /// Zero threads were asked for.
    #[error("a run needs at least one thread")]
    NoThreads,
    /// The operating system refused to start threads.
    #[error("cannot start {threads} threads: {reason}")]
    ThreadPool {
        /// How many were asked for.
        threads: usize,
        /// Message of the pool.
        reason: String,
    },
    /// The number of inputs differs from the program's.
    #[error("program has {expected} inputs, got {actual}")]
    InputCount {
        /// Inputs of the program.
        expected: usize,
        /// Inputs given.
        actual: usize,
    },
    /// A batch has no item.
    #[error("batch size is 0, give at least one item")]
    EmptyBatch,
    /// An input has the wrong number of elements.
    #[error("input {input} (`{name}`) needs {expected} elements for this batch, got {actual}")]
    InputLength {
        /// Index of the input.
        input: usize,
        /// Name of the input.
        name: String,
        /// Batch size times elements of an item.
        expected: usize,
        /// Elements given.
        actual: usize,
    },
    /// An input value lies outside the declared range.
    #[error(
        "input {input} (`{name}`), position {position}: {value} is outside the declared range [{lo}, {hi}]"
    )]
    InputRange {
        /// Index of the input.
        input: usize,
        /// Name of the input.
        name: String,
        /// Flat position, batch axis included.
        position: usize,
        /// Value found.
        value: i32,
        /// Least allowed value.
        lo: i32,
        /// Greatest allowed value.
        hi: i32,
    },
    /// A row has no unmasked position, or its weights sum to zero.
    #[error("node {node}: row {row} is empty (no unmasked position, or all weights are zero)")]
    EmptyRow {
        /// Node that divides.
        node: usize,
        /// Flat row of the result, batch axis included.
        row: usize,
    },
    /// The batch needs more memory than the executor ever takes.
    #[error("batch of {batch} items needs {what} beyond the limit of {limit}; use smaller batches")]
    TooLarge {
        /// Batch size.
        batch: usize,
        /// What is too large.
        what: &'static str,
        /// Largest accepted number.
        limit: usize,
    },
    /// A trace has no such tensor.
    #[error("trace has {count} tensors, there is no tensor {tensor}")]
    NoSuchTensor {
        /// Tensor asked for.
        tensor: usize,
        /// Tensors of the trace.
        count: usize,
    },
    /// A tensor has no such element.
    #[error("tensor {tensor} has {count} elements, there is no element {element}")]
    NoSuchElement {
        /// Tensor asked for.
        tensor: usize,
        /// Element asked for.
        element: usize,
        /// Elements of the tensor.
        count: usize,
    },
}
