//! `layernorm`: sums of squares in limbs of 10 bits, reciprocal root in limbs of 14 bits.
//!
//! Spec: spec/v1/zk.md, section 4.13.

use crate::plan::build::builder::{Builder, Operand};
use crate::plan::build::exact::{
    P, coefficient, exact, half, isqrt_ceil, power, power_of_two, shift_rounded,
};
use crate::plan::build::expression::Expression;
use crate::plan::build::products::labels;
use crate::plan::build::table::shifted;
use crate::plan::error::PlanError;
use crate::plan::{Fill, Scaled, WideLimb, WidePart, WireId};

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

/// Row wires: mean, and its limbs.
struct Mean {
    whole: WireId,
    low: WireId,
    high: WireId,
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
    let low = b.sum(rows.low, &axes, "sum of low limbs")?;
    let high = b.sum(rows.high, &axes, "sum of high limbs")?;
    let numerator = Expression::of(low).plus(1 << 10, high).offset(rows.d >> 1);
    let sum = b.combination(row, numerator.clone(), "sum of the row")?;
    let length = b.combination(row, Expression::constant(rows.d), "row length")?;
    let whole = b.witness(row, Fill::Quotient(sum, length), "mean")?;
    // The mean has 20 bits, in two limbs; the remainder is what the identity leaves.
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
    Ok(Mean { whole, low, high })
}

/// Sum of squares with epsilon: limbs of 14 bits, low first.
fn variance(
    b: &mut Builder<'_>,
    rows: &Rows,
    mean: Option<&Mean>,
    epsilon: i64,
) -> Result<[WireId; 4], PlanError> {
    let row = rows.row.as_slice();
    let squares = rows.product(b, [rows.low, rows.low], "low squares")?;
    let mixed = rows.product(b, [rows.low, rows.high], "mixed products")?;
    let tops = rows.product(b, [rows.high, rows.high], "high squares")?;
    // Coefficients of 2^0, 2^10 and 2^20.
    let mut sums = [
        Polynomial::new(1, squares).constant(epsilon),
        Polynomial::new(2, mixed),
        Polynomial::new(1, tops),
    ];
    if let Some(mean) = mean {
        let axes = [rows.axis()];
        let low = b.sum(rows.low, &axes, "sum of low limbs")?;
        let high = b.sum(rows.high, &axes, "sum of high limbs")?;
        let d = rows.d;
        let [first, second, third] = &mut sums;
        first.term(-2, [mean.low, low]);
        first.term(d, [mean.low, mean.low]);
        second.term(-2, [mean.high, low]);
        second.term(-2, [mean.low, high]);
        second.term(d.saturating_mul(2), [mean.low, mean.high]);
        third.term(-2, [mean.high, high]);
        third.term(d, [mean.high, mean.high]);
    }
    let [first, second, third] = sums;

    // A0 + E0 = a0 + 2^10 (c0 + 2^19): the middle is taken off, so that it is small for whoever fills it.
    let middle: i64 = 1 << 29;
    let value = first.value(b, row, Expression::constant(middle.saturating_neg()))?;
    let low = b.low(row, value, 0, 10, "first limb")?;
    let carry = b.rest(row, value, 10, "first carry")?;
    let above = Expression::of(carry).offset(1 << 19);
    b.range(row, above, 20, "first carry")?;
    let digits = Expression::of(low).plus(1 << 10, carry).offset(middle);
    first.equals(b, row, digits, "first carry")?;

    // A1 + c0 = a1 + 2^10 c1, where c1 = c1l + 2^10 c1h and a1 = a1l + 2^4 a1h.
    let second = second.with(1, carry).constant(1 << 19);
    let value = second.value(b, row, Expression::default())?;
    let second_low = b.low(row, value, 0, 4, "second limb, low")?;
    let second_high = b.low(row, value, 4, 6, "second limb, high")?;
    let carry_low = b.low(row, value, 10, 10, "second carry, low")?;
    let carry_high = b.rest(row, value, 20, "second carry, high")?;
    let above = Expression::of(carry_high).offset(CARRY_OFFSET);
    b.interval(row, above, CARRY_COUNT, "second carry, high")?;
    let digits = Expression::of(second_low)
        .plus(1 << 4, second_high)
        .plus(1 << 10, carry_low)
        .plus(1 << 20, carry_high);
    second.equals(b, row, digits, "second carry")?;

    // A2 + c1 = g0 + 2^8 g1 + 2^22 g2.
    let third = third.with(1, carry_low).with(1 << 10, carry_high);
    let value = third.value(b, row, Expression::default())?;
    let top = [
        b.low(row, value, 0, 8, "third limb, low")?,
        b.low(row, value, 8, 14, "third limb, middle")?,
        b.rest(row, value, 22, "third limb, high")?,
    ];
    let [top_low, top_middle, top_high] = top;
    b.range(row, Expression::of(top_high), 7, "third limb, high")?;
    let digits = Expression::of(top_low)
        .plus(1 << 8, top_middle)
        .plus(1 << 22, top_high);
    third.equals(b, row, digits, "third limb")?;

    let v0 = Expression::of(low).plus(1 << 10, second_low);
    let v1 = Expression::of(second_high).plus(1 << 6, top_low);
    Ok([
        b.combination(row, v0, "limb 0 of the variance")?,
        b.combination(row, v1, "limb 1 of the variance")?,
        top_middle,
        top_high,
    ])
}

