//! The sumcheck of a layer.
//!
//! Spec: spec/v1/zk.md, section 6.3.
//!
//! `lambda` is folded into the first numerator: with `m0 = n0 + lambda d0` the summand is
//! `m0 d1 + n1 d0`. In the first round `q(0)` and `q(1)` are known: binding the lowest variable of
//! the sum to 0 and 1 gives what was sent for the layer above.

#![expect(
    clippy::inline_always,
    reason = "a vector that is passed by a call goes through memory"
)]

use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;
use veridical_argument::field::EF;
use veridical_argument::multilinear::eq_table;

use super::equality::Equality;
use super::lanes::{
    LANE_BITS, ONE, P, V, ZERO, accumulate, add, mul, next_turn, split, spread, sub,
};
use super::leaves::LeafTable;
use super::rounds::{Quadratic, Rounds};
use super::tree::{Narrow, Quad, UNUSED, Wide, quads, resized, sum, unpack};
use super::used::{Usage, Used};

/// Space for the tables of the rounds.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    front: Vec<P>,
    back: Vec<P>,
}

impl Workspace {
    /// Goes on to the next layer, with the space of the one before it: that has as many quads as the
    /// table of the next layer after one round, and its own after one round as many as after two.
    pub(super) fn descend(&mut self, layer: Vec<P>) {
        if self.front.len() < self.back.len() {
            std::mem::swap(&mut self.front, &mut self.back);
        }
        self.back = std::mem::replace(&mut self.front, layer);
    }
}

/// The cells with `x_0 = 0`, and those with `x_0 = 1` less these.
#[inline(always)]
fn line(first: &V, second: &V, turn: usize) -> (V, V) {
    let (low, high) = split(first, second, turn);
    (low, sub(&high, &low))
}

/// Binds the lowest variable of neighbouring quads.
#[inline(always)]
fn bind(into: &mut Quad<V>, first: &Quad<V>, second: &Quad<V>, turn: usize, challenge: &V) {
    for ((into, first), second) in into.iter_mut().zip(first).zip(second) {
        let (low, step) = line(first, second, turn);
        *into = add(&low, &mul(&step, challenge));
    }
}

/// A layer of vectors under the sumcheck.
pub(super) trait Layer: Sync {
    /// Variables of the pairs of slots, more than [`LANE_BITS`].
    fn variables(&self) -> usize;

    /// Order of the cells.
    fn turn(&self) -> usize;

    /// Over the used pairs of quads in a word, one for each weight, the sum of the weight times the
    /// coefficient of `X^2` of the summand.
    fn leading(&self, word: usize, weights: &[V], lambda: &V) -> V;

    /// Binds the lowest variable of the used pairs in a word; quads `m0, d0, n1, d1`.
    fn bind(&self, word: usize, into: &mut [Quad<V>], challenge: EF, lambda: EF);
}

impl Layer for Wide<'_> {
    fn variables(&self) -> usize {
        self.variables
    }

    fn turn(&self) -> usize {
        self.turn
    }

    fn leading(&self, word: usize, weights: &[V], lambda: &V) -> V {
        leading(self.pairs(word), weights, self.turn, lambda)
    }

    fn bind(&self, word: usize, into: &mut [Quad<V>], challenge: EF, lambda: EF) {
        bind_first(self.pairs(word), into, self.turn, challenge, lambda);
    }
}

/// [`Layer::leading`] over these pairs.
pub(super) fn leading<'q>(
    pairs: impl Iterator<Item = (&'q Quad<V>, &'q Quad<V>)>,
    weights: &[V],
    turn: usize,
    lambda: &V,
) -> V {
    let mut total = ZERO;
    for ((first, second), weight) in pairs.zip(weights) {
        let (_, d0) = line(&first[1], &second[1], turn);
        let (_, n0) = line(&first[0], &second[0], turn);
        let m0 = add(&n0, &mul(&d0, lambda));
        let (_, n1) = line(&first[2], &second[2], turn);
        let (_, d1) = line(&first[3], &second[3], turn);
        let value = add(&mul(&m0, &d1), &mul(&n1, &d0));
        accumulate(&mut total, &mul(&value, weight));
    }
    total
}

/// [`Layer::bind`] over these pairs.
pub(super) fn bind_first<'q>(
    pairs: impl Iterator<Item = (&'q Quad<V>, &'q Quad<V>)>,
    into: &mut [Quad<V>],
    turn: usize,
    challenge: EF,
    lambda: EF,
) {
    let (challenge, lambda) = (spread(challenge), spread(lambda));
    for (into, (first, second)) in into.iter_mut().zip(pairs) {
        bind(into, first, second, turn, &challenge);
        into[0] = add(&into[0], &mul(&into[1], &lambda));
    }
}

/// A table of quads `m0, d0, n1, d1` after some rounds.
#[derive(Debug, Clone, Copy)]
struct Stage<'u> {
    variables: usize,
    turn: usize,
    usage: &'u Usage,
}

impl<'u> Stage<'u> {
    /// The table after another round.
    const fn next(self) -> Self {
        Self {
            variables: self.variables - 1,
            turn: next_turn(self.turn),
            usage: self.usage,
        }
    }

    /// The used quads.
    fn used(self) -> &'u Used {
        self.usage.of(self.variables)
    }
}

