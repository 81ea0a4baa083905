//! Rounds of a drand chain of the scheme `bls-unchained-g1-rfc9380`.
//!
//! A round is a BLS signature over its own number: unique, so whoever runs the beacon can withhold
//! it and cannot choose it. The chain's key lies in G2, signatures lie in G1.

use crate::SeedError;
use bls12_381::hash_to_curve::{ExpandMsgXmd, HashToCurve};
use bls12_381::{G1Affine, G1Projective, G2Affine, G2Prepared, Gt, multi_miller_loop};
use sha2::{Digest as _, Sha256};

/// Length of a chain's key.
pub const KEY_BYTES: usize = 96;
/// Length of a round's signature.
pub const SIGNATURE_BYTES: usize = 48;

const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";

/// The key of a chain: a point of the group, and not its neutral element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainKey(G2Affine);

impl ChainKey {
    /// Checks a key.
    ///
    /// # Errors
    ///
    /// [`SeedError::ChainKey`]: not the one encoding of such a point.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, SeedError> {
        let point: Option<G2Affine> = G2Affine::from_compressed(bytes).into();
        match point {
            Some(point) if !bool::from(point.is_identity()) => Ok(Self(point)),
            _ => Err(SeedError::ChainKey),
        }
    }

    /// Verifies the signature of a round and returns the round's randomness.
    ///
    /// # Errors
    ///
    /// By variant: there is no round 0; the bytes are no point; they are not this round's signature.
    pub fn verify(
        &self,
        round: u64,
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<[u8; 32], SeedError> {
        if round == 0 {
            return Err(SeedError::RoundZero);
        }
        let point: Option<G1Affine> = G1Affine::from_compressed(signature).into();
        let point = point
            .filter(|point| !bool::from(point.is_identity()))
            .ok_or(SeedError::RoundEncoding { round })?;
        let message = hash_of(round);
        let generator = G2Prepared::from(G2Affine::generator());
        // e(signature, g2) = e(H(round), key)
        let product = multi_miller_loop(&[
            (&minus(&point), &generator),
            (&message, &G2Prepared::from(self.0)),
        ]);
        if product.final_exponentiation() != Gt::identity() {
            return Err(SeedError::RoundSignature { round });
        }
        Ok(Sha256::digest(signature).into())
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "the negative of a point neither overflows nor panics"
)]
fn minus(point: &G1Affine) -> G1Affine {
    -point
}

/// The message of a round, hashed to the group (RFC 9380, `BLS12381G1_XMD:SHA-256_SSWU_RO_`).
fn hash_of(round: u64) -> G1Affine {
    let message: [u8; 32] = Sha256::digest(round.to_be_bytes()).into();
    hash_to_g1(&message, DOMAIN).into()
}

fn hash_to_g1(message: &[u8], domain: &[u8]) -> G1Projective {
    <G1Projective as HashToCurve<ExpandMsgXmd<sha2_for_bls::Sha256>>>::hash_to_curve(
        &[message][..],
        domain,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9380, appendix J.9.1: suite BLS12381G1_XMD:SHA-256_SSWU_RO_.
    #[test]
    fn messages_are_hashed_to_the_points_of_rfc_9380() {
        let domain = b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";
        let vectors: [(&[u8], &str, &str); 2] = [
            (
                b"",
                "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1",
                "08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265",
            ),
            (
                b"abc",
                "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903",
                "0b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d",
            ),
        ];
        for (message, x, y) in vectors {
            let point = G1Affine::from(hash_to_g1(message, domain)).to_uncompressed();
            let (halves, coordinates) = (point.split_at(48), [x, y]);
            for (half, hex) in [halves.0, halves.1].into_iter().zip(coordinates) {
                for (byte, digits) in half.iter().zip(hex.as_bytes().chunks(2)) {
                    assert_eq!(format!("{byte:02x}").as_bytes(), digits);
                }
            }
        }
    }
}
