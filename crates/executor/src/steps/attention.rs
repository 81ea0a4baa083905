//! Products of activations: `matmul`, and `weighted_mean` which divides by the row sums.
//!
//! Operands and results are strided views, so that the transposes around attention heads cost nothing.

use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::kernels::epilogue::{Bias, Cells, CellsMut, Map};
use crate::kernels::gemm::{Panels, Rows, gemm};
use crate::kernels::pack::{pack_columns, pack_rows, packed_len};
use crate::kernels::vector::Divisor;

/// Matrices inside an item, the elements of a row being neighbours.
#[derive(Debug, Clone)]
pub(crate) struct Matrices {
    /// First element of each matrix of an item.
    pub(crate) starts: Vec<usize>,
    /// Elements from one row to the next.
    pub(crate) stride: usize,
    /// Elements of an item.
    pub(crate) item: usize,
}

impl Matrices {
    /// Views the last two axes of `strides` as matrices; `None` if the elements of a row are apart.
    pub(crate) fn new(shape: &[usize], strides: &[usize]) -> Option<Self> {
        let (&[.., 1], &[ref leading @ .., rows, columns]) = (strides, shape) else {
            // A row of a single element has no neighbours.
            return None;
        };
        let mut starts = vec![0];
        for (&size, &stride) in leading.iter().zip(strides) {
            starts = starts
                .iter()
                .flat_map(|&s| (0..size).map(move |i| s + i * stride))
                .collect();
        }
        let stride = strides[strides.len() - 2];
        Some(Self {
            item: starts.len() * rows * columns,
            starts,
            stride,
        })
    }
}

/// `map(a b)`, or `map` of the rounded quotients by the row sums of `a`.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) left: Matrices,
    pub(crate) right: Matrices,
    pub(crate) result: Matrices,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    /// Whether the right operand is stored `(columns, depth)`.
    pub(crate) transposed: bool,
    /// Least value of the right operand, if sums are divided.
    pub(crate) mean: Option<i32>,
    pub(crate) map: Map,
}

/// How the matrices of a result lie, which decides how they are divided among threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrangement {
    /// One after the other.
    Plain,
    /// Row by row: the first row of all, the second of all, and so on.
    Interwoven,
    /// Otherwise.
    Other,
}

impl Product {
    /// How the matrices of a result lie.
    fn arrangement(&self) -> Arrangement {
        let Matrices {
            starts,
            stride,
            item,
        } = &self.result;
        let matrix = self.rows * self.columns;
        let follow = starts
            .iter()
            .enumerate()
            .all(|(h, &start)| start == h * matrix);
        if *stride == self.columns && follow {
            Arrangement::Plain
        } else if stride * self.rows == *item && starts.iter().all(|start| start < stride) {
            Arrangement::Interwoven
        } else {
            Arrangement::Other
        }
    }

    /// Some rows of one matrix. `result` is the part which `first` is the first element of.
    fn matrix(
        &self,
        operands: Operands<'_>,
        (result, first): (&mut CellsMut<'_>, usize),
        (item, h): (usize, usize),
        rows: Range<usize>,
        scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        let start = item * self.left.item + self.left.starts[h] + rows.start * self.left.stride;
        let a = &operands.narrow(0)[start..];
        let b = &operands.narrow(1)[item * self.right.item + self.right.starts[h]..];
        scratch.divisors.clear();
        if let Some(lo) = self.mean {
            for i in 0..rows.len() {
                let sum = run
                    .kernels
                    .total(Cells::Narrow(&a[i * self.left.stride..][..self.depth]));
                if sum == 0 {
                    let matrix = item * self.left.starts.len() + h;
                    return Err(EmptyRow(matrix * self.rows + rows.start + i));
                }
                scratch.divisors.push(Divisor::new(sum, lo));
            }
        }
        scratch.panels.reserve(packed_len(self.columns, self.depth));
        let packed = &mut scratch.panels[..packed_len(self.columns, self.depth)];
        if self.transposed {
            pack_columns(b, self.right.stride, self.columns, self.depth, packed);
        } else {
            pack_rows(b, self.right.stride, self.columns, self.depth, packed);
        }
        let left = Rows {
            data: a,
            stride: self.left.stride,
            count: rows.len(),
        };
        let panels = Panels {
            data: packed,
            pairs: self.depth.div_ceil(2),
        };
        let stride = self.result.stride;
        let at = item * self.result.item + self.result.starts[h] + rows.start * stride - first;
        let end = result.len();
        let mut part = result.part(at..end);
        let divisors = &scratch.divisors;
        gemm(run.kernels, left, panels, self.columns, |window, tile| {
            if self.mean.is_some() {
                for row in 0..window.rows {
                    let sums = &mut tile.0[row * window.stride..][..window.stride];
                    run.kernels.divide(sums, divisors[window.row + row]);
                }
            }
            run.kernels
                .store(tile, window, Bias::None, &self.map, &mut part, stride);
        });
        Ok(())
    }
}

impl Step for Product {
    fn units(&self, batch: usize) -> Units {
        let (matrix, heads) = (self.rows * self.columns, self.result.starts.len());
        let item = Units {
            count: batch,
            len: self.result.item,
            work: heads * matrix * self.depth,
        };
        match self.arrangement() {
            Arrangement::Plain => Units {
                count: batch * heads,
                len: matrix,
                work: matrix * self.depth,
            },
            Arrangement::Interwoven => Units {
                count: batch * self.rows,
                len: self.result.stride,
                work: item.work / self.rows,
            },
            Arrangement::Other => item,
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
        let heads = self.result.starts.len();
        let first = units.start * self.units(run.batch).len;
        let mut matrices = |places: Range<usize>, rows: Range<usize>| {
            for place in places {
                let place = (place / heads, place % heads);
                self.matrix(
                    operands,
                    (&mut result, first),
                    place,
                    rows.clone(),
                    scratch,
                    run,
                )?;
            }
            Ok(())
        };
        match self.arrangement() {
            Arrangement::Plain => matrices(units, 0..self.rows),
            Arrangement::Other => matrices(units.start * heads..units.end * heads, 0..self.rows),
            Arrangement::Interwoven => {
                let mut row = units.start;
                while row < units.end {
                    let item = row / self.rows;
                    let end = units.end.min((item + 1) * self.rows);
                    let rows = row - item * self.rows..end - item * self.rows;
                    matrices(item * heads..(item + 1) * heads, rows)?;
                    row = end;
                }
                Ok(())
            }
        }
    }
}
