//! Products of activations: `matmul`, and `weighted_mean` which divides by the row sums.
//!
//! Operands and results are strided views, so that the transposes around attention heads cost nothing.

use super::{EmptyRow, Operands, Run, Scratch, Step};
use crate::kernels::epilogue::{Bias, CellsMut, Map};
use crate::kernels::gemm::{Panels, Rows, gemm};
use crate::kernels::pack::{pack_columns, packed_len};
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
            starts = starts.iter().flat_map(|&s| (0..size).map(move |i| s + i * stride)).collect();
        }
        let stride = strides[strides.len() - 2];
        Some(Self { item: starts.len() * rows * columns, starts, stride })
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

impl Step for Product {
    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        let (left, right) = (operands.narrow(0), operands.narrow(1));
        scratch.panels.reserve(packed_len(self.columns, self.depth));
        let mut divisors = Vec::new();
        for item in 0..run.batch {
            for h in 0..self.left.starts.len() {
                let a = &left[item * self.left.item + self.left.starts[h]..];
                let b = &right[item * self.right.item + self.right.starts[h]..];
                if let Some(lo) = self.mean {
                    divisors.clear();
                    for i in 0..self.rows {
                        let sum = run.kernels.sum(&a[i * self.left.stride..][..self.depth]);
                        if sum == 0 {
                            let matrix = item * self.left.starts.len() + h;
                            return Err(EmptyRow(matrix * self.rows + i));
                        }
                        divisors.push(Divisor::new(sum, lo));
                    }
                }
                let packed = &mut scratch.panels[..packed_len(self.columns, self.depth)];
                if self.transposed {
                    pack_columns(b, self.right.stride, self.columns, self.depth, packed);
                } else {
                    run.kernels.pack_rows(b, self.right.stride, self.columns, self.depth, packed);
                }
                let rows = Rows { data: a, stride: self.left.stride, count: self.rows };
                let panels = Panels { data: packed, pairs: self.depth.div_ceil(2) };
                let first = item * self.result.item + self.result.starts[h];
                let end = result.len();
                let mut part = result.part(first..end);
                gemm(run.kernels, rows, panels, self.columns, |window, tile| {
                    if self.mean.is_some() {
                        for row in 0..window.rows {
                            let sums = &mut tile.0[row * window.stride..][..window.stride];
                            run.kernels.divide(sums, divisors[window.row + row]);
                        }
                    }
                    let stride = self.result.stride;
                    run.kernels.store(tile, window, Bias::None, &self.map, &mut part, stride);
                });
            }
        }
        Ok(())
    }
}
