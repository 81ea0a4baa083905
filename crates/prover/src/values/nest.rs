//! Loops over the cells of a space in row-major order, with the position in every operand beside it.

use std::ops::Range;

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

/// Cells from which on a wire is filled by several threads.
pub(super) const MIN_PARALLEL: usize = 1 << 15;
/// Cells of one task.
pub(super) const TASK: usize = 1 << 14;

/// Axes of a space with the distance of neighbours in every operand, 0 where an operand is broadcast.
///
/// Axes that every operand walks through as if they were one are merged, so that the innermost loop is long.
#[derive(Debug, Clone)]
pub(super) struct Nest {
    /// Sizes, slowest first; at least one.
    sizes: Vec<usize>,
    /// Steps of all operands along each axis.
    steps: Vec<Vec<usize>>,
}

impl Nest {
    /// Operands of the rank of the space, each axis equal or 1; otherwise `None`.
    pub(super) fn broadcast(shape: &[usize], operands: &[&[usize]]) -> Option<Self> {
        let fits = |operand: &&[usize]| {
            operand.len() == shape.len()
                && operand
                    .iter()
                    .zip(shape)
                    .all(|(&n, &size)| n == size || n == 1)
        };
        operands.iter().all(fits).then(|| {
            let steps: Vec<Vec<usize>> = operands
                .iter()
                .map(|operand| broadcast_strides(operand))
                .collect();
            Self::strided(shape, &steps)
        })
    }

    /// Operands by their steps along each axis of the space.
    pub(super) fn strided(shape: &[usize], operands: &[Vec<usize>]) -> Self {
        let mut sizes: Vec<usize> = Vec::with_capacity(shape.len());
        let mut steps: Vec<Vec<usize>> = Vec::with_capacity(shape.len());
        for (axis, &size) in shape.iter().enumerate() {
            if size == 1 {
                continue;
            }
            let inner: Vec<usize> = operands.iter().map(|operand| operand[axis]).collect();
            match (sizes.last_mut(), steps.last_mut()) {
                (Some(outer_size), Some(outer))
                    if outer
                        .iter()
                        .zip(&inner)
                        .all(|(&outer, &inner)| outer == inner * size) =>
                {
                    *outer_size *= size;
                    *outer = inner;
                }
                _ => {
                    sizes.push(size);
                    steps.push(inner);
                }
            }
        }
        if sizes.is_empty() {
            sizes.push(1);
            steps.push(vec![0; operands.len()]);
        }
        Self { sizes, steps }
    }

    /// Steps of the operands in the innermost loop.
    pub(super) fn inner(&self) -> &[usize] {
        self.steps.last().map_or(&[], Vec::as_slice)
    }

    /// Whether operand `k` holds the cells of the space in order.
    pub(super) fn is_contiguous(&self, k: usize) -> bool {
        self.sizes.len() == 1 && (self.sizes[0] == 1 || self.steps[0][k] == 1)
    }

    /// Calls `run(start, len, positions)` for consecutive runs that make up `cells`: `len` cells along the
    /// innermost axis, `start` counted from the first of `cells`, and where each operand is at their first.
    pub(super) fn runs(&self, cells: Range<usize>, mut run: impl FnMut(usize, usize, &[usize])) {
        let inner = self.sizes.len() - 1;
        let mut index = vec![0; self.sizes.len()];
        let mut positions = vec![0; self.steps[inner].len()];
        let mut rest = cells.start;
        for axis in (0..self.sizes.len()).rev() {
            index[axis] = rest % self.sizes[axis];
            rest /= self.sizes[axis];
            for (position, step) in positions.iter_mut().zip(&self.steps[axis]) {
                *position += index[axis] * step;
            }
        }
        let mut cell = cells.start;
        while cell < cells.end {
            let len = (self.sizes[inner] - index[inner]).min(cells.end - cell);
            run(cell - cells.start, len, &positions);
            cell += len;
            // Carry into the slower axes.
            index[inner] += len;
            for (position, step) in positions.iter_mut().zip(&self.steps[inner]) {
                *position += len * step;
            }
            for axis in (1..=inner).rev() {
                if index[axis] < self.sizes[axis] {
                    break;
                }
                index[axis] = 0;
                index[axis - 1] += 1;
                let both = self.steps[axis].iter().zip(&self.steps[axis - 1]);
                for (position, (step, outer)) in positions.iter_mut().zip(both) {
                    *position = *position + outer - self.sizes[axis] * step;
                }
            }
        }
    }
}

/// Distance of neighbours along each axis of a tensor in row-major order.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// As [`strides`], 0 along axes of size 1.
pub(super) fn broadcast_strides(shape: &[usize]) -> Vec<usize> {
    let strides = strides(shape);
    shape
        .iter()
        .zip(strides)
        .map(|(&size, step)| if size == 1 { 0 } else { step })
        .collect()
}

/// Fills `len` cells piece by piece, in parallel if there are many.
pub(super) fn fill<T: Copy + Default + Send>(
    len: usize,
    piece: impl Fn(Range<usize>, &mut [T]) + Sync,
) -> Vec<T> {
    fill_costly(len, 1, piece)
}

/// As [`fill`], for cells that cost as much as `cost` ordinary ones.
pub(super) fn fill_costly<T: Copy + Default + Send>(
    len: usize,
    cost: usize,
    piece: impl Fn(Range<usize>, &mut [T]) + Sync,
) -> Vec<T> {
    let mut out = vec![T::default(); len];
    if len.saturating_mul(cost) < MIN_PARALLEL {
        piece(0..len, &mut out);
    } else {
        let task = (TASK / cost.max(1)).max(1);
        out.par_chunks_mut(task)
            .enumerate()
            .for_each(|(number, out)| {
                let start = number * task;
                piece(start..start + out.len(), out);
            });
    }
    out
}
