//! Sums weighted by `eq` at the rest of a point.
//!
//! Spec: spec/v1/zk.md, section 6.3.

use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;
use veridical_argument::field::EF;
use veridical_argument::multilinear::eq_table;

use super::lanes::{LANE_BITS, V, ZERO, accumulate, cells, mul, spread, weigh};
use super::used::{Used, WORD_BITS};

/// `eq` at the high ends of a point, for the rounds of a layer.
#[derive(Debug)]
pub(super) struct Equality<'p> {
    point: &'p [EF],
    /// Level `m` is the table over the `m` highest variables.
    levels: Vec<Vec<EF>>,
}

/// `eq` at one high end of a point, over vectors.
#[derive(Debug)]
pub(super) struct Weights<'e> {
    /// By number of the word.
    words: &'e [EF],
    /// By number of the vector in its word.
    vectors: Vec<V>,
    /// By cell.
    cells: Vec<EF>,
}

impl<'p> Equality<'p> {
    /// For a layer whose point this is.
    pub(super) fn new(point: &'p [EF]) -> Self {
        let depth = point.len().saturating_sub(LANE_BITS + WORD_BITS + 1);
        let mut levels = vec![vec![EF::ONE]];
        for &coordinate in point.iter().take(depth) {
            let last = levels.last().map_or(&[][..], Vec::as_slice);
            let next = last.iter().flat_map(|&high| {
                let one = high * coordinate;
                [high - one, one]
            });
            let next = next.collect();
            levels.push(next);
        }
        Self { point, levels }
    }

    /// Weights over the `rest` highest variables, at least [`LANE_BITS`].
    pub(super) fn weights(&self, rest: usize) -> Weights<'_> {
        let (vectors, cells) = self.point[..rest].split_at(rest - LANE_BITS);
        let (words, low) = vectors.split_at(vectors.len().saturating_sub(WORD_BITS));
        Weights {
            words: &self.levels[words.len()],
            vectors: eq_table(low).into_iter().map(spread).collect(),
            cells: eq_table(cells),
        }
    }
}

impl Weights<'_> {
    /// Sums of `eq` times values over the used vectors: `of` gives those of a word of their numbers
    /// from the item of the word and the weights of its members; `turn` is the order of the cells.
    pub(super) fn sums<I: IndexedParallelIterator, const N: usize>(
        &self,
        used: &Used,
        items: I,
        turn: usize,
        of: impl Fn(usize, I::Item, &[V]) -> [V; N] + Sync,
    ) -> [EF; N]
    where
        I::Item: Send,
    {
        let one = |(number, item): (usize, I::Item)| {
            let weight = spread(self.words.get(number).copied().unwrap_or_default());
            let sums = match used.word(number) {
                0 => return [ZERO; N],
                // A prefix.
                word if word & word.wrapping_add(1) == 0 => {
                    of(number, item, &self.vectors[..word.count_ones() as usize])
                }
                word => {
                    let members = self.vectors.iter().enumerate();
                    let members = members.filter(|(at, _)| word >> at & 1 != 0);
                    let weights: Vec<V> = members.map(|(_, &vector)| vector).collect();
                    of(number, item, &weights)
                }
            };
            sums.map(|sum| mul(&sum, &weight))
        };
        let add = |mut left: [V; N], right: [V; N]| {
            for (left, right) in left.iter_mut().zip(right) {
                accumulate(left, &right);
            }
            left
        };
        let sums = items.enumerate().map(one).reduce(|| [ZERO; N], add);
        self.total(&sums, turn)
    }

    /// Sums over the lanes.
    fn total<const N: usize>(&self, sums: &[V; N], turn: usize) -> [EF; N] {
        let by_cell: Vec<EF> = cells(turn)
            .map(|cell| self.cells.get(cell).copied().unwrap_or_default())
            .collect();
        sums.each_ref().map(|sum| weigh(sum, &by_cell))
    }
}
