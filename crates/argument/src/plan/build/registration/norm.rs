//! Rows behind a normalised operand: the Cauchy–Schwarz bound, in limbs of 10 bits.
//!
//! Spec: spec/v1/zk.md, section 12.6.

use super::between::between;
use super::consts::{Consts, narrow_bits};
use super::rows::{RowSums, at_most, integer, row_axes, sums};
use crate::plan::build::builder::Builder;
use crate::plan::build::exact::{exact, power, power_of_two};
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;
use crate::plan::{Fill, Formula, NormLimb, NormPart, WireId};

/// Bits of a limb.
const LIMB: u32 = 10;
/// Longest row, so that its sums of squares have 41 bits.
const MAX_LENGTH: i128 = 1024;

pub(super) fn linear(b: &mut Builder<'_>, consts: &mut Consts, q: i128) -> Result<(), PlanError> {
    let ((weight, shape), (bias, _)) = (b.constant(0)?, b.constant(1)?);
    let &[rows, length] = shape.as_slice() else {
        return Err(b.inconsistent("a matrix has two axes"));
    };
    b.require("K <= 1024", exact(length), MAX_LENGTH)?;
    b.require("Q < 2^30", q, power_of_two(30).saturating_sub(1))?;
    let (_, [lo, hi]) = b.declared(0)?;
    let reach = lo.saturating_neg().max(hi).max(1);
    b.require("Z < 2^30", reach, power_of_two(30).saturating_sub(1))?;
    let space = [rows, 1];
    let sums = sums(b, consts, (weight, &shape))?;
    let bias = b.weight(bias, &space)?;
    let squares = sum_of_squares(b, consts, (weight, &shape))?;
    let row = Row {
        space,
        squares,
        factor: limbs(q),
        magnitude: sums.magnitude,
        reach: integer(reach),
    };
    let [least, most] = b.declared_result()?;
    let width = most.saturating_sub(least);

    let choice = row.witness(b, NormPart::Choice, "choice of a bound")?;
    b.identity(
        &space,
        &[(1, &[choice, choice]), (-1, &[choice])],
        "choice of a bound",
    )?;
    let chosen = chosen(b, &row, choice, &sums, width)?;
    let half = half(b, &row, chosen)?;
    let root = root(b, &row, choice)?;

    let bound = root.plus(1, half).plus(row.reach, chosen);
    let count = (width >> 1_u32).saturating_add(1);
    b.interval(&space, bound.clone(), count, "bound by the norm")?;
    let bound = b.combination(&space, bound, "bound by the norm")?;
    let y = Expression::constant(integer(most)).minus(bound).minus(bias);
    let t = Expression::default().plus(2, bound);
    between(b, &space, &y, Some(&t), width)
}

/// The rows of a matrix.
struct Row {
    space: [usize; 2],
    /// Limbs of their sums of squares.
    squares: [WireId; 4],
    /// Limbs of `Q`.
    factor: [i64; 3],
    magnitude: WireId,
    /// `Z`.
    reach: i64,
}

impl Row {
    fn witness(
        &self,
        b: &mut Builder<'_>,
        part: NormPart,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let limb = NormLimb {
            squares: self.squares,
            factor: self.factor,
            magnitude: self.magnitude,
            reach: self.reach,
            part,
        };
        b.witness(&self.space, Fill::Norm { limb }, what)
    }
}

/// `m`: the magnitudes of rows that are bounded by the range of the operand, `Z m <= D / 2`.
fn chosen(
    b: &mut Builder<'_>,
    row: &Row,
    choice: WireId,
    sums: &RowSums,
    width: i128,
) -> Result<WireId, PlanError> {
    let what = "magnitudes by the interval";
    let fill = Fill::Product(choice, row.magnitude);
    let chosen = b.witness(&row.space, fill, what)?;
    let product = [(-1, [choice, row.magnitude])];
    b.quadratic(&row.space, Expression::of(chosen), &product, what)?;
    let reach = i128::from(row.reach).saturating_mul(2);
    let greatest = width.checked_div_euclid(reach).unwrap_or(0);
    at_most(b, chosen, (greatest, sums.most), what)?;
    Ok(chosen)
}

/// Half of the magnitudes that were not chosen, rounded up.
fn half(b: &mut Builder<'_>, row: &Row, chosen: WireId) -> Result<WireId, PlanError> {
    let what = "half of the magnitudes";
    let rest = Expression::of(row.magnitude).minus(chosen);
    let fill = Fill::Floor {
        of: rest.clone().offset(1).scaled(1),
    };
    let half = b.witness(&row.space, fill, what)?;
    b.range(&row.space, Expression::of(half), 26, what)?;
    let parity = rest.subtracted_from(0).plus(2, half);
    b.range(&row.space, parity, 1, what)?;
    Ok(half)
}

/// Limbs of `Q`.
fn limbs(q: i128) -> [i64; 3] {
    let mask = power_of_two(LIMB).saturating_sub(1);
    [0_u32, LIMB, 20].map(|shift| integer((q >> shift) & mask))
}

