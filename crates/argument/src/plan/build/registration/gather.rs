//! Elements of a const that is read by index.
//!
//! Spec: spec/v1/zk.md, section 12.7.

use super::between::between;
use super::consts::{Consts, narrow_bits};
use super::rows::integer;
use crate::plan::Table;
use crate::plan::build::builder::Builder;
use crate::plan::build::exact::{power_of_two, width_of};
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;

/// Most rows of a table of one interval.
const MAX_ROWS: i128 = 1 << 16;
/// Widest interval that limbs show.
const MAX_INTERVAL: i128 = 1 << 30;

pub(super) fn gather(b: &mut Builder<'_>, consts: &mut Consts) -> Result<(), PlanError> {
    let (constant, shape) = b.constant(0)?;
    let [mut lo, mut hi] = b.declared_result()?;
    if let Some(bits) = narrow_bits(b, constant)? {
        let half = power_of_two(bits.saturating_sub(1));
        (lo, hi) = (
            lo.max(half.saturating_neg()),
            hi.min(half.saturating_sub(1)),
        );
        consts.is_typed(constant);
    }
    let count = hi.saturating_sub(lo).saturating_add(1);
    b.require("some element is in range", 1, count)?;
    let weight = b.weight(constant, &shape)?;
    let what = "element in its range";
    let above = Expression::of(weight).offset(integer(lo).saturating_neg());
    if count <= MAX_ROWS {
        let width = width_of(count);
        if power_of_two(width) == count {
            return b.range(&shape, above, width, what);
        }
        let rows = usize::try_from(count).unwrap_or(usize::MAX);
        let table = Expression::constant(b.table(Table::Below { rows }, rows));
        return b.site(
            &shape,
            vec![table.scaled(0), above.scaled(0)],
            Vec::new(),
            what,
        );
    }
    if count <= MAX_INTERVAL {
        return b.interval(&shape, above, count, what);
    }
    let below = Expression::of(weight).subtracted_from(integer(hi));
    between(b, &shape, &below, None, hi.saturating_sub(lo))
}
