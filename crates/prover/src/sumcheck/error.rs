//! Why a sumcheck cannot be started.

use thiserror::Error;

/// A sumcheck whose parts do not fit each other: a defect of the caller, never of the witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SumcheckError {
    /// A table is longer than its domain.
    #[error("table {table} holds {length} cells, the domain of the sumcheck has {cells}")]
    TableTooLong {
        /// Position of the table.
        table: usize,
        /// Its cells.
        length: usize,
        /// Cells of the domain.
        cells: usize,
    },
    /// A term names a table that does not exist.
    #[error("a term of group {group} names table {table} of {tables}")]
    NoSuchTable {
        /// Position of the group.
        group: usize,
        /// Position that was named.
        table: usize,
        /// Number of tables.
        tables: usize,
    },
    /// A term has no factor or more than [`super::MAX_FACTORS`].
    #[error("a term of group {group} has {factors} factors; 1 to {most} are possible", most = super::MAX_FACTORS)]
    Factors {
        /// Position of the group.
        group: usize,
        /// Factors of the term.
        factors: usize,
    },
    /// The point of the outer equality polynomial has another number of coordinates.
    #[error("the outer point has {found} coordinates, the sumcheck {expected} variables")]
    Point {
        /// Coordinates of the point.
        found: usize,
        /// Variables of the sumcheck.
        expected: usize,
    },
    /// The stride of a domain is none of its row.
    #[error("rows of 2^{inner} cells cannot be stored with {stride} cells each")]
    Stride {
        /// Variables of a row.
        inner: usize,
        /// Stored cells of a row.
        stride: usize,
    },
    /// A part has another number of variables than the first.
    #[error("a part has {found} variables, the first has {expected}")]
    Variables {
        /// Variables of the part.
        found: usize,
        /// Variables of the first part.
        expected: usize,
    },
}
