//! `linear`, `matmul`, `gather`.

use super::rows::{RowSum, RowSums, extremes_of};
use super::site::{Constant, Derived, Site};
use crate::constant::{ConstData, Dtype};
use crate::error::NodeError;
use crate::exact::{Interval, exact, half_up, isqrt_ceil};
use crate::graph::ConstKind;

pub(super) fn linear(site: &Site<'_>, rows: &mut RowSums) -> Result<Derived, NodeError> {
    let ([x], [w, b]) = site.take(ConstKind::Weight)?;
    let x = x.narrow()?;
    let (leading, [k]) = x.trailing()?;
    let [n, columns] = *w.info.shape.as_slice() else {
        return Err(w.misfit([0, k]));
    };
    if columns != k {
        return Err(w.misfit([n, k]));
    }
    let w = w.dtype(&[Dtype::I8, Dtype::I16])?;
    let b = b.dtype(&[Dtype::I32])?.shape(&[n])?;
    let range = range_of_rows(rows, (w, k), b, x.range, x.fact);
    Ok(Derived {
        shape: [leading, &[n]].concat(),
        range,
        fact: None,
    })
}

/// Union of the bounds of `sum w x + b` over the rows of `w`; `None` if they are not held.
pub(super) fn range_of_rows(
    rows: &mut RowSums,
    (w, length): (Constant<'_>, usize),
    b: Constant<'_>,
    x: Interval,
    fact: Option<i128>,
) -> Option<Interval> {
    let biases = b.elements?.as_i32()?;
    let sums = rows.of(w.id, w.elements?, length);
    let bounds = sums.iter().zip(biases).map(|(sum, &bias)| {
        let interval = bound_of_interval(sum, x);
        let bound = fact.map_or(interval, |q| interval.intersection(bound_of_norm(sum, q)));
        bound.add(Interval::new(bias, bias))
    });
    bounds.reduce(Interval::union)
}

/// `sum min(wL, wH) .. sum max(wL, wH)`.
fn bound_of_interval(sum: &RowSum, x: Interval) -> Interval {
    let (positive, negative) = (i128::from(sum.positive), i128::from(sum.negative));
    let term = |a: i128, b: i128| {
        positive
            .saturating_mul(a)
            .saturating_add(negative.saturating_mul(b))
    };
    Interval {
        lo: term(x.lo, x.hi),
        hi: term(x.hi, x.lo),
    }
}

/// Cauchy-Schwarz with the row-norm fact, plus half a unit of rounding per element.
fn bound_of_norm(sum: &RowSum, q: i128) -> Interval {
    let l1 = i128::from(sum.positive).saturating_sub(sum.negative.into());
    let root = isqrt_ceil(q.saturating_mul(sum.squares.into()));
    let bound = root.saturating_add(half_up(l1));
    Interval {
        lo: bound.saturating_neg(),
        hi: bound,
    }
}

pub(super) fn matmul(site: &Site<'_>, transpose_b: bool) -> Result<Derived, NodeError> {
    let ([a, b], []) = site.take(ConstKind::Weight)?;
    let (a, b) = (a.narrow()?, b.narrow()?);
    let (leading, [m, k]) = a.trailing()?;
    let (leading_b, [first, second]) = b.trailing()?;
    let (k_b, n) = if transpose_b {
        (second, first)
    } else {
        (first, second)
    };
    if leading_b != leading || k_b != k {
        let last = if transpose_b { [n, k] } else { [k, n] };
        return Err(b.misfit([leading, &last].concat()));
    }
    let range = a.range.mul(b.range).scale(exact(k));
    Ok(Derived::new([leading, &[m, n]].concat(), range))
}

pub(super) fn gather(site: &Site<'_>, rows: &mut RowSums) -> Result<Derived, NodeError> {
    let ([ids], [w]) = site.take(ConstKind::Weight)?;
    let [count, rest @ ..] = w.info.shape.as_slice() else {
        return Err(w.misfit([1]));
    };
    let ids = ids.within(0, exact(*count).saturating_sub(1))?;
    let range = w.elements.map(|elements| rows.extremes(w.id, elements));
    Ok(Derived {
        shape: [ids.shape, rest].concat(),
        range,
        fact: None,
    })
}

/// Least and greatest of the entries `first..=last` of a table.
pub(super) fn extremes_of_entries(t: &ConstData, first: usize, last: usize) -> Option<Interval> {
    match t {
        ConstData::I8(x) => x.get(first..=last).map(extremes_of),
        ConstData::I16(x) => x.get(first..=last).map(extremes_of),
        ConstData::I32(x) => x.get(first..=last).map(extremes_of),
    }
}