/// Limbs of an integer that is at least the sum of squares of a row.
fn sum_of_squares(
    b: &mut Builder<'_>,
    consts: &mut Consts,
    (constant, shape): (usize, &[usize]),
) -> Result<[WireId; 4], PlanError> {
    let what = "limb of the sum of squares";
    let Some(bits) = narrow_bits(b, constant)? else {
        return Err(b.inconsistent("a row has elements of 32 bits"));
    };
    let weight = b.weight(constant, shape)?;
    let high = consts.image(b, (constant, shape), bits, Formula::Square)?;
    let high = b.sum(high, &row_axes(shape), "sum of squares, high")?;
    let space = b.shape(high).to_vec();
    let squares = b.einsum((weight, &[0, 1]), (weight, &[0, 1]), &[0], "sum of squares")?;
    let squares = b.view_in_order(squares, space.clone(), "sum of squares")?;
    let low = Expression::of(squares).plus(power(15).saturating_neg(), high);
    let low = b.combination(&space, low, "sum of squares, low")?;

    let mut limb = |of: Expression, shift: u32, bits: Option<u32>| {
        let of = of.scaled(shift);
        let fill = match bits {
            Some(bits) => Fill::Low { of, bits },
            None => Fill::Floor { of },
        };
        let wire = b.witness(&space, fill, what)?;
        b.range(&space, Expression::of(wire), bits.unwrap_or(11), what)?;
        Ok::<WireId, PlanError>(wire)
    };
    let s0 = limb(Expression::of(low), 0, Some(LIMB))?;
    // 2^10 z.
    let rest = Expression::of(low).plus(power(15), high).minus(s0);
    let s1 = limb(rest.clone(), LIMB, Some(LIMB))?;
    let s2 = limb(rest.clone(), 20, Some(LIMB))?;
    let s3 = limb(rest.clone(), 30, None)?;
    let quotient = Expression::of(low).minus(s0).scaled(LIMB);
    b.range_scaled(&space, quotient, 16, what)?;
    let identity = [(LIMB, s1), (20, s2), (30, s3)]
        .into_iter()
        .fold(rest, |rest, (shift, limb)| {
            rest.plus(power(shift).saturating_neg(), limb)
        });
    b.zero(&space, identity, "limbs of the sum of squares")?;
    Ok([s0, s1, s2, s3])
}

/// `r`, with `r^2 >= Q S` where the choice is 0, and 0 where it is 1.
fn root(b: &mut Builder<'_>, row: &Row, choice: WireId) -> Result<Expression, PlanError> {
    let space = &row.space;
    let mut limb = |part: NormPart, what| {
        let wire = row.witness(b, part, what)?;
        let value = Expression::of(wire);
        match part {
            NormPart::Root(_) | NormPart::Slack(_) => b.range(space, value, LIMB, what)?,
            NormPart::Carry(_) => b.range(space, value.offset(power(13)), 14, what)?,
            NormPart::Choice => {}
        }
        Ok::<WireId, PlanError>(wire)
    };
    let mut all = |count: usize, part: fn(usize) -> NormPart, what| {
        let wires = (0..count).map(|i| limb(part(i), what));
        wires.collect::<Result<Vec<WireId>, PlanError>>()
    };
    let roots = all(3, NormPart::Root, "limb of the root of a norm")?;
    let slacks = all(4, NormPart::Slack, "slack of a norm")?;
    let carries = all(5, NormPart::Carry, "carry of a norm")?;

    for i in 0..6_usize {
        let at = |wires: &[WireId], i: Option<usize>| wires.get(i?).copied();
        let mut products = Vec::new();
        let mut linear = Expression::default();
        for (j, &q) in row.factor.iter().enumerate() {
            let other = i.checked_sub(j);
            if let (Some(a), Some(b)) = (at(&roots, Some(j)), at(&roots, other)) {
                products.push((1, [a, b]));
            }
            if let Some(s) = at(&row.squares, other) {
                linear = linear.plus(q.saturating_neg(), s);
                products.push((q, [choice, s]));
            }
        }
        for (coeff, wire) in [
            (-1, at(&slacks, Some(i))),
            (1, at(&carries, i.checked_sub(1))),
            (power(LIMB).saturating_neg(), at(&carries, Some(i))),
        ] {
            if let Some(wire) = wire {
                linear = linear.plus(coeff, wire);
            }
        }
        b.quadratic(space, linear, &products, "digit of a norm")?;
    }
    let limbs = roots.iter().zip([0, LIMB, 20]);
    let products = limbs
        .clone()
        .map(|(&limb, shift)| (power(shift), [choice, limb]));
    let products: Vec<(i64, [WireId; 2])> = products.collect();
    let none = Expression::default();
    b.quadratic(space, none, &products, "root of a row by its interval")?;
    Ok(limbs.fold(Expression::default(), |r, (&limb, shift)| {
        r.plus(power(shift), limb)
    }))
}
