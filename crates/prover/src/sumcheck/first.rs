//! The first round: base elements stay base elements.

use std::borrow::Cow;

use p3_field::{PackedFieldExtension, PackedValue, PrimeCharacteristicRing};
use rayon::prelude::*;
use veridical_argument::field::{EF, F};

use super::equality::Split;
use super::kernel::{BLOCK, Kernel, Mixed};
use super::lanes::Lanes;
use super::stage::{PARALLEL_CELLS, Segment, Stage, segments};
use super::{PackedEF, PackedF, Shape, Table};

/// Vectors of a chunk of a fold.
const CHUNK: usize = 256;

/// Tables before the first challenge.
pub(super) struct First<'a> {
    pub shape: Shape,
    tables: Vec<Cells<'a>>,
}

/// Whole vectors.
enum Cells<'a> {
    Base(Cow<'a, [F]>),
    Extension(Vec<PackedEF>),
}

impl<'a> First<'a> {
    pub(super) fn new(shape: Shape, tables: Vec<Table<'a>>) -> Self {
        let tables = tables.into_iter().map(|table| match table {
            Table::Base(mut cells) => {
                let whole = cells.len().next_multiple_of(PackedF::WIDTH);
                if whole > cells.len() {
                    cells.to_mut().resize(whole, F::ZERO);
                }
                Cells::Base(cells)
            }
            Table::Extension(cells) => Cells::Extension(pack(&cells)),
            Table::Packed(vectors) => Cells::Extension(vectors),
        });
        Self {
            shape,
            tables: tables.collect(),
        }
    }

    /// Samples the summand in the highest variable.
    pub(super) fn sample(&self, equality: Option<&Split<PackedEF>>, kernel: &Kernel) -> Vec<EF> {
        let pairs = self.shape.half() / PackedF::WIDTH;
        let segments = segments::<PackedEF>(self.shape.bound(), equality);
        let start = || (Mixed::new(self.tables.len(), kernel.sums()), kernel.zeros());
        let work = |(mut scratch, mut sums): (Mixed, Vec<PackedEF>), segment: &Segment| {
            self.segment(segment, pairs, equality, kernel, &mut scratch);
            let factor = equality.map(|split| PackedEF::from(split.high[segment.high]));
            scratch.flush(factor, &mut sums);
            (scratch, sums)
        };
        let join = |(scratch, mut sums): (Mixed, Vec<PackedEF>),
                    (_, other): (Mixed, Vec<PackedEF>)| {
            for (sum, other) in sums.iter_mut().zip(other) {
                *sum += other;
            }
            (scratch, sums)
        };
        let cells = self.shape.cells() * self.tables.len();
        let (_, sums) = if cells >= PARALLEL_CELLS {
            segments.par_iter().fold(start, work).reduce(start, join)
        } else {
            segments.iter().fold(start(), work)
        };
        kernel.finish(&sums)
    }

    fn segment(
        &self,
        segment: &Segment,
        pairs: usize,
        equality: Option<&Split<PackedEF>>,
        kernel: &Kernel,
        scratch: &mut Mixed,
    ) {
        for first in (0..segment.length).step_by(BLOCK) {
            let count = BLOCK.min(segment.length - first);
            let at = segment.start + first;
            for (table, cells) in self.tables.iter().enumerate() {
                match cells {
                    Cells::Base(cells) => {
                        let cells = PackedF::pack_slice(cells);
                        scratch.base(
                            table,
                            stored(cells, at, count),
                            stored(cells, at + pairs, count),
                        );
                    }
                    Cells::Extension(cells) => {
                        scratch.extension(
                            table,
                            stored(cells, at, count),
                            stored(cells, at + pairs, count),
                        );
                    }
                }
            }
            let weights = equality.map(|split| &split.low[first..first + count]);
            kernel.add_mixed(scratch, count, weights);
        }
    }

