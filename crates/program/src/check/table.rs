//! `table`, `shift`, `clamp`: the ways in which a wide value becomes a narrow one.

use super::linear::extremes_of_entries;
use super::site::{Derived, Site, at_most, attribute};
use crate::error::NodeError;
use crate::exact::{Interval, exact, power_above, power_of_two};
use crate::graph::{ConstKind, M, P};

pub(super) fn table(
    site: &Site<'_>,
    shift: u32,
    first: i64,
    is_rounded: bool,
) -> Result<Derived, NodeError> {
    let ([x], [t]) = site.take(ConstKind::Table)?;
    let reached = x.range.shift(shift, is_rounded);
    let rows = exact(t.info.len());
    let covered = Interval {
        lo: first.into(),
        hi: i128::from(first).saturating_add(rows).saturating_sub(1),
    };
    let miss = NodeError::TableCover {
        lo: reached.lo,
        hi: reached.hi,
        first: covered.lo,
        last: covered.hi,
    };
    if !covered.contains(reached) {
        return Err(miss);
    }
    // The index and the dropped bits are one decomposition of x, unique only below p.
    at_most(
        "N * 2^shift <= p",
        rows.saturating_mul(power_of_two(shift)),
        P,
    )?;
    let index = |i: i128| usize::try_from(i.saturating_sub(first.into())).ok();
    let entries = t.elements.zip(index(reached.lo)).zip(index(reached.hi));
    let range = entries.and_then(|((t, lo), hi)| extremes_of_entries(t, lo, hi));
    match range {
        Some(range) => Ok(Derived::new(x.shape, range)),
        None => Err(miss),
    }
}

pub(super) fn shift(site: &Site<'_>, shift: u32) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let y = x.range.shift(shift, true);
    let images = power_above(y.width()).saturating_mul(power_of_two(shift));
    at_most("2^w * 2^shift <= p", images, P)?;
    Ok(Derived::new(x.shape, y))
}

pub(super) fn clamp(site: &Site<'_>, lo: i32, hi: i32) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let (lo, hi) = (i128::from(lo), i128::from(hi));
    attribute("hi", hi, lo, M.into())?;
    crossed(lo, x.range)?;
    let raised = Interval {
        lo: x.range.lo.max(lo),
        hi: x.range.hi.max(lo),
    };
    crossed(hi, raised)?;
    let range = Interval {
        lo: raised.lo.min(hi),
        hi: raised.hi.min(hi),
    };
    Ok(Derived::new(x.shape, range))
}

/// A bound inside the range: both differences from it must be true integers in the field.
fn crossed(bound: i128, x: Interval) -> Result<(), NodeError> {
    if bound <= x.lo || x.hi <= bound {
        return Ok(());
    }
    let above = x.hi.saturating_sub(bound);
    let below = bound.saturating_sub(x.lo);
    at_most(
        "2^w + (c - L) <= p, 2^w > H - c",
        power_above(above).saturating_add(below),
        P,
    )?;
    at_most(
        "2^w + (H - c) <= p, 2^w > c - L",
        power_above(below).saturating_add(above),
        P,
    )
}
