//! `gather`: rows of a weight by index.
//!
//! Spec: spec/v1/zk.md, section 4.16.

use crate::plan::build::builder::Builder;
use crate::plan::build::exact::{coefficient, exact};
use crate::plan::build::expression::Expression;
use crate::plan::build::layout::{joined, reshaped};
use crate::plan::error::PlanError;
use crate::plan::shape::cells;
use crate::plan::{Factor, Pairs, Table, WireId};

/// Most elements of a weight that is looked up by indices that the verifier does not know.
const MAX_ROWS: usize = 1 << 22;

pub(super) fn gather(b: &mut Builder<'_>) -> Result<WireId, PlanError> {
    let ids = b.operand(0)?;
    let (constant, shape) = b.constant(0)?;
    let Some((&rows, rest)) = shape.split_first() else {
        return Err(b.inconsistent("a weight has no axis"));
    };
    b.require("id >= 0", i128::from(ids.lo).saturating_neg(), 0)?;
    b.require("id < V", ids.hi.into(), exact(rows).saturating_sub(1))?;
    let space = b.result_shape()?;
    if b.is_public(ids.wire) {
        let weight = b.weight(constant, &shape)?;
        let pairs = Pairs::Rows {
            ids: ids.wire,
            shape: ids.shape,
            rows,
        };
        let axes = rest.len();
        let factors = vec![Factor::Related(pairs), Factor::Same { axes }];
        return b.map(weight, space, joined(factors), "gather");
    }

    let elements = cells(&shape);
    b.at_most("elements of a looked up weight", elements, MAX_ROWS)?;
    let columns: Vec<usize> = rest.iter().map(|_| 1).collect();
    let ids_shape = [ids.shape.as_slice(), &columns].concat();
    let ids_wire = b.view_in_order(ids.wire, ids_shape, "ids")?;
    let mut index = Expression::default().plus(coefficient(cells(rest)), ids_wire);
    let mut stride = 1_usize;
    for (back, &n) in rest.iter().rev().enumerate() {
        if n > 1 {
            let axis = space.len().saturating_sub(back.saturating_add(1));
            let positions = b.iota(space.len(), axis, n)?;
            index = index.plus(coefficient(stride), positions);
        }
        stride = stride.saturating_mul(n);
    }
    let y = b.witness_result("gather")?;
    let wire = if let Some(wire) = b.weight_table(constant) {
        wire
    } else {
        let weight = b.weight(constant, &shape)?;
        reshaped(b, weight, &[elements], 0, "elements")?
    };
    let table = b.table(Table::Weight { constant, wire }, elements);
    let table = Expression::constant(table);
    let tuple = vec![
        table.scaled(0),
        index.scaled(0),
        Expression::of(y).scaled(0),
    ];
    b.site(&space, tuple, Vec::new(), "gather")?;
    Ok(y)
}
