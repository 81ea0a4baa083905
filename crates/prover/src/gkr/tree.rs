//! The layers of sums of fractions.
//!
//! Spec: spec/v1/zk.md, section 6.3.

use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;
use veridical_argument::field::EF;

use super::lanes::{LANE_BITS, LANES, V, cells, extract, mul, next_turn, split};

/// Least number of quads for which work is divided among threads.
pub(super) const PARALLEL: usize = 64;

/// The fractions `n0 / d0` and `n1 / d1` of the slots `2x` and `2x + 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quad<T> {
    /// Numerator of the even slot.
    pub(super) n0: T,
    /// Denominator of the even slot.
    pub(super) d0: T,
    /// Numerator of the odd slot.
    pub(super) n1: T,
    /// Denominator of the odd slot.
    pub(super) d1: T,
}

impl<T: PrimeCharacteristicRing + Copy> Quad<T> {
    /// Two unused slots.
    pub(super) const UNUSED: Self = Self {
        n0: T::ZERO,
        d0: T::ONE,
        n1: T::ZERO,
        d1: T::ONE,
    };
}

impl Quad<EF> {
    /// Sum of the two fractions.
    pub(super) fn sum(&self) -> (EF, EF) {
        (self.n0 * self.d1 + self.n1 * self.d0, self.d0 * self.d1)
    }
}

/// Sum of the two fractions, lane by lane.
#[inline(always)]
fn sum(quad: &Quad<V>) -> (V, V) {
    (
        mul(quad.n0, quad.d1) + mul(quad.n1, quad.d0),
        mul(quad.d0, quad.d1),
    )
}

/// Pairs of slots of one layer, `2^variables` of them; those behind `quads` are unused.
#[derive(Debug)]
pub(super) struct Wide {
    /// Variables of `x`, more than [`LANE_BITS`].
    pub(super) variables: usize,
    /// Order of the cells.
    pub(super) turn: usize,
    /// The used vectors.
    pub(super) quads: Vec<Quad<V>>,
}

/// Pairs of slots of a layer with at most [`LANE_BITS`] variables, in order.
#[derive(Debug)]
pub(super) struct Narrow {
    /// All of them.
    pub(super) quads: Vec<Quad<EF>>,
}

impl Wide {
    /// Neighbouring quads; where there is no second one, unused slots.
    #[inline(always)]
    pub(super) fn neighbours(&self, index: usize) -> (Quad<V>, Quad<V>) {
        let first = self.quads.get(2 * index).copied();
        let second = self.quads.get(2 * index + 1).copied();
        (
            first.unwrap_or(Quad::UNUSED),
            second.unwrap_or(Quad::UNUSED),
        )
    }

    #[inline(always)]
    fn above(&self, index: usize) -> Quad<V> {
        let (first, second) = self.neighbours(index);
        let (first, second) = (sum(&first), sum(&second));
        let (n0, n1) = split(first.0, second.0, self.turn);
        let (d0, d1) = split(first.1, second.1, self.turn);
        Quad { n0, d0, n1, d1 }
    }

    /// The layer above.
    pub(super) fn reduce(&self) -> Self {
        let length = self.quads.len().div_ceil(2);
        Self {
            variables: self.variables - 1,
            turn: next_turn(self.turn),
            quads: if length < PARALLEL {
                (0..length).map(|index| self.above(index)).collect()
            } else {
                (0..length)
                    .into_par_iter()
                    .with_min_len(PARALLEL / 2)
                    .map(|index| self.above(index))
                    .collect()
            },
        }
    }

    /// A layer with [`LANE_BITS`] variables, cell by cell.
    pub(super) fn narrow(&self) -> Narrow {
        let quad = self.quads.first().copied().unwrap_or(Quad::UNUSED);
        Narrow {
            quads: unpack(&quad, self.turn),
        }
    }
}

/// The cells of a quad, in order.
pub(super) fn unpack(quad: &Quad<V>, turn: usize) -> Vec<Quad<EF>> {
    let mut cells_in_order = vec![Quad::UNUSED; LANES];
    for (lane, cell) in cells(turn).enumerate() {
        if let Some(slot) = cells_in_order.get_mut(cell) {
            *slot = Quad {
                n0: extract(&quad.n0, lane),
                d0: extract(&quad.d0, lane),
                n1: extract(&quad.n1, lane),
                d1: extract(&quad.d1, lane),
            };
        }
    }
    cells_in_order
}

impl Narrow {
    /// The layer above.
    pub(super) fn reduce(&self) -> Self {
        let pairs = self.quads.as_chunks::<2>().0;
        let above = pairs.iter().map(|[first, second]| {
            let ((n0, d0), (n1, d1)) = (first.sum(), second.sum());
            Quad { n0, d0, n1, d1 }
        });
        Self {
            quads: above.collect(),
        }
    }
}

/// All layers above the leaves: the wide ones from the lowest upwards, then the narrow ones.
#[derive(Debug)]
pub(super) struct Tree {
    /// Layers of vectors; the last is the uppermost.
    pub(super) wide: Vec<Wide>,
    /// Layers of cells; the last has no variable.
    pub(super) narrow: Vec<Narrow>,
}

impl Tree {
    /// The layers above and including one of vectors.
    pub(super) fn above_wide(lowest: Wide) -> Self {
        let mut wide = vec![lowest];
        while let Some(last) = wide.last() {
            let next = last.reduce();
            if next.variables == LANE_BITS {
                return Self {
                    wide,
                    narrow: narrow_tree(next.narrow()),
                };
            }
            wide.push(next);
        }
        Self {
            wide,
            narrow: Vec::new(),
        }
    }

    /// The layers above and including one of cells.
    pub(super) fn above_narrow(lowest: Narrow) -> Self {
        Self {
            wide: Vec::new(),
            narrow: narrow_tree(lowest),
        }
    }
}

fn narrow_tree(lowest: Narrow) -> Vec<Narrow> {
    let mut narrow = vec![lowest];
    while let Some(last) = narrow.last()
        && last.quads.len() > 1
    {
        let next = last.reduce();
        narrow.push(next);
    }
    narrow
}
