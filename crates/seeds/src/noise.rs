//! Gumbel noise in fixed point: a public function of a seed, a row and a position.
//!
//! Everything is integer arithmetic on fixed algorithms, so every implementation gets the same
//! numbers. The error against real Gumbel noise is below `2^-23`; spec/v1/seeds.md says why.

use sha2::{Digest as _, Sha256};

/// Noise is in units of `2^-24`.
pub const FRACTION_BITS: u32 = 24;

const TAG: &[u8] = b"veridical.noise.v1";
/// Numbers in one hash.
const BLOCK: usize = 4;
/// Below this complement, one term of a series replaces the outer logarithm.
const TAIL: u64 = 1 << 48;
const OUTER_BITS: u32 = 44;
const INNER_BITS: u32 = 28;
/// `ln 2 * 2^40`, rounded.
const LN_2: i128 = 762_123_384_786;
/// `-ln(ln 2) * 2^68`, rounded.
const MINUS_LN_LN_2: i128 = 108_175_520_730_844_735_550;
/// `ln 2 * 2^24`, rounded up.
const LN_2_ABOVE: i32 = 11_629_081;

/// The random numbers of one row: SHA-256 in counter mode.
pub struct Row {
    prefix: Sha256,
    counter: u64,
    block: [u64; BLOCK],
    used: usize,
}

impl Row {
    /// Starts at the first logit of a row.
    #[must_use]
    pub fn new(seed: &[u8; 32], row: u64) -> Self {
        let mut prefix = Sha256::new();
        for field in [TAG, seed] {
            let len = u64::try_from(field.len()).unwrap_or(u64::MAX);
            prefix.update(len.to_le_bytes());
            prefix.update(field);
        }
        prefix.update(row.to_le_bytes());
        Self {
            prefix,
            counter: 0,
            block: [0; BLOCK],
            used: BLOCK,
        }
    }

    fn refill(&mut self) {
        let hash: [u8; 32] = self
            .prefix
            .clone()
            .chain_update(self.counter.to_le_bytes())
            .finalize()
            .into();
        for (number, bytes) in self.block.iter_mut().zip(hash.as_chunks::<8>().0) {
            *number = u64::from_le_bytes(*bytes);
        }
        self.counter = self.counter.wrapping_add(1);
        self.used = 0;
    }
}

impl Iterator for Row {
    type Item = Draw;

    fn next(&mut self) -> Option<Draw> {
        if self.used == BLOCK {
            self.refill();
        }
        let number = self.block.get(self.used).copied();
        self.used = self.used.saturating_add(1);
        number.map(Draw::new)
    }
}

/// One random number `u = x / 2^64`, with `x` odd: never 0, never 1.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    x: u64,
}

impl Draw {
    fn new(number: u64) -> Self {
        Self { x: number | 1 }
    }

    /// `2^64 (1 - u)`.
    fn complement(self) -> u64 {
        self.x.wrapping_neg()
    }

    /// What the noise does not exceed; costs a few instructions.
    pub(crate) fn ceiling(self) -> i32 {
        // g = -ln(-ln u) <= -ln(1 - u), and 1 - u >= 2^-(zeros + 1). One more unit for rounding.
        let zeros = i32::try_from(self.complement().leading_zeros()).unwrap_or(i32::MAX);
        zeros
            .saturating_add(1)
            .saturating_mul(LN_2_ABOVE)
            .saturating_add(1)
    }

    /// The noise `-ln(-ln u)` in units of `2^-24`.
    #[must_use]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "logarithms lie below 64 * 2^44, so products lie below 2^91"
    )]
    pub fn noise(self) -> i32 {
        let w = self.complement();
        let scaled = if w >= TAIL {
            let outer = (64 << OUTER_BITS) - log2(self.x, OUTER_BITS);
            let inner = i128::from(log2(outer, INNER_BITS)) - (44 << INNER_BITS);
            MINUS_LN_LN_2 - LN_2 * inner
        } else {
            // -ln u = v + v^2/2 + ..., so its logarithm is ln v + v/2 + ...
            let inner = i128::from(log2(w, INNER_BITS)) - (64 << INNER_BITS);
            -(LN_2 * inner) - (i128::from(w) << 3)
        };
        i32::try_from(scaled >> 44).unwrap_or(i32::MAX)
    }
}

/// `log2(x) * 2^bits`, at most one unit too small: a digit for each squaring of the mantissa.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "x >= 1; a 64-bit mantissa squared has 128 bits; the result has 6 + bits <= 50 bits"
)]
fn log2(x: u64, bits: u32) -> u64 {
    let zeros = x.leading_zeros();
    let mut mantissa = x << zeros;
    let mut result = u64::from(63 - zeros);
    for _ in 0..bits {
        let square = u128::from(mantissa) * u128::from(mantissa);
        let carry = square >> 127;
        result = (result << 1) | u64::from(carry != 0);
        mantissa = u64::try_from(square >> (63 + u32::from(carry != 0))).unwrap_or(u64::MAX);
    }
    result
}
