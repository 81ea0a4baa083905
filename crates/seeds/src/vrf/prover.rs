//! Proving, with the secret key: constant time, and wiped when it is dropped.

use super::{OUTPUT_BYTES, PROOF_BYTES, PublicKey, challenge, encode_to_curve};
use crate::SeedError;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest as _, Sha512};
use zeroize::{Zeroize as _, Zeroizing};

/// A secret key, made of the 32 bytes of an Ed25519 private key (RFC 9381, section 5.5).
///
/// It is neither printed nor compared. Its scalar multiplications do not depend on it in time; what
/// depends in time on `alpha` does so because `alpha` is public.
pub struct SecretKey {
    x: Zeroizing<Scalar>,
    prefix: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl SecretKey {
    /// Derives scalar, nonce prefix and public key.
    ///
    /// # Errors
    ///
    /// If the public key is not acceptable, which no 32 bytes are known to lead to.
    pub fn from_bytes(secret: &[u8; 32]) -> Result<Self, SeedError> {
        let mut hash = Zeroizing::new([0; 64]);
        Sha512::new()
            .chain_update(secret)
            .finalize_into((&mut *hash).into());
        let mut low = Zeroizing::new([0; 32]);
        let mut prefix = Zeroizing::new([0; 32]);
        let (first, second) = hash.split_at(32);
        low.copy_from_slice(first);
        prefix.copy_from_slice(second);
        let mut clamped = clamp_integer(*low);
        let x = Zeroizing::new(Scalar::from_bytes_mod_order(clamped));
        clamped.zeroize();
        let public = PublicKey::from_bytes(EdwardsPoint::mul_base(&x).compress().to_bytes())?;
        Ok(Self { x, prefix, public })
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Proves the one output that belongs to `alpha` (RFC 9381, section 5.1), and returns both,
    /// after it verified them.
    ///
    /// # Errors
    ///
    /// [`SeedError::EncodeToCurve`], with a probability of `2^-256`; [`SeedError::Challenge`], if the
    /// machine miscounted.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "arithmetic of the scalar field and of the group neither overflows nor panics"
    )]
    pub fn prove(
        &self,
        alpha: &[u8],
    ) -> Result<([u8; PROOF_BYTES], [u8; OUTPUT_BYTES]), SeedError> {
        let h = encode_to_curve(&self.public.bytes, alpha)?;
        let gamma = *self.x * h;
        let k = self.nonce(&h);
        let k_base = EdwardsPoint::mul_base(&k);
        let k_h = *k * h;
        let c = challenge([&self.public.point, &h, &gamma, &k_base, &k_h]);
        let s = *k + c * *self.x;
        let mut proof = [0; PROOF_BYTES];
        let gamma_bytes = gamma.compress().to_bytes();
        let c_bytes = c.to_bytes().into_iter().take(16); // the challenge has 128 bits
        let parts = gamma_bytes.into_iter().chain(c_bytes).chain(s.to_bytes());
        for (to, from) in proof.iter_mut().zip(parts) {
            *to = from;
        }
        // A fault in one of these steps could give the key away together with an honest proof.
        let beta = self.public.verify(alpha, &proof)?;
        Ok((proof, beta))
    }

    /// The nonce, a function of key and input alone (RFC 9381, section 5.4.2.2).
    fn nonce(&self, h: &EdwardsPoint) -> Zeroizing<Scalar> {
        let mut hash = Zeroizing::new([0; 64]);
        Sha512::new()
            .chain_update(*self.prefix)
            .chain_update(h.compress().as_bytes())
            .finalize_into((&mut *hash).into());
        Zeroizing::new(Scalar::from_bytes_mod_order_wide(&hash))
    }
}