/// The second carry is in `[-1016 * 2^10, 1016 * 2^10)`: with the 10 bits below it, `2032 * 2^20 <= p` values.
const CARRY_OFFSET: i64 = 1016;
const CARRY_COUNT: i128 = 2032;

/// A sum of products of row wires.
struct Polynomial {
    linear: Expression,
    products: Vec<(i64, [WireId; 2])>,
}

impl Polynomial {
    fn new(coeff: i64, wire: WireId) -> Self {
        Self {
            linear: Expression::default().plus(coeff, wire),
            products: Vec::new(),
        }
    }

    fn with(mut self, coeff: i64, wire: WireId) -> Self {
        self.linear = self.linear.plus(coeff, wire);
        self
    }

    fn constant(mut self, value: i64) -> Self {
        self.linear = self.linear.offset(value);
        self
    }

    fn term(&mut self, coeff: i64, factors: [WireId; 2]) {
        self.products.push((coeff, factors));
    }

    /// A wire with the value plus `shift`, from which limbs are found; nothing is claimed about it.
    fn value(
        &self,
        b: &mut Builder<'_>,
        row: &[usize],
        shift: Expression,
    ) -> Result<WireId, PlanError> {
        let labels = labels(row.len());
        let mut expression = self.linear.clone().join(shift);
        for &(coeff, [first, second]) in &self.products {
            let factors = ((first, labels.as_slice()), (second, labels.as_slice()));
            let product = b.einsum(factors.0, factors.1, &labels, "for filling only")?;
            expression = expression.plus(coeff, product);
        }
        b.combination(row, expression, "for filling only")
    }

    /// Identity with what is linear.
    fn equals(
        &self,
        b: &mut Builder<'_>,
        row: &[usize],
        digits: Expression,
        what: &'static str,
    ) -> Result<(), PlanError> {
        b.quadratic(
            row,
            self.linear.clone().join(digits.subtracted_from(0)),
            &self.products,
            what,
        )
    }
}

impl Builder<'_> {
    /// Witness for `bits` bits of an integer from bit `from` on, with its range.
    fn low(
        &mut self,
        row: &[usize],
        value: WireId,
        from: u32,
        bits: u32,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let of = Expression::of(value).scaled(from);
        let limb = self.witness(row, Fill::Low { of, bits }, what)?;
        self.range(row, Expression::of(limb), bits, what)?;
        Ok(limb)
    }

    /// Witness for all bits of an integer from bit `from` on; its range is the caller's.
    fn rest(
        &mut self,
        row: &[usize],
        value: WireId,
        from: u32,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let of: Scaled = Expression::of(value).scaled(from);
        self.witness(row, Fill::Floor { of }, what)
    }

    /// `linear + sum of products = 0`.
    fn quadratic(
        &mut self,
        row: &[usize],
        linear: Expression,
        products: &[(i64, [WireId; 2])],
        what: &'static str,
    ) -> Result<(), PlanError> {
        let linear = linear.combination();
        let one = self.one(row.len())?;
        let mut terms: Vec<(i64, &[WireId])> = Vec::new();
        for (coeff, factors) in products {
            terms.push((*coeff, factors));
        }
        for (coeff, wire) in &linear.terms {
            terms.push((*coeff, std::slice::from_ref(wire)));
        }
        terms.push((linear.constant, std::slice::from_ref(&one)));
        self.identity(row, &terms, what)
    }
}

