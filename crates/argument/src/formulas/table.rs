//! Columns of lookup tables.
//!
//! Spec: spec/v1/zk.md, sections 6.1, 6.2 and 6.4.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use p3_field::PrimeCharacteristicRing;
use veridical_program::ConstData;

use crate::field::{EF, F};
use crate::multilinear::{Coordinates, chi, iota};
use crate::plan::{Table, TableUse, WireId};

/// Id of the table at a position in [`crate::plan::Plan::tables`], as it stands in tuples.
pub fn table_id(position: usize) -> F {
    F::from_usize(position) + F::ONE
}

impl TableUse {
    /// The wire of the second column of a table of weights.
    pub fn weights(&self) -> Option<WireId> {
        match self.table {
            Table::Weight { wire, .. } => Some(wire),
            Table::Range { .. }
            | Table::Constant { .. }
            | Table::Zero
            | Table::Below { .. }
            | Table::Formula { .. } => None,
        }
    }
}

/// `chi` and the compressed tuple of a table at a point, from its second column.
pub fn compressed(
    table: &TableUse,
    position: usize,
    second: EF,
    beta: EF,
    point: &[EF],
) -> (EF, EF) {
    let selector = chi(table.rows, point);
    let first = iota(table.rows, point);
    let tuple = selector * table_id(position) + beta * first;
    let with_second = match table.table {
        Table::Range { .. } | Table::Zero | Table::Below { .. } => tuple,
        Table::Constant { .. } | Table::Formula { .. } | Table::Weight { .. } => {
            tuple + beta.square() * second
        }
    };
    (selector, with_second)
}

/// Extension of the elements of a const of kind `table`, from `eq` at the point.
pub fn constant_column(elements: &ConstData, eq: &Coordinates) -> EF {
    match elements {
        ConstData::I8(elements) => eq.dot(elements),
        ConstData::I16(elements) => eq.dot(elements),
        ConstData::I32(elements) => eq.dot(elements),
    }
}
