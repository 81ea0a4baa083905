//! Sums of squares of centred rows, exactly, in limbs.
//!
//! Spec: spec/v1/zk.md, section 4.13.

use crate::plan::build::builder::Builder;
use crate::plan::build::expression::Expression;
use crate::plan::build::norm::{Mean, Rows};
use crate::plan::build::products::labels;
use crate::plan::error::PlanError;
use crate::plan::{Fill, Scaled, WireId};

/// Sum of squares with epsilon: limbs of 14 bits, low first.
pub(super) fn variance(
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
        let [low, high] = mean.sums;
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
}
