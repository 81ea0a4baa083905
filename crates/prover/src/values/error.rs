//! What keeps the integers of a plan from being computed.

use thiserror::Error;

/// A plan, program and trace that do not belong together, or a plan that no builder makes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValuesError {
    /// The trace has another number of runs.
    #[error("the plan is for {plan} runs, the trace has {trace}")]
    Batch {
        /// Runs of the plan.
        plan: usize,
        /// Runs of the trace.
        trace: usize,
    },
    /// The trace does not hold a tensor of the plan.
    #[error("wire {wire}: the trace has no tensor {tensor}")]
    MissingTensor {
        /// Wire id.
        wire: usize,
        /// Tensor id.
        tensor: usize,
    },
    /// The program does not hold a constant of the plan: a verification key cannot prove.
    #[error("wire {wire}: the program holds no elements of constant {constant}")]
    MissingConstant {
        /// Wire id; of a lookup table, that of its multiplicities.
        wire: usize,
        /// Const id.
        constant: usize,
    },
    /// Integers that do not fill the shape of their wire.
    #[error("wire {wire}: {expected} cells, but {actual} integers")]
    Length {
        /// Wire id.
        wire: usize,
        /// Cells of the shape.
        expected: usize,
        /// Integers given.
        actual: usize,
    },
    /// A definition that names a wire which is not defined before it.
    #[error("wire {wire}: operand {operand} is not defined before it")]
    Operand {
        /// Wire id.
        wire: usize,
        /// Id of the operand.
        operand: usize,
    },
    /// Shapes of operands that do not fit the definition of a wire.
    #[error("wire {wire}: {what}")]
    Shape {
        /// Wire id.
        wire: usize,
        /// What does not fit.
        what: &'static str,
    },
    /// A lookup over wires that do not exist or do not broadcast to its space.
    #[error("site {site}: a wire does not exist or does not broadcast to the space")]
    Site {
        /// Position in the plan.
        site: usize,
    },
    /// A table whose multiplicities are not a witness wire that counts it.
    #[error("table {table}: wire {wire} does not hold its multiplicities")]
    Multiplicity {
        /// Position in the plan.
        table: usize,
        /// Wire id.
        wire: usize,
    },
}
