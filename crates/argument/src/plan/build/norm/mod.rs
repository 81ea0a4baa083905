//! `layernorm`: sums of squares in limbs of 10 bits, reciprocal root in limbs of 14 bits.
//!
//! Spec: spec/v1/zk.md, section 4.13.

mod root;
mod variance;

use crate::plan::build::builder::{Builder, Operand};
use crate::plan::build::exact::{
    P, coefficient, exact, half, isqrt_ceil, power, power_of_two, shift_rounded,
};
use crate::plan::build::expression::Expression;
use crate::plan::build::norm::root::reciprocal_root;
use crate::plan::build::norm::variance::variance;
use crate::plan::build::products::labels;
use crate::plan::build::table::shifted;
use crate::plan::error::PlanError;
use crate::plan::{Fill, WireId};

/// Attributes of the node.
pub(super) struct Parameters {
    pub(super) shift: u32,
    pub(super) u: u32,
    pub(super) fx: u32,
    pub(super) epsilon: i64,
    pub(super) is_centered: bool,
}

/// The rows of the operand, dropped bits gone.
struct Rows {
    /// Shape of the operand.
    space: Vec<usize>,
    /// The same with one column.
    row: Vec<usize>,
    /// Row length.
    d: i64,
    /// Low limb of 10 bits.
    low: WireId,
    /// The rest.
    high: WireId,
}

/// Row wires: the mean, its limbs, and the sums that give it.
struct Mean {
    whole: WireId,
    low: WireId,
    high: WireId,
    /// Sums of low and high limbs.
    sums: [WireId; 2],
}

pub(super) fn layernorm(b: &mut Builder<'_>, p: &Parameters) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    conditions(b, &x, p)?;
    let rows = rows(b, &x, p)?;
    let mean = if p.is_centered {
        Some(mean(b, &rows)?)
    } else {
        None
    };
    let variance = variance(b, &rows, mean.as_ref(), p.epsilon)?;
    let target = i128::from(rows.d).saturating_mul(power_of_two(p.u.saturating_mul(2)));
    let root = reciprocal_root(b, &rows.row, variance, target)?;

    let mut centred = Expression::of(rows.low).plus(1 << 10, rows.high);
    if let Some(mean) = &mean {
        centred = centred.minus(mean.whole);
    }
    let centred = b.combination(&rows.space, centred, "centred")?;
    let labels = labels(rows.space.len());
    let product = b.einsum((centred, &labels), (root, &labels), &labels, "normalised")?;
    let y = b.witness_result("layernorm")?;
    let dropped = p.u.saturating_sub(p.fx);
    let bound = isqrt_ceil(target);
    // The true product is at most the root of the target in magnitude.
    let bound = i64::try_from(bound).unwrap_or(i64::MAX);
    let greatest = shift_rounded(bound, dropped);
    let range = (greatest.saturating_neg(), greatest.saturating_add(1));
    shifted(b, Expression::of(product), y, range, dropped)?;
    Ok(y)
}

/// The conditions of `program.md`, 4.10.
fn conditions(b: &Builder<'_>, x: &Operand, p: &Parameters) -> Result<(), PlanError> {
    let d = exact(x.last().1);
    b.require("shift <= 11", p.shift.into(), 11)?;
    let longest = if p.is_centered { 1024 } else { 1000 };
    b.require("d <= 1024, 1000 if not centered", d, longest)?;
    b.require("1 <= epsilon", 1, p.epsilon.into())?;
    b.require("epsilon <= 2^20", p.epsilon.into(), 1 << 20)?;
    b.require("u <= 23", p.u.into(), 23)?;
    b.require("fx < u", p.fx.saturating_add(1).into(), p.u.into())?;
    b.require("u - fx <= 16", p.u.saturating_sub(p.fx).into(), 16)?;
    let limit: i64 = if p.shift == 11 { 508 << 10 } else { 1 << 19 };
    let least = shift_rounded(x.lo, p.shift);
    b.require(
        "least v >= -limit",
        i128::from(least).saturating_neg(),
        limit.into(),
    )?;
    let greatest = shift_rounded(x.hi, p.shift);
    b.require(
        "greatest v < limit",
        greatest.into(),
        i128::from(limit).saturating_sub(1),
    )?;
    let low = d
        .saturating_mul(1023 * 1023)
        .saturating_add(p.epsilon.into());
    b.require(
        "d * 1023^2 + epsilon < 2^30",
        low,
        power_of_two(30).saturating_sub(1),
    )?;
    let target = d.saturating_mul(power_of_two(p.u.saturating_mul(2)));
    let root = target
        .checked_div(p.epsilon.into())
        .unwrap_or(i128::MAX)
        .isqrt();
    let limit = power_of_two(28).saturating_sub(1);
    b.require("isqrt(d * 2^(2u) / epsilon) < 2^28", root, limit)
}

