//! Why a seed is not accepted: one variant per check.

use thiserror::Error;

/// The check of spec/v1/seeds.md that a key, a proof, a round or a sampler does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The public key is not the one encoding of a point (3).
    #[error("the VRF key is not the canonical encoding of a point of the curve")]
    KeyEncoding,
    /// The public key has small order, so that every input has few outputs (3).
    #[error("the VRF key has small order")]
    KeySmallOrder,
    /// The public key lies outside the subgroup of prime order (3).
    #[error("the VRF key has a component of small order")]
    KeyTorsion,
    /// Gamma of the proof is not the one encoding of a point (3).
    #[error("gamma of the VRF proof is not the canonical encoding of a point of the curve")]
    GammaEncoding,
    /// The scalar s of the proof is not reduced (3).
    #[error("s of the VRF proof is not reduced")]
    ScalarEncoding,
    /// The challenge that the proof leads to is another one (3).
    #[error("the VRF proof is not this key's for this input")]
    Challenge,
    /// No point was found within 256 attempts (3); this does not happen by accident.
    #[error("no point of the curve belongs to the VRF input")]
    EncodeToCurve,
    /// The key of a chain is not the one encoding of a point of the subgroup (5).
    #[error("the key of the beacon is not a point of the group")]
    ChainKey,
    /// The signature of a round is not the one encoding of a point of the subgroup (5).
    #[error("the signature of beacon round {round} is not a point of the group")]
    RoundEncoding {
        /// Number of the round.
        round: u64,
    },
    /// The signature is not the chain's for this round (5).
    #[error("the signature is not that of round {round} of this beacon")]
    RoundSignature {
        /// Number of the round.
        round: u64,
    },
    /// Rounds are counted from 1 (5).
    #[error("a beacon has no round 0")]
    RoundZero,
    /// There are no logits to choose from, or more than the stream of one row holds (6).
    #[error("{len} logits in a row, expected 1 to 2^32 - 1")]
    Row {
        /// Length of the row.
        len: usize,
    },
    /// A member of the temperature or of the scale is out of range (6).
    #[error("{what} is {value}, expected 1 to {limit}")]
    Weight {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u32,
        /// The largest value.
        limit: u32,
    },
    /// The scale's shift is out of range (6).
    #[error("the shift of the scale is {shift}, expected -{limit} to {limit}")]
    Shift {
        /// Its value.
        shift: i32,
        /// The largest absolute value.
        limit: i32,
    },
}

impl SeedError {
    /// The variant's stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::KeyEncoding => "KeyEncoding",
            Self::KeySmallOrder => "KeySmallOrder",
            Self::KeyTorsion => "KeyTorsion",
            Self::GammaEncoding => "GammaEncoding",
            Self::ScalarEncoding => "ScalarEncoding",
            Self::Challenge => "Challenge",
            Self::EncodeToCurve => "EncodeToCurve",
            Self::ChainKey => "ChainKey",
            Self::RoundEncoding { .. } => "RoundEncoding",
            Self::RoundSignature { .. } => "RoundSignature",
            Self::RoundZero => "RoundZero",
            Self::Row { .. } => "Row",
            Self::Weight { .. } => "Weight",
            Self::Shift { .. } => "Shift",
        }
    }
}
