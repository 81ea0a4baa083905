//! The sumcheck of a layer.
//!
//! Spec: spec/v1/zk.md, section 6.3.
//!
//! `lambda` is folded into the first numerator: with `m0 = n0 + lambda d0` the summand is
//! `m0 d1 + n1 d0`. In the first round `q(0)` and `q(1)` are known: binding the lowest variable of
//! the sum to 0 and 1 gives what was sent for the layer above.

use p3_field::PrimeCharacteristicRing;
use rayon::prelude::*;
use veridical_argument::field::EF;
use veridical_argument::multilinear::eq_table;

use super::equality::{Equality, Weights};
use super::lanes::{LANE_BITS, V, mul, next_turn, split, spread};
use super::rounds::{Quadratic, Rounds};
use super::tree::{Narrow, Quad, Wide, unpack};

/// Space for the tables of the rounds, kept from layer to layer.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    front: Vec<Quad<V>>,
    back: Vec<Quad<V>>,
}

/// Quads `(m0, d0, n1, d1)` under a running sumcheck.
#[derive(Debug)]
struct Table<'w> {
    quads: &'w [Quad<V>],
    unused: Quad<V>,
    turn: usize,
    variables: usize,
}

/// `m0 d1 + n1 d0`.
#[inline(always)]
fn value(quad: &Quad<V>) -> V {
    mul(quad.n0, quad.d1) + mul(quad.n1, quad.d0)
}

/// The quads with `x_0 = 0`, and those with `x_0 = 1`.
#[inline(always)]
fn split_quads(first: &Quad<V>, second: &Quad<V>, turn: usize) -> (Quad<V>, Quad<V>) {
    let (n0, m0) = split(first.n0, second.n0, turn);
    let (d0, e0) = split(first.d0, second.d0, turn);
    let (n1, m1) = split(first.n1, second.n1, turn);
    let (d1, e1) = split(first.d1, second.d1, turn);
    (
        Quad { n0, d0, n1, d1 },
        Quad {
            n0: m0,
            d0: e0,
            n1: m1,
            d1: e1,
        },
    )
}

#[inline(always)]
fn difference(low: &Quad<V>, high: &Quad<V>) -> Quad<V> {
    Quad {
        n0: high.n0 - low.n0,
        d0: high.d0 - low.d0,
        n1: high.n1 - low.n1,
        d1: high.d1 - low.d1,
    }
}

/// `low + step * challenge`.
#[inline(always)]
fn bind(low: &Quad<V>, step: &Quad<V>, challenge: V) -> Quad<V> {
    Quad {
        n0: low.n0 + mul(step.n0, challenge),
        d0: low.d0 + mul(step.d0, challenge),
        n1: low.n1 + mul(step.n1, challenge),
        d1: low.d1 + mul(step.d1, challenge),
    }
}

impl Table<'_> {
    #[inline(always)]
    fn bound(&self, index: usize, challenge: V) -> Quad<V> {
        let at = |index: usize| self.quads.get(index).unwrap_or(&self.unused);
        let (low, high) = split_quads(at(2 * index), at(2 * index + 1), self.turn);
        bind(&low, &difference(&low, &high), challenge)
    }
}

/// Runs the sumcheck over a layer of vectors; the quad at the new point.
pub(super) fn prove_wide(
    layer: &Wide,
    point: &[EF],
    lambda: EF,
    at_zero: EF,
    rounds: &mut Rounds<'_>,
    space: &mut Workspace,
) -> Quad<EF> {
    let equality = Equality::new(point);
    let leading = first_leading(layer, &equality.weights(layer.variables - 1), lambda);
    let challenge = rounds.play(Quadratic { at_zero, leading });
    let (factor, bound) = (spread(lambda), spread(challenge));
    let unused = Quad {
        n0: factor,
        ..Quad::UNUSED
    };
    // (n0 + lambda d0) at the challenge, the product with lambda last: one product less.
    let first = |index: usize| {
        let (first, second) = layer.neighbours(index);
        let (low, high) = split_quads(&first, &second, layer.turn);
        let mut quad = bind(&low, &difference(&low, &high), bound);
        quad.n0 += mul(quad.d0, factor);
        quad
    };
    let quads = layer.quads.len().div_ceil(2);
    let (mut variables, mut turn) = (layer.variables - 1, next_turn(layer.turn));
    let Workspace { front, back } = space;
    let mut sums = fill(front, quads, variables, turn, lambda, &equality, first);
    while let Some(q) = sums {
        let challenge = spread(rounds.play(q));
        let table = Table {
            quads: front,
            unused,
            turn,
            variables,
        };
        let next = |index: usize| table.bound(index, challenge);
        let quads = table.quads.len().div_ceil(2);
        (variables, turn) = (table.variables - 1, next_turn(turn));
        sums = fill(back, quads, variables, turn, lambda, &equality, next);
        std::mem::swap(front, back);
    }
    let last = front.first().copied().unwrap_or(unused);
    finish(unpack(&last, turn), point, lambda, rounds)
}

