//! The float boundary against exact rational arithmetic.

use num_bigint::BigInt;
use proptest::prelude::*;
use veridical_program::boundary::{BoundaryError, Received, decode, encode};
use veridical_program::{Decode, Encode, Input, M, TensorInfo};

/// `(numerator, exponent of two)` of what the bits of a finite binary64 denote.
fn exact(value: f64) -> (BigInt, i64) {
    let bits = value.to_bits();
    let field = (bits >> 52) & 0x7ff;
    let fraction = bits & ((1 << 52) - 1);
    let (magnitude, exponent) = if field == 0 {
        (fraction, 1)
    } else {
        (fraction | (1 << 52), field.cast_signed())
    };
    let sign = if bits >> 63 == 1 { -1 } else { 1 };
    (BigInt::from(magnitude) * sign, exponent - 1075)
}

fn shifted(value: BigInt, exponent: i64) -> (BigInt, BigInt) {
    let power = BigInt::from(1) << exponent.unsigned_abs();
    if exponent >= 0 {
        (value * power, BigInt::from(1))
    } else {
        (value, power)
    }
}

/// `floor(n / d)` for `d > 0`.
fn floor(n: &BigInt, d: &BigInt) -> BigInt {
    let quotient = n / d;
    if (n % d) < BigInt::ZERO {
        quotient - 1
    } else {
        quotient
    }
}

/// `floor(x * mul / 2^shift + 1/2)` clamped, and whether the clamp changed it.
fn rule((value, exponent): (BigInt, i64), mul: u32, shift: i32, lo: i32, hi: i32) -> (i32, bool) {
    let (n, d) = shifted(value * mul, exponent - i64::from(shift));
    let q = floor(&(n * 2 + &d), &(d * 2));
    let clamped = q.clone().clamp(lo.into(), hi.into());
    (i32::try_from(&clamped).unwrap(), clamped != q)
}

fn input(encode: Encode) -> Input {
    Input {
        name: "x".to_owned(),
        encode,
    }
}

fn run(
    rule: Encode,
    (lo, hi): (i32, i32),
    received: Received<'_>,
) -> Result<(Vec<i32>, u64), BoundaryError> {
    let mut out = Vec::new();
    let tensor = TensorInfo {
        shape: vec![1],
        lo,
        hi,
    };
    let saturated = encode(&input(rule), &tensor, received, &mut out)?;
    Ok((out, saturated))
}

fn any_mul() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(1),
        Just(u32::try_from(i32::MAX).unwrap()),
        1..(1_u32 << 31),
        1..50_u32
    ]
}

fn any_range() -> impl Strategy<Value = (i32, i32)> {
    let m = i32::try_from(M).unwrap();
    prop_oneof![Just((-m, m)), Just((-32768, 32767)), (-m..=0, 0..=m)]
}

