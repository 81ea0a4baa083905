//! Gumbel-max: the index at which logit plus noise is largest. Exact; ties go to the lower index.

use crate::SeedError;
use crate::noise::{FRACTION_BITS, Row};

/// Largest numerator and denominator of a temperature.
pub const TEMPERATURE_LIMIT: u32 = 1 << 16;
/// Largest multiplier of a scale.
pub const MUL_LIMIT: u32 = (1 << 22) - 1;
/// Bounds of a scale's shift: beyond them a score might not fit its 128 bits.
pub const SHIFT_LIMIT: i32 = 32;

/// What an integer logit `q` weighs against noise: `q * mul / 2^shift / temperature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// Weight of one unit of the logit.
    logit: i128,
    /// Weight of one unit of the noise.
    noise: i128,
}

impl Weight {
    /// Checks scale and temperature.
    ///
    /// # Errors
    ///
    /// [`SeedError::Weight`], [`SeedError::Shift`]: a member is out of range.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "22 + 16 + 24 + 32 bits for a logit, 16 + 32 for noise"
    )]
    pub fn new(mul: u32, shift: i32, temperature: (u32, u32)) -> Result<Self, SeedError> {
        let (numerator, denominator) = temperature;
        for (what, value, limit) in [
            ("the multiplier of the scale", mul, MUL_LIMIT),
            (
                "the numerator of the temperature",
                numerator,
                TEMPERATURE_LIMIT,
            ),
            (
                "the denominator of the temperature",
                denominator,
                TEMPERATURE_LIMIT,
            ),
        ] {
            if !(1..=limit).contains(&value) {
                return Err(SeedError::Weight { what, value, limit });
            }
        }
        if shift.unsigned_abs() > SHIFT_LIMIT.unsigned_abs() {
            let limit = SHIFT_LIMIT;
            return Err(SeedError::Shift { shift, limit });
        }
        let (up, down) = if shift < 0 {
            (shift.unsigned_abs(), 0)
        } else {
            (0, shift.unsigned_abs())
        };
        Ok(Self {
            logit: (i128::from(mul) * i128::from(denominator)) << (FRACTION_BITS + up),
            noise: i128::from(numerator) << down,
        })
    }
}

/// The index that one row of logits and its noise choose.
///
/// # Errors
///
/// [`SeedError::Row`]: there is nothing to choose from, or more than `2^32 - 1` logits.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a score has at most 94 + 32 bits for the logit and 48 + 31 for the noise"
)]
pub fn sample(seed: &[u8; 32], row: u64, logits: &[i32], weight: Weight) -> Result<u32, SeedError> {
    let len = logits.len();
    let mut best: Option<(i128, u32)> = None;
    let mut index: u32 = 0;
    for (logit, draw) in logits.iter().zip(Row::new(seed, row)) {
        let logit = weight.logit * i128::from(*logit);
        let ceiling = logit + weight.noise * i128::from(draw.ceiling());
        // Most draws cannot win, and their noise is never computed.
        if best.is_none_or(|(score, _)| ceiling > score) {
            let score = logit + weight.noise * i128::from(draw.noise());
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, index));
            }
        }
        index = index.checked_add(1).ok_or(SeedError::Row { len })?;
    }
    best.map(|(_, index)| index).ok_or(SeedError::Row { len })
}