    /// Binds the highest variable.
    pub(super) fn fold(self, challenge: EF) -> Stage<PackedEF> {
        let half = self.shape.half() / PackedF::WIDTH;
        let factor = PackedEF::from(challenge);
        let matrix = PackedEF::factor(challenge);
        let tables = self.tables.into_iter().map(|cells| match cells {
            Cells::Base(cells) => fold_base(PackedF::pack_slice(&cells), half, factor),
            Cells::Extension(cells) => fold_extension(cells, half, &matrix),
        });
        Stage {
            shape: self.shape.bound(),
            tables: tables.collect(),
        }
    }

    /// The same tables element by element.
    pub(super) fn unpack(self) -> Stage<EF> {
        let length = self.shape.cells();
        let tables = self.tables.into_iter().map(|cells| {
            let mut single: Vec<EF> = match cells {
                Cells::Base(cells) => cells.iter().copied().map(EF::from).collect(),
                Cells::Extension(vectors) => {
                    <PackedEF as PackedFieldExtension<F, EF>>::to_ext_iter(vectors).collect()
                }
            };
            single.truncate(length);
            single
        });
        Stage {
            shape: self.shape,
            tables: tables.collect(),
        }
    }
}

/// Up to `count` vectors from `at`, as far as they are stored.
fn stored<V>(cells: &[V], at: usize, count: usize) -> &[V] {
    let start = at.min(cells.len());
    &cells[start..(at + count).clamp(start, cells.len())]
}

fn fold_base(cells: &[PackedF], half: usize, factor: PackedEF) -> Vec<PackedEF> {
    let (low, high) = cells.split_at(half.min(cells.len()));
    let chunk = |low: &[PackedF], high: &[PackedF], to: &mut Vec<PackedEF>| {
        let (with, without) = low.split_at(high.len().min(low.len()));
        to.extend(
            with.iter()
                .zip(high)
                .map(|(low, high)| factor * (*high - *low) + *low),
        );
        to.extend(without.iter().map(|low| factor * -*low + *low));
    };
    if low.len() <= CHUNK {
        let mut folded = Vec::with_capacity(low.len());
        chunk(low, high, &mut folded);
        return folded;
    }
    let mut folded = vec![PackedEF::ZERO; low.len()];
    folded
        .par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(number, folded)| {
            let first = number * CHUNK;
            let mut part = Vec::with_capacity(folded.len());
            chunk(
                stored(low, first, CHUNK),
                stored(high, first, CHUNK),
                &mut part,
            );
            folded.copy_from_slice(&part);
        });
    folded
}

fn fold_extension(
    mut cells: Vec<PackedEF>,
    half: usize,
    factor: &<PackedEF as Lanes>::Factor,
) -> Vec<PackedEF> {
    let half = half.min(cells.len());
    let (low, high) = cells.split_at_mut(half);
    let high: &[PackedEF] = high;
    let chunk = |(number, low): (usize, &mut [PackedEF])| {
        let high = stored(high, number * CHUNK, low.len());
        let (with, without) = low.split_at_mut(high.len());
        for (low, high) in with.iter_mut().zip(high) {
            *low += (*high - *low).times(factor);
        }
        for low in without {
            *low -= low.times(factor);
        }
    };
    if half <= CHUNK {
        chunk((0, low));
    } else {
        low.par_chunks_mut(CHUNK).enumerate().for_each(chunk);
    }
    cells.truncate(half);
    cells
}

/// Vectors of cells; lanes behind the end are 0.
pub(super) fn pack(cells: &[EF]) -> Vec<PackedEF> {
    let vector = |chunk: &[EF]| {
        if chunk.len() == PackedF::WIDTH {
            PackedEF::from_ext_slice(chunk)
        } else {
            PackedEF::from_ext_fn(|lane| chunk.get(lane).copied().unwrap_or_default())
        }
    };
    cells.chunks(PackedF::WIDTH).map(vector).collect()
}