/// Values near the scale, where rounding matters, beside arbitrary bits.
fn any_f64(shift: i32) -> impl Strategy<Value = f64> {
    let near = (any::<i32>(), -60..10_i32, 0..31_u32)
        .prop_map(move |(n, e, drop)| f64::from(n >> drop) * 2f64.powi(e + shift));
    let half = (-5000..5000_i32).prop_map(move |n| (f64::from(n) + 0.5) * 2f64.powi(shift));
    prop_oneof![near, half, any::<u64>().prop_map(f64::from_bits)]
        .prop_filter("finite", |x| x.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn floats_follow_the_rule_exactly(
        (shift, x) in (-96..=96_i32).prop_flat_map(|s| (Just(s), any_f64(s))),
        mul in any_mul(),
        range in any_range(),
    ) {
        let (q, changed) = rule(exact(x), mul, shift, range.0, range.1);
        let got = run(Encode::Real { mul, shift }, range, Received::F64(&[x])).unwrap();
        prop_assert_eq!(got, (vec![q], u64::from(changed)));
        #[expect(clippy::cast_possible_truncation, reason = "rounds to a binary32 on purpose")]
        let single = x as f32;
        if single.is_finite() {
            let (q, changed) = rule(exact(single.into()), mul, shift, range.0, range.1);
            let got = run(Encode::Real { mul, shift }, range, Received::F32(&[single])).unwrap();
            prop_assert_eq!(got, (vec![q], u64::from(changed)));
        }
    }

    #[test]
    fn every_single_follows_the_rule_exactly(
        bits in any::<u32>(), shift in -96..=96_i32, mul in any_mul(), range in any_range(),
    ) {
        let x = f32::from_bits(bits);
        let result = run(Encode::Real { mul, shift }, range, Received::F32(&[x]));
        if x.is_finite() {
            let (q, changed) = rule(exact(x.into()), mul, shift, range.0, range.1);
            prop_assert_eq!(result.unwrap(), (vec![q], u64::from(changed)));
        } else {
            prop_assert_eq!(result.unwrap_err().name(), "NotFinite");
        }
    }

    #[test]
    fn integers_follow_the_rule_exactly(
        x in any::<i64>(), drop in 0..64_u32, shift in -96..=96_i32, mul in any_mul(),
        range in any_range(),
    ) {
        let x = x >> drop.min(63);
        let encode = Encode::Real { mul, shift };
        let expect = |v: i128| {
            let (q, changed) = rule((v.into(), 0), mul, shift, range.0, range.1);
            (vec![q], u64::from(changed))
        };
        macro_rules! check {
            ($($variant:ident $type:ty),*) => {$(
                if let Ok(v) = <$type>::try_from(x) {
                    let got = run(encode, range, Received::$variant(&[v])).unwrap();
                    prop_assert_eq!(got, expect(v.into()));
                }
            )*};
        }
        check!(I8 i8, I16 i16, I32 i32, U8 u8, U16 u16, U32 u32, U64 u64);
        prop_assert_eq!(run(encode, range, Received::I64(&[x])).unwrap(), expect(x.into()));
        let v = x.cast_unsigned();
        prop_assert_eq!(run(encode, range, Received::U64(&[v])).unwrap(), expect(v.into()));
    }

    #[test]
    fn an_integer_input_is_taken_as_it_is(x in any::<i64>(), drop in 0..64_u32) {
        let x = x >> drop.min(63);
        let result = run(Encode::Integer, (-1000, 30000), Received::I64(&[5, x]));
        if (-1000..=30000).contains(&x) {
            prop_assert_eq!(result.unwrap(), (vec![5, i32::try_from(x).unwrap()], 0));
        } else {
            let error = BoundaryError::OutOfRange {
                input: "x".to_owned(), position: 1, value: x.into(), lo: -1000, hi: 30000,
            };
            prop_assert_eq!(result.unwrap_err(), error);
        }
    }

    #[test]
    fn decoding_is_exact(q in any::<i32>(), mul in 1..(1_u32 << 22), shift in -96..=96_i32) {
        let value = decode(q, Decode { mul, shift });
        let (n, exponent) = exact(value);
        let (n, d) = shifted(n, exponent);
        let (expected, scale) = shifted(BigInt::from(q) * mul, -i64::from(shift));
        prop_assert_eq!(n * scale, expected * d);
        prop_assert!(q != 0 || value.to_bits() == 0);
    }
}

#[test]
fn nan_and_infinities_are_named_with_their_position() {
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let rule = Encode::Real { mul: 1, shift: 0 };
        let error = run(rule, (-9, 9), Received::F64(&[1.0, 2.0, x, x])).unwrap_err();
        assert_eq!(
            error,
            BoundaryError::NotFinite {
                input: "x".to_owned(),
                position: 2
            }
        );
    }
}

#[test]
fn floats_are_no_integers() {
    for received in [Received::F32(&[1.0]), Received::F64(&[1.0])] {
        let error = run(Encode::Integer, (-9, 9), received).unwrap_err();
        assert_eq!(error.name(), "FloatForInteger");
    }
}

#[test]
fn negative_zero_is_zero() {
    for rule in [
        Encode::Real { mul: 1, shift: -96 },
        Encode::Real { mul: 7, shift: 96 },
    ] {
        assert_eq!(
            run(rule, (-9, 9), Received::F64(&[-0.0])).unwrap(),
            (vec![0], 0)
        );
        assert_eq!(
            run(rule, (-9, 9), Received::F32(&[-0.0])).unwrap(),
            (vec![0], 0)
        );
    }
}
