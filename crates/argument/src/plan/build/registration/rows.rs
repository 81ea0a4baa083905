//! Rows whose range follows from that of the operand.
//!
//! Spec: spec/v1/zk.md, sections 12.5 and 12.7.

use super::between::between;
use super::consts::{Consts, narrow_bits};
use crate::plan::build::builder::Builder;
use crate::plan::build::exact::{P, exact, power_of_two, width_above};
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;
use crate::plan::shape::cells;
use crate::plan::{Fill, Formula, WireId};

/// Largest magnitude of an integer that an element of the field stands for.
const M: i128 = (P - 1) >> 1;

/// Sums over the rows of a const.
pub(super) struct RowSums {
    /// Sum of the elements.
    pub(super) total: WireId,
    /// Sum of their magnitudes.
    pub(super) magnitude: WireId,
    /// Sum of the positive ones.
    pub(super) positive: WireId,
    /// No sum of magnitudes exceeds this.
    pub(super) most: i128,
}

/// Axes of a row: all but the first.
pub(super) fn row_axes(shape: &[usize]) -> Vec<usize> {
    (1..shape.len()).collect()
}

/// Sums of the rows of a const of 8 or 16 bits, which keep their axes with size 1.
pub(super) fn sums(
    b: &mut Builder<'_>,
    consts: &mut Consts,
    (constant, shape): (usize, &[usize]),
) -> Result<RowSums, PlanError> {
    let Some(bits) = narrow_bits(b, constant)? else {
        return Err(b.inconsistent("a row has elements of 32 bits"));
    };
    let length = exact(cells(shape.get(1..).unwrap_or(&[])));
    let most = length.saturating_mul(power_of_two(bits.saturating_sub(1)));
    b.require("K * 2^(d-1) <= M", most, M)?;
    let axes = row_axes(shape);
    let weight = b.weight(constant, shape)?;
    let positive = consts.image(b, (constant, shape), bits, Formula::Positive)?;
    let total = b.sum(weight, &axes, "sum of a row")?;
    let positive = b.sum(positive, &axes, "sum of positive parts")?;
    magnitude(b, total, positive, most)
}

/// `2 S+ - S`.
fn magnitude(
    b: &mut Builder<'_>,
    total: WireId,
    positive: WireId,
    most: i128,
) -> Result<RowSums, PlanError> {
    let space = b.shape(total).to_vec();
    let expression = Expression::default().plus(2, positive).minus(total);
    let magnitude = b.combination(&space, expression, "sum of magnitudes")?;
    Ok(RowSums {
        total,
        magnitude,
        positive,
        most,
    })
}

pub(super) fn linear(b: &mut Builder<'_>, consts: &mut Consts) -> Result<(), PlanError> {
    let (_, x) = b.declared(0)?;
    rows(b, consts, x)
}

pub(super) fn conv(
    b: &mut Builder<'_>,
    consts: &mut Consts,
    is_padded: bool,
) -> Result<(), PlanError> {
    let (_, [lo, hi]) = b.declared(0)?;
    let x = if is_padded {
        [lo.min(0), hi.max(0)]
    } else {
        [lo, hi]
    };
    rows(b, consts, x)
}

/// Rows of the first const of the current node, with the second as bias.
fn rows(b: &mut Builder<'_>, consts: &mut Consts, x: [i128; 2]) -> Result<(), PlanError> {
    let ((weight, shape), (bias, bias_shape)) = (b.constant(0)?, b.constant(1)?);
    let sums = sums(b, consts, (weight, &shape))?;
    let ones = vec![1; shape.len().saturating_sub(1)];
    let space = [bias_shape.as_slice(), &ones].concat();
    let bias = b.weight(bias, &space)?;
    if x[0] == x[1] {
        return finish(b, &space, x, sums.total, None, bias);
    }
    bounded(b, &sums, x)?;
    finish(b, &space, x, sums.total, Some(&sums), bias)
}

/// Shows `X |S|_1 <= D`.
fn bounded(b: &mut Builder<'_>, sums: &RowSums, x: [i128; 2]) -> Result<(), PlanError> {
    let greatest = greatest(b, x)?;
    let what = "magnitudes of a row";
    at_most(b, sums.magnitude, (greatest, sums.most), what)
}