/// Runs the sumcheck over a layer of vectors; the quad at the new point.
pub(super) fn prove_wide(
    layer: &impl Layer,
    point: &[EF],
    lambda: EF,
    at_zero: EF,
    usage: &Usage,
    rounds: &mut Rounds<'_>,
    space: &mut Workspace,
) -> Quad<EF> {
    let equality = Equality::new(point);
    let weights = equality.weights(layer.variables() - 1);
    let mut stage = Stage {
        variables: layer.variables(),
        turn: layer.turn(),
        usage,
    }
    .next();
    let factor = spread(lambda);
    let words = (0..stage.used().words()).into_par_iter();
    let [leading] = weights.sums(stage.used(), words, stage.turn, |word, _, weights| {
        [layer.leading(word, weights, &factor)]
    });
    let challenge = rounds.play(Quadratic { at_zero, leading });

    let unused = [factor, ONE, ZERO, ONE];
    let Workspace { front, back } = space;
    let first = |word: usize, into: &mut [Quad<V>]| layer.bind(word, into, challenge, lambda);
    let mut sums = fill(front, stage, &unused, lambda, &equality, first);
    while let Some(q) = sums {
        let challenge = spread(rounds.play(q));
        let (used, turn, quads) = (stage.used(), stage.turn, quads(front));
        let bound = |word: usize, into: &mut [Quad<V>]| {
            let pairs = used.pairs(word, &quads[used.before(2 * word)..], &unused);
            for (into, (first, second)) in into.iter_mut().zip(pairs) {
                bind(into, first, second, turn, &challenge);
            }
        };
        stage = stage.next();
        sums = fill(back, stage, &unused, lambda, &equality, bound);
        std::mem::swap(front, back);
    }
    let last = quads(front).first().unwrap_or(&unused);
    finish(unpack(last, stage.turn), point, lambda, rounds)
}

/// Computes a table, and the sums of its round if the variable of the round is none of a lane.
fn fill(
    space: &mut Vec<P>,
    stage: Stage<'_>,
    unused: &Quad<V>,
    lambda: EF,
    equality: &Equality<'_>,
    compute: impl Fn(usize, &mut [Quad<V>]) + Sync,
) -> Option<Quadratic> {
    let used = stage.used();
    let quads = resized(space, used.count());
    if stage.variables == LANE_BITS {
        compute(0, quads);
        return None;
    }
    let next = stage.next();
    let weights = equality.weights(next.variables);
    let parts = used.cut(quads, 2).into_par_iter();
    let factor = spread(lambda);
    let sums = |word: usize, part: &mut [Quad<V>], weights: &[V]| {
        let middle = used.before(2 * word + 1) - used.before(2 * word);
        let (low, high) = part.split_at_mut(middle);
        compute(2 * word, low);
        compute(2 * word + 1, high);
        let mut sums = [ZERO; 2];
        for ((first, second), weight) in used.pairs(word, part, unused).zip(weights) {
            let (m0, m0_step) = line(&first[0], &second[0], stage.turn);
            let (d1, d1_step) = line(&first[3], &second[3], stage.turn);
            let (low, step) = (mul(&m0, &d1), mul(&m0_step, &d1_step));
            let (n1, n1_step) = line(&first[2], &second[2], stage.turn);
            let (d0, d0_step) = line(&first[1], &second[1], stage.turn);
            let low = add(&low, &mul(&n1, &d0));
            let step = add(&step, &mul(&n1_step, &d0_step));
            accumulate(&mut sums[0], &mul(&sub(&low, &factor), weight));
            accumulate(&mut sums[1], &mul(&step, weight));
        }
        sums
    };
    // At an unused pair the summand is lambda: the sum of what all others exceed it by.
    let [excess, leading] = weights.sums(next.used(), parts, next.turn, sums);
    Some(Quadratic {
        at_zero: excess + lambda,
        leading,
    })
}

/// Runs the sumcheck over a layer of cells; the quad at the new point.
pub(super) fn prove_narrow(
    layer: &Narrow,
    point: &[EF],
    lambda: EF,
    rounds: &mut Rounds<'_>,
) -> Quad<EF> {
    let folded = layer
        .iter()
        .map(|&[n0, d0, n1, d1]| [n0 + d0 * lambda, d0, n1, d1]);
    finish(folded.collect(), point, lambda, rounds)
}

/// The rounds over quads `m0, d0, n1, d1` in order, until one is left.
fn finish(mut quads: Vec<Quad<EF>>, point: &[EF], lambda: EF, rounds: &mut Rounds<'_>) -> Quad<EF> {
    while quads.len() > 1 {
        let rest = quads.len().trailing_zeros() as usize - 1;
        let mut q = Quadratic {
            at_zero: EF::ZERO,
            leading: EF::ZERO,
        };
        let pairs = quads.as_chunks::<2>().0;
        let steps: Vec<Quad<EF>> = pairs
            .iter()
            .map(|[low, high]| std::array::from_fn(|i| high[i] - low[i]))
            .collect();
        for (([low, _], step), weight) in pairs.iter().zip(&steps).zip(eq_table(&point[..rest])) {
            q.at_zero += weight * sum(low).0;
            q.leading += weight * sum(step).0;
        }
        let challenge = rounds.play(q);
        let bound = pairs.iter().zip(&steps).map(|([low, _], step)| {
            let bound = |i: usize| low[i] + step[i] * challenge;
            std::array::from_fn(bound)
        });
        quads = bound.collect();
    }
    let [m0, d0, n1, d1] = quads.first().copied().unwrap_or(UNUSED);
    [m0 - d0 * lambda, d0, n1, d1]
}

impl Layer for LeafTable {
    fn variables(&self) -> usize {
        self.variables - 1
    }

    fn turn(&self) -> usize {
        Self::TURN
    }

    fn leading(&self, word: usize, weights: &[V], lambda: &V) -> V {
        self.first_leading(self.used().before(word), weights, lambda)
    }

    fn bind(&self, word: usize, into: &mut [Quad<V>], challenge: EF, lambda: EF) {
        self.first_bind(self.used().before(word), into, challenge, lambda);
    }
}
