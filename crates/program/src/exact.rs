//! Exact integers for conditions: 128 bits, saturating.
//!
//! Every quantity of section 4 is below `2^110` for a graph within the limits of section 3, so
//! nothing saturates; if a limit ever grew, a saturated value would fail its condition, not pass.

/// An inclusive interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) lo: i128,
    pub(crate) hi: i128,
}

impl Interval {
    pub(crate) fn new(lo: impl Into<i128>, hi: impl Into<i128>) -> Self {
        Self {
            lo: lo.into(),
            hi: hi.into(),
        }
    }

    pub(crate) fn contains(self, other: Self) -> bool {
        self.lo <= other.lo && other.hi <= self.hi
    }

    /// Least interval around both.
    pub(crate) fn union(self, other: Self) -> Self {
        Self {
            lo: self.lo.min(other.lo),
            hi: self.hi.max(other.hi),
        }
    }

    pub(crate) fn intersection(self, other: Self) -> Self {
        Self {
            lo: self.lo.max(other.lo),
            hi: self.hi.min(other.hi),
        }
    }

    pub(crate) fn add(self, other: Self) -> Self {
        Self {
            lo: self.lo.saturating_add(other.lo),
            hi: self.hi.saturating_add(other.hi),
        }
    }

    /// Products of one element of each.
    pub(crate) fn mul(self, other: Self) -> Self {
        let products = [
            self.lo.saturating_mul(other.lo),
            self.lo.saturating_mul(other.hi),
            self.hi.saturating_mul(other.lo),
            self.hi.saturating_mul(other.hi),
        ];
        let [first, rest @ ..] = products;
        rest.into_iter().fold(
            Self {
                lo: first,
                hi: first,
            },
            |i, p| i.union(Self { lo: p, hi: p }),
        )
    }

    /// Products with a constant.
    pub(crate) fn scale(self, factor: impl Into<i128>) -> Self {
        let factor = factor.into();
        self.mul(Self {
            lo: factor,
            hi: factor,
        })
    }

    /// Squares.
    pub(crate) fn square(self) -> Self {
        let product = self.mul(self);
        Self {
            lo: if self.lo <= 0 && self.hi >= 0 {
                0
            } else {
                product.lo
            },
            hi: product.hi,
        }
    }

    /// Images under `(x + r) >> shift`, which is monotone.
    pub(crate) fn shift(self, shift: u32, is_rounded: bool) -> Self {
        let r = if is_rounded { half(shift) } else { 0 };
        Self {
            lo: shift_right(self.lo, r, shift),
            hi: shift_right(self.hi, r, shift),
        }
    }

    /// With zero included.
    pub(crate) fn with_zero(self) -> Self {
        Self {
            lo: self.lo.min(0),
            hi: self.hi.max(0),
        }
    }

    /// Greatest difference of two elements.
    pub(crate) fn width(self) -> i128 {
        self.hi.saturating_sub(self.lo)
    }

    /// Greatest magnitude of an element.
    pub(crate) fn magnitude(self) -> i128 {
        self.lo.saturating_abs().max(self.hi.saturating_abs())
    }
}

fn shift_right(x: i128, r: i128, shift: u32) -> i128 {
    let x = x.saturating_add(r);
    x.checked_shr(shift).unwrap_or(if x < 0 { -1 } else { 0 })
}

/// `2^exponent`, for exponents below 127.
pub(crate) fn power_of_two(exponent: u32) -> i128 {
    1_i128
        .checked_shl(exponent)
        .filter(|&p| p > 0)
        .unwrap_or(i128::MAX)
}

/// `2^(shift - 1)`, 0 for `shift = 0`.
pub(crate) fn half(shift: u32) -> i128 {
    shift.checked_sub(1).map_or(0, power_of_two)
}

/// `2^w` for the least `w` with `2^w > value`; `value` is not negative.
pub(crate) fn power_above(value: i128) -> i128 {
    power_of_two(128_u32.saturating_sub(value.max(0).leading_zeros()))
}

/// Least integer whose square is at least `n`; `n` is not negative.
pub(crate) fn isqrt_ceil(n: i128) -> i128 {
    let root = n.max(0).isqrt();
    if root.saturating_mul(root) < n {
        root.saturating_add(1)
    } else {
        root
    }
}

/// `ceil(value / 2)` for a value that is not negative.
pub(crate) fn half_up(value: i128) -> i128 {
    value.max(0).saturating_add(1) >> 1
}

/// The exact value of a size.
pub(crate) fn exact(size: usize) -> i128 {
    i128::try_from(size).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_above_is_the_least_power_that_exceeds() {
        for value in 0..2000_i128 {
            let p = power_above(value);
            assert!(p > value && p >> 1 <= value, "{value} {p}");
        }
    }

    #[test]
    fn isqrt_ceil_is_the_least_root_from_above() {
        for n in 0..5000_i128 {
            let r = isqrt_ceil(n);
            assert!(r * r >= n && (r == 0 || (r - 1) * (r - 1) < n), "{n} {r}");
        }
    }

    #[test]
    fn squares_of_an_interval_around_zero_begin_at_zero() {
        assert_eq!(Interval::new(-3, 2).square(), Interval::new(0, 9));
        assert_eq!(Interval::new(2, 3).square(), Interval::new(4, 9));
        assert_eq!(Interval::new(-3, -2).square(), Interval::new(4, 9));
    }
}
