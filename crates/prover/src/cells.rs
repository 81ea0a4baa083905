//! Tensors of integers as tables of a sumcheck.
//!
//! Spec: spec/v1/zk.md, sections 2.1 and 2.2.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::{EF, F};
use veridical_argument::multilinear::{evaluate_integers, padded_indices, shape_variables};

use crate::sumcheck::Shape;
use crate::values::Integers;

/// How the cells of a space are stored.
///
/// The last axes of which all but the slowest are powers of two are contiguous in the zero extension too: they are a
/// row, stored without most of its padding.
#[derive(Debug, Clone)]
pub(crate) struct Layout<'a> {
    space: &'a [usize],
    /// Axes of `space` that number the rows.
    outer: usize,
    /// Cells of a row.
    row: usize,
    /// Stored cells of a row.
    stride: usize,
}

impl<'a> Layout<'a> {
    /// Rows without padding: for sums in which every table is 0 outside of the space.
    pub(crate) fn compact(space: &'a [usize]) -> Self {
        let mut layout = Self::dense(space);
        layout.stride = layout.row.next_multiple_of(Shape::GRAIN).min(layout.stride);
        layout
    }

    /// Every cell of the zero extension.
    pub(crate) fn dense(space: &'a [usize]) -> Self {
        let mut outer = space.len();
        let mut row = 1_usize;
        while outer > 0 && row.is_power_of_two() {
            outer -= 1;
            row *= space[outer];
        }
        Self {
            space,
            outer,
            row,
            stride: row.next_power_of_two(),
        }
    }

    /// The domain of a sumcheck over the space.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            outer: shape_variables(&self.space[..self.outer]),
            inner: self.row.next_power_of_two().ilog2() as usize,
            stride: self.stride,
        }
    }

    /// The table of a wire of shape `wire`, broadcast to the space.
    pub(crate) fn table(&self, wire: &[usize], integers: Integers<'_>) -> Vec<F> {
        match integers {
            Integers::I8(integers) => self.fill(wire, integers),
            Integers::I16(integers) => self.fill(wire, integers),
            Integers::I32(integers) => self.fill(wire, integers),
        }
    }

    fn fill<T: Copy + Into<i32>>(&self, wire: &[usize], integers: &[T]) -> Vec<F> {
        let steps = steps(self.space, wire);
        let (outer, inner) = self.space.split_at(self.outer);
        let (outer_steps, inner_steps) = steps.split_at(self.outer);
        let mut table = Vec::new();
        let mut index = vec![0_usize; outer.len()];
        for row in padded_indices(outer) {
            table.resize(row * self.stride, F::ZERO);
            let offset: usize = index
                .iter()
                .zip(outer_steps)
                .map(|(at, step)| at * step)
                .sum();
            append(inner, inner_steps, integers, offset, &mut table);
            for (at, n) in index.iter_mut().zip(outer).rev() {
                *at += 1;
                if *at < *n {
                    break;
                }
                *at = 0;
            }
        }
        table
    }
}

/// The zero extension of a wire at a point.
pub(crate) fn evaluate(shape: &[usize], integers: Integers<'_>, point: &[EF]) -> EF {
    let wide: Vec<i32>;
    let integers = match integers {
        Integers::I8(integers) => {
            wide = integers.iter().map(|&x| x.into()).collect();
            &wide
        }
        Integers::I16(integers) => {
            wide = integers.iter().map(|&x| x.into()).collect();
            &wide
        }
        Integers::I32(integers) => integers,
    };
    evaluate_integers(integers, shape, point)
}

/// Distance in a row-major wire of neighbours along each axis of a space, 0 where it is broadcast.
fn steps(space: &[usize], wire: &[usize]) -> Vec<usize> {
    let missing = space.len().saturating_sub(wire.len());
    let mut step = 1;
    let mut steps = vec![0; space.len()];
    for (slot, n) in steps[missing..].iter_mut().zip(wire).rev() {
        if *n > 1 {
            *slot = step;
        }
        step *= n;
    }
    steps
}

/// Appends the cells of the axes from `offset` in row-major order.
fn append<T: Copy + Into<i32>>(
    axes: &[usize],
    steps: &[usize],
    integers: &[T],
    offset: usize,
    table: &mut Vec<F>,
) {
    let Some((&n, later)) = axes.split_first() else {
        table.push(element(integers, offset));
        return;
    };
    let (&step, later_steps) = steps.split_first().unwrap_or((&0, &[]));
    // The axes from here on are contiguous in the wire, or one of its cells is all there is.
    let count = n * later.iter().product::<usize>();
    if contiguous(axes, steps) {
        let run = integers.get(offset..).unwrap_or_default();
        table.extend(run.iter().take(count).map(|&x| F::from_i32(x.into())));
    } else if steps.iter().all(|step| *step == 0) {
        let length = table.len() + count;
        table.resize(length, element(integers, offset));
    } else {
        for at in 0..n {
            append(later, later_steps, integers, offset + at * step, table);
        }
    }
}

fn element<T: Copy + Into<i32>>(integers: &[T], at: usize) -> F {
    integers.get(at).map_or(F::ZERO, |&x| F::from_i32(x.into()))
}

fn contiguous(axes: &[usize], steps: &[usize]) -> bool {
    let mut expected = 1;
    axes.iter().zip(steps).rev().all(|(&n, &step)| {
        let fits = n == 1 || step == expected;
        expected *= n;
        fits
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use veridical_argument::multilinear::{eq_table, restrict};

    use super::*;
    use crate::testing::Random;

    /// The extension of a table over a domain at a point.
    fn evaluate(shape: Shape, table: &[F], point: &[EF]) -> EF {
        let weights = eq_table(point);
        let cells = table.iter().enumerate().map(|(at, cell)| {
            let (row, column) = (at / shape.stride, at % shape.stride);
            weights[(row << shape.inner) + column] * *cell
        });
        cells.sum()
    }

    proptest! {
        #[test]
        fn tables_are_broadcast_zero_extensions(
            seed: u64,
            space in prop::collection::vec(1_usize..7, 1..5),
            long in 1_usize..70,
            kept: u8,
            missing in 0_usize..3,
        ) {
            let mut random = Random::new(seed);
            let mut space = space;
            let at = random.below(space.len());
            space[at] = long;
            let wire: Vec<usize> = space
                .iter()
                .enumerate()
                .map(|(axis, n)| if kept >> axis & 1 == 1 { *n } else { 1 })
                .skip(missing.min(space.len() - 1))
                .collect();
            let count = wire.iter().product::<usize>();
            let integers: Vec<i32> = (0..count).map(|_| random.integer()).collect();
            let point = random.extension_vec(shape_variables(&space));
            let (kept, factor) = restrict(&space, &wire, &point);
            let expected = factor * evaluate_integers(&integers, &wire, &kept);
            for layout in [Layout::compact(&space), Layout::dense(&space)] {
                let table = layout.table(&wire, Integers::I32(&integers));
                prop_assert!(table.len() <= layout.shape().cells());
                prop_assert_eq!(layout.shape().variables(), point.len());
                prop_assert_eq!(evaluate(layout.shape(), &table, &point), expected);
            }
        }
    }
}
