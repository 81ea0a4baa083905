//! `softmax_numerator`, `weighted_mean`, `normalize`.
//!
//! Spec: spec/v1/zk.md, sections 4.10 to 4.12.

use crate::plan::build::builder::{Builder, Operand};
use crate::plan::build::exact::{P, exact, power, power_of_two, width_above, width_of};
use crate::plan::build::expression::Expression;
use crate::plan::build::products::labels;
use crate::plan::build::range::Maximum;
use crate::plan::error::PlanError;
use crate::plan::{Fill, Table, WireId};

pub(super) fn softmax_numerator(b: &mut Builder<'_>, shift: u32) -> Result<WireId, PlanError> {
    let operands = b.operands()?;
    let Some((x, mask)) = operands.split_first() else {
        return Err(b.inconsistent("an operand is missing"));
    };
    let (constant, table_shape) = b.constant(0)?;
    let rows = table_shape.first().copied().unwrap_or(0);
    let (last, _) = x.last();
    let (axes, mask) = ([last], mask.first());
    if let Some(mask) = mask {
        b.require("mask >= 0", i128::from(mask.lo).saturating_neg(), 0)?;
        b.require("mask <= 1", mask.hi.into(), 1)?;
    }
    let greatest = x.spread() >> shift.min(126);
    let end = exact(rows).saturating_sub(1);
    b.require("(H - L) >> shift < N", greatest, end)?;

    let mut row = x.shape.clone();
    if let Some(n) = row.last_mut() {
        *n = 1;
    }
    let fill = Fill::Max {
        of: x.wire,
        axes: axes.to_vec(),
        mask: mask.map(|m| m.wire),
    };
    let max = b.witness(&row, fill, "maximum")?;
    let maximum = Maximum {
        of: x.wire,
        max,
        axes: &axes,
        mask: mask.map(|m| m.wire),
    };
    let admitted = exact(rows).saturating_mul(power_of_two(shift));
    b.attained(&maximum, x.spread(), admitted)?;

    let e = b.witness_result("exponential")?;
    let distance = match mask {
        None => Expression::of(max).minus(x.wire),
        Some(mask) => Expression::of(masked(b, x, mask.wire, max)?),
    };
    let mut index = distance.clone();
    if shift > 0 {
        let fill = Fill::Low {
            of: distance.scaled(0),
            bits: shift,
        };
        let low = b.witness(&x.shape, fill, "dropped bits")?;
        b.range(&x.shape, Expression::of(low), shift, "dropped bits")?;
        index = index.minus(low);
    }
    let id = b.table(Table::Constant { constant }, rows);
    let mut table = Expression::constant(id);
    if let Some(mask) = mask {
        // Where the mask is 0, only (0, 0) can be looked up.
        let zero = b.table(Table::Zero, 1);
        table = Expression::constant(zero).plus(id.saturating_sub(zero), mask.wire);
    }
    let tuple = vec![
        table.scaled(0),
        index.scaled(shift),
        Expression::of(e).scaled(0),
    ];
    b.site(&x.shape, tuple, Vec::new(), "exponential")?;
    Ok(e)
}

/// The distance to the maximum, 0 where the mask is 0.
fn masked(
    b: &mut Builder<'_>,
    x: &Operand,
    mask: WireId,
    max: WireId,
) -> Result<WireId, PlanError> {
    let below = Expression::of(max).minus(x.wire);
    let below = b.combination(&x.shape, below, "distance to the maximum")?;
    let fill = Fill::Product(mask, below);
    let z = b.witness(&x.shape, fill, "masked distance")?;
    let terms: [(i64, &[WireId]); 3] = [(1, &[z]), (-1, &[mask, max]), (1, &[mask, x.wire])];
    b.identity(&x.shape, &terms, "masked distance")?;
    Ok(z)
}

/// The denominator of a row, and half of it.
struct Denominator {
    /// `Z`; the last axis has size 1.
    sum: WireId,
    /// `floor(Z / 2)`.
    half: WireId,
    /// Least `z` with `2^z >= K E`.
    width: u32,
    /// `K E`.
    greatest: i128,
}

fn denominator(b: &mut Builder<'_>, e: &Operand) -> Result<Denominator, PlanError> {
    let (axis, length) = e.last();
    b.require("e >= 0", i128::from(e.lo).saturating_neg(), 0)?;
    let greatest = exact(length).saturating_mul(e.hi.into());
    b.require("E >= 1", 1, e.hi.into())?;
    let width = width_of(greatest);
    let slots = power_of_two(width);
    b.require("2 * 2^z <= p", slots.saturating_mul(2), P)?;
    let sum = b.sum(e.wire, &[axis], "denominator")?;
    let row = b.shape(sum).to_vec();
    let of = Expression::of(sum).scaled(1);
    let half = b.witness(&row, Fill::Floor { of }, "half of the denominator")?;
    let parity = Expression::of(sum).plus(-2, half);
    b.range(&row, parity, 1, "parity of the denominator")?;
    b.range(&row, Expression::of(half), width, "half of the denominator")?;
    Ok(Denominator {
        sum,
        half,
        width,
        greatest,
    })
}

/// Shows that `numerator = y Z + r` with `0 <= r < Z`; the range of the quotient is the caller's part.
fn divided(
    b: &mut Builder<'_>,
    numerator: Numerator,
    y: &Expression,
    den: &Denominator,
) -> Result<WireId, PlanError> {
    let space = b.result_shape()?;
    let fill = Fill::Remainder(numerator.shifted, den.sum);
    let r = b.witness(&space, fill, "remainder")?;
    let y = y.clone().combination();
    let mut factors: Vec<(i64, Vec<WireId>)> = vec![(1, vec![numerator.exact]), (-1, vec![r])];
    for (coeff, wire) in y.terms {
        factors.push((coeff.saturating_neg(), vec![wire, den.sum]));
    }
    factors.push((y.constant.saturating_neg(), vec![den.sum]));
    let terms: Vec<(i64, &[WireId])> = factors.iter().map(|(c, f)| (*c, f.as_slice())).collect();
    b.identity(&space, &terms, "quotient and remainder")?;
    b.range(&space, Expression::of(r), den.width, "remainder")?;
    let below = Expression::of(den.sum).offset(-1).minus(r);
    b.range(&space, below, den.width, "remainder below the denominator")?;
    Ok(r)
}

