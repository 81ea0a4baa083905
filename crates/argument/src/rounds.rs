//! Messages of a sumcheck round.
//!
//! Spec: spec/v1/zk.md, section 5, "Sumcheck rounds". A sumcheck binds its highest variable first,
//! so the vector of its challenges is a point; only the layers of fractions (6.3) bind the lowest.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use p3_field::PrimeCharacteristicRing;

use crate::field::{EF, F};

/// Highest degree of a round polynomial: a zero check of terms of three factors.
pub const MAX_DEGREE: usize = 4;

/// Modulus as an integer.
const P: u64 = 2_130_706_433;

/// `1 / k` for `k` in `1 ..= MAX_DEGREE`: `(j p + 1) / k` for the `j` that makes it exact.
const INVERSES: [u64; MAX_DEGREE] = [
    inverse_of_small(1),
    inverse_of_small(2),
    inverse_of_small(3),
    inverse_of_small(4),
];

const fn inverse_of_small(k: u64) -> u64 {
    let mut j = 0;
    while !(j * P + 1).is_multiple_of(k) {
        j += 1;
    }
    (j * P + 1) / k
}

/// The polynomial of degree `values.len() - 1` with these values at `0, 1, 2, ..`, at `x`.
///
/// Only the first [`MAX_DEGREE`] + 1 values count.
pub fn interpolate(values: &[EF], x: EF) -> EF {
    let mut differences = [EF::ZERO; MAX_DEGREE + 1];
    for (slot, value) in differences.iter_mut().zip(values) {
        *slot = *value;
    }
    // Newton: the sum over k of (k-th forward difference at 0) * (x choose k).
    let mut sum = EF::ZERO;
    let mut choose = EF::ONE;
    let mut node = F::ZERO;
    for inverse in INVERSES
        .iter()
        .take(values.len().saturating_sub(1))
        .chain([&0])
    {
        let [a, b, c, d, e] = differences;
        sum += choose * a;
        differences = [b - a, c - b, d - c, e - d, e];
        choose *= (x - node) * F::from_u64(*inverse);
        node += F::ONE;
    }
    sum
}

/// The claim after a round: the polynomial of the message at the challenge.
///
/// The message holds the values at `0, 2, 3, ..`; the value at 1 is `claim` minus that at 0, so
/// the check of the round is part of the reading.
pub fn next_claim(claim: EF, message: &[EF], challenge: EF) -> EF {
    let mut values = [EF::ZERO; MAX_DEGREE + 1];
    let at_zero = message.first().copied().unwrap_or_default();
    let later = message.iter().skip(1).copied();
    for (slot, value) in values
        .iter_mut()
        .zip([at_zero, claim - at_zero].into_iter().chain(later))
    {
        *slot = value;
    }
    let count = message.len().saturating_add(1).min(values.len());
    interpolate(values.get(..count).unwrap_or(&values), challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polynomial(coefficients: &[u64], x: EF) -> EF {
        coefficients
            .iter()
            .rev()
            .fold(EF::ZERO, |sum, &c| sum * x + EF::from_u64(c))
    }

    #[test]
    fn interpolation_is_exact_for_every_degree() {
        let x = EF::from_u64(123_456_789);
        for degree in 0..=MAX_DEGREE {
            let coefficients: Vec<u64> = (0..=degree).map(|i| 7 + 1_000_003 * i as u64).collect();
            let at = |i: usize| polynomial(&coefficients, EF::from_usize(i));
            let values: Vec<EF> = (0..=degree).map(at).collect();
            assert_eq!(interpolate(&values, x), polynomial(&coefficients, x));
            if degree > 0 {
                let message: Vec<EF> = (0..=degree).filter(|i| *i != 1).map(at).collect();
                let claim = at(0) + at(1);
                assert_eq!(next_claim(claim, &message, x), polynomial(&coefficients, x));
                assert_ne!(
                    next_claim(claim + EF::ONE, &message, x),
                    polynomial(&coefficients, x)
                );
            }
        }
    }
}
