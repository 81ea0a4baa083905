//! Operations on rows: softmax numerators and layer norms.

use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::kernels::epilogue::{CellsMut, Table};
use crate::kernels::vector::Norm;

/// `table[(max - x) >> shift]` per row, 0 where masked.
#[derive(Debug)]
pub(crate) struct SoftmaxNumerator {
    pub(crate) table: Table,
    pub(crate) shift: u32,
    /// Rows of one item.
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) mask: Option<Mask>,
}

/// Where the mask of each row is.
#[derive(Debug)]
pub(crate) struct Mask {
    /// First element, for every row of an item.
    pub(crate) starts: Vec<usize>,
    /// Elements of an item.
    pub(crate) item: usize,
    /// Elements of a row: as many as `x` has, or one for all of them.
    pub(crate) width: usize,
}

impl Step for SoftmaxNumerator {
    fn units(&self, batch: usize) -> Units {
        Units {
            count: batch * self.rows,
            len: self.width,
            work: 32 * self.width,
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        units: Range<usize>,
        _scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        let x = operands.get(0);
        for (place, row) in units.enumerate() {
            let range = row * self.width..(row + 1) * self.width;
            let source = x.part(range);
            let mut part = result.part(place * self.width..(place + 1) * self.width);
            let open = self.mask.as_ref().map(|mask| {
                let start = row / self.rows * mask.item + mask.starts[row % self.rows];
                &operands.narrow(1)[start..][..mask.width]
            });
            let greatest = match open {
                Some(&[0]) => None,
                None | Some([_]) => Some(run.kernels.greatest(source)),
                Some(open) => run.kernels.greatest_unmasked(source, open),
            };
            let greatest = greatest.ok_or(EmptyRow(row))?;
            run.kernels
                .lookup_below(greatest, self.shift, &self.table, source, &mut part);
            if let Some(open) = open.filter(|open| open.len() > 1) {
                run.kernels.clear_masked(open, &mut part);
            }
        }
        Ok(())
    }
}

/// Layer norm or RMS norm of every row.
#[derive(Debug)]
pub(crate) struct LayerNorm {
    pub(crate) norm: Norm,
    /// Rows of one item.
    pub(crate) rows: usize,
    pub(crate) width: usize,
}

impl Step for LayerNorm {
    fn units(&self, batch: usize) -> Units {
        Units {
            count: batch * self.rows,
            len: self.width,
            work: 32 * self.width,
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
        scratch.sums.reserve(self.width);
        for (place, row) in units.enumerate() {
            let range = row * self.width..(row + 1) * self.width;
            let centred = &mut scratch.sums[..self.width];
            let mut part = result.part(place * self.width..(place + 1) * self.width);
            run.kernels
                .normalise(x.part(range), self.norm, centred, &mut part);
        }
        Ok(())
    }
}
