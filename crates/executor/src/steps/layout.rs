//! Moves of integers: every layout operation, `expand`, `gather` and the axes of pads and slices.

use veridical_program::ConstData;

use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::kernels::epilogue::{Cells, CellsMut, Map};

/// Copies of one operand into a result of `shape`, by strides.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    /// First element read in an item, and first element written.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Axes from slowest to fastest: size, stride of the operand, stride of the result.
    pub(crate) axes: Vec<Axis>,
    /// Elements of an item of the operand.
    pub(crate) item: usize,
}

/// One axis of a [`Move`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) size: usize,
    pub(crate) read: usize,
    pub(crate) write: usize,
}

impl Move {
    /// Leaves out axes of size 1 and joins axes that are contiguous on both sides.
    pub(crate) fn new(from: usize, to: usize, axes: &[Axis], item: usize) -> Self {
        let mut joined: Vec<Axis> = Vec::new();
        for axis in axes.iter().filter(|axis| axis.size != 1) {
            match joined.last_mut() {
                Some(outer)
                    if outer.read == axis.size * axis.read
                        && outer.write == axis.size * axis.write =>
                {
                    *outer = Axis {
                        size: outer.size * axis.size,
                        ..*axis
                    };
                }
                _ => joined.push(*axis),
            }
        }
        if joined.is_empty() {
            joined.push(Axis {
                size: 1,
                read: 1,
                write: 1,
            });
        }
        Self {
            from,
            to,
            axes: joined,
            item,
        }
    }
}

/// Any number of moves into one result, over a background value if they leave gaps.
#[derive(Debug)]
pub(crate) struct Layout {
    /// One per operand.
    pub(crate) moves: Vec<Move>,
    pub(crate) background: Option<i32>,
    /// Elements of an item of the result.
    pub(crate) len: usize,
}

impl Step for Layout {
    fn units(&self, batch: usize) -> Units {
        Units {
            count: batch,
            len: self.len,
            work: 8 * self.len,
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        units: Range<usize>,
        _scratch: &mut Scratch,
        _run: Run,
    ) -> Result<(), EmptyRow> {
        if let Some(value) = self.background {
            result.fill(value);
        }
        for (place, item) in units.enumerate() {
            let mut result = result.part(place * self.len..(place + 1) * self.len);
            for (i, mv) in self.moves.iter().enumerate() {
                let source = operands.get(i).part(item * mv.item..(item + 1) * mv.item);
                match (source, &mut result) {
                    (Cells::Narrow(source), CellsMut::Narrow(result)) => {
                        copy(&mv.axes, source, mv.from, result, mv.to, |x| x);
                    }
                    (Cells::Wide(source), CellsMut::Wide(result)) => {
                        copy(&mv.axes, source, mv.from, result, mv.to, |x| x);
                    }
                    (Cells::Narrow(source), CellsMut::Wide(result)) => {
                        copy(&mv.axes, source, mv.from, result, mv.to, i32::from);
                    }
                    (Cells::Wide(source), CellsMut::Narrow(result)) => {
                        copy(&mv.axes, source, mv.from, result, mv.to, truncate);
                    }
                }
            }
        }
        Ok(())
    }
}

fn copy<A: Copy, B>(
    axes: &[Axis],
    source: &[A],
    from: usize,
    result: &mut [B],
    to: usize,
    cast: impl Fn(A) -> B + Copy,
) {
    match axes {
        [] => {}
        [
            Axis {
                size,
                read: 1,
                write: 1,
            },
        ] => {
            let pairs = result[to..to + size]
                .iter_mut()
                .zip(&source[from..from + size]);
            pairs.for_each(|(y, &x)| *y = cast(x));
        }
        [axis] => {
            for i in 0..axis.size {
                result[to + i * axis.write] = cast(source[from + i * axis.read]);
            }
        }
        [axis, inner @ ..] => {
            for i in 0..axis.size {
                copy(
                    inner,
                    source,
                    from + i * axis.read,
                    result,
                    to + i * axis.write,
                    cast,
                );
            }
        }
    }
}

/// Values of tensors declared narrow fit.
#[expect(
    clippy::cast_possible_truncation,
    reason = "ranges are checked at load"
)]
fn truncate(x: i32) -> i16 {
    x as i16
}

/// Rows of a constant by index.
#[derive(Debug)]
pub(crate) struct Gather {
    pub(crate) rows: ConstData,
    pub(crate) width: usize,
    /// Ids of one item.
    pub(crate) ids: usize,
}

impl Step for Gather {
    fn units(&self, batch: usize) -> Units {
        Units {
            count: batch * self.ids,
            len: self.width,
            work: 8 * self.width,
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
        let ids = operands.get(0);
        for (place, i) in units.enumerate() {
            // The loader has checked that ids are rows.
            let id = usize::try_from(ids.at(i)).unwrap_or(0);
            let row = id * self.width..(id + 1) * self.width;
            let mut part = result.part(place * self.width..(place + 1) * self.width);
            match (&self.rows, &mut part) {
                (ConstData::I8(rows), CellsMut::Narrow(part)) => {
                    part.iter_mut()
                        .zip(&rows[row])
                        .for_each(|(y, &x)| *y = x.into());
                }
                (ConstData::I8(rows), CellsMut::Wide(part)) => {
                    part.iter_mut()
                        .zip(&rows[row])
                        .for_each(|(y, &x)| *y = x.into());
                }
                (ConstData::I16(rows), part) => {
                    run.kernels
                        .map(&Map::Identity, Cells::Narrow(&rows[row]), part);
                }
                (ConstData::I32(rows), part) => {
                    run.kernels
                        .map(&Map::Identity, Cells::Wide(&rows[row]), part);
                }
            }
        }
        Ok(())
    }
}