pub(super) fn weighted_mean(b: &mut Builder<'_>) -> Result<WireId, PlanError> {
    let (e, v) = (b.operand(0)?, b.operand(1)?);
    let rank = e.shape.len();
    let e_labels = labels(rank);
    let n = u8::try_from(rank).unwrap_or(u8::MAX);
    let Some((leading, &[m, k])) = e_labels.split_last_chunk() else {
        return Err(b.inconsistent("a matrix has two axes"));
    };
    let v_labels = [leading, &[k, n]].concat();
    let out = [leading, &[m, n]].concat();
    let sum = b.einsum(
        (e.wire, &e_labels),
        (v.wire, &v_labels),
        &out,
        "weighted sum",
    )?;
    let den = denominator(b, &e)?;

    let width = width_above(v.spread());
    let quotients = power_of_two(width).saturating_mul(den.greatest);
    b.require("2^w * K * E <= p", quotients, P)?;
    let shape = b.result_shape()?;
    let exact = Expression::of(sum).plus(1, den.half);
    let exact = b.combination(&shape, exact, "numerator")?;
    // Less the middle of the results, it is at most 2^w K E / 2 in magnitude.
    let middle = v.lo.saturating_add(v.hi).saturating_add(1) >> 1;
    let shifted = Expression::of(exact).plus(middle.saturating_neg(), den.sum);
    let shifted = b.combination(&shape, shifted, "numerator around 0")?;
    let y = b.witness_result("weighted mean")?;
    divided(b, Numerator { exact, shifted }, &Expression::of(y), &den)?;
    let above = Expression::of(y).offset(v.lo.saturating_neg());
    b.range(&shape, above, width, "weighted mean")?;
    Ok(y)
}

pub(super) fn normalize(b: &mut Builder<'_>, [k1, k2]: [u32; 2]) -> Result<WireId, PlanError> {
    let e = b.operand(0)?;
    let den = denominator(b, &e)?;
    b.require("1 <= k1", 1, k1.into())?;
    let high = Expression::default().plus(power(k1), e.wire);
    if k2 == 0 {
        let numerator = numerator(b, high.plus(1, den.half), k1, &den)?;
        let y = b.witness_result("quotient")?;
        digit(b, numerator, &Expression::of(y), k1, &den)?;
        return Ok(y);
    }
    let high = numerator(b, high, k1, &den)?;
    let (high, rest) = found_digit(b, high, k1, &den)?;
    let low = Expression::default().plus(power(k2), rest);
    let low = numerator(b, low.plus(1, den.half), k2, &den)?;
    let (low, _) = found_digit(b, low, k2, &den)?;
    // y = 2^k2 high + low, both kept around 0.
    let middle = power(k1.saturating_sub(1).saturating_add(k2));
    let middle = middle.saturating_add(power(k2.saturating_sub(1)));
    let y = Expression::default().plus(power(k2), high).plus(1, low);
    let shape = b.result_shape()?;
    b.combination(&shape, y.offset(middle), "quotient")
}

/// A numerator, and a wire from which a prover finds quotient and remainder.
#[derive(Clone, Copy)]
struct Numerator {
    exact: WireId,
    /// Less a multiple of the denominator, so that its magnitude is below `p / 2`.
    shifted: WireId,
}

/// A numerator for a digit of `k` bits: `2^(k - 1) Z` less is at most `(2^k + 1) K E / 2` in magnitude.
fn numerator(
    b: &mut Builder<'_>,
    expression: Expression,
    k: u32,
    den: &Denominator,
) -> Result<Numerator, PlanError> {
    let shape = b.result_shape()?;
    let middle = power(k.saturating_sub(1)).saturating_neg();
    let shifted = expression.clone().plus(middle, den.sum);
    Ok(Numerator {
        exact: b.combination(&shape, expression, "numerator")?,
        shifted: b.combination(&shape, shifted, "numerator around 0")?,
    })
}

/// Shows that `y` in `[0, 2^k]` is the quotient; returns the remainder.
fn digit(
    b: &mut Builder<'_>,
    numerator: Numerator,
    y: &Expression,
    k: u32,
    den: &Denominator,
) -> Result<WireId, PlanError> {
    let shape = b.result_shape()?;
    let count = power_of_two(k).saturating_add(1);
    let quotients = count.saturating_mul(den.greatest);
    b.require("(2^k + 1) * K * E <= p", quotients, P)?;
    let r = divided(b, numerator, y, den)?;
    b.interval(&shape, y.clone(), count, "quotient")?;
    Ok(r)
}

/// As [`digit`], for a quotient that is no tensor of the program: the wire holds it less `2^(k - 1)`.
fn found_digit(
    b: &mut Builder<'_>,
    numerator: Numerator,
    k: u32,
    den: &Denominator,
) -> Result<(WireId, WireId), PlanError> {
    let shape = b.result_shape()?;
    let fill = Fill::Quotient(numerator.shifted, den.sum);
    let quotient = b.witness(&shape, fill, "digit of the quotient")?;
    let y = Expression::of(quotient).offset(power(k.saturating_sub(1)));
    let r = digit(b, numerator, &y, k, den)?;
    Ok((quotient, r))
}
