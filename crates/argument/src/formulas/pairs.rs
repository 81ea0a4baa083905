//! The factor `S_f` of a map.
//!
//! Spec: spec/v1/zk.md, section 2.5: `S_f(x; r) = sum over pairs (i, o) of eq(x, i) eq(r, o)`.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use p3_field::PrimeCharacteristicRing;

use crate::field::EF;
use crate::multilinear::{eq_table, padded_indices, shape_variables, variables};
use crate::plan::{Pairs, Window};

impl Pairs {
    /// Axes of the operand's group.
    pub fn from_shape(&self) -> Vec<usize> {
        match self {
            Self::Reshape { from, .. } => from.clone(),
            Self::Place { from, .. } | Self::Slice { from, .. } => vec![*from],
            Self::Window(window) | Self::WindowSum(window) => vec![window.size],
            Self::WindowReal(window) => vec![window.windows],
            Self::WindowMask(_) => vec![1],
            Self::Rows { rows, .. } => vec![*rows],
        }
    }

    /// Axes of the result's group.
    pub fn to_shape(&self) -> Vec<usize> {
        match self {
            Self::Reshape { to, .. } => to.clone(),
            Self::Place { to, .. } | Self::Slice { to, .. } => vec![*to],
            Self::Window(window) | Self::WindowReal(window) | Self::WindowMask(window) => {
                vec![window.windows, window.taps]
            }
            Self::WindowSum(window) => vec![window.windows],
            Self::Rows { shape, .. } => shape.clone(),
        }
    }

    /// Bound on the number of pairs.
    pub fn most(&self) -> usize {
        let cells = |shape: &[usize]| shape.iter().fold(1, |n: usize, &d| n.saturating_mul(d));
        match self {
            Self::WindowSum(window) => window.windows.saturating_mul(window.taps),
            Self::Place { from, .. } => *from,
            Self::Reshape { .. }
            | Self::Slice { .. }
            | Self::Window(_)
            | Self::WindowReal(_)
            | Self::WindowMask(_)
            | Self::Rows { .. } => cells(&self.to_shape()),
        }
    }
}

/// Calls `visit(i, o)` for every pair, with indices in the zero extensions of the groups.
///
/// `ids` are the integers of the public wire of [`Pairs::Rows`], row-major, and unused otherwise.
pub fn for_each(pairs: &Pairs, ids: &[i32], mut visit: impl FnMut(usize, usize)) {
    match pairs {
        Pairs::Reshape { from, to } => {
            padded_indices(from)
                .zip(padded_indices(to))
                .for_each(|(i, o)| visit(i, o));
        }
        Pairs::Place { from, to, offset } => {
            let end = to.saturating_sub(*offset).min(*from);
            (0..end).for_each(|i| visit(i, i + offset));
        }
        Pairs::Slice {
            from,
            to,
            start,
            step,
        } => {
            let cells = (0..*to).map(|j| (start.saturating_add(step.saturating_mul(j)), j));
            cells
                .filter(|(i, _)| i < from)
                .for_each(|(i, o)| visit(i, o));
        }
        Pairs::Window(window) => {
            let taps = variables(window.taps);
            positions(window).for_each(|(i, o, k)| visit(i, (o << taps) | k));
        }
        Pairs::WindowSum(window) => positions(window).for_each(|(i, o, _)| visit(i, o)),
        Pairs::WindowReal(window) => {
            let taps = variables(window.taps);
            positions(window).for_each(|(_, o, k)| visit(o, (o << taps) | k));
        }
        Pairs::WindowMask(window) => {
            let taps = variables(window.taps);
            positions(window).for_each(|(_, o, k)| visit(0, (o << taps) | k));
        }
        Pairs::Rows { shape, rows, .. } => {
            let ids = ids.iter().map(|&id| usize::try_from(id).ok());
            ids.zip(padded_indices(shape))
                .filter_map(|(id, o)| id.filter(|id| id < rows).map(|id| (id, o)))
                .for_each(|(i, o)| visit(i, o));
        }
    }
}

/// Image position, window and tap wherever the position is inside the image.
fn positions(window: &Window) -> impl Iterator<Item = (usize, usize, usize)> {
    let Window {
        size,
        windows,
        taps,
        stride,
        dilation,
        pad,
    } = *window;
    (0..windows).flat_map(move |o| {
        (0..taps).filter_map(move |k| {
            let at = stride
                .saturating_mul(o)
                .saturating_add(dilation.saturating_mul(k));
            let i = at.checked_sub(pad)?;
            (i < size).then_some((i, o, k))
        })
    })
}

/// `S_f(i; out)` for every cell `i` of the operand's group, zero-extended.
pub fn column(pairs: &Pairs, out: &[EF], ids: &[i32]) -> Vec<EF> {
    let weights = eq_table(out);
    let mut column = vec![EF::ZERO; 1 << shape_variables(&pairs.from_shape())];
    for_each(pairs, ids, |i, o| {
        if let (Some(cell), Some(weight)) = (column.get_mut(i), weights.get(o)) {
            *cell += *weight;
        }
    });
    column
}

/// `S_f(operand; out)`.
pub fn evaluate(pairs: &Pairs, operand: &[EF], out: &[EF], ids: &[i32]) -> EF {
    let column = column(pairs, out, ids);
    let weights = eq_table(operand);
    let products = column.iter().zip(&weights).map(|(&a, &b)| a * b);
    products.sum()
}

#[cfg(test)]
mod tests;
