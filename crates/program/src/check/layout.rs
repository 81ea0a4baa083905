//! Operations that move integers and never change them.

use super::site::{Derived, Operand, Site};
use crate::error::NodeError;
use crate::exact::Interval;
use crate::graph::ConstKind;

/// The row-norm fact of `x` if the rows of the result are rows of `x`.
fn fact_if(x: Operand<'_>, rows_are_kept: bool) -> Option<i128> {
    x.fact.filter(|_| rows_are_kept)
}

pub(super) fn reshape(site: &Site<'_>, shape: &[usize]) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let count = |shape: &[usize]| shape.iter().fold(1_usize, |n, &d| n.saturating_mul(d));
    let (expected, actual) = (count(shape), count(x.shape));
    if expected != actual {
        return Err(NodeError::ElementCount { expected, actual });
    }
    let fact = fact_if(x, shape.last() == x.shape.last());
    Ok(Derived::new(shape, x.range).with_fact(fact))
}

pub(super) fn transpose(site: &Site<'_>, perm: &[usize]) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let rank = x.shape.len();
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..rank) {
        return Err(NodeError::Permutation {
            perm: perm.to_vec(),
            rank,
        });
    }
    let shape: Vec<usize> = perm
        .iter()
        .filter_map(|&axis| x.shape.get(axis).copied())
        .collect();
    let fact = fact_if(
        x,
        perm.last()
            .is_some_and(|&axis| axis == rank.saturating_sub(1)),
    );
    Ok(Derived::new(shape, x.range).with_fact(fact))
}

pub(super) fn expand(site: &Site<'_>, shape: &[usize]) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let grows = |(&from, &to): (&usize, &usize)| from == to || from == 1;
    if shape.len() != x.shape.len() || !x.shape.iter().zip(shape).all(grows) {
        return Err(x.misfit(shape));
    }
    let fact = fact_if(x, shape.last() == x.shape.last());
    Ok(Derived::new(shape, x.range).with_fact(fact))
}

pub(super) fn concat(site: &Site<'_>, axis: usize) -> Result<Derived, NodeError> {
    let [] = site.constants(ConstKind::Weight)?;
    let operands = site.operands();
    let Some((&first, others)) = operands.split_first() else {
        return Err(NodeError::Arity {
            what: "operands",
            expected: 1,
            actual: 0,
        });
    };
    let rank = first.shape.len();
    if axis >= rank {
        return Err(NodeError::Axes {
            axes: vec![axis],
            rank,
        });
    }
    let mut shape = first.shape.to_vec();
    let mut range = first.range;
    let mut fact = fact_if(first, axis != rank.saturating_sub(1));
    for x in others {
        let mut expected = first.shape.to_vec();
        if let (Some(slot), Some(&n)) = (expected.get_mut(axis), x.shape.get(axis)) {
            *slot = n;
        }
        if x.shape != expected {
            return Err(x.misfit(expected));
        }
        if let (Some(total), Some(&n)) = (shape.get_mut(axis), x.shape.get(axis)) {
            *total = total.saturating_add(n);
        }
        range = range.union(x.range);
        fact = fact.zip(x.fact).map(|(a, b)| a.max(b));
    }
    Ok(Derived::new(shape, range).with_fact(fact))
}

pub(super) fn slice(
    site: &Site<'_>,
    axis: usize,
    start: usize,
    stop: usize,
    step: usize,
) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let rank = x.shape.len();
    let mut shape = x.shape.to_vec();
    let Some(n) = shape.get_mut(axis) else {
        return Err(NodeError::Axes {
            axes: vec![axis],
            rank,
        });
    };
    let length = *n;
    if start >= stop || stop > length {
        return Err(NodeError::SliceBounds {
            start,
            stop,
            length,
        });
    }
    *n = stop.saturating_sub(start).div_ceil(step.max(1));
    let fact = fact_if(x, axis != rank.saturating_sub(1));
    Ok(Derived::new(shape, x.range).with_fact(fact))
}

pub(super) fn pad(
    site: &Site<'_>,
    before: &[usize],
    after: &[usize],
    value: i32,
) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let rank = x.shape.len();
    for axes in [before, after] {
        if axes.len() != rank {
            return Err(NodeError::Axes {
                axes: axes.to_vec(),
                rank,
            });
        }
    }
    let grown = x.shape.iter().zip(before).zip(after);
    let shape: Vec<usize> = grown
        .map(|((&n, &b), &a)| n.saturating_add(b).saturating_add(a))
        .collect();
    let range = x.range.union(Interval::new(value, value));
    Ok(Derived::new(shape, range))
}
