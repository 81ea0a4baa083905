//! The layers of sums of fractions.
//!
//! Spec: spec/v1/zk.md, section 6.3.

#![expect(
    clippy::inline_always,
    reason = "a vector that is passed by a call goes through memory"
)]

use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;
use veridical_argument::field::{DEGREE, EF};

use super::lanes::{LANE_BITS, LANES, ONE, P, V, ZERO, add, cells, extract, mul, next_turn, split};
use super::leaves::LeafTable;
use super::used::{Usage, Used};

/// The fractions `n0 / d0` and `n1 / d1` of the slots `2x` and `2x + 1`, as `[n0, d0, n1, d1]`.
pub(super) type Quad<T> = [T; 4];

/// Two unused slots.
pub(super) const UNUSED: Quad<EF> = [EF::ZERO, EF::ONE, EF::ZERO, EF::ONE];

/// Vectors of unused slots.
pub(super) const UNUSED_VECTORS: Quad<V> = [ZERO, ONE, ZERO, ONE];

/// Sum of two fractions.
pub(super) fn sum([n0, d0, n1, d1]: &Quad<EF>) -> (EF, EF) {
    (*n0 * *d1 + *n1 * *d0, *d0 * *d1)
}

/// Numerator of the sum, lane by lane.
#[inline(always)]
pub(super) fn numerator([n0, d0, n1, d1]: &Quad<V>) -> V {
    add(&mul(n0, d1), &mul(n1, d0))
}

/// Computes the quad above two neighbours.
#[inline(always)]
fn above(into: &mut Quad<V>, first: &Quad<V>, second: &Quad<V>, turn: usize) {
    let (n0, n1) = split(&numerator(first), &numerator(second), turn);
    let (d0, d1) = split(
        &mul(&first[1], &first[3]),
        &mul(&second[1], &second[3]),
        turn,
    );
    into[0] = n0;
    into[1] = d0;
    into[2] = n1;
    into[3] = d1;
}

/// [`above`] for these pairs.
pub(super) fn all_above<'q>(
    into: &mut [Quad<V>],
    pairs: impl Iterator<Item = (&'q Quad<V>, &'q Quad<V>)>,
    turn: usize,
) {
    for (into, (first, second)) in into.iter_mut().zip(pairs) {
        above(into, first, second, turn);
    }
}

/// The first quads of a space, which is replaced if it has fewer.
pub(super) fn resized(space: &mut Vec<P>, quads: usize) -> &mut [Quad<V>] {
    let elements = 4 * DEGREE * quads;
    if space.len() < elements {
        *space = P::zero_vec(elements);
    }
    space[..elements].as_chunks_mut().0.as_chunks_mut().0
}

/// The quads in a space.
pub(super) fn quads(space: &[P]) -> &[Quad<V>] {
    space.as_chunks().0.as_chunks().0
}

/// Pairs of slots of one layer, `2^variables` of them.
#[derive(Debug)]
pub(super) struct Wide<'u> {
    /// Variables of `x`, more than [`LANE_BITS`].
    pub(super) variables: usize,
    /// Order of the cells.
    pub(super) turn: usize,
    /// Which quads are used.
    used: &'u Used,
    /// The used quads.
    space: Vec<P>,
}

/// Pairs of slots of a layer with at most [`LANE_BITS`] variables, in order.
pub(super) type Narrow = Vec<Quad<EF>>;

impl<'u> Wide<'u> {
    /// The used quads.
    fn quads(&self) -> &[Quad<V>] {
        quads(&self.space)
    }

    /// The used pairs of quads in a word.
    pub(super) fn pairs(&self, word: usize) -> impl Iterator<Item = (&Quad<V>, &Quad<V>)> {
        let members = &self.quads()[self.used.before(2 * word)..];
        self.used.pairs(word, members, &UNUSED_VECTORS)
    }

    /// The space, for other quads.
    pub(super) fn into_space(self) -> Vec<P> {
        self.space
    }

    /// A layer whose quads `fill` computes, word by word.
    fn filled(
        variables: usize,
        turn: usize,
        usage: &'u Usage,
        fill: impl Fn(usize, &mut [Quad<V>]) + Sync,
    ) -> Self {
        let used = usage.of(variables);
        let mut space = Vec::new();
        let parts = used.cut(resized(&mut space, used.count()), 1);
        let parts = parts.into_par_iter().enumerate();
        parts.for_each(|(word, part)| fill(word, part));
        Self {
            variables,
            turn,
            used,
            space,
        }
    }

    /// The layer above.
    fn reduce(&self, usage: &'u Usage) -> Self {
        let (variables, turn) = (self.variables - 1, next_turn(self.turn));
        Self::filled(variables, turn, usage, |word, into| {
            all_above(into, self.pairs(word), self.turn);
        })
    }

    /// The layer above the leaves.
    fn above_leaves(leaves: &'u LeafTable) -> Self {
        let turn = next_turn(LeafTable::TURN);
        Self::filled(leaves.variables - 2, turn, &leaves.usage, |word, into| {
            leaves.reduce(leaves.used().before(word), into);
        })
    }

    /// A layer with [`LANE_BITS`] variables, cell by cell.
    fn narrow(&self) -> Narrow {
        unpack(self.quads().first().unwrap_or(&UNUSED_VECTORS), self.turn)
    }
}

/// The cells of a quad, in order.
pub(super) fn unpack(quad: &Quad<V>, turn: usize) -> Vec<Quad<EF>> {
    let mut in_order = vec![UNUSED; LANES];
    for (lane, cell) in cells(turn).enumerate() {
        if let Some(slot) = in_order.get_mut(cell) {
            *slot = quad.each_ref().map(|vector| extract(vector, lane));
        }
    }
    in_order
}

/// All layers but that of the leaves: the wide ones from the lowest upwards, then the narrow ones.
#[derive(Debug, Default)]
pub(super) struct Tree<'u> {
    /// Layers of vectors; the last is the uppermost.
    pub(super) wide: Vec<Wide<'u>>,
    /// Layers of cells; the last has no variable.
    pub(super) narrow: Vec<Narrow>,
}

impl<'u> Tree<'u> {
    /// The layers above leaves of more than [`LANE_BITS`] variables of pairs.
    pub(super) fn above(leaves: &'u LeafTable) -> Self {
        let mut tree = Self::default();
        let mut next = Wide::above_leaves(leaves);
        while next.variables > LANE_BITS {
            let above = next.reduce(&leaves.usage);
            tree.wide.push(next);
            next = above;
        }
        tree.narrow = narrow_layers(next.narrow());
        tree
    }

    /// The layers above and including one of cells.
    pub(super) fn from_cells(lowest: Narrow) -> Self {
        Self {
            wide: Vec::new(),
            narrow: narrow_layers(lowest),
        }
    }
}

fn narrow_layers(lowest: Narrow) -> Vec<Narrow> {
    let mut layers = vec![lowest];
    while let Some(last) = layers.last()
        && last.len() > 1
    {
        let pairs = last.as_chunks::<2>().0;
        let above = pairs.iter().map(|[first, second]| {
            let ((n0, d0), (n1, d1)) = (sum(first), sum(second));
            [n0, d0, n1, d1]
        });
        let above = above.collect();
        layers.push(above);
    }
    layers
}
