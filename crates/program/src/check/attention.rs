//! `softmax_numerator`, `weighted_mean`, `normalize`.

use super::rows::RowSums;
use super::site::{Derived, Operand, Site, at_most, attribute, broadcast};
use crate::constant::ConstData;
use crate::error::NodeError;
use crate::exact::{Interval, exact, power_above, power_of_two};
use crate::graph::{ConstKind, M, P};

pub(super) fn softmax_numerator(
    site: &Site<'_>,
    sums: &mut RowSums,
    shift: u32,
) -> Result<Derived, NodeError> {
    let [t] = site.constants(ConstKind::Table)?;
    let operands = site.operands();
    let arity = NodeError::Arity {
        what: "operands",
        expected: 1,
        actual: operands.len(),
    };
    let x = match *operands.as_slice() {
        [x] => x,
        [x, mask] => {
            check_mask(x, mask)?;
            x
        }
        _ => return Err(arity),
    };
    let rows = t.info.len();
    let difference = x.range.width();
    let greatest = Interval {
        lo: 0,
        hi: difference,
    }
    .shift(shift, false)
    .hi;
    let last = exact(rows).saturating_sub(1);
    if greatest > last {
        return Err(NodeError::TableCover {
            lo: 0,
            hi: greatest,
            first: 0,
            last,
        });
    }
    // A position above the claimed maximum has a negative difference; as a residue it must miss
    // the table, or it could pass.
    let reach = exact(rows)
        .saturating_mul(power_of_two(shift))
        .saturating_add(difference);
    at_most("D + N * 2^shift <= p", reach, P)?;
    let peak = t.elements.map_or(Ok(0), |entries| {
        check_peak(entries, sums.extremes(t.id, entries))
    })?;
    Ok(Derived::new(x.shape, Interval { lo: 0, hi: peak }))
}

fn check_mask(x: Operand<'_>, mask: Operand<'_>) -> Result<(), NodeError> {
    let fits = broadcast(x.shape, mask.shape).is_some_and(|shape| shape == x.shape);
    if !fits || x.shape.last() != mask.shape.last() {
        return Err(mask.misfit(x.shape));
    }
    mask.within(0, 1).map(|_| ())
}

/// Entry 0 of an exponential table, which must be its maximum.
fn check_peak(t: &ConstData, all: Interval) -> Result<i128, NodeError> {
    if all.lo < 0 {
        let is_negative = |&i: &usize| t.get(i).is_some_and(|value| value < 0);
        let index = (0..t.len()).find(is_negative).unwrap_or(0);
        let value = t.get(index).unwrap_or(0).into();
        return Err(NodeError::TableNegative { index, value });
    }
    let first = i128::from(t.get(0).unwrap_or(0));
    if first < 1 || first < all.hi {
        return Err(NodeError::TablePeak {
            first,
            maximum: all.hi,
        });
    }
    Ok(first)
}

/// Greatest value that the sum of a row of `e` can take.
fn row_sum(e: Operand<'_>, length: usize) -> Result<i128, NodeError> {
    e.within(0, i16::MAX.into())?;
    if e.range.hi < 1 {
        return Err(NodeError::ZeroDenominator { actual: 0 });
    }
    Ok(exact(length).saturating_mul(e.range.hi))
}

pub(super) fn weighted_mean(site: &Site<'_>) -> Result<Derived, NodeError> {
    let ([e, v], []) = site.take(ConstKind::Weight)?;
    let (e, v) = (e.narrow()?, v.narrow()?);
    let (leading, [m, k]) = e.trailing()?;
    let (leading_v, [k_v, n]) = v.trailing()?;
    if leading_v != leading || k_v != k {
        return Err(v.misfit([leading, &[k, n]].concat()));
    }
    let denominator = row_sum(e, k)?;
    let numerator = denominator.saturating_mul(v.range.magnitude());
    at_most("K * E * max(|v_lo|, |v_hi|) <= M", numerator, M)?;
    let quotients = power_above(v.range.width()).saturating_mul(denominator);
    at_most("2^w * K * E <= p", quotients, P)?;
    Ok(Derived::new([leading, &[m, n]].concat(), v.range))
}

pub(super) fn normalize(site: &Site<'_>, [k1, k2]: [u32; 2]) -> Result<Derived, NodeError> {
    let e = site.only()?.narrow()?;
    let digits = k1.saturating_add(k2);
    attribute("digits[0]", k1.into(), 1, 29)?;
    attribute("digits[0] + digits[1]", digits.into(), 1, 29)?;
    let denominator = row_sum(e, e.row()?)?;
    let quotients = |k| {
        power_of_two(k)
            .saturating_add(1)
            .saturating_mul(denominator)
    };
    at_most("(2^k1 + 1) * K * E <= p", quotients(k1), P)?;
    if k2 > 0 {
        at_most("(2^k2 + 1) * K * E <= p", quotients(k2), P)?;
    }
    Ok(Derived::new(
        e.shape,
        Interval {
            lo: 0,
            hi: power_of_two(digits),
        },
    ))
}
