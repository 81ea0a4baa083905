//! Integers against naive definitions, one cell at a time.

mod cheating;
mod fills;
mod layout;
mod lookups;
mod naive;
mod norms;
mod plans;
mod products;
mod programs;
mod roots;
mod sketch;

use super::arithmetic::{
    balanced, balanced_wide, divide_by_power, floor_quotient, floor_remainder,
};
use veridical_program::{M, P};

#[test]
fn representatives_have_the_least_magnitude() {
    let cases = [
        (0, 0),
        (M, M),
        (M + 1, -M),
        (-M, -M),
        (-M - 1, M),
        (P, 0),
        (i64::MAX, i64::MAX.rem_euclid(P)),
        (i64::MIN, i64::MIN.rem_euclid(P) - P),
    ];
    for (value, expected) in cases {
        let folded = if expected > M {
            expected - P
        } else if expected < -M {
            expected + P
        } else {
            expected
        };
        assert_eq!(i64::from(balanced(value)), folded, "{value}");
        assert_eq!(i64::from(balanced_wide(value.into())), folded, "{value}");
    }
    assert_eq!(balanced_wide(i128::from(P) << 70), 0);
    assert_eq!(balanced_wide((i128::from(P) << 70) - 5), -5);
}

#[test]
fn quotients_round_down() {
    for num in -7_i64..=7 {
        for den in [-3_i64, -1, 1, 3] {
            let (quotient, remainder) = (floor_quotient(num, den), floor_remainder(num, den));
            assert_eq!(quotient * den + remainder, num, "{num} {den}");
            assert!(
                remainder == 0 || (remainder < 0) == (den < 0),
                "{num} {den}"
            );
            assert!(remainder.abs() < den.abs(), "{num} {den}");
        }
        assert_eq!((floor_quotient(num, 0), floor_remainder(num, 0)), (0, num));
    }
}

#[test]
fn division_by_a_power_is_that_of_the_field() {
    for value in [0, 1, -1, 12, M, -M, P - 1] {
        for shift in [0, 1, 7, 31] {
            let quotient = divide_by_power(value, shift);
            assert!((0..P).contains(&quotient));
            assert_eq!(
                (quotient * ((1_i64 << shift) % P)).rem_euclid(P),
                value.rem_euclid(P)
            );
        }
    }
}
