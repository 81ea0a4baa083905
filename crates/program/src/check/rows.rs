//! Sums over the rows of weights, each constant read once however many nodes use it.

use crate::constant::ConstData;
use crate::exact::Interval;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Elements per block: sums of 16-bit elements then fit 32 bits, so that the loops vectorise.
const BLOCK: usize = 1 << 15;

/// Sums of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowSum {
    /// Sum of the positive elements.
    pub(super) positive: i64,
    /// Sum of the negative elements.
    pub(super) negative: i64,
    /// Sum of squares.
    pub(super) squares: u64,
}

/// Cache of what was summed, by const id.
#[derive(Default)]
pub(super) struct RowSums {
    sums: BTreeMap<usize, Rc<[RowSum]>>,
    extremes: BTreeMap<usize, Interval>,
}

impl RowSums {
    /// Sums of the rows of length `length` of constant `id`.
    pub(super) fn of(&mut self, id: usize, elements: &ConstData, length: usize) -> Rc<[RowSum]> {
        let sum = || match elements {
            ConstData::I8(x) => x.chunks(length.max(1)).map(sum_row).collect(),
            ConstData::I16(x) => x.chunks(length.max(1)).map(sum_row).collect(),
            // No operation sums 32-bit weights; their row bound would not fit anyway.
            ConstData::I32(_) => Rc::from([]),
        };
        Rc::clone(self.sums.entry(id).or_insert_with(sum))
    }

    /// Least and greatest element of constant `id`.
    pub(super) fn extremes(&mut self, id: usize, elements: &ConstData) -> Interval {
        *self
            .extremes
            .entry(id)
            .or_insert_with(|| extremes(elements))
    }
}

fn sum_row<T: Copy + Into<i32>>(row: &[T]) -> RowSum {
    let mut total = RowSum {
        positive: 0,
        negative: 0,
        squares: 0,
    };
    for block in row.chunks(BLOCK) {
        let (mut positive, mut negative, mut squares) = (0_i32, 0_i32, 0_u64);
        for &element in block {
            let w: i32 = element.into();
            positive = positive.wrapping_add(w.max(0));
            negative = negative.wrapping_add(w.min(0));
            squares = squares.wrapping_add(u64::from(w.wrapping_mul(w).unsigned_abs()));
        }
        total.positive = total.positive.saturating_add(positive.into());
        total.negative = total.negative.saturating_add(negative.into());
        total.squares = total.squares.saturating_add(squares);
    }
    total
}

/// Least and greatest element; `[0, 0]` of nothing, which no loaded constant is.
pub(super) fn extremes(elements: &ConstData) -> Interval {
    match elements {
        ConstData::I8(x) => extremes_of(x),
        ConstData::I16(x) => extremes_of(x),
        ConstData::I32(x) => extremes_of(x),
    }
}

/// Least and greatest of a slice.
pub(super) fn extremes_of<T: Copy + Ord + Into<i128>>(elements: &[T]) -> Interval {
    let lo = elements.iter().copied().min().map_or(0, Into::into);
    let hi = elements.iter().copied().max().map_or(0, Into::into);
    Interval { lo, hi }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_a_long_row_of_extremes_are_exact() {
        let row = vec![i16::MIN; 3 * BLOCK + 5];
        let n = i64::try_from(row.len()).unwrap();
        let sum = sum_row(&row);
        assert_eq!(sum.negative, -32768 * n);
        assert_eq!(sum.positive, 0);
        assert_eq!(sum.squares, u64::try_from((32768 * 32768) * n).unwrap());
    }
}
