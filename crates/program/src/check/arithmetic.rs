//! `add`, `affine`, `mul`, reductions, `argmax`, `topk`.

use super::rows::extremes;
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
    let range = extremes_by(g, &shared)
        .zip(extremes_by(b, &shared))
        .and_then(|(gains, offsets)| {
            let at = |(gain, offset): (&Interval, &Interval)| x.range.mul(*gain).add(*offset);
            gains.iter().zip(&offsets).map(at).reduce(Interval::union)
        });
    Ok(Derived {
        shape: x.shape.to_vec(),
        range,
        fact: None,
    })
}

/// Extremes of a constant over the axes on which `shared` is 1, per index of the others.
fn extremes_by(c: Constant<'_>, shared: &[usize]) -> Option<Vec<Interval>> {
    let elements = c.elements?;
    if c.info.shape == shared {
        let at = |i| elements.get(i).map(|v| Interval::new(v, v));
        return (0..elements.len()).map(at).collect();
    }
    if shared.iter().all(|&n| n == 1) {
        return Some(vec![extremes(elements)]);
    }
    let count = shared.iter().fold(1_usize, |n, &d| n.saturating_mul(d));
    let mut found = vec![None; count];
    visit(elements, (&c.info.shape, shared), (0, 0), &mut found);
    found.into_iter().collect()
}

/// Walks the axes; `position` counts elements, `key` those of the shared shape.
fn visit(
    elements: &ConstData,
    (shape, shared): (&[usize], &[usize]),
    (position, key): (usize, usize),
    found: &mut [Option<Interval>],
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
        let point = Interval::new(value, value);
        *slot = Some(slot.map_or(point, |seen| seen.union(point)));
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
