//! `table` and `shift`: the ways in which a wide value becomes a narrow one.

use super::linear::extremes_of_entries;
use super::site::{Derived, Site, at_most};
use crate::error::NodeError;
use crate::exact::{Interval, exact, power_above, power_of_two};
use crate::graph::{ConstKind, P};

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
