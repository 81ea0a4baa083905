//! ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381, section 5), strict.
//!
//! Beyond the RFC's own checks: a key outside the subgroup of prime order is refused, not only one
//! of small order, so that a key is of use in the RFC's every sense of *trusted uniqueness*.

#[cfg(feature = "prover")]
mod prover;

#[cfg(feature = "prover")]
pub use prover::SecretKey;

use crate::SeedError;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity as _, VartimeMultiscalarMul as _};
use sha2::{Digest as _, Sha512};

/// Length of a proof: gamma, c and s.
pub const PROOF_BYTES: usize = 80;
/// Length of an output.
pub const OUTPUT_BYTES: usize = 64;

const SUITE: u8 = 0x03;
const ENCODE_FRONT: u8 = 0x01;
const CHALLENGE_FRONT: u8 = 0x02;
const HASH_FRONT: u8 = 0x03;
const BACK: u8 = 0x00;

/// A public key that was checked: a point of prime order in its one encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    bytes: [u8; 32],
    point: EdwardsPoint,
}

impl PublicKey {
    /// Checks a key (RFC 9381, section 5.4.5, and more: see the module).
    ///
    /// # Errors
    ///
    /// By variant: no point in its one encoding, or not of prime order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, SeedError> {
        let point = decode(&bytes).ok_or(SeedError::KeyEncoding)?;
        if point.is_small_order() {
            return Err(SeedError::KeySmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(SeedError::KeyTorsion);
        }
        Ok(Self { bytes, point })
    }

    /// The one encoding of the key.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.bytes
    }

    /// Verifies a proof and returns the output that belongs to `alpha`; there is no other.
    ///
    /// # Errors
    ///
    /// By variant: the proof is not in its one encoding, or not this key's for this input.
    pub fn verify(
        &self,
        alpha: &[u8],
        proof: &[u8; PROOF_BYTES],
    ) -> Result<[u8; OUTPUT_BYTES], SeedError> {
        let Proof { gamma, c, s } = Proof::decode(proof)?;
        let h = encode_to_curve(&self.bytes, alpha)?;
        // Points are negated, not c: gamma may have a component of small order, which the group
        // order does not annihilate, so that -c modulo it would be another multiple.
        let minus_y = minus(&self.point);
        let u = EdwardsPoint::vartime_double_scalar_mul_basepoint(&c, &minus_y, &s);
        let v = EdwardsPoint::vartime_multiscalar_mul([s, c], [h, minus(&gamma)]);
        if challenge([&self.point, &h, &gamma, &u, &v]) != c {
            return Err(SeedError::Challenge);
        }
        Ok(output(&gamma))
    }
}

/// A proof, decoded (RFC 9381, section 5.4.4).
struct Proof {
    gamma: EdwardsPoint,
    c: Scalar,
    s: Scalar,
}

impl Proof {
    fn decode(bytes: &[u8; PROOF_BYTES]) -> Result<Self, SeedError> {
        let (gamma, rest) = bytes.split_at(32);
        let (c, s) = rest.split_at(16);
        let gamma = <[u8; 32]>::try_from(gamma).map_err(|_| SeedError::GammaEncoding)?;
        let c = <[u8; 16]>::try_from(c).map_err(|_| SeedError::ScalarEncoding)?;
        let s = <[u8; 32]>::try_from(s).map_err(|_| SeedError::ScalarEncoding)?;
        Ok(Self {
            gamma: decode(&gamma).ok_or(SeedError::GammaEncoding)?,
            c: Scalar::from(u128::from_le_bytes(c)),
            // A second s, larger by the group order, would be a second proof of the same output.
            s: Option::from(Scalar::from_canonical_bytes(s)).ok_or(SeedError::ScalarEncoding)?,
        })
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "the negative of a point neither overflows nor panics"
)]
fn minus(point: &EdwardsPoint) -> EdwardsPoint {
    -point
}

/// A point from its one encoding: y reduced, and no sign where x is 0 (RFC 8032, section 5.1.3).
fn decode(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY(*bytes).decompress()?;
    (point.compress().as_bytes() == bytes).then_some(point)
}

/// Try-and-increment (RFC 9381, section 5.4.1.1), with the public key as salt.
fn encode_to_curve(salt: &[u8; 32], alpha: &[u8]) -> Result<EdwardsPoint, SeedError> {
    let prefix = Sha512::new()
        .chain_update([SUITE, ENCODE_FRONT])
        .chain_update(salt)
        .chain_update(alpha);
    (0..=u8::MAX)
        .find_map(|counter| {
            let hash = prefix.clone().chain_update([counter, BACK]).finalize();
            let candidate = <[u8; 32]>::try_from(hash.get(..32)?).ok()?;
            let point = decode(&candidate)?.mul_by_cofactor();
            (!point.is_identity()).then_some(point)
        })
        .ok_or(SeedError::EncodeToCurve)
}

/// The challenge over five points (RFC 9381, section 5.4.3).
fn challenge(points: [&EdwardsPoint; 5]) -> Scalar {
    let mut hasher = Sha512::new().chain_update([SUITE, CHALLENGE_FRONT]);
    for point in points {
        hasher.update(point.compress().as_bytes());
    }
    let hash = hasher.chain_update([BACK]).finalize();
    let mut truncated = [0; 16];
    for (to, from) in truncated.iter_mut().zip(hash) {
        *to = from;
    }
    Scalar::from(u128::from_le_bytes(truncated))
}

/// The output that belongs to gamma (RFC 9381, section 5.2).
fn output(gamma: &EdwardsPoint) -> [u8; OUTPUT_BYTES] {
    Sha512::new()
        .chain_update([SUITE, HASH_FRONT])
        .chain_update(gamma.mul_by_cofactor().compress().as_bytes())
        .chain_update([BACK])
        .finalize()
        .into()
}
