//! Tables of extension elements between two rounds, and the pass that folds and samples them.

use p3_field::PackedFieldExtension;
use rayon::prelude::*;
use veridical_argument::field::{EF, F};

use super::equality::Split;
use super::kernel::{BLOCK, Kernel};
use super::lanes::Lanes;
use super::{PackedEF, Shape};

/// Cells of a segment: the low factor of `eq` for as many cells stays in the first-level cache.
pub(super) const SEGMENT_VARIABLES: usize = 9;

/// Cells from which a pass is worth more than one thread.
pub(super) const PARALLEL_CELLS: usize = 1 << 11;

/// Tables over one domain.
#[derive(Debug)]
pub(super) struct Stage<V> {
    pub shape: Shape,
    pub tables: Vec<Vec<V>>,
}

/// The stored cells of one table that a segment reads and replaces.
struct Cut<'a, V> {
    /// Cells of the pairs' lower halves; a fold replaces them.
    low: &'a mut [V],
    /// Cells of the pairs' upper halves; a fold replaces them.
    high: &'a mut [V],
    /// Partners of `low` for the fold.
    low_partner: &'a [V],
    /// Partners of `high` for the fold.
    high_partner: &'a [V],
}

/// A run of pairs with one high factor of `eq`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    /// First vector.
    pub start: usize,
    /// Number of vectors.
    pub length: usize,
    /// Position of the high factor.
    pub high: usize,
}

/// Buffers and accumulators of one thread.
struct Scratch<V> {
    low: Vec<[V; BLOCK]>,
    difference: Vec<[V; BLOCK]>,
    at: Vec<[V; BLOCK]>,
    segment: Vec<V>,
    sums: Vec<V>,
}

impl<V: Lanes> Scratch<V> {
    fn new(tables: usize, sums: usize) -> Self {
        Self {
            low: vec![[V::ZERO; BLOCK]; tables],
            difference: vec![[V::ZERO; BLOCK]; tables],
            at: vec![[V::ZERO; BLOCK]; tables],
            segment: vec![V::ZERO; sums],
            sums: vec![V::ZERO; sums],
        }
    }

    fn join(mut self, other: Self) -> Self {
        for (sum, other) in self.sums.iter_mut().zip(other.sums) {
            *sum += other;
        }
        self
    }
}

impl<V: Lanes> Stage<V> {
    /// Binds the highest variable to `fold`, if there is one, and samples the summand in the next.
    pub(super) fn pass(
        &mut self,
        fold: Option<EF>,
        equality: Option<&Split<V>>,
        kernel: &Kernel,
    ) -> Vec<EF> {
        let folded = self.shape.half().div_ceil(V::WIDTH);
        if fold.is_some() {
            self.shape = self.shape.bound();
        }
        let pairs = self.shape.half().div_ceil(V::WIDTH);
        let segments = segments::<V>(self.shape.bound(), equality);
        let count = self.tables.len();
        let fold_at = fold.map(V::factor);
        let fold_at = fold_at.as_ref();

        let mut rests: Vec<_> = self
            .tables
            .iter_mut()
            .map(|table| Cut::whole(table, fold.map(|_| folded), pairs))
            .collect();
        let mut cuts = Vec::with_capacity(segments.len() * count);
        for segment in &segments {
            cuts.extend(rests.iter_mut().map(|rest| rest.take(segment.length)));
        }

        let work = |mut scratch: Scratch<V>, (segment, cuts): (&Segment, &mut [Cut<'_, V>])| {
            segment.run(cuts, fold_at, equality, kernel, &mut scratch);
            scratch
        };
        let start = || Scratch::new(count, kernel.sums());
        let sums = if pairs * V::WIDTH * count >= PARALLEL_CELLS {
            segments
                .par_iter()
                .zip(cuts.par_chunks_mut(count.max(1)))
                .fold(start, work)
                .reduce(start, Scratch::join)
        } else {
            segments
                .iter()
                .zip(cuts.chunks_mut(count.max(1)))
                .fold(start(), work)
        };
        drop(rests);
        drop(cuts);
        if fold.is_some() {
            for table in &mut self.tables {
                table.truncate(folded);
            }
        }
        kernel.finish(&sums.sums)
    }
}

impl Stage<PackedEF> {
    /// The same tables element by element.
    pub(super) fn unpack(self) -> Stage<EF> {
        let cells = self.shape.cells();
        let tables = self.tables.into_iter().map(|table| {
            let mut cells_of: Vec<EF> =
                <PackedEF as PackedFieldExtension<F, EF>>::to_ext_iter(table).collect();
            cells_of.truncate(cells);
            cells_of
        });
        Stage {
            shape: self.shape,
            tables: tables.collect(),
        }
    }
}

impl Stage<EF> {
    /// No table, no variable.
    pub(super) fn empty() -> Self {
        Self {
            shape: Shape::dense(0),
            tables: Vec::new(),
        }
    }

