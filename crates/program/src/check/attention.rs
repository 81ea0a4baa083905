//! `softmax_numerator`, `weighted_mean`, `normalize`.

use super::linear::extremes_of_entries;
use super::site::{Derived, Operand, Site, at_most, attribute, broadcast};
use crate::constant::ConstData;
use crate::error::NodeError;
use crate::exact::{Interval, exact, power_above, power_of_two};
use crate::graph::{ConstKind, M, P};

pub(super) fn softmax_numerator(site: &Site<'_>, shift: u32) -> Result<Derived, NodeError> {
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
    let peak = t.elements.map_or(Ok(0), |t| check_peak(t, rows))?;
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
fn check_peak(t: &ConstData, rows: usize) -> Result<i128, NodeError> {
    for index in 0..rows {
        match t.get(index) {
            Some(value) if value < 0 => {
                return Err(NodeError::TableNegative {
                    index,
                    value: value.into(),
                });
            }
            _ => {}
        }
    }
    let first = t.get(0).unwrap_or(0);
    let all = extremes_of_entries(t, 0, rows.saturating_sub(1));
    let maximum = all.map_or(i64::MAX, |i| i64::try_from(i.hi).unwrap_or(i64::MAX));
    if first < 1 || i64::from(first) < maximum {
        return Err(NodeError::TablePeak {
            first: first.into(),
            maximum,
        });
    }
    Ok(first.into())
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
