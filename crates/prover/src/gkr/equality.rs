//! Sums weighted by `eq` at the rest of a point.
//!
//! Spec: spec/v1/zk.md, section 6.3.

use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;
use veridical_argument::field::EF;
use veridical_argument::multilinear::{chi, eq_table};

use super::lanes::{LANE_BITS, V, ZERO, accumulate, cells, mul, spread, weigh};

/// Variables of the number of a vector inside a chunk, the unit of work of a thread.
const CHUNK_BITS: usize = 5;

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
    /// By number of the chunk.
    chunks: &'e [EF],
    /// By number of the vector in its chunk.
    vectors: Vec<V>,
    /// By cell.
    cells: Vec<EF>,
    /// Coordinates of the number of the vector.
    point: &'e [EF],
}

impl<'p> Equality<'p> {
    /// For a layer whose point this is.
    pub(super) fn new(point: &'p [EF]) -> Self {
        let depth = point.len().saturating_sub(LANE_BITS + CHUNK_BITS + 1);
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
        let (chunks, low) = vectors.split_at(vectors.len().saturating_sub(CHUNK_BITS));
        Weights {
            chunks: &self.levels[chunks.len()],
            vectors: eq_table(low).into_iter().map(spread).collect(),
            cells: eq_table(cells),
            point: vectors,
        }
    }
}

impl Weights<'_> {
    /// Vectors in a chunk.
    pub(super) fn chunk(&self) -> usize {
        self.vectors.len()
    }

    /// Weight of all vectors from `used` on.
    pub(super) fn behind(&self, used: usize) -> EF {
        EF::ONE - chi(used, self.point)
    }

    /// Sums of `eq` times values over `vectors` vectors: `of` gives those of a chunk from the number
    /// of its first vector and the weights; `turn` is the order of the cells.
    pub(super) fn sums<const N: usize>(
        &self,
        vectors: usize,
        turn: usize,
        of: impl Fn(usize, &[V]) -> [V; N] + Sync,
    ) -> [EF; N] {
        let size = self.chunk();
        if vectors <= size {
            return self.sum_of_one(turn, |weights| of(0, &weights[..vectors]));
        }
        let chunks = (0..vectors.div_ceil(size)).into_par_iter();
        self.sums_of(chunks, turn, |number, weights| {
            let start = number * size;
            of(start, &weights[..size.min(vectors - start)])
        })
    }

    /// As [`Weights::sums`] for one chunk.
    pub(super) fn sum_of_one<const N: usize>(
        &self,
        turn: usize,
        of: impl FnOnce(&[V]) -> [V; N],
    ) -> [EF; N] {
        let weight = self.chunks.first().copied().unwrap_or_default();
        self.total(&of(&self.vectors), turn).map(|sum| sum * weight)
    }

    /// As [`Weights::sums`] over given chunks.
    pub(super) fn sums_of<I: IndexedParallelIterator, const N: usize>(
        &self,
        chunks: I,
        turn: usize,
        of: impl Fn(I::Item, &[V]) -> [V; N] + Sync,
    ) -> [EF; N]
    where
        I::Item: Send,
    {
        let one = |(number, chunk): (usize, I::Item)| {
            let weight = spread(self.chunks.get(number).copied().unwrap_or_default());
            of(chunk, &self.vectors).map(|sum| mul(&sum, &weight))
        };
        let add = |mut left: [V; N], right: [V; N]| {
            for (left, right) in left.iter_mut().zip(right) {
                accumulate(left, &right);
            }
            left
        };
        let sums = chunks.enumerate().map(one).reduce(|| [ZERO; N], add);
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
