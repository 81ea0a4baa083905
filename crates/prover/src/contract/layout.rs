//! The tensor that a contraction leaves.

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use rayon::prelude::*;
use veridical_argument::field::{EF, F};
use veridical_argument::multilinear::variables;

use super::kernel::Coordinates;
use super::{Axis, ContractError};

/// Cells that a thread places at least.
const SHARE: usize = 1 << 12;

/// Order of the kept axes. All but the last are padded to a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout<'a> {
    /// Positions of the kept axes, slowest first; axes of size 1 may be left out.
    pub order: &'a [usize],
    /// Stored cells of a row, which is the last of these axes.
    pub stride: usize,
}

/// What a contraction leaves: base elements if nothing was summed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contracted {
    /// Integers.
    Base(Vec<F>),
    /// Partial evaluations.
    Extension(Vec<EF>),
}

impl Contracted {
    /// The cells as extension elements.
    pub fn into_extension(self) -> Vec<EF> {
        match self {
            Self::Base(cells) => cells.into_iter().map(EF::from).collect(),
            Self::Extension(cells) => cells,
        }
    }
}

/// An element that the cells of a tensor become.
pub(super) trait Element<S>: Default + Send {
    /// The element of a cell.
    fn of(source: S) -> Self;
}

impl Element<i32> for F {
    fn of(source: i32) -> Self {
        Self::from_i32(source)
    }
}

impl Element<Coordinates> for EF {
    fn of(source: Coordinates) -> Self {
        Self::from_basis_coefficients_fn(|position| F::new(source[position]))
    }
}

/// Kept axes in the order of the result.
pub(super) struct Kept {
    /// Size of each axis, and the distance of its neighbours in the row-major tensor of kept axes.
    axes: Vec<(usize, usize)>,
    stride: usize,
}

impl Layout<'_> {
    /// The kept axes in this order.
    pub(super) fn kept(&self, axes: &[Axis<'_>]) -> Result<Kept, ContractError> {
        let mut distances = vec![0; axes.len()];
        let mut distance = 1;
        for (axis, slot) in axes.iter().zip(&mut distances).rev() {
            if let Axis::Kept(size) = axis {
                *slot = distance;
                distance *= size;
            }
        }
        let mut kept = Vec::with_capacity(self.order.len());
        for &axis in self.order {
            match (axes.get(axis), distances.get_mut(axis)) {
                (Some(Axis::Kept(size)), Some(distance)) if *distance > 0 => {
                    kept.push((*size, *distance));
                    // An axis that is named twice is refused the second time.
                    *distance = 0;
                }
                _ => return Err(ContractError::Layout { axis }),
            }
        }
        let is_left = |(axis, distance): &(&Axis<'_>, &usize)| axis.size() > 1 && **distance > 0;
        if let Some(axis) = axes.iter().zip(&distances).position(|pair| {
            let (axis, distance) = pair;
            is_left(&(axis, distance))
        }) {
            return Err(ContractError::Layout { axis });
        }
        let size = kept.last().map_or(1, |(size, _)| *size);
        if self.stride < size {
            return Err(ContractError::Stride {
                stride: self.stride,
                size,
            });
        }
        Ok(Kept {
            axes: kept,
            stride: self.stride,
        })
    }
}

impl Kept {
    /// The padded tensor of the elements of cells, which are numbered row by row without padding.
    pub(super) fn place<S, E: Element<S>>(&self, cell: impl Fn(usize) -> S + Sync) -> Vec<E> {
        let (outer, (size, distance)) = match self.axes.split_last() {
            Some((last, outer)) => (outer, *last),
            None => (&[][..], (1, 1)),
        };
        let rows = 1_usize
            << outer
                .iter()
                .map(|(size, _)| variables(*size))
                .sum::<usize>();
        let mut result = Vec::new();
        result.resize_with(rows * self.stride, E::default);
        let fill = |(row, slots): (usize, &mut [E])| {
            if let Some(start) = start(outer, row) {
                for (position, slot) in slots.iter_mut().take(size).enumerate() {
                    *slot = E::of(cell(start + position * distance));
                }
            }
        };
        result
            .par_chunks_mut(self.stride)
            .enumerate()
            .with_min_len(SHARE.div_ceil(self.stride))
            .for_each(fill);
        result
    }
}

/// First cell of a row of the padded tensor; `None` in the padding.
fn start(outer: &[(usize, usize)], row: usize) -> Option<usize> {
    let mut rest = row;
    let mut start = 0;
    for (size, distance) in outer.iter().rev() {
        let bits = variables(*size);
        let position = rest & ((1 << bits) - 1);
        if position >= *size {
            return None;
        }
        start += position * distance;
        rest >>= bits;
    }
    Some(start)
}
