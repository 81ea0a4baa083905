//! Vectors of extension elements, and the order of slots in them.
//!
//! A table over variables `x_k .. x_0` is cut into vectors of [`LANES`] neighbouring cells. Pairing
//! the cells that differ in `x_0` merges two neighbouring vectors: the lane bit that held `x_0` then
//! holds the lowest bit of the number of the vector. So the bits of the lanes turn: lane bit `b` of
//! a table with turn `t` holds variable `(b - t) mod LANE_BITS`.

#![expect(
    clippy::inline_always,
    reason = "a vector that is passed by a call goes through memory"
)]

use p3_field::{BasedVectorSpace, Field, PackedFieldPow2, PackedValue, PrimeCharacteristicRing};
use veridical_argument::field::{DEGREE, EF, F};

/// Base elements side by side.
pub(super) type P = <F as Field>::Packing;

/// Extension elements side by side, by coordinate. A plain array and free functions: the operators of
/// the packed extension pass vectors through memory.
pub(super) type V = [P; DEGREE];

/// Zeros.
pub(super) const ZERO: V = [P::ZERO; DEGREE];

/// Ones.
pub(super) const ONE: V = [P::ONE, P::ZERO, P::ZERO, P::ZERO, P::ZERO];

/// Number of lanes, a power of two.
pub(super) const LANES: usize = <P as PackedValue>::WIDTH;

/// Binary logarithm of the number of lanes.
pub(super) const LANE_BITS: usize = LANES.trailing_zeros() as usize;

/// Turn of a table whose cells are in order.
pub(super) const IN_ORDER: usize = 0;

/// Turn of the table of pairs.
#[inline]
pub(super) const fn next_turn(turn: usize) -> usize {
    match (turn + 1).checked_rem(LANE_BITS) {
        Some(next) => next,
        None => 0,
    }
}

/// Variable that a lane bit holds.
const fn variable_of_bit(bit: usize, turn: usize) -> usize {
    if bit < turn {
        bit + LANE_BITS - turn
    } else {
        bit - turn
    }
}

/// Cell of every lane.
pub(super) fn cells(turn: usize) -> impl Iterator<Item = usize> {
    (0..LANES).map(move |lane| {
        (0..LANE_BITS).fold(0, |cell, bit| {
            cell | (((lane >> bit) & 1) << variable_of_bit(bit, turn))
        })
    })
}

/// Sum.
#[inline(always)]
pub(super) fn add(a: &V, b: &V) -> V {
    [
        a[0] + b[0],
        a[1] + b[1],
        a[2] + b[2],
        a[3] + b[3],
        a[4] + b[4],
    ]
}

/// Difference.
#[inline(always)]
pub(super) fn sub(a: &V, b: &V) -> V {
    [
        a[0] - b[0],
        a[1] - b[1],
        a[2] - b[2],
        a[3] - b[3],
        a[4] - b[4],
    ]
}

/// Adds in place.
#[inline(always)]
pub(super) fn accumulate(sum: &mut V, summand: &V) {
    *sum = add(sum, summand);
}

/// The cells of two neighbouring vectors with `x_0 = 0`, and those with `x_0 = 1`.
#[inline(always)]
pub(super) fn split_base(first: P, second: P, turn: usize) -> (P, P) {
    // The block length is constant in every arm, so a loop around this call tests it once.
    match turn {
        0 => first.interleave(second, 1),
        1 => first.interleave(second, 2),
        2 => first.interleave(second, 4),
        _ => first.interleave(second, 8),
    }
}

/// [`split_base`] of extension elements.
#[inline(always)]
pub(super) fn split(first: &V, second: &V, turn: usize) -> (V, V) {
    // Spelled out: maps of arrays of this size are not inlined.
    let (a, b) = (first, second);
    let (a0, b0) = split_base(a[0], b[0], turn);
    let (a1, b1) = split_base(a[1], b[1], turn);
    let (a2, b2) = split_base(a[2], b[2], turn);
    let (a3, b3) = split_base(a[3], b[3], turn);
    let (a4, b4) = split_base(a[4], b[4], turn);
    ([a0, a1, a2, a3, a4], [b0, b1, b2, b3, b4])
}

/// Product, with one reduction per coordinate.
///
/// `x^5 = 1 - x^2`, so coordinate `i` of the product is the product of the first factor and a row
/// whose entries are sums of coordinates of the second.
#[inline(always)]
pub(super) fn mul(a: &V, b: &V) -> V {
    let [b0, b1, b2, b3, b4] = *b;
    let b14 = b1 - b4;
    let b03 = b0 - b3;
    let b42 = b4 - b2;
    let b341 = b3 - b14;
    [
        P::dot_product(a, &[b0, b4, b3, b2, b14]),
        P::dot_product(a, &[b1, b0, b4, b3, b2]),
        P::dot_product(a, &[b2, b14, b03, b42, b341]),
        P::dot_product(a, &[b3, b2, b14, b03, b42]),
        P::dot_product(a, &[b4, b3, b2, b14, b03]),
    ]
}

/// One lane.
#[inline]
pub(super) fn extract(vector: &V, lane: usize) -> EF {
    EF::from_basis_coefficients_fn(|k| vector[k].extract(lane))
}

/// A vector lane by lane.
pub(super) fn gather(lane: impl Fn(usize) -> EF) -> V {
    std::array::from_fn(|k| {
        P::from_fn(|at| {
            let value = lane(at);
            let coordinates: &[F] = value.as_basis_coefficients_slice();
            coordinates[k]
        })
    })
}

/// Every lane the same.
#[inline(always)]
pub(super) fn spread(value: EF) -> V {
    let coordinates: &[F] = value.as_basis_coefficients_slice();
    std::array::from_fn(|k| P::from(coordinates[k]))
}

/// Sum over the lanes of lane times weight; a weight per lane.
pub(super) fn weigh(vector: &V, weights: &[EF]) -> EF {
    weights
        .iter()
        .enumerate()
        .map(|(lane, &weight)| extract(vector, lane) * weight)
        .sum()
}
