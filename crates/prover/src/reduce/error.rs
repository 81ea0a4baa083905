//! Why a claim could not be reduced.

use thiserror::Error;
use veridical_argument::claims::ClaimError;

use crate::contract::ContractError;
use crate::sumcheck::SumcheckError;

/// Why a claim could not be reduced: plan, integers and claims do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReduceError {
    /// The plan refers to a wire that it does not have.
    #[error("wire {wire} is not in the plan")]
    NoWire {
        /// Wire id.
        wire: usize,
    },
    /// A wire has no integers, though its claims cannot be reduced without.
    #[error("wire {wire} ({what} of node {node}) has no integers")]
    Missing {
        /// Wire id.
        wire: usize,
        /// Node that the wire belongs to.
        node: usize,
        /// What the wire is for.
        what: &'static str,
    },
    /// The value of an operand does not follow from the claim on a combination.
    #[error("the claim on wire {wire} says nothing about wire {operand}, which has no integers")]
    NotImplied {
        /// Wire id of the combination.
        wire: usize,
        /// Wire id of the operand.
        operand: usize,
    },
    /// A point has another number of coordinates than the wire has variables.
    #[error("a claim on wire {wire} has {found} coordinates, the wire {expected} variables")]
    Point {
        /// Wire id.
        wire: usize,
        /// Coordinates of the point.
        found: usize,
        /// Variables of the wire.
        expected: usize,
    },
    /// The indices of rows are no integers of 32 bits.
    #[error("the indices of rows, wire {wire}, have no integers of 32 bits")]
    RowIndices {
        /// Wire id of the indices.
        wire: usize,
    },
    /// Two evaluations of one wire at one point differ.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A tensor does not fit its shape.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The tables of a sumcheck do not fit each other.
    #[error(transparent)]
    Sumcheck(#[from] SumcheckError),
}
