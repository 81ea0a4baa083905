//! Sums and maxima over axes, and the order of elements of a row.

use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::kernels::epilogue::{Cells, CellsMut, Map};

/// `reduce_sum` or `reduce_max` over axes that follow each other.
#[derive(Debug)]
pub(crate) struct Reduce {
    pub(crate) sum: bool,
    /// Product of the sizes before, of and after the reduced axes.
    pub(crate) outer: usize,
    pub(crate) reduced: usize,
    pub(crate) inner: usize,
    pub(crate) map: Map,
}

impl Step for Reduce {
    fn units(&self, batch: usize) -> Units {
        let work = 4 * self.reduced * self.inner;
        Units {
            count: batch * self.outer,
            len: self.inner,
            work,
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        units: Range<usize>,
        scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        let x = operands.get(0);
        scratch.sums.reserve(self.inner);
        let values = &mut scratch.sums[..self.inner];
        let len = self.reduced * self.inner;
        for (place, unit) in units.enumerate() {
            let block = x.part(unit * len..(unit + 1) * len);
            if self.inner == 1 {
                values[0] = if self.sum {
                    run.kernels.total(block)
                } else {
                    run.kernels.greatest(block)
                };
            } else {
                values.fill(if self.sum { 0 } else { i32::MIN });
                for row in 0..self.reduced {
                    let row = block.part(row * self.inner..(row + 1) * self.inner);
                    if self.sum {
                        run.kernels.add_scaled(values, 1, row);
                    } else {
                        run.kernels.maximum(&mut CellsMut::Wide(values), row);
                    }
                }
            }
            let mut part = result.part(place * self.inner..(place + 1) * self.inner);
            run.kernels.map(&self.map, Cells::Wide(values), &mut part);
        }
        Ok(())
    }
}

/// `argmax` and `topk`: the largest elements of every row, equal ones by lowest index.
#[derive(Debug)]
pub(crate) struct Largest {
    /// Rows of one item.
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) count: usize,
    /// Values instead of indices.
    pub(crate) values: bool,
}

impl Step for Largest {
    fn units(&self, batch: usize) -> Units {
        Units {
            count: batch * self.rows,
            len: self.count,
            work: 16 * self.width,
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        units: Range<usize>,
        scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        let mut order: Vec<(std::cmp::Reverse<i32>, i32)> = Vec::with_capacity(self.width);
        scratch.sums.reserve(self.count);
        let picked = &mut scratch.sums[..self.count];
        for (place, row) in units.enumerate() {
            let x = operands
                .get(0)
                .part(row * self.width..(row + 1) * self.width);
            order.clear();
            // Axes have at most 2^24 positions.
            order.extend(
                (0..)
                    .zip(0..self.width)
                    .map(|(i, at)| (std::cmp::Reverse(x.at(at)), i)),
            );
            if self.count < self.width {
                order.select_nth_unstable(self.count - 1);
                order.truncate(self.count);
            }
            order.sort_unstable();
            for (y, &(value, index)) in picked.iter_mut().zip(&order) {
                *y = if self.values { value.0 } else { index };
            }
            let mut part = result.part(place * self.count..(place + 1) * self.count);
            run.kernels
                .map(&Map::Identity, Cells::Wide(picked), &mut part);
        }
        Ok(())
    }
}
