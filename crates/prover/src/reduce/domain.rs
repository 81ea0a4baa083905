//! How the tables of one sumcheck are stored.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::EF;
use veridical_argument::multilinear::{eq_table, variables};

use crate::contract::Contracted;
use crate::sumcheck::{Shape, Table};

/// The axes of a sumcheck, slowest first: all but the last are padded to a power of two.
pub(super) struct Domain {
    pub shape: Shape,
    /// Stored cells of a row.
    pub stride: usize,
}

impl Domain {
    /// The domain of axes of these sizes.
    pub(super) fn new(sizes: &[usize]) -> Self {
        let (last, outer) = match sizes.split_last() {
            Some((last, outer)) => (*last, outer),
            None => (1, &[][..]),
        };
        let outer = outer.iter().map(|&size| variables(size)).sum();
        Self {
            shape: Shape::rows(outer, last),
            stride: last
                .next_multiple_of(Shape::GRAIN)
                .min(last.next_power_of_two()),
        }
    }

    /// The same axes with every cell of their padding stored: for a table that is not 0 there.
    pub(super) fn dense(sizes: &[usize]) -> Self {
        let count: usize = sizes.iter().map(|&size| variables(size)).sum();
        Self {
            shape: Shape::dense(count),
            stride: sizes.last().map_or(1, |last| last.next_power_of_two()),
        }
    }

    /// The product of factors over groups of variables that make up the domain in order.
    ///
    /// The last one is cut to the stored cells, of rows of `last` variables.
    pub(super) fn product(&self, factors: &[Factor<'_>], last: usize) -> Vec<EF> {
        let mut table = vec![EF::ONE];
        for (position, factor) in factors.iter().enumerate() {
            let is_last = position + 1 == factors.len();
            let (row, kept) = if is_last {
                (1 << last, self.stride)
            } else {
                (1, 1)
            };
            table = factor.times(&table, row, kept);
        }
        table
    }
}

/// A function of some variables.
pub(super) enum Factor<'p> {
    /// 1 everywhere, on so many variables.
    One(usize),
    /// `eq` of a point.
    Equality(&'p [EF]),
    /// All values.
    Table(Vec<EF>),
}

impl Factor<'_> {
    /// Products of every element with every value, of which the first `kept` of `row` are.
    fn times(&self, table: &[EF], row: usize, kept: usize) -> Vec<EF> {
        let values: Vec<EF> = match self {
            Self::One(variables) => {
                let count = (1 << variables) / row * kept;
                return table
                    .iter()
                    .flat_map(|&element| std::iter::repeat_n(element, count))
                    .collect();
            }
            Self::Equality(point) => eq_table(point),
            Self::Table(values) => values.clone(),
        };
        let values: Vec<EF> = values
            .chunks(row)
            .flat_map(|row| row.iter().take(kept).copied())
            .collect();
        match table {
            [only] if *only == EF::ONE => values,
            _ => table
                .iter()
                .flat_map(|&slow| values.iter().map(move |&fast| slow * fast))
                .collect(),
        }
    }
}

/// A contraction as a table.
pub(super) fn table(contracted: Contracted) -> Table<'static> {
    match contracted {
        Contracted::Base(cells) => Table::Base(cells.into()),
        Contracted::Extension(cells) => Table::Extension(cells.into()),
    }
}
