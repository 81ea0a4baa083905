//! Greatest values and sums of windows.

use veridical_program::Window;

use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::kernels::epilogue::{Cells, CellsMut, Map};

/// `max_pool` or `sum_pool`.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) window: Window,
    /// Whether windows are summed.
    pub(crate) sum: bool,
    /// Channels of an item, leading axes included.
    pub(crate) planes: usize,
    /// Height and width of a plane.
    pub(crate) size: [usize; 2],
    /// Height and width of the result.
    pub(crate) result: [usize; 2],
}

impl Step for Pool {
    fn units(&self, batch: usize) -> Units {
        let len = self.result[0] * self.result[1];
        let work = 4 * len * self.window.kernel[0] * self.window.kernel[1];
        Units {
            count: batch * self.planes,
            len,
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
        let [height, width] = self.size;
        let [rows, columns] = self.result;
        let plane = height * width;
        // One row of vertical results, then one row of the result.
        scratch.sums.reserve(width + columns);
        let (line, out) = scratch.sums.split_at_mut(width);
        let out = &mut out[..columns];
        for (place, p) in units.enumerate() {
            let source = operands.get(0).part(p * plane..(p + 1) * plane);
            for y in 0..rows {
                line.fill(if self.sum { 0 } else { i32::MIN });
                for tap in 0..self.window.kernel[0] {
                    if let Some(row) = self.tap(y, tap, 0) {
                        let row = source.part(row * width..(row + 1) * width);
                        if self.sum {
                            run.kernels.add_scaled(line, 1, row);
                        } else {
                            run.kernels.maximum(&mut CellsMut::Wide(line), row);
                        }
                    }
                }
                self.reduce(line, out);
                let at = (place * rows + y) * columns;
                let part = &mut result.part(at..at + columns);
                run.kernels.map(&Map::Identity, Cells::Wide(out), part);
            }
        }
        Ok(())
    }
}

impl Pool {
    /// Position of a tap along an axis, if it is inside the plane.
    fn tap(&self, i: usize, tap: usize, axis: usize) -> Option<usize> {
        (i * self.window.stride[axis] + tap * self.window.dilation[axis])
            .checked_sub(self.window.pad[axis])
            .filter(|&position| position < self.size[axis])
    }

    /// Combines vertical results into windows.
    fn reduce(&self, line: &[i32], out: &mut [i32]) {
        let plain = self.window.kernel[1] == 2
            && self.window.stride[1] == 2
            && self.window.pad[1] == 0
            && self.window.dilation[1] == 1
            && 2 * out.len() <= line.len();
        if plain {
            for (y, pair) in out.iter_mut().zip(line.chunks_exact(2)) {
                *y = if self.sum {
                    pair[0].wrapping_add(pair[1])
                } else {
                    pair[0].max(pair[1])
                };
            }
            return;
        }
        for (x, y) in out.iter_mut().enumerate() {
            let inside = (0..self.window.kernel[1]).filter_map(|tap| self.tap(x, tap, 1));
            *y = if self.sum {
                inside.fold(0, |sum, i| sum.wrapping_add(line[i]))
            } else {
                inside.fold(i32::MIN, |m, i| m.max(line[i]))
            };
        }
    }
}
