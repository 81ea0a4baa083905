//! Probabilities in integers: multiples of `2^-200`, always rounded up.
//!
//! A verifier reports its bits of soundness, so they are the same on every machine and need no
//! floating point.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use std::fmt;
use std::iter::Sum;

/// `log2` of the unit.
const UNIT: u32 = 200;

/// `ceil(2^200 / p^5)`: one over the number of challenges.
const ONE_CHALLENGE: u128 = 36_591_570_300_730;

/// `sqrt(2)`, rounded up, over `2^16`.
const ROOT_TWO: u128 = 92_682;

/// An upper bound of a probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound(u128);

/// Bits of soundness in hundredths, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bits(pub u32);

impl Bits {
    /// Whole bits, rounded down.
    pub fn whole(self) -> u32 {
        self.0 / 100
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Bound {
    /// The impossible event.
    pub const ZERO: Self = Self(0);

    /// `count` exceptional challenges among all of them.
    pub fn challenges(count: u128) -> Self {
        Self(ONE_CHALLENGE.saturating_mul(count))
    }

    /// Any of `count` such events.
    #[must_use]
    pub fn times(self, count: u128) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// This event after `bits` bits of grinding for each attempt.
    #[must_use]
    pub fn ground(self, bits: usize) -> Self {
        Self(shift_up(self.0, u32::try_from(bits).unwrap_or(u32::MAX)))
    }

    /// This event and an independent one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        // Low bits of each factor are dropped before the product, rounding up.
        let (left, right) = (shift_up(self.0, 60), shift_up(other.0, 60));
        Self(shift_up(left.saturating_mul(right), UNIT - 120))
    }

    /// `(21/20)^count * 2^(-half_bits / 2)`, in steps that round up.
    pub(super) fn margin(count: usize, half_bits: usize) -> Self {
        let mut power = 1_u128 << 48;
        for _ in 0..count {
            power = power.saturating_mul(21).div_ceil(20);
        }
        // An odd half is one half too much, given back as the root.
        let odd = half_bits % 2 == 1;
        if odd {
            power = power.saturating_mul(ROOT_TWO).div_ceil(1 << 16);
        }
        let whole = u32::try_from(half_bits.div_ceil(2)).unwrap_or(u32::MAX);
        // power * 2^(200 - 48 - whole), saturating on the left.
        let up = UNIT - 48;
        if whole >= up {
            return Self(shift_up(power, whole - up));
        }
        let shift = up - whole;
        if shift > power.leading_zeros() {
            return Self(u128::MAX);
        }
        Self(power << shift)
    }

    /// Bits of soundness; the unit's, if the bound is smaller.
    pub fn bits(self) -> Bits {
        let value = self.0.max(1);
        let whole = value.ilog2();
        // 64 significant bits, then the binary digits of the logarithm, one by one: rounded up.
        let mut mantissa = if whole > 63 {
            shift_up(value, whole - 63)
        } else {
            value << (63 - whole)
        };
        let mut fraction = 0_u32;
        for _ in 0..16 {
            mantissa = shift_up(mantissa.saturating_mul(mantissa), 63);
            fraction <<= 1;
            if mantissa >= 1 << 64 {
                mantissa = mantissa.div_ceil(2);
                fraction |= 1;
            }
        }
        let hundredths = ((fraction + 1) * 100).div_ceil(1 << 16);
        Bits((UNIT * 100).saturating_sub(whole * 100 + hundredths))
    }
}

impl Sum for Bound {
    fn sum<I: Iterator<Item = Self>>(bounds: I) -> Self {
        Self(bounds.fold(0, |sum, bound| sum.saturating_add(bound.0)))
    }
}

/// `ceil(value / 2^bits)`.
fn shift_up(value: u128, bits: u32) -> u128 {
    match value.checked_shr(bits) {
        Some(shifted) if shifted << bits == value => shifted,
        Some(shifted) => shifted + 1,
        None => u128::from(value > 0),
    }
}

/// `ceil(value * 2^(half_bits / 2))`.
pub(super) fn half_power(value: u128, half_bits: usize) -> u128 {
    let whole = u32::try_from(half_bits / 2).unwrap_or(u32::MAX);
    let scaled = 1_u128
        .checked_shl(whole)
        .map_or(u128::MAX, |power| value.saturating_mul(power));
    if half_bits % 2 == 1 {
        return scaled.saturating_mul(ROOT_TWO).div_ceil(1 << 16);
    }
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_the_field_is_exact() {
        // 2^200 = q p^5 + r, in limbs of 32 bits.
        const P: u128 = 2_130_706_433;
        let mut limbs = [0_u128; 8];
        limbs[6] = 1 << 8;
        let mut quotient = limbs;
        let mut remainders = 0;
        for _ in 0..5 {
            let mut remainder = 0;
            for limb in quotient.iter_mut().rev() {
                let value = (remainder << 32) | *limb;
                *limb = value / P;
                remainder = value % P;
            }
            remainders |= remainder;
        }
        assert!(quotient[3..].iter().all(|limb| *limb == 0));
        let floor = quotient[0] | (quotient[1] << 32) | (quotient[2] << 64);
        assert_ne!(remainders, 0);
        assert_eq!(floor + 1, ONE_CHALLENGE);
    }

    #[test]
    fn bits_round_down() {
        assert_eq!(Bound::challenges(1).bits(), Bits(15494));
        assert_eq!(Bound::challenges(1 << 20).bits(), Bits(13494));
        assert_eq!(Bound(1 << 100).bits(), Bits(9999));
        assert_eq!(Bound(3 << 80).bits(), Bits(11841));
        assert_eq!(Bound::ZERO.bits(), Bits(19999));
        assert_eq!(Bits(10206).to_string(), "102.06");
    }

    #[test]
    fn sums_products_and_grinding_round_up() {
        let one = Bound::challenges(1);
        assert_eq!([one, one].into_iter().sum::<Bound>(), one.times(2));
        assert_eq!(one.ground(10).bits(), Bits(16494));
        assert_eq!(Bound(1).ground(500), Bound(1));
        assert_eq!(Bound(1 << 120).and(Bound(1 << 119)).bits(), Bits(16099));
        assert_eq!(Bound(u128::MAX).times(2), Bound(u128::MAX));
        assert!(Bound::challenges(1 << 40).and(Bound::challenges(1)) > Bound::ZERO);
        // (21/20)^93 / 2^93 at rate 1/4.
        assert_eq!(Bound::margin(93, 2 * 93).bits(), Bits(8645));
        // (21/20)^201 / 2^(201/2) at rate 1/2.
        assert_eq!(Bound::margin(201, 201).bits(), Bits(8635));
        assert_eq!(half_power(21, 3), 60);
    }
}
