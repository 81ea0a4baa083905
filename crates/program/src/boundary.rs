//! Received numbers to integers, and integers to published numbers.
//!
//! Spec: spec/v1/program.md, section 7. A number is the exact rational that its bits denote, and
//! every step here is integer arithmetic, so that every machine agrees on the integers.

use crate::error::checks;
use crate::graph::{Decode, Encode, Input, TensorInfo};

checks! {
    /// Why received numbers cannot be encoded.
    pub enum BoundaryError {
        /// NaN or an infinity.
        #[error("input {input:?}: element {position} is not finite")]
        NotFinite {
            /// Name of the input.
            input: String,
            /// Flat index, batch axis included.
            position: usize,
        },
        /// An integer input outside the range of its tensor.
        #[error("input {input:?}: element {position} is {value}, must be in {lo}..={hi}")]
        OutOfRange {
            /// Name of the input.
            input: String,
            /// Flat index, batch axis included.
            position: usize,
            /// Received.
            value: i128,
            /// Least accepted.
            lo: i32,
            /// Greatest accepted.
            hi: i32,
        },
        /// Floats for an input that takes integers.
        #[error("input {input:?} takes integers, floats were received")]
        FloatForInteger {
            /// Name of the input.
            input: String,
        },
    }
}

/// Elements as they were received. Of floats only the bits are looked at; booleans come as 0 and 1.
#[derive(Debug, Clone, Copy)]
pub enum Received<'a> {
    /// binary32.
    F32(&'a [f32]),
    /// binary64.
    F64(&'a [f64]),
    /// Signed, 8 bits.
    I8(&'a [i8]),
    /// Signed, 16 bits.
    I16(&'a [i16]),
    /// Signed, 32 bits.
    I32(&'a [i32]),
    /// Signed, 64 bits.
    I64(&'a [i64]),
    /// Unsigned, 8 bits.
    U8(&'a [u8]),
    /// Unsigned, 16 bits.
    U16(&'a [u16]),
    /// Unsigned, 32 bits.
    U32(&'a [u32]),
    /// Unsigned, 64 bits.
    U64(&'a [u64]),
}

/// Appends the integers of an input to `out`; returns how many elements the clamp changed.
///
/// # Errors
/// The first element that is not finite, or, for an integer input, outside its range.
pub fn encode(
    input: &Input,
    tensor: &TensorInfo,
    received: Received<'_>,
    out: &mut Vec<i32>,
) -> Result<u64, BoundaryError> {
    let sink = Sink {
        input,
        lo: tensor.lo,
        hi: tensor.hi,
        out,
    };
    let Encode::Real { mul, shift } = input.encode else {
        return sink.integers(received);
    };
    // Products of that many bits stay inside 64, also when they are shifted to the left by 31.
    let product_bits = |width: u32| {
        width
            .saturating_add(u32::BITS)
            .saturating_sub(mul.leading_zeros())
    };
    let fits = |width| product_bits(width) <= if shift >= 0 { 61 } else { 31 };
    let mul = i64::from(mul);
    let bits = |x: i128| round_wide(x.saturating_mul(mul.into()), shift.saturating_neg());
    let small = |x: i64| round_small(x.wrapping_mul(mul), shift.saturating_neg());
    match received {
        Received::F32(x) => sink.floats(x, is_finite32, |v| encode_f32(v.to_bits(), mul, shift)),
        Received::F64(x) if mul == 1 => {
            sink.floats(x, is_finite64, |v| encode_f64(v.to_bits(), shift))
        }
        Received::F64(x) => {
            sink.floats(x, is_finite64, |v| encode_f64_mul(v.to_bits(), mul, shift))
        }
        Received::I8(x) if fits(8) => Ok(sink.clamped(x, |v| small(v.into()))),
        Received::U8(x) if fits(8) => Ok(sink.clamped(x, |v| small(v.into()))),
        Received::I16(x) if fits(16) => Ok(sink.clamped(x, |v| small(v.into()))),
        Received::U16(x) if fits(16) => Ok(sink.clamped(x, |v| small(v.into()))),
        Received::I32(x) if fits(32) => Ok(sink.clamped(x, |v| small(v.into()))),
        Received::U32(x) if fits(32) => Ok(sink.clamped(x, |v| small(v.into()))),
        Received::I8(x) => Ok(sink.clamped(x, |v| bits(v.into()))),
        Received::U8(x) => Ok(sink.clamped(x, |v| bits(v.into()))),
        Received::I16(x) => Ok(sink.clamped(x, |v| bits(v.into()))),
        Received::U16(x) => Ok(sink.clamped(x, |v| bits(v.into()))),
        Received::I32(x) => Ok(sink.clamped(x, |v| bits(v.into()))),
        Received::I64(x) => Ok(sink.clamped(x, |v| bits(v.into()))),
        Received::U32(x) => Ok(sink.clamped(x, |v| bits(v.into()))),
        Received::U64(x) => Ok(sink.clamped(x, |v| bits(v.into()))),
    }
}

struct Sink<'a> {
    input: &'a Input,
    lo: i32,
    hi: i32,
    out: &'a mut Vec<i32>,
}

impl Sink<'_> {
    /// Clamps; returns how many elements that changed.
    fn clamped<T: Copy>(self, values: &[T], scaled: impl Fn(T) -> i64) -> u64 {
        let (lo, hi) = (i64::from(self.lo), i64::from(self.hi));
        let mut changed = 0_u64;
        self.out.extend(values.iter().map(|&value| {
            let exact = scaled(value);
            let clamped = exact.max(lo).min(hi);
            changed = changed.wrapping_add(u64::from(clamped != exact));
            low_bits(clamped)
        }));
        changed
    }

    fn floats<T: Copy>(
        self,
        values: &[T],
        is_finite: impl Fn(T) -> bool,
        scaled: impl Fn(T) -> i64,
    ) -> Result<u64, BoundaryError> {
        // Two passes: without an early exit the loops have no branch.
        let all_finite = values
            .iter()
            .fold(true, |all, &value| all & is_finite(value));
        if !all_finite {
            let position = values
                .iter()
                .position(|&value| !is_finite(value))
                .unwrap_or(0);
            return Err(BoundaryError::NotFinite {
                input: self.input.name.clone(),
                position,
            });
        }
        Ok(self.clamped(values, scaled))
    }

    fn integers(self, received: Received<'_>) -> Result<u64, BoundaryError> {
        match received {
            Received::F32(_) | Received::F64(_) => Err(BoundaryError::FloatForInteger {
                input: self.input.name.clone(),
            }),
            Received::I8(x) => self.exact(x),
            Received::I16(x) => self.exact(x),
            Received::I32(x) => self.exact(x),
            Received::I64(x) => self.exact(x),
            Received::U8(x) => self.exact(x),
            Received::U16(x) => self.exact(x),
            Received::U32(x) => self.exact(x),
            Received::U64(x) => self.exact(x),
        }
    }

    fn exact<T: Copy + Into<i128>>(self, values: &[T]) -> Result<u64, BoundaryError> {
        self.out.reserve(values.len());
        for (position, &value) in values.iter().enumerate() {
            let value: i128 = value.into();
            match i32::try_from(value) {
                Ok(q) if (self.lo..=self.hi).contains(&q) => self.out.push(q),
                _ => {
                    let (input, lo, hi) = (self.input.name.clone(), self.lo, self.hi);
                    return Err(BoundaryError::OutOfRange {
                        input,
                        position,
                        value,
                        lo,
                        hi,
                    });
                }
            }
        }
        Ok(0)
    }
}

/// The value of an integer that fits 32 bits; without a branch, unlike a checked conversion.
const fn low_bits(value: i64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

const fn is_finite32(value: f32) -> bool {
    value.to_bits() & 0x7f80_0000 != 0x7f80_0000
}

const fn is_finite64(value: f64) -> bool {
    value.to_bits() & 0x7ff0_0000_0000_0000 != 0x7ff0_0000_0000_0000
}

/// `floor(x * mul / 2^shift + 1/2)` for a finite binary32, exact where it is within 32 bits.
fn encode_f32(bits: u32, mul: i64, shift: i32) -> i64 {
    let exponent = i32::from_le_bytes(((bits >> 23) & 0xff).to_le_bytes());
    let implicit = u32::from(exponent != 0) << 23;
    let product = i64::from((bits & 0x007f_ffff) | implicit).wrapping_mul(mul);
    let signed = if bits >> 31 == 0 {
        product
    } else {
        product.wrapping_neg()
    };
    // The value is signed * 2^k with |signed| < 2^55.
    let k = exponent.max(1).wrapping_sub(150).wrapping_sub(shift);
    // A normal number has |signed| >= 2^23, so 8 more bits are beyond every range; a subnormal one
    // has k < 0. To the right, 57 bits leave nothing of 55.
    let left = k.clamp(0, 8).unsigned_abs();
    let right = k.clamp(-57, 0).unsigned_abs();
    let half = 1_i64.wrapping_shl(right) >> 1;
    signed
        .wrapping_shl(left)
        .wrapping_add(half)
        .wrapping_shr(right)
}

/// Sign and magnitude of a finite binary64, `signed * 2^exponent`.
fn split_f64(bits: u64) -> (i64, i32) {
    let exponent = (bits >> 52) & 0x7ff;
    let implicit = u64::from(exponent != 0) << 52;
    let magnitude = ((bits & 0x000f_ffff_ffff_ffff) | implicit).cast_signed();
    let signed = if bits >> 63 == 0 {
        magnitude
    } else {
        magnitude.wrapping_neg()
    };
    let exponent = i32::try_from(exponent).unwrap_or(0);
    (signed, exponent.max(1).wrapping_sub(1075))
}

/// As [`encode_f32`] for binary64 and `mul = 1`.
fn encode_f64(bits: u64, shift: i32) -> i64 {
    let (signed, exponent) = split_f64(bits);
    // A normal number has |signed| >= 2^52, which is beyond every range without any shift to the
    // left; a subnormal one has a negative exponent.
    let right = exponent.wrapping_sub(shift).clamp(-55, 0).unsigned_abs();
    let half = 1_i64.wrapping_shl(right) >> 1;
    signed.wrapping_add(half).wrapping_shr(right)
}

/// As [`encode_f64`] for any `mul`.
fn encode_f64_mul(bits: u64, mul: i64, shift: i32) -> i64 {
    let (signed, exponent) = split_f64(bits);
    let product = i128::from(signed).saturating_mul(mul.into());
    round_wide(product, exponent.wrapping_sub(shift).min(0))
}

/// `floor(x * 2^k + 1/2)` for `|x| < 2^95`, saturated to 64 bits.
fn round_wide(x: i128, k: i32) -> i64 {
    // 31 bits to the left take every integer but 0 out of every range; 97 to the right leave 0.
    let left = k.clamp(0, 31).unsigned_abs();
    let right = k.clamp(-97, 0).unsigned_abs();
    let half = 1_i128.wrapping_shl(right) >> 1;
    let rounded = x.wrapping_shl(left).wrapping_add(half).wrapping_shr(right);
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

/// As [`round_wide`] for `|x| < 2^61`, and `|x| < 2^31` if `k > 0`.
fn round_small(x: i64, k: i32) -> i64 {
    let left = k.clamp(0, 31).unsigned_abs();
    let right = k.clamp(-62, 0).unsigned_abs();
    let half = 1_i64.wrapping_shl(right) >> 1;
    x.wrapping_shl(left).wrapping_add(half).wrapping_shr(right)
}

/// The binary64 that is exactly `q * mul / 2^shift`.
///
/// `|q| <= 2^31` and `mul < 2^22` leave at most 53 bits, and the exponent is far from both ends,
/// so that there is neither rounding nor a subnormal number.
pub fn decode(q: i32, rule: Decode) -> f64 {
    let product = i64::from(q).wrapping_mul(i64::from(rule.mul));
    let magnitude = product.unsigned_abs();
    if magnitude == 0 {
        return f64::from_bits(0);
    }
    let zeros = magnitude.leading_zeros();
    // The leading bit moves to position 63, then the 52 bits below it to the fraction.
    let fraction = (magnitude.wrapping_shl(zeros) >> 11) & 0x000f_ffff_ffff_ffff;
    let exponent = i64::from(1086_u32.wrapping_sub(zeros)).wrapping_sub(rule.shift.into());
    let sign = u64::from(product < 0) << 63;
    f64::from_bits(sign | (exponent.unsigned_abs() << 52) | fraction)
}