/// Shows of integers in `[0, most]` that they are at most `greatest`.
pub(super) fn at_most(
    b: &mut Builder<'_>,
    wire: WireId,
    (greatest, most): (i128, i128),
    what: &'static str,
) -> Result<(), PlanError> {
    if greatest >= most {
        return Ok(());
    }
    let width = width_above(greatest);
    let reach = most.saturating_add(power_of_two(width));
    b.require("K * 2^(d-1) + 2^w <= p", reach, P)?;
    let space = b.shape(wire).to_vec();
    let slack = Expression::of(wire).subtracted_from(integer(greatest));
    b.range(&space, slack, width, what)
}

/// `floor(D / X)`; `X` is not 0.
fn greatest(b: &Builder<'_>, [lo, hi]: [i128; 2]) -> Result<i128, PlanError> {
    let [least, most] = b.declared_result()?;
    let width = hi.saturating_sub(lo);
    let quotient = most.saturating_sub(least).checked_div_euclid(width);
    quotient.ok_or_else(|| b.inconsistent("an operand without width"))
}

/// `between(H - X S+ - x_L S - b, X |S|_1, D)`.
fn finish(
    b: &mut Builder<'_>,
    space: &[usize],
    [lo, hi]: [i128; 2],
    total: WireId,
    sums: Option<&RowSums>,
    bias: WireId,
) -> Result<(), PlanError> {
    let [least, most] = b.declared_result()?;
    let width = integer(hi.saturating_sub(lo));
    let mut y = Expression::constant(integer(most))
        .plus(integer(lo).saturating_neg(), total)
        .minus(bias);
    if let Some(sums) = sums {
        y = y.plus(width.saturating_neg(), sums.positive);
    }
    let t = sums.map(|sums| Expression::default().plus(width, sums.magnitude));
    between(b, space, &y, t.as_ref(), most.saturating_sub(least))
}

/// `y = g x + b`, rows of one weight.
pub(super) fn affine(b: &mut Builder<'_>, consts: &mut Consts) -> Result<(), PlanError> {
    let (_, x) = b.declared(0)?;
    let ((gain, gain_shape), (offset, offset_shape)) = (b.constant(0)?, b.constant(1)?);
    let axes = gain_shape.iter().zip(&offset_shape);
    let space: Vec<usize> = axes.map(|(&m, &n)| m.max(n)).collect();
    let total = b.weight(gain, &gain_shape)?;
    let offset = b.weight(offset, &offset_shape)?;
    if x[0] == x[1] {
        return finish(b, &space, x, total, None, offset);
    }
    let sums = if let Some(bits) = narrow_bits(b, gain)? {
        let positive = consts.image(b, (gain, &gain_shape), bits, Formula::Positive)?;
        let sums = magnitude(b, total, positive, power_of_two(bits.saturating_sub(1)))?;
        bounded(b, &sums, x)?;
        sums
    } else {
        wide(b, &gain_shape, total, x)?
    };
    finish(b, &space, x, total, Some(&sums), offset)
}

/// A decomposition of gains of 32 bits, each with `g+ + g- <= C`.
fn wide(
    b: &mut Builder<'_>,
    shape: &[usize],
    gain: WireId,
    x: [i128; 2],
) -> Result<RowSums, PlanError> {
    let greatest = greatest(b, x)?;
    let width = width_above(greatest);
    let reach = power_of_two(width).saturating_mul(3);
    b.require("3 * 2^w <= p", reach, P)?;
    let fill = Fill::AtLeast { of: gain, bound: 0 };
    let what = "parts of a gain";
    let positive = b.witness(shape, fill, "positive part")?;
    b.range(shape, Expression::of(positive), width, what)?;
    let negative = Expression::of(positive).minus(gain);
    b.range(shape, negative, width, what)?;
    let sums = magnitude(b, gain, positive, power_of_two(width).saturating_mul(2))?;
    let slack = Expression::of(sums.magnitude).subtracted_from(integer(greatest));
    b.range(shape, slack, width, "magnitude of a gain")?;
    Ok(sums)
}

/// An integer as a coefficient; all that are used here have 32 bits.
pub(super) fn integer(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}
