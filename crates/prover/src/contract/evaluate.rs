//! Evaluation of a tensor at a point.

use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;
use veridical_argument::field::EF;
use veridical_argument::multilinear::{segments, shape_variables, variables};

use super::kernel::Coordinates;
use super::layout::Element;
use super::stage::sum_rows;
use super::table::{axis_weights, product_weights};
use super::{Axis, Cell, ContractError, Contractor, check};

/// Weights of a row at most, so that they stay in the first level cache.
const ROW: usize = 1024;

/// A tensor as slices of rows; only the last row of a slice may be shorter.
struct Rows {
    /// Weights of the cells of a row.
    row: Vec<EF>,
    /// Cells of a slice.
    slice: usize,
    /// Weights of the rows of all slices.
    outer: Vec<EF>,
}

impl Rows {
    /// Rows of about as many cells as there are rows: weights are what small tensors cost.
    fn new(shape: &[usize], segments: &[&[EF]], cells: usize) -> Self {
        let target = cells.isqrt().clamp(16, ROW);
        let mut row = vec![EF::ONE];
        let mut slice = 1;
        let mut axes: Vec<(usize, &[EF])> = shape
            .iter()
            .copied()
            .zip(segments.iter().copied())
            .collect();
        while let Some(&(size, segment)) = axes.last() {
            if row.len() * size <= 2 * target {
                axes.pop();
                row = product_weights(&axis_weights(size, segment), &row);
                slice *= size;
                continue;
            }
            let bits = (target / row.len()).checked_ilog2().unwrap_or(0) as usize;
            let bits = bits.min(variables(size));
            if let Some((high, low)) = segment.split_at_checked(segment.len() - bits)
                && bits > 0
            {
                axes.pop();
                slice *= size;
                row = product_weights(&axis_weights(1 << bits, low), &row);
                axes.push((size.div_ceil(1 << bits), high));
            }
            break;
        }
        let outer = axes.iter().fold(vec![EF::ONE], |outer, (size, segment)| {
            product_weights(&outer, &axis_weights(*size, segment))
        });
        Self { row, slice, outer }
    }
}

impl Contractor {
    /// The zero extension of a row-major tensor at a point.
    ///
    /// # Errors
    /// The tensor or the point has another size than the shape.
    pub fn evaluate<T: Cell>(
        &self,
        values: &[T],
        shape: &[usize],
        point: &[EF],
    ) -> Result<EF, ContractError> {
        let segments = segments(shape, point);
        let axes: Vec<Axis<'_>> = shape
            .iter()
            .zip(&segments)
            .map(|(size, segment)| Axis::Summed(*size, segment))
            .collect();
        check(values.len(), &axes)?;
        let expected = shape_variables(shape);
        if point.len() != expected {
            return Err(ContractError::Segment {
                axis: shape.len(),
                found: point.len(),
                expected,
            });
        }
        let rows = Rows::new(shape, &segments, values.len());
        let table = self.kernels.row_table(&rows.row);
        let length = rows.row.len();
        let sums: Vec<Coordinates> = if rows.slice.is_multiple_of(length) {
            sum_rows(self.kernels, values, length, &table)
        } else {
            values
                .par_chunks(rows.slice)
                .flat_map_iter(|slice| sum_rows(self.kernels, slice, length, &table))
                .collect()
        };
        let products = sums.into_iter().zip(&rows.outer);
        Ok(products.map(|(sum, weight)| EF::of(sum) * *weight).sum())
    }
}
