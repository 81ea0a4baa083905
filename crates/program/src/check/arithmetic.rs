//! `add`, `affine`, `mul`, reductions, `argmax`, `topk`.

use super::site::{Constant, Derived, Operand, Site, at_most, attribute, broadcast};
use crate::constant::ConstData;
use crate::error::NodeError;
use crate::exact::{Interval, exact, power_above};
use crate::graph::{ConstKind, P};

pub(super) fn add(site: &Site<'_>, coeff: &[i32]) -> Result<Derived, NodeError> {
    let [] = site.constants(ConstKind::Weight)?;
    let operands = site.operands();
    let Some(first) = operands.first() else {
        return Err(NodeError::Arity {
            what: "operands",
            expected: 1,
            actual: 0,
        });
    };
    if operands.len() != coeff.len() {
        let (operands, coefficients) = (operands.len(), coeff.len());
        return Err(NodeError::Coefficients {
            operands,
            coefficients,
        });
    }
    let mut shape = first.shape.to_vec();
    let mut range = Interval { lo: 0, hi: 0 };
    for (x, &c) in operands.iter().zip(coeff) {
        if c == 0 {
            return Err(NodeError::ZeroCoefficient {
                position: x.position,
            });
        }
        let Some(wider) = broadcast(&shape, x.shape) else {
            return Err(x.misfit(shape));
        };
        shape = wider;
        range = range.add(x.range.scale(c));
    }
    Ok(Derived::new(shape, range))
}

pub(super) fn mul(site: &Site<'_>) -> Result<Derived, NodeError> {
    let ([a, b], []) = site.take(ConstKind::Weight)?;
    let Some(shape) = broadcast(a.shape, b.shape) else {
        return Err(b.misfit(a.shape));
    };
    let range = if a.id == b.id {
        a.range.square()
    } else {
        a.range.mul(b.range)
    };
    Ok(Derived::new(shape, range))
}

pub(super) fn affine(site: &Site<'_>) -> Result<Derived, NodeError> {
    let ([x], [g, b]) = site.take(ConstKind::Weight)?;
    for c in [g, b] {
        let fits = broadcast(x.shape, &c.info.shape).is_some_and(|shape| shape == x.shape);
        if !fits {
            return Err(c.misfit(x.shape));
        }
    }
    // Gains and offsets meet where both vary. On an axis where only one varies, its extremes
    // decide, because the result is monotone in the offset and convex in the gain.
    let shared: Vec<usize> = g
        .info
        .shape
        .iter()
        .zip(&b.info.shape)
        .map(|(&m, &n)| m.min(n))
        .collect();
    let x_ends = (i64::from(x.info.lo), i64::from(x.info.hi));
    let range = if g.info.shape == b.info.shape {
        // Without tables of extremes: nothing is shared, and the constants may be large.
        g.elements.zip(b.elements).and_then(|(g, b)| {
            let point = |c: &ConstData, i| c.get(i).map(|v| (v.into(), v.into()));
            let at = |i| Some(image(x_ends, point(g, i)?, point(b, i)?));
            (0..g.len()).filter_map(at).reduce(union)
        })
    } else {
        let extremes = extremes_by(g, &shared).zip(extremes_by(b, &shared));
        extremes.and_then(|(gains, offsets)| {
            let at = |(gain, offset): (&Ends, &Ends)| image(x_ends, *gain, *offset);
            gains.iter().zip(&offsets).map(at).reduce(union)
        })
    };
    Ok(Derived {
        shape: x.shape.to_vec(),
        range: range.map(|(lo, hi)| Interval::new(lo, hi)),
        fact: None,
    })
}

/// Ends of an interval. 64 bits hold a product of two 32-bit integers plus a third one, and this
/// runs over every element of a constant for every node that names it.
type Ends = (i64, i64);

fn union(a: Ends, b: Ends) -> Ends {
    (a.0.min(b.0), a.1.max(b.1))
}

