//! Integers as representatives of least magnitude modulo `p`.

use veridical_program::{M, P};

/// `2^-1` modulo `p`.
const HALF: i64 = M + 1;

/// The integer of least magnitude congruent to `value`.
pub(super) fn balanced(value: i64) -> i32 {
    let residue = if (-M..=M).contains(&value) {
        value
    } else {
        let residue = value.rem_euclid(P);
        if residue > M { residue - P } else { residue }
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "its magnitude is at most M < 2^31"
    )]
    let residue = residue as i32;
    residue
}

/// As [`balanced`], for wider integers.
pub(super) fn balanced_wide(value: i128) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a remainder is below p")]
    let residue = value.rem_euclid(i128::from(P)) as i64;
    balanced(residue)
}

/// `value / 2^shift` in the field, as an element of `0 .. p - 1`.
pub(super) fn divide_by_power(value: i64, shift: u32) -> i64 {
    let inverse = (0..shift).fold(1, |inverse, _| inverse * HALF % P);
    value.rem_euclid(P) * inverse % P
}

/// `floor(num / den)`, and 0 for a divisor of 0, which only a dishonest witness has.
pub(super) fn floor_quotient(num: i64, den: i64) -> i64 {
    match num.checked_div(den) {
        Some(quotient) if num % den != 0 && (num < 0) != (den < 0) => quotient - 1,
        Some(quotient) => quotient,
        None => 0,
    }
}

/// `num - floor_quotient(num, den) * den`.
pub(super) fn floor_remainder(num: i64, den: i64) -> i64 {
    match num.checked_rem(den) {
        Some(remainder) if remainder != 0 && (remainder < 0) != (den < 0) => remainder + den,
        Some(remainder) => remainder,
        None => num,
    }
}
