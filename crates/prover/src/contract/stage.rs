//! The sum over one group of axes.

use std::ops::Range;

use p3_field::PrimeField32;
use rayon::prelude::*;
use veridical_argument::field::{DEGREE, EF, F};

use super::cell::Cell;
use super::dispatch::{Kernels, RowTable};
use super::kernel::{Coordinates, MOST_TERMS, Panel};
use super::table::{LIMBS, row_pairs};

/// Fewer cells are summed by one thread.
const PARALLEL: usize = 1 << 16;

/// Columns that are summed at once, so that their sums stay in the second level cache.
const PANEL: usize = 2048;

/// Rows of fewer cells are not worth a vector.
const SHORT: usize = 16;

/// Fewer cells of a row are not summed within it.
const SHORT_SUM: usize = 8;

/// Tasks for each thread, so that all end at about the same time.
const TASKS: usize = 4;

/// A tensor of `outer x weights x inner` cells, of which the middle axis is summed.
pub(super) struct Stage {
    pub outer: usize,
    pub weights: Vec<EF>,
    pub inner: usize,
}

/// Weights in the form of the kernel that is used.
enum Table {
    /// The tensor is brought into the order `weights x (outer x inner)` first.
    Regrouped(Vec<[i32; LIMBS]>),
    Columns(Vec<[i32; LIMBS]>),
    Rows(RowTable),
}

impl Stage {
    /// The sums, `outer x inner`.
    pub(super) fn sum<T: Cell>(&self, kernels: Kernels, values: &[T]) -> Vec<Coordinates> {
        self.with(kernels, &self.table(kernels), values)
    }

    /// The sums of a tensor of extension elements.
    pub(super) fn sum_coordinates(
        &self,
        kernels: Kernels,
        cells: &[Coordinates],
    ) -> Vec<Coordinates> {
        let table = self.table(kernels);
        let mut products = vec![[0_u64; 2 * DEGREE - 1]; self.outer * self.inner];
        let mut plane: Vec<i32> = Vec::with_capacity(cells.len());
        for power in 0..DEGREE {
            plane.clear();
            // A coordinate is below the modulus, hence below 2^31.
            plane.extend(cells.iter().map(|cell| cell[power].cast_signed()));
            let sums = self.with(kernels, &table, &plane);
            for (product, sum) in products.iter_mut().zip(sums) {
                for (slot, coordinate) in product[power..].iter_mut().zip(sum) {
                    *slot += u64::from(coordinate);
                }
            }
        }
        products.into_iter().map(reduce).collect()
    }

    fn table(&self, kernels: Kernels) -> Table {
        if self.inner == 1 && (SHORT_SUM..=MOST_TERMS).contains(&self.weights.len()) {
            Table::Rows(kernels.row_table(&self.weights))
        } else if self.outer > 1 && self.inner < SHORT {
            Table::Regrouped(row_pairs(&self.weights))
        } else {
            Table::Columns(row_pairs(&self.weights))
        }
    }

    fn with<T: Cell>(&self, kernels: Kernels, table: &Table, values: &[T]) -> Vec<Coordinates> {
        match table {
            Table::Rows(table) => sum_rows(kernels, values, self.weights.len(), table),
            Table::Columns(table) => self.columns(kernels, values, self.outer, self.inner, table),
            Table::Regrouped(table) => {
                let values = self.regrouped(values);
                self.columns(kernels, &values, 1, self.outer * self.inner, table)
            }
        }
    }

    /// The tensor in the order `weights x outer x inner`.
    fn regrouped<T: Cell>(&self, values: &[T]) -> Vec<T> {
        let length = self.weights.len();
        let mut result = Vec::with_capacity(values.len());
        for position in 0..length {
            let blocks = values.chunks_exact(self.inner).skip(position);
            for block in blocks.step_by(length) {
                result.extend_from_slice(block);
            }
        }
        result
    }

    fn columns<T: Cell>(
        &self,
        kernels: Kernels,
        values: &[T],
        outer: usize,
        inner: usize,
        table: &[[i32; LIMBS]],
    ) -> Vec<Coordinates> {
        let length = self.weights.len();
        let panels = inner.div_ceil(PANEL);
        let parts = parts(values.len());
        // Rows are shared out only where there are too few columns.
        let splits = (parts / (outer * panels)).clamp(1, length.div_ceil(64));
        let splits = splits.max(length.div_ceil(MOST_TERMS));
        let rows = (length.div_ceil(splits) + 1) & !1;
        let splits = length.div_ceil(rows);
        let one = |task: usize| {
            let (rest, split) = (task / splits, task % splits);
            let (at, panel) = (rest / panels, rest % panels);
            let panel = Panel {
                cells: &values[at * length * inner..][..length * inner],
                stride: inner,
                rows: split * rows..((split + 1) * rows).min(length),
                columns: panel * PANEL..((panel + 1) * PANEL).min(inner),
            };
            kernels.columns(&panel, table)
        };
        let tasks = outer * panels * splits;
        let sums: Vec<Vec<Coordinates>> = if parts > 1 {
            (0..tasks).into_par_iter().map(one).collect()
        } else {
            (0..tasks).map(one).collect()
        };
        let mut result = Vec::with_capacity(outer * inner);
        for splits in sums.chunks(splits) {
            let start = result.len();
            for (split, sums) in splits.iter().enumerate() {
                if split == 0 {
                    result.extend_from_slice(sums);
                } else {
                    add(&mut result[start..], sums);
                }
            }
        }
        result
    }
}

/// Number of parts to cut a sum over so many cells into.
fn parts(cells: usize) -> usize {
    let threads = rayon::current_num_threads();
    if cells < PARALLEL || threads < 2 {
        1
    } else {
        TASKS * threads
    }
}

/// The weighted sum of each row of `length` cells; the last may be shorter.
pub(super) fn sum_rows<T: Cell>(
    kernels: Kernels,
    values: &[T],
    length: usize,
    table: &RowTable,
) -> Vec<Coordinates> {
    let rows = values.len().div_ceil(length);
    let parts = parts(values.len());
    if parts == 1 {
        return kernels.rows(values, length, 0..rows, table);
    }
    let share = rows.div_ceil(parts);
    let range = |part: usize| -> Range<usize> { part * share..((part + 1) * share).min(rows) };
    let sums: Vec<Vec<Coordinates>> = (0..rows.div_ceil(share))
        .into_par_iter()
        .map(|part| kernels.rows(values, length, range(part), table))
        .collect();
    sums.concat()
}

/// Adds sums of other rows.
fn add(sums: &mut [Coordinates], others: &[Coordinates]) {
    for (sum, other) in sums.iter_mut().zip(others) {
        for (coordinate, other) in sum.iter_mut().zip(other) {
            let total = u64::from(*coordinate) + u64::from(*other);
            *coordinate = residue(total);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a residue is below the modulus"
)]
fn residue(sum: u64) -> u32 {
    (sum % u64::from(F::ORDER_U32)) as u32
}

/// A polynomial of sums of residues, modulo `x^5 + x^2 - 1`.
fn reduce(mut product: [u64; 2 * DEGREE - 1]) -> Coordinates {
    for power in (DEGREE..product.len()).rev() {
        // x^power = x^(power - 5) - x^(power - 3), without leaving the non-negative integers.
        let high = u64::from(residue(product[power]));
        product[power - 5] += high;
        product[power - 3] += u64::from(F::ORDER_U32) - high;
    }
    std::array::from_fn(|power| residue(product[power]))
}
