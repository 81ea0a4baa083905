//! Greatest values and sums of windows.

use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::kernels::epilogue::CellsMut;
use crate::kernels::vector::Pooling;

/// `max_pool` or `sum_pool`.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) pooling: Pooling,
    /// Channels of an item, leading axes included.
    pub(crate) planes: usize,
}

impl Step for Pool {
    fn units(&self, batch: usize) -> Units {
        let [kh, kw] = self.pooling.window.kernel;
        let len = self.pooling.result.iter().product();
        Units {
            count: batch * self.planes,
            len,
            work: 4 * len * kh * kw,
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
        let plane: usize = self.pooling.size.iter().product();
        let len: usize = self.pooling.result.iter().product();
        let width = self.pooling.size[1];
        scratch.sums.reserve(width);
        let line = &mut scratch.sums[..width];
        for (place, unit) in units.enumerate() {
            let source = operands.get(0).part(unit * plane..(unit + 1) * plane);
            let mut part = result.part(place * len..(place + 1) * len);
            run.kernels.pool(source, &self.pooling, line, &mut part);
        }
        Ok(())
    }
}