/// The leading coefficient of the first round.
fn first_leading(layer: &Wide, weights: &Weights<'_>, lambda: EF) -> EF {
    let factor = spread(lambda);
    let pairs = layer.quads.len().div_ceil(2);
    let chunk = weights.chunk();
    let chunks = (0..pairs.div_ceil(chunk)).into_par_iter();
    let [sum] = weights.sums(chunks, next_turn(layer.turn), |number, weights| {
        let mut sum = V::ZERO;
        for (index, &weight) in (number * chunk..pairs).zip(weights) {
            let (first, second) = layer.neighbours(index);
            let (low, high) = split_quads(&first, &second, layer.turn);
            let mut step = difference(&low, &high);
            step.n0 += mul(step.d0, factor);
            sum += mul(value(&step), weight);
        }
        [sum]
    });
    sum
}

/// Computes the table after a round, and the sums of the next if its variable is none of a lane.
fn fill(
    into: &mut Vec<Quad<V>>,
    quads: usize,
    variables: usize,
    turn: usize,
    lambda: EF,
    equality: &Equality<'_>,
    of: impl Fn(usize) -> Quad<V> + Sync,
) -> Option<Quadratic> {
    if variables == LANE_BITS {
        into.resize(1, Quad::UNUSED);
        into.iter_mut().for_each(|quad| *quad = of(0));
        return None;
    }
    let weights = equality.weights(variables - 1);
    let pairs = quads.div_ceil(2);
    into.resize(2 * pairs, Quad::UNUSED);
    let size = 2 * weights.chunk();
    let chunks = into.par_chunks_mut(size).enumerate();
    let [at_zero, leading] = weights.sums(chunks, next_turn(turn), |(number, chunk), weights| {
        let mut sums = [V::ZERO; 2];
        let mut index = number * size;
        for ([first, second], &weight) in chunk.as_chunks_mut().0.iter_mut().zip(weights) {
            (*first, *second) = (of(index), of(index + 1));
            index += 2;
            let (low, high) = split_quads(first, second, turn);
            sums[0] += mul(value(&low), weight);
            sums[1] += mul(value(&difference(&low, &high)), weight);
        }
        sums
    });
    Some(Quadratic {
        at_zero: at_zero + weights.behind(pairs) * lambda,
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
    let mut quads = layer.quads.clone();
    for quad in &mut quads {
        quad.n0 += quad.d0 * lambda;
    }
    finish(quads, point, lambda, rounds)
}

/// The rounds over quads `(m0, d0, n1, d1)` in order, until one is left.
fn finish(mut quads: Vec<Quad<EF>>, point: &[EF], lambda: EF, rounds: &mut Rounds<'_>) -> Quad<EF> {
    while quads.len() > 1 {
        let rest = quads.len().trailing_zeros() as usize - 1;
        let pairs = quads.as_chunks::<2>().0;
        let mut q = Quadratic {
            at_zero: EF::ZERO,
            leading: EF::ZERO,
        };
        let steps: Vec<(Quad<EF>, Quad<EF>)> = pairs
            .iter()
            .map(|[low, high]| {
                let step = Quad {
                    n0: high.n0 - low.n0,
                    d0: high.d0 - low.d0,
                    n1: high.n1 - low.n1,
                    d1: high.d1 - low.d1,
                };
                (*low, step)
            })
            .collect();
        for ((low, step), weight) in steps.iter().zip(eq_table(&point[..rest])) {
            q.at_zero += weight * low.sum().0;
            q.leading += weight * step.sum().0;
        }
        let challenge = rounds.play(q);
        quads = steps
            .iter()
            .map(|(low, step)| Quad {
                n0: low.n0 + step.n0 * challenge,
                d0: low.d0 + step.d0 * challenge,
                n1: low.n1 + step.n1 * challenge,
                d1: low.d1 + step.d1 * challenge,
            })
            .collect();
    }
    let mut last = quads.first().copied().unwrap_or(Quad::UNUSED);
    last.n0 -= last.d0 * lambda;
    last
}
