//! Exact integers for conditions: 128 bits, saturating, so that an overflow fails a condition.

/// Field modulus.
pub(super) const P: i128 = 2_130_706_433;

/// `2^exponent`, for exponents below 127.
pub(super) fn power_of_two(exponent: u32) -> i128 {
    1_i128
        .checked_shl(exponent)
        .filter(|&p| p > 0)
        .unwrap_or(i128::MAX)
}

/// `2^exponent` as a coefficient, for exponents below 63.
pub(super) const fn power(exponent: u32) -> i64 {
    match 1_i64.checked_shl(exponent) {
        Some(p) if p > 0 => p,
        _ => i64::MAX,
    }
}

/// `2^(shift - 1)`, 0 for `shift = 0`.
pub(super) fn half(shift: u32) -> i64 {
    shift.checked_sub(1).map_or(0, power)
}

/// `floor((x + half(shift)) / 2^shift)`.
pub(super) fn shift_rounded(x: i64, shift: u32) -> i64 {
    x.saturating_add(half(shift)) >> shift.min(63)
}

/// Least `w` with `2^w > value`; `value` is not negative.
pub(super) fn width_above(value: i128) -> u32 {
    128_u32.saturating_sub(value.max(0).leading_zeros())
}

/// Least `w` with `2^w >= count`; `count` is at least 1.
pub(super) fn width_of(count: i128) -> u32 {
    width_above(count.saturating_sub(1))
}

/// Least integer whose square is at least `n`; `n` is not negative.
pub(super) fn isqrt_ceil(n: i128) -> i128 {
    let root = n.max(0).isqrt();
    if root.saturating_mul(root) < n {
        root.saturating_add(1)
    } else {
        root
    }
}

/// The exact value of a size.
pub(super) fn exact(size: usize) -> i128 {
    i128::try_from(size).unwrap_or(i128::MAX)
}

/// A size as a coefficient.
pub(super) fn coefficient(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_the_least_that_hold() {
        for n in 1..2000_i128 {
            let (above, of) = (width_above(n), width_of(n));
            assert!(1 << above > n && 1 << (above - 1) <= n, "{n} {above}");
            assert!(1 << of >= n && (of == 0 || 1 << (of - 1) < n), "{n} {of}");
        }
        assert_eq!(width_above(0), 0);
    }

    #[test]
    fn rounding_is_half_up_for_both_signs() {
        assert_eq!(
            [-3, -2, -1, 0, 1, 2].map(|x| shift_rounded(x, 1)),
            [-1, -1, 0, 0, 1, 1]
        );
        assert_eq!(shift_rounded(-7, 0), -7);
    }
}
