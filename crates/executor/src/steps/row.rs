//! Operations on rows: softmax numerators, quotients by the sum, layer norms.

use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::kernels::epilogue::{Cells, CellsMut, Map, Table};
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
        let mut seen: Option<(&[i16], Option<usize>)> = None;
        for (place, row) in units.enumerate() {
            let range = row * self.width..(row + 1) * self.width;
            let source = x.part(range);
            let mut part = result.part(place * self.width..(place + 1) * self.width);
            let open = self.mask.as_ref().map(|mask| {
                let start = row / self.rows * mask.item + mask.starts[row % self.rows];
                &operands.narrow(1)[start..][..mask.width]
            });
            // Neighbouring rows mostly share their mask, and most masks cut off the end of a sequence.
            if let Some(open) = open
                && seen.is_none_or(|(seen, _)| !std::ptr::eq(seen, open))
            {
                seen = Some((open, prefix(open)));
            }
            let Some((open, prefix)) = seen else {
                let greatest = run.kernels.greatest(source);
                run.kernels
                    .lookup_below(greatest, self.shift, &self.table, source, &mut part);
                continue;
            };
            match prefix {
                Some(0) => return Err(EmptyRow(row)),
                Some(len) => {
                    let len = if open.len() == 1 { self.width } else { len };
                    let source = source.part(0..len);
                    let greatest = run.kernels.greatest(source);
                    let (mut kept, mut masked) = part.split_at(len);
                    run.kernels
                        .lookup_below(greatest, self.shift, &self.table, source, &mut kept);
                    masked.fill(0);
                }
                None => {
                    let greatest = run.kernels.greatest_unmasked(source, open);
                    let greatest = greatest.ok_or(EmptyRow(row))?;
                    run.kernels
                        .lookup_below(greatest, self.shift, &self.table, source, &mut part);
                    run.kernels.clear_masked(open, &mut part);
                }
            }
        }
        Ok(())
    }
}

/// How many positions are unmasked, if they come before all masked ones.
fn prefix(mask: &[i16]) -> Option<usize> {
    let len = mask
        .iter()
        .position(|&open| open == 0)
        .unwrap_or(mask.len());
    mask[len..].iter().all(|&open| open == 0).then_some(len)
}

/// Rounded quotients of every element by the sum of its row, with a number of binary digits.
#[derive(Debug)]
pub(crate) struct Normalize {
    pub(crate) bits: u32,
    /// Rows of one item.
    pub(crate) rows: usize,
    pub(crate) width: usize,
}

impl Step for Normalize {
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
        scratch.sums.reserve(self.width);
        let quotients = &mut scratch.sums[..self.width];
        for (place, row) in units.enumerate() {
            let e = &operands.narrow(0)[row * self.width..(row + 1) * self.width];
            let total = i64::from(run.kernels.total(Cells::Narrow(e)));
            if total == 0 {
                return Err(EmptyRow(row));
            }
            for (y, &e) in quotients.iter_mut().zip(e) {
                let quotient = ((i64::from(e) << self.bits) + total / 2) / total;
                // At most 2^29, by the conditions of section 4.12.
                *y = i32::try_from(quotient).unwrap_or(i32::MAX);
            }
            let mut part = result.part(place * self.width..(place + 1) * self.width);
            run.kernels
                .map(&Map::Identity, Cells::Wide(quotients), &mut part);
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
