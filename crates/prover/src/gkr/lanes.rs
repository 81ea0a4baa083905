//! Vectors of extension elements, and the order of slots in them.
//!
//! A table over variables `x_k .. x_0` is cut into vectors of [`LANES`] neighbouring cells. Pairing
//! the cells that differ in `x_0` merges two neighbouring vectors: the lane bit that held `x_0` then
//! holds the lowest bit of the number of the vector. So the bits of the lanes turn: lane bit `b` of
//! a table with turn `t` holds variable `(b - t) mod LANE_BITS`.

use p3_field::{
    BasedVectorSpace, ExtensionField, Field, PackedFieldExtension, PackedFieldPow2, PackedValue,
    PrimeCharacteristicRing,
};
use veridical_argument::field::{EF, F};

/// Base elements side by side.
pub(super) type P = <F as Field>::Packing;

/// Extension elements side by side, by coordinate.
pub(super) type V = <EF as ExtensionField<F>>::ExtensionPacking;

/// Number of lanes, a power of two.
pub(super) const LANES: usize = <P as PackedValue>::WIDTH;

/// Binary logarithm of the number of lanes.
pub(super) const LANE_BITS: usize = LANES.trailing_zeros() as usize;

/// Turn of a table whose cells are in order.
pub(super) const IN_ORDER: usize = 0;

/// Turn of the table of pairs.
#[inline]
pub(super) const fn next_turn(turn: usize) -> usize {
    if turn + 1 < LANE_BITS { turn + 1 } else { 0 }
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

/// Coordinates of a vector.
#[inline(always)]
pub(super) fn coordinates(vector: &V) -> &[P; 5] {
    match vector.as_basis_coefficients_slice().first_chunk() {
        Some(coordinates) => coordinates,
        None => &[P::ZERO; 5],
    }
}

/// Vector with these coordinates.
#[inline(always)]
pub(super) fn vector(coordinates: [P; 5]) -> V {
    V::from_basis_coefficients_fn(|i| coordinates[i])
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
    let (a, b) = (coordinates(first), coordinates(second));
    let pairs: [(P, P); 5] = core::array::from_fn(|i| split_base(a[i], b[i], turn));
    (
        vector(pairs.map(|pair| pair.0)),
        vector(pairs.map(|pair| pair.1)),
    )
}

/// Product, with one reduction per coordinate.
///
/// `x^5 = 1 - x^2`, so coordinate `i` of the product is the product of the first factor and a row
/// whose entries are sums of coordinates of the second.
#[inline(always)]
pub(super) fn mul(a: &V, b: &V) -> V {
    let a = coordinates(a);
    let [b0, b1, b2, b3, b4] = *coordinates(b);
    let b14 = b1 - b4;
    let b03 = b0 - b3;
    let b42 = b4 - b2;
    let b341 = b3 - b14;
    vector([
        P::dot_product(a, &[b0, b4, b3, b2, b14]),
        P::dot_product(a, &[b1, b0, b4, b3, b2]),
        P::dot_product(a, &[b2, b14, b03, b42, b341]),
        P::dot_product(a, &[b3, b2, b14, b03, b42]),
        P::dot_product(a, &[b4, b3, b2, b14, b03]),
    ])
}

/// One lane.
#[inline]
pub(super) fn extract(vector: &V, lane: usize) -> EF {
    PackedFieldExtension::<F, EF>::extract(vector, lane)
}

/// Every lane the same.
#[inline(always)]
pub(super) fn spread(value: EF) -> V {
    V::from(value)
}

/// Sum over the lanes of lane times weight; a weight per lane.
pub(super) fn weigh(vector: &V, weights: &[EF]) -> EF {
    weights
        .iter()
        .enumerate()
        .map(|(lane, &weight)| extract(vector, lane) * weight)
        .sum()
}