/// Splits the operand into limbs: `x + half = l + 2^s low + 2^(s + 10) high`.
fn rows(b: &mut Builder<'_>, x: &Operand, p: &Parameters) -> Result<Rows, PlanError> {
    let space = x.shape.clone();
    let rounded = Expression::of(x.wire).offset(half(p.shift));
    let fill = Fill::Low {
        of: rounded.clone().scaled(p.shift),
        bits: 10,
    };
    let low = b.witness(&space, fill, "low limb")?;
    let top = p.shift.saturating_add(10);
    let of = rounded.clone().scaled(top);
    let high = b.witness(&space, Fill::Floor { of }, "high limb")?;
    b.range(&space, Expression::of(low), 10, "low limb")?;
    let reach: i64 = if p.shift == 11 { 508 } else { 512 };
    let count = i128::from(reach).saturating_mul(2);
    let images = count.saturating_mul(power_of_two(top));
    b.require("n * 2^10 * 2^shift <= p", images, P)?;
    let above = Expression::of(high).offset(reach);
    b.interval(&space, above, count, "high limb")?;
    let dropped = rounded
        .plus(power(p.shift).saturating_neg(), low)
        .plus(power(top).saturating_neg(), high);
    b.range(&space, dropped, p.shift, "dropped bits")?;
    let (_, d) = x.last();
    let mut row = space.clone();
    if let Some(n) = row.last_mut() {
        *n = 1;
    }
    let d = coefficient(d);
    Ok(Rows {
        space,
        row,
        d,
        low,
        high,
    })
}

impl Rows {
    fn axis(&self) -> usize {
        self.space.len().saturating_sub(1)
    }

    /// Sum over the row of the products of two limbs.
    fn product(
        &self,
        b: &mut Builder<'_>,
        limbs: [WireId; 2],
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let labels = labels(self.space.len());
        let out = labels.get(..self.axis()).unwrap_or(&[]);
        let [first, second] = limbs;
        let sums = b.einsum((first, &labels), (second, &labels), out, what)?;
        b.view_in_order(sums, self.row.clone(), what)
    }
}

/// `m = floor((S + floor(d / 2)) / d)`, limbs included.
fn mean(b: &mut Builder<'_>, rows: &Rows) -> Result<Mean, PlanError> {
    let row = &rows.row;
    let axes = [rows.axis()];
    let sums = [
        b.sum(rows.low, &axes, "sum of low limbs")?,
        b.sum(rows.high, &axes, "sum of high limbs")?,
    ];
    let [low, high] = sums;
    let numerator = Expression::of(low).plus(1 << 10, high).offset(rows.d >> 1);
    let sum = b.combination(row, numerator.clone(), "sum of the row")?;
    let length = b.combination(row, Expression::constant(rows.d), "row length")?;
    let whole = b.witness(row, Fill::Quotient(sum, length), "mean")?;
    // The mean has 20 bits, in two limbs; the remainder is what it leaves.
    let of = Expression::of(whole).scaled(10);
    let high = b.witness(row, Fill::Floor { of }, "high limb of the mean")?;
    let low = Expression::of(whole).plus(-(1 << 10), high);
    let images = i128::from(rows.d).saturating_mul(power_of_two(20));
    b.require("d * 2^20 <= p", images, P)?;
    let above = Expression::of(high).offset(512);
    b.range(row, above, 10, "high limb of the mean")?;
    b.range(row, low.clone(), 10, "low limb of the mean")?;
    let rest = numerator.plus(rows.d.saturating_neg(), whole);
    b.interval(row, rest, rows.d.into(), "remainder of the mean")?;
    let low = b.combination(row, low, "low limb of the mean")?;
    Ok(Mean {
        whole,
        low,
        high,
        sums,
    })
}