/// `r` with `r^2 V <= D < (r + 1)^2 V`, from the limbs of `V`.
fn reciprocal_root(
    b: &mut Builder<'_>,
    row: &[usize],
    variance: [WireId; 4],
    target: i128,
) -> Result<WireId, PlanError> {
    let d = limbs(target);
    let mut limb = |part: WidePart, bits: u32, what| {
        let limb = WideLimb {
            variance,
            target: d,
            part,
        };
        let wire = b.witness(row, Fill::Wide { limb }, what)?;
        b.range(row, Expression::of(wire), bits, what)?;
        Ok::<WireId, PlanError>(wire)
    };
    let r = [0, 1].map(|i| limb(WidePart::Root(i), 14, "limb of the root"));
    let [r0, r1] = [r[0].clone()?, r[1].clone()?];
    let t = four(|i| limb(WidePart::Product(i), 14, "limb of the product"))?;
    let f = four(|i| limb(WidePart::Slack(i), 14, "limb of the slack"))?;
    let g = four(|i| limb(WidePart::Gap(i), 14, "limb of the gap"))?;
    let product_carries = three(|i| limb(WidePart::ProductCarry(i), 16, "carry of the product"))?;
    let target_carries = three(|i| limb(WidePart::TargetCarry(i), 16, "carry of the target"))?;
    let gap_carry = {
        let part = WidePart::GapCarry;
        let limb = WideLimb {
            variance,
            target: d,
            part,
        };
        b.witness(row, Fill::Wide { limb }, "carry of the gap")?
    };

    let zero = [0; 4];
    long_product(
        b,
        row,
        [r0, r1],
        variance,
        (&[], zero),
        (Some(t), product_carries),
    )?;
    long_product(b, row, [r0, r1], t, (&f, d), (None, target_carries))?;

    // Both halves of f + g + 1 = 2 t + V.
    let half = |wires: [WireId; 4], at: usize, coeff: i64| {
        let pair = wires.get(at..).unwrap_or(&[]);
        let scaled = coeff.saturating_mul(1 << 14);
        let terms = pair.iter().zip([coeff, scaled]);
        terms.fold(Expression::default(), |e, (&w, c)| e.plus(c, w))
    };
    let sides = |at: usize| {
        half(f, at, 1)
            .join(half(g, at, 1))
            .join(half(t, at, -2))
            .join(half(variance, at, -1))
    };
    let low = sides(0).offset(1).plus(-(1 << 28), gap_carry);
    let high = sides(2).plus(1, gap_carry);
    let table = b.range_table(3);
    let carry = Expression::of(gap_carry).offset(4).scaled(0);
    let vanishing = vec![low.scaled(0), high.scaled(0)];
    b.site(row, vec![table, carry], vanishing, "carry of the gap")?;

    let root = Expression::of(r0).plus(1 << 14, r1);
    b.combination(row, root, "reciprocal root")
}

fn four<E>(mut limb: impl FnMut(usize) -> Result<WireId, E>) -> Result<[WireId; 4], E> {
    Ok([limb(0)?, limb(1)?, limb(2)?, limb(3)?])
}

fn three<E>(mut limb: impl FnMut(usize) -> Result<WireId, E>) -> Result<[WireId; 3], E> {
    Ok([limb(0)?, limb(1)?, limb(2)?])
}

/// `r * v + added = result + target` in limbs of 14 bits, without a carry out of the last: J1 and J2.
fn long_product(
    b: &mut Builder<'_>,
    row: &[usize],
    [r0, r1]: [WireId; 2],
    v: [WireId; 4],
    (added, target): (&[WireId], [i64; 4]),
    (result, carries): (Option<[WireId; 4]>, [WireId; 3]),
) -> Result<(), PlanError> {
    for (i, limb) in target.iter().enumerate() {
        let at = |wires: &[WireId], i: usize| wires.get(i).copied();
        let below = i.checked_sub(1);
        let mut products = Vec::new();
        products.extend(at(&v, i).map(|v| (1, [r0, v])));
        products.extend(below.and_then(|i| at(&v, i)).map(|v| (1, [r1, v])));
        let mut linear = Expression::constant(limb.saturating_neg());
        for (coeff, wire) in [
            (1, at(added, i)),
            (1, below.and_then(|i| at(&carries, i))),
            (-1, result.and_then(|result| at(&result, i))),
            (-(1 << 14), at(&carries, i)),
        ] {
            if let Some(wire) = wire {
                linear = linear.plus(coeff, wire);
            }
        }
        b.quadratic(row, linear, &products, "limb of a product")?;
    }
    let [.., top] = v;
    b.quadratic(
        row,
        Expression::default(),
        &[(1, [r1, top])],
        "no further limb",
    )
}

/// Limbs of 14 bits, low first, the last with the rest.
fn limbs(value: i128) -> [i64; 4] {
    let mask = power_of_two(14).saturating_sub(1);
    [0_u32, 14, 28, 42].map(|shift| {
        let limb = value >> shift;
        let limb = if shift < 42 { limb & mask } else { limb };
        i64::try_from(limb).unwrap_or(i64::MAX)
    })
}