    /// Every table at the point whose last coordinate is `fold`.
    pub(super) fn end(&self, fold: Option<EF>) -> Vec<EF> {
        let value = |table: &Vec<EF>| {
            let low = table.first().copied().unwrap_or_default();
            fold.map_or(low, |fold| {
                low + fold * (table.get(1).copied().unwrap_or_default() - low)
            })
        };
        self.tables.iter().map(value).collect()
    }
}

/// Runs of pairs: `shape` is the domain of the variables below the one that is sampled.
pub(super) fn segments<V: Lanes>(shape: Shape, equality: Option<&Split<V>>) -> Vec<Segment> {
    let (outer, row, low_variables, blocks) = match equality {
        // Without weights a run may cross rows.
        None => (0, shape.cells(), SEGMENT_VARIABLES, 1),
        Some(split) => {
            let blocks = 1 << shape.inner.saturating_sub(split.low_variables);
            (shape.outer, shape.stride, split.low_variables, blocks)
        }
    };
    let step = 1 << low_variables;
    (0..1_usize << outer)
        .flat_map(|row_number| {
            (0..row.div_ceil(step)).map(move |block| {
                let first = block * step;
                Segment {
                    start: (row_number * row + first) / V::WIDTH,
                    length: (row - first).min(step).div_ceil(V::WIDTH),
                    high: row_number * blocks + block,
                }
            })
        })
        .collect()
}

impl<'a, V> Cut<'a, V> {
    /// All cells of a table; `folded` is the distance of the pairs of the fold, `pairs` that of the sampled ones.
    fn whole(table: &'a mut [V], folded: Option<usize>, pairs: usize) -> Self {
        let length = table.len();
        let (cells, partner) = table.split_at_mut(folded.unwrap_or(length).min(length));
        let (low, high) = cells.split_at_mut(pairs.min(cells.len()));
        let (low_partner, high_partner) = partner.split_at(pairs.min(partner.len()));
        Self {
            low,
            high,
            low_partner,
            high_partner,
        }
    }

    /// The next `length` vectors, as far as they are stored.
    fn take(&mut self, length: usize) -> Self {
        let Self {
            low,
            high,
            low_partner,
            high_partner,
        } = self;
        let least = |stored: usize| length.min(stored);
        Self {
            low: low.split_off_mut(..least(low.len())).unwrap_or_default(),
            high: high.split_off_mut(..least(high.len())).unwrap_or_default(),
            low_partner: low_partner
                .split_off(..least(low_partner.len()))
                .unwrap_or_default(),
            high_partner: high_partner
                .split_off(..least(high_partner.len()))
                .unwrap_or_default(),
        }
    }
}

impl Segment {
    fn run<V: Lanes>(
        &self,
        cuts: &mut [Cut<'_, V>],
        fold: Option<&V::Factor>,
        equality: Option<&Split<V>>,
        kernel: &Kernel,
        scratch: &mut Scratch<V>,
    ) {
        scratch.segment.fill(V::ZERO);
        for first in (0..self.length).step_by(BLOCK) {
            let count = BLOCK.min(self.length - first);
            for ((cut, low), difference) in cuts
                .iter_mut()
                .zip(&mut scratch.low)
                .zip(&mut scratch.difference)
            {
                load(cut.low, cut.low_partner, first, count, fold, low);
                load(cut.high, cut.high_partner, first, count, fold, difference);
                for (difference, low) in difference.iter_mut().zip(low).take(count) {
                    *difference -= *low;
                }
            }
            kernel.add(
                &scratch.low,
                &scratch.difference,
                &mut scratch.at,
                count,
                equality.map(|split| &split.low[first..first + count]),
                &mut scratch.segment,
            );
        }
        let factor = equality.map(|split| V::from(split.high[self.high]));
        for (sum, segment) in scratch.sums.iter_mut().zip(&scratch.segment) {
            *sum += factor.map_or(*segment, |factor| *segment * factor);
        }
    }
}

/// Reads `count` vectors from `first`, folds them in place if there is a challenge, and copies them to `block`.
#[inline]
fn load<V: Lanes>(
    cells: &mut [V],
    partner: &[V],
    first: usize,
    count: usize,
    fold: Option<&V::Factor>,
    block: &mut [V; BLOCK],
) {
    let stored = cells.len().saturating_sub(first).min(count);
    let cells = cells.get_mut(first..first + stored).unwrap_or_default();
    if let Some(fold) = fold {
        // A cell that is not stored is 0; so is its partner, which lies behind it.
        let partner = partner.get(first..).unwrap_or_default();
        let both = partner.len().min(stored);
        let (with, without) = cells.split_at_mut(both);
        for (cell, partner) in with.iter_mut().zip(partner) {
            *cell += (*partner - *cell).times(fold);
        }
        for cell in without {
            *cell -= cell.times(fold);
        }
    }
    block[..stored].copy_from_slice(cells);
    block[stored..count].fill(V::ZERO);
}
