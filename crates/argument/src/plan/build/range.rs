//! Range checks, one-hot columns and maxima.
//!
//! Spec: spec/v1/zk.md, sections 3 and 4.9.

use crate::plan::build::builder::Builder;
use crate::plan::build::exact::{P, power, power_of_two, width_of};
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;
use crate::plan::{Fill, Scaled, Table, WireId};

/// The maximum of groups of cells, and where it is attained.
pub(super) struct Maximum<'a> {
    /// Operand.
    pub(super) of: WireId,
    /// The greatest value; the axes of the group have size 1.
    pub(super) max: WireId,
    /// Axes of a group, ascending.
    pub(super) axes: &'a [usize],
    /// 0 or 1, broadcast: cells that count.
    pub(super) mask: Option<WireId>,
}

impl Builder<'_> {
    /// Shows that an expression is in `[0, 2^width)`.
    pub(super) fn range(
        &mut self,
        space: &[usize],
        expression: Expression,
        width: u32,
        what: &'static str,
    ) -> Result<(), PlanError> {
        if width == 0 {
            return self.zero(space, expression, what);
        }
        self.range_scaled(space, expression.scaled(0), width, what)
    }

    /// As [`Builder::range`], of a quotient by a power of two and a width of at least 1.
    pub(super) fn range_scaled(
        &mut self,
        space: &[usize],
        mut rest: Scaled,
        mut width: u32,
        what: &'static str,
    ) -> Result<(), PlanError> {
        self.require("2^w <= p", power_of_two(width), P)?;
        let limb = self.limb();
        while width > limb {
            let fill = Fill::Low {
                of: rest.clone(),
                bits: limb,
            };
            let low = self.witness(space, fill, "limb")?;
            self.range_site(space, Expression::of(low).scaled(0), limb, what)?;
            // (C / 2^s - low) / 2^B = (C - 2^s low) / 2^(s + B).
            let coeff = power(rest.shift).saturating_neg();
            rest.combination.terms.push((coeff, low));
            rest.shift = rest.shift.saturating_add(limb);
            width = width.saturating_sub(limb);
        }
        self.range_site(space, rest, width, what)
    }

    fn range_site(
        &mut self,
        space: &[usize],
        column: Scaled,
        bits: u32,
        what: &'static str,
    ) -> Result<(), PlanError> {
        let table = self.range_table(bits);
        self.site(space, vec![table, column], Vec::new(), what)
    }

    /// The id of the table of all integers of `bits` bits.
    pub(super) fn range_table(&mut self, bits: u32) -> Scaled {
        let rows = usize::try_from(power(bits)).unwrap_or(usize::MAX);
        Expression::constant(self.table(Table::Range { bits }, rows)).scaled(0)
    }

    /// An identity without products.
    pub(super) fn zero(
        &mut self,
        space: &[usize],
        expression: Expression,
        what: &'static str,
    ) -> Result<(), PlanError> {
        self.quadratic(space, expression, &[], what)
    }

    /// `linear + sum of products = 0`.
    pub(super) fn quadratic(
        &mut self,
        space: &[usize],
        linear: Expression,
        products: &[(i64, [WireId; 2])],
        what: &'static str,
    ) -> Result<(), PlanError> {
        let linear = linear.combination();
        let one = self.one(space.len())?;
        let mut terms: Vec<(i64, &[WireId])> = Vec::new();
        for (coeff, factors) in products {
            terms.push((*coeff, factors));
        }
        for (coeff, wire) in &linear.terms {
            terms.push((*coeff, std::slice::from_ref(wire)));
        }
        terms.push((linear.constant, std::slice::from_ref(&one)));
        self.identity(space, &terms, what)
    }

    /// Shows that an expression is in `[0, n)`.
    pub(super) fn interval(
        &mut self,
        space: &[usize],
        expression: Expression,
        n: i128,
        what: &'static str,
    ) -> Result<(), PlanError> {
        let width = width_of(n);
        let slots = power_of_two(width);
        if slots == n {
            return self.range(space, expression, width, what);
        }
        // Both complements in range: their sum is n - 1 modulo p, and n - 1 + p is out of reach.
        let last = n.saturating_sub(1);
        let reach = slots.saturating_sub(1).saturating_mul(2);
        let limit = P.saturating_add(last).saturating_sub(1);
        self.require("2 (2^w - 1) < p + n - 1", reach, limit)?;
        let last = i64::try_from(last).unwrap_or(i64::MAX);
        let complement = expression.clone().subtracted_from(last);
        self.range(space, expression, width, what)?;
        self.range(space, complement, width, what)
    }

    /// Shows that `h` is 1 at exactly one cell of each group of `axes`, 0 elsewhere.
    pub(super) fn one_hot(&mut self, h: WireId, axes: &[usize]) -> Result<(), PlanError> {
        let space = self.shape(h).to_vec();
        self.identity(&space, &[(1, &[h, h]), (-1, &[h])], "bits of a position")?;
        let sum = self.sum(h, axes, "number of positions")?;
        let space = self.shape(sum).to_vec();
        let expression = Expression::of(sum).offset(-1);
        self.zero(&space, expression, "one position")
    }

    /// Shows that a maximum is attained by a cell that counts; that it bounds the others is the caller's part.
    ///
    /// The caller accepts differences in `[0, admitted)`.
    pub(super) fn attained(
        &mut self,
        maximum: &Maximum<'_>,
        spread: i128,
        admitted: i128,
    ) -> Result<(), PlanError> {
        self.require(
            "(H - L) + admitted differences <= p",
            spread.saturating_add(admitted),
            P,
        )?;
        let &Maximum {
            of,
            max,
            axes,
            mask,
        } = maximum;
        let space = self.shape(of).to_vec();
        let fill = Fill::First {
            of,
            max,
            axes: axes.to_vec(),
            mask,
        };
        let h = self.witness(&space, fill, "position of the maximum")?;
        self.one_hot(h, axes)?;
        let what = "maximum is attained";
        self.identity(&space, &[(1, &[h, max]), (-1, &[h, of])], what)?;
        if let Some(mask) = mask {
            let what = "maximum is not masked";
            self.identity(&space, &[(1, &[h]), (-1, &[h, mask])], what)?;
        }
        Ok(())
    }
}
