//! Weights of a contraction in the forms that kernels read.
//!
//! A coordinate of a weight is `low + 2^15 high` with two signed limbs of 16 bits: a vector
//! instruction then adds two products of an integer and a limb to a lane of 32 bits.

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};
use veridical_argument::field::{DEGREE, EF, F};
use veridical_argument::multilinear::eq_table;

use super::lanes::LIMB_BITS;

/// Limbs of a weight: low and high of every coordinate.
pub(super) const LIMBS: usize = 2 * DEGREE;

/// `2^32`, which the reduction of a sum divides by.
const SCALE: F = F::new((1 << 25) - 2);
const _: () = assert!((1 << 32) % (F::ORDER_U32 as u64) == (1 << 25) - 2);

/// The limbs of `2^32` times a weight; each is below `2^15` in magnitude, the low ones at most `2^14`.
fn limbs(weight: EF) -> [i32; LIMBS] {
    let mut limbs = [0; LIMBS];
    let scaled = weight * SCALE;
    let coordinates: &[F] = scaled.as_basis_coefficients_slice();
    for (pair, coordinate) in limbs.as_chunks_mut::<2>().0.iter_mut().zip(coordinates) {
        let canonical = coordinate.as_canonical_u32();
        let balanced = if canonical > F::ORDER_U32 / 2 {
            canonical.wrapping_sub(F::ORDER_U32)
        } else {
            canonical
        }
        .cast_signed();
        let half = 1 << (LIMB_BITS - 1);
        let high = (balanced + half) >> LIMB_BITS;
        *pair = [balanced - (high << LIMB_BITS), high];
    }
    limbs
}

/// Two integers of 16 bits in one lane.
fn lane(low: i32, high: i32) -> i32 {
    (low & 0xffff) | (high << 16)
}

/// For each two neighbouring rows, the lanes that every column is multiplied with.
pub(super) fn row_pairs(weights: &[EF]) -> Vec<[i32; LIMBS]> {
    weights
        .chunks(2)
        .map(|pair| {
            let low = pair.first().copied().map(limbs).unwrap_or_default();
            let high = pair.get(1).copied().map(limbs).unwrap_or_default();
            std::array::from_fn(|limb| lane(low[limb], high[limb]))
        })
        .collect()
}

/// For each `2 N` neighbouring cells of a row, `LIMBS` vectors of `N` lanes: cells `i`, `i + N`.
pub(super) fn cell_pairs<const N: usize>(weights: &[EF]) -> Vec<[[i32; N]; LIMBS]> {
    weights
        .chunks(2 * N)
        .map(|chunk| {
            let mut vectors = [[0; N]; LIMBS];
            let (low, high) = chunk.split_at(chunk.len().min(N));
            for (at, &weight) in low.iter().enumerate() {
                let low = limbs(weight);
                let high = high.get(at).copied().map(limbs).unwrap_or_default();
                for (limb, vector) in vectors.iter_mut().enumerate() {
                    vector[at] = lane(low[limb], high[limb]);
                }
            }
            vectors
        })
        .collect()
}

/// `eq(segment, i)` for the cells of an axis.
pub(super) fn axis_weights(size: usize, segment: &[EF]) -> Vec<EF> {
    let mut weights = eq_table(segment);
    weights.truncate(size);
    weights
}

/// Weights of a group of axes, slowest first: products of those of its axes.
pub(super) fn product_weights(slow: &[EF], fast: &[EF]) -> Vec<EF> {
    match slow {
        [only] if *only == EF::ONE => fast.to_vec(),
        _ if matches!(fast, [only] if *only == EF::ONE) => slow.to_vec(),
        _ => slow
            .iter()
            .flat_map(|&slow| fast.iter().map(move |&fast| slow * fast))
            .collect(),
    }
}