/// Ends of `gain * x + offset`.
fn image(x: Ends, gain: Ends, offset: Ends) -> Ends {
    let product = |gain: i64, x: i64| gain.saturating_mul(x);
    let at_ends = |gain| (product(gain, x.0), product(gain, x.1));
    let ((a, b), (c, d)) = (at_ends(gain.0), at_ends(gain.1));
    let (lo, hi) = (a.min(b).min(c).min(d), a.max(b).max(c).max(d));
    (lo.saturating_add(offset.0), hi.saturating_add(offset.1))
}

/// Extremes of a constant over the axes on which `shared` is 1, per index of the others.
fn extremes_by(c: Constant<'_>, shared: &[usize]) -> Option<Vec<Ends>> {
    let elements = c.elements?;
    if c.info.shape == shared {
        let at = |i| elements.get(i).map(|v| (v.into(), v.into()));
        return (0..elements.len()).map(at).collect();
    }
    let count = shared.iter().fold(1_usize, |n, &d| n.saturating_mul(d));
    let mut found = vec![(i64::MAX, i64::MIN); count];
    visit(elements, (&c.info.shape, shared), (0, 0), &mut found);
    Some(found)
}

/// Walks the axes; `position` counts elements, `key` those of the shared shape.
fn visit(
    elements: &ConstData,
    (shape, shared): (&[usize], &[usize]),
    (position, key): (usize, usize),
    found: &mut [Ends],
) {
    if let ([n, shape @ ..], [m, shared @ ..]) = (shape, shared) {
        for i in 0..*n {
            let position = position.saturating_mul(*n).saturating_add(i);
            let key = key
                .saturating_mul(*m)
                .saturating_add(if *m == 1 { 0 } else { i });
            visit(elements, (shape, shared), (position, key), found);
        }
    } else if let (Some(value), Some(slot)) = (elements.get(position), found.get_mut(key)) {
        *slot = union(*slot, (value.into(), value.into()));
    }
}

pub(super) fn reduce_sum(site: &Site<'_>, axes: &[usize]) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let (shape, count) = reduced(x, axes)?;
    Ok(Derived::new(shape, x.range.scale(count)))
}

pub(super) fn reduce_max(site: &Site<'_>, axes: &[usize]) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let (shape, _) = reduced(x, axes)?;
    ordered(x.range)?;
    Ok(Derived::new(shape, x.range))
}

/// A maximum is pinned by differences that are true integers in the field.
pub(super) fn ordered(x: Interval) -> Result<(), NodeError> {
    let reach = x.width().saturating_add(power_above(x.width()));
    at_most("H - L + 2^w <= p", reach, P)
}

/// Shape of the result, and how many elements meet in one.
fn reduced(x: Operand<'_>, axes: &[usize]) -> Result<(Vec<usize>, i128), NodeError> {
    let rank = x.shape.len();
    let ascends = axes.is_sorted_by(|a, b| a < b);
    if !ascends || axes.is_empty() || axes.last().is_some_and(|&a| a >= rank) {
        return Err(NodeError::Axes {
            axes: axes.to_vec(),
            rank,
        });
    }
    let mut shape = x.shape.to_vec();
    let mut count = 1_i128;
    for &axis in axes {
        if let Some(n) = shape.get_mut(axis) {
            count = count.saturating_mul(exact(*n));
            *n = 1;
        }
    }
    Ok((shape, count))
}

pub(super) fn argmax(site: &Site<'_>) -> Result<Derived, NodeError> {
    ranked(site, 1, false)
}

pub(super) fn topk(site: &Site<'_>, k: usize, values: bool) -> Result<Derived, NodeError> {
    ranked(site, k, values)
}

fn ranked(site: &Site<'_>, k: usize, values: bool) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let (leading, [n]) = x.trailing()?;
    attribute("k", exact(k), 1, exact(n))?;
    let difference = x.range.width().saturating_add(1);
    let reach = difference.saturating_add(power_above(difference));
    at_most("H - L + 1 + 2^w <= p", reach, P)?;
    let indices = Interval {
        lo: 0,
        hi: exact(n).saturating_sub(1),
    };
    let range = if values { x.range } else { indices };
    Ok(Derived::new([leading, &[k]].concat(), range))
}
