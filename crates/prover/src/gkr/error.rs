//! Why a lookup argument cannot be proven.

use thiserror::Error;
use veridical_argument::leaves::LeavesError;
use veridical_argument::plan::WireId;

/// Why there is no proof of the lookups.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GkrError {
    /// The plan looks up too many cells.
    #[error(transparent)]
    Leaves(#[from] LeavesError),
    /// A wire is unknown, has no integers, or not as many as its shape has cells.
    #[error("wire {} of the lookup argument has no integers of its shape", wire.0)]
    Missing {
        /// The wire.
        wire: WireId,
    },
    /// The const of a table is missing or has not as many elements as the table has rows.
    #[error("const {constant} of a lookup table has not the {rows} elements of its rows")]
    Table {
        /// Const id.
        constant: usize,
        /// Rows of the table.
        rows: usize,
    },
    /// A looked-up tuple is no row of its table, or the multiplicities are wrong.
    #[error("the fractions of lookups and tables do not cancel")]
    Unbalanced,
    /// A compressed tuple equals the challenge; the chance of it is negligible.
    #[error("a denominator of the lookup argument is zero")]
    ZeroDenominator,
    /// A challenge is zero; the chance of it is negligible.
    #[error("a challenge of the lookup argument is zero")]
    ZeroChallenge,
}
