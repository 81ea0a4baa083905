//! `table`, `shift`, `clamp`.
//!
//! Spec: spec/v1/zk.md, sections 4.4, 4.5 and 4.8.

use crate::plan::build::builder::Builder;
use crate::plan::build::exact::{P, exact, half, power, power_of_two, shift_rounded, width_above};
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;
use crate::plan::{Fill, Table, WireId};

pub(super) fn table(
    b: &mut Builder<'_>,
    shift: u32,
    first: i64,
    is_rounded: bool,
) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let (constant, table_shape) = b.constant(0)?;
    let rows = table_shape.first().copied().unwrap_or(0);
    let scale = power(shift);
    let admitted = exact(rows).saturating_mul(power_of_two(shift));
    b.require("N * 2^shift <= p", admitted, P)?;
    let r = if is_rounded { half(shift) } else { 0 };
    let place = |x: i64| {
        x.saturating_add(r)
            .saturating_sub(first.saturating_mul(scale))
            >> shift
    };
    b.require("first <= (L + r) >> shift", 0, place(x.lo).into())?;
    let last = exact(rows).saturating_sub(1);
    b.require("(H + r) >> shift < first + N", place(x.hi).into(), last)?;

    // In units of the dropped bits the table begins at 0.
    let position = Expression::of(x.wire)
        .offset(r)
        .offset(first.saturating_mul(scale).saturating_neg());
    let y = b.witness_result("table output")?;
    let mut index = position.clone();
    if shift > 0 {
        let fill = Fill::Low {
            of: position.scaled(0),
            bits: shift,
        };
        let low = b.witness(&x.shape, fill, "dropped bits")?;
        b.range(&x.shape, Expression::of(low), shift, "dropped bits")?;
        index = index.minus(low);
    }
    let table = Expression::constant(b.table(Table::Constant { constant }, rows));
    let tuple = vec![
        table.scaled(0),
        index.scaled(shift),
        Expression::of(y).scaled(0),
    ];
    b.site(&x.shape, tuple, Vec::new(), "table output")?;
    Ok(y)
}

pub(super) fn shift(b: &mut Builder<'_>, shift: u32) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let (least, greatest) = (shift_rounded(x.lo, shift), shift_rounded(x.hi, shift));
    let y = b.witness_result("shifted")?;
    shifted(b, Expression::of(x.wire), y, (least, greatest), shift)?;
    Ok(y)
}

/// Shows that a wire `y` in `[least, greatest]` is `(expression + half(shift)) >> shift`.
pub(super) fn shifted(
    b: &mut Builder<'_>,
    expression: Expression,
    y: WireId,
    (least, greatest): (i64, i64),
    shift: u32,
) -> Result<(), PlanError> {
    let space = b.shape(y).to_vec();
    let width = width_above(i128::from(greatest).saturating_sub(least.into()));
    let images = power_of_two(width).saturating_mul(power_of_two(shift));
    b.require("2^w * 2^shift <= p", images, P)?;
    let dropped = expression
        .offset(half(shift))
        .plus(power(shift).saturating_neg(), y);
    b.range(&space, dropped, shift, "dropped bits")?;
    let image = Expression::of(y).offset(least.saturating_neg());
    b.range(&space, image, width, "shifted")
}

pub(super) fn clamp(b: &mut Builder<'_>, lo: i64, hi: i64) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    if x.hi <= lo || hi <= x.lo || lo == hi {
        let value = if x.hi <= lo { lo } else { hi };
        return b.combination(&x.shape, Expression::constant(value), "clamp");
    }
    let (is_raised, is_lowered) = (x.lo < lo, hi < x.hi);
    let mut wire = x.wire;
    let mut least = x.lo;
    if is_raised {
        let z = if is_lowered {
            let fill = Fill::AtLeast {
                of: wire,
                bound: lo,
            };
            b.witness(&x.shape, fill, "raised")?
        } else {
            b.witness_result("clamp")?
        };
        crossed(b, wire, z, lo, (least, x.hi), 1)?;
        (wire, least) = (z, lo);
    }
    if is_lowered {
        let z = b.witness_result("clamp")?;
        crossed(b, wire, z, hi, (least, x.hi), -1)?;
        wire = z;
    }
    Ok(wire)
}

/// Shows that `z` is `max(x, bound)` for `sign = 1` and `min(x, bound)` for `-1`, where `x` is in `[least, greatest]`.
fn crossed(
    b: &mut Builder<'_>,
    x: WireId,
    z: WireId,
    bound: i64,
    (least, greatest): (i64, i64),
    sign: i64,
) -> Result<(), PlanError> {
    let space = b.shape(z).to_vec();
    let above = i128::from(greatest).saturating_sub(bound.into());
    let below = i128::from(bound).saturating_sub(least.into());
    // How far z can be from the bound, and from x.
    let (kept, moved) = if sign > 0 {
        (above, below)
    } else {
        (below, above)
    };
    let (kept_width, moved_width) = (width_above(kept), width_above(moved));
    let reach = power_of_two(kept_width).saturating_add(moved);
    b.require("2^w + b <= p, 2^w > a", reach, P)?;
    let reach = power_of_two(moved_width).saturating_add(kept);
    b.require("2^w + a <= p, 2^w > b", reach, P)?;

    // (z - x)(z - bound) = 0.
    let terms: [(i64, &[WireId]); 4] = [
        (1, &[z, z]),
        (-1, &[x, z]),
        (bound.saturating_neg(), &[z]),
        (bound, &[x]),
    ];
    b.identity(&space, &terms, "operand or bound")?;
    let from_bound = Expression::default()
        .plus(sign, z)
        .offset(bound.saturating_mul(sign).saturating_neg());
    b.range(&space, from_bound, kept_width, "distance to the bound")?;
    let from_operand = Expression::default()
        .plus(sign, z)
        .plus(sign.saturating_neg(), x);
    b.range(&space, from_operand, moved_width, "distance to the operand")
}
