//! RFC 9381, appendix B.3, and every way in which a proof or a key is not the one that it should be.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use veridical_seeds::SeedError;
use veridical_seeds::vrf::{OUTPUT_BYTES, PROOF_BYTES, PublicKey, SecretKey};

/// Examples 16, 17 and 18: secret key, public key, alpha, proof, output.
const VECTORS: [[&str; 5]; 3] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d9727d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805",
        "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02",
        "eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3c0e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e",
        "645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c452118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f",
    ],
];

/// Order of the group, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
        .collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn first() -> (PublicKey, Vec<u8>, [u8; PROOF_BYTES]) {
    let [_, public, alpha, proof, _] = VECTORS[0];
    let key = PublicKey::from_bytes(array(public)).unwrap();
    (key, bytes(alpha), array(proof))
}

#[test]
fn proofs_and_outputs_are_those_of_rfc_9381() {
    for [secret, public, alpha, proof, output] in VECTORS {
        let secret = SecretKey::from_bytes(&array(secret)).unwrap();
        assert_eq!(secret.public_key().to_bytes(), array::<32>(public));
        let (made, beta) = secret.prove(&bytes(alpha)).unwrap();
        assert_eq!(made, array::<PROOF_BYTES>(proof));
        assert_eq!(beta, array::<OUTPUT_BYTES>(output));
        let key = PublicKey::from_bytes(array(public)).unwrap();
        assert_eq!(key.verify(&bytes(alpha), &made), Ok(beta));
    }
}

#[test]
fn a_proof_of_another_key_or_input_is_refused() {
    let (key, alpha, proof) = first();
    assert_eq!(key.verify(b"another", &proof), Err(SeedError::Challenge));
    let other = PublicKey::from_bytes(array(VECTORS[1][1])).unwrap();
    assert_eq!(other.verify(&alpha, &proof), Err(SeedError::Challenge));
}

#[test]
fn every_changed_bit_is_refused() {
    let (key, alpha, proof) = first();
    for bit in 0..PROOF_BYTES * 8 {
        let mut changed = proof;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(key.verify(&alpha, &changed).is_err(), "bit {bit}");
    }
}

#[test]
fn a_scalar_that_is_not_reduced_is_refused() {
    let (key, alpha, mut proof) = first();
    let mut carry = 0;
    for (digit, addend) in proof[48..].iter_mut().zip(ORDER) {
        let sum = u16::from(*digit) + u16::from(addend) + carry;
        *digit = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert_eq!(key.verify(&alpha, &proof), Err(SeedError::ScalarEncoding));
}

#[test]
fn a_second_encoding_of_gamma_is_refused() {
    let (key, alpha, mut proof) = first();
    // y = 1 and the sign of an x that is 0; then y = p + 1.
    for (low, high) in [(1, 0x80), (0xee, 0x7f)] {
        proof[..32].fill(if high == 0x7f { 0xff } else { 0 });
        proof[0] = low;
        proof[31] = high;
        assert_eq!(key.verify(&alpha, &proof), Err(SeedError::GammaEncoding));
    }
}

#[test]
fn keys_of_small_order_and_second_encodings_are_refused() {
    // All points whose order divides 8.
    for (hex, expected) in [
        (
            "0100000000000000000000000000000000000000000000000000000000000000",
            SeedError::KeySmallOrder,
        ),
        (
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            SeedError::KeySmallOrder,
        ),
        (
            "0000000000000000000000000000000000000000000000000000000000000000",
            SeedError::KeySmallOrder,
        ),
        (
            "0000000000000000000000000000000000000000000000000000000000000080",
            SeedError::KeySmallOrder,
        ),
        (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            SeedError::KeySmallOrder,
        ),
        (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            SeedError::KeySmallOrder,
        ),
        (
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            SeedError::KeySmallOrder,
        ),
        (
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            SeedError::KeySmallOrder,
        ),
        // Their second encodings, and no point at all.
        (
            "0100000000000000000000000000000000000000000000000000000000000080",
            SeedError::KeyEncoding,
        ),
        (
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            SeedError::KeyEncoding,
        ),
        (
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            SeedError::KeyEncoding,
        ),
        (
            "0200000000000000000000000000000000000000000000000000000000000000",
            SeedError::KeyEncoding,
        ),
    ] {
        assert_eq!(PublicKey::from_bytes(array(hex)), Err(expected), "{hex}");
    }
}

#[test]
fn a_key_with_a_component_of_small_order_is_refused() {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::edwards::CompressedEdwardsY;
    let honest = CompressedEdwardsY(array(VECTORS[0][1]))
        .decompress()
        .unwrap();
    for torsion in &EIGHT_TORSION[1..] {
        let mixed = (honest + torsion).compress().to_bytes();
        assert_eq!(PublicKey::from_bytes(mixed), Err(SeedError::KeyTorsion));
    }
}

#[test]
fn gamma_with_a_component_of_small_order_gives_no_second_output() {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::edwards::CompressedEdwardsY;
    let (key, alpha, proof) = first();
    let gamma = CompressedEdwardsY(proof[..32].try_into().unwrap());
    for torsion in &EIGHT_TORSION[1..] {
        let mut changed = proof;
        let mixed = gamma.decompress().unwrap() + torsion;
        changed[..32].copy_from_slice(mixed.compress().as_bytes());
        assert_eq!(key.verify(&alpha, &changed), Err(SeedError::Challenge));
    }
}

/// What the holder of a key can do with gamma: a proof whose challenge hides the small order.
#[test]
fn gamma_with_a_component_of_small_order_is_judged_as_rfc_9381_says() {
    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
    use curve25519_dalek::scalar::{Scalar, clamp_integer};
    use sha2::{Digest as _, Sha512};
    let [secret, public, alpha, proof, output] = VECTORS[0];
    let hash = Sha512::digest(bytes(secret));
    let x = Scalar::from_bytes_mod_order(clamp_integer(hash[..32].try_into().unwrap()));
    let key = PublicKey::from_bytes(array(public)).unwrap();
    let gamma = CompressedEdwardsY(bytes(proof)[..32].try_into().unwrap());
    let gamma = gamma.decompress().unwrap();
    let h = x.invert() * gamma;
    let y = EdwardsPoint::mul_base(&x);
    let mut outcomes = [0; 2];
    for attempt in 1..=64_u64 {
        let (k, mixed) = (Scalar::from(attempt), gamma + EIGHT_TORSION[1]);
        let mut hasher = Sha512::new().chain_update([3, 2]);
        for point in [&y, &h, &mixed, &EdwardsPoint::mul_base(&k), &(k * h)] {
            hasher.update(point.compress().as_bytes());
        }
        let c: [u8; 16] = hasher.chain_update([0]).finalize()[..16]
            .try_into()
            .unwrap();
        let s = k + Scalar::from(u128::from_le_bytes(c)) * x;
        let made = [mixed.compress().to_bytes().as_slice(), &c, &s.to_bytes()].concat();
        // s H - c Gamma is k H exactly where c annihilates the component of order 8.
        let is_hidden = c[0].is_multiple_of(8);
        let expected = if is_hidden {
            Ok(array(output))
        } else {
            Err(SeedError::Challenge)
        };
        assert_eq!(
            key.verify(&bytes(alpha), &made.try_into().unwrap()),
            expected
        );
        outcomes[usize::from(is_hidden)] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_proven_verifies_and_repeats(secret: [u8; 32], alpha: Vec<u8>) {
        let secret = SecretKey::from_bytes(&secret).unwrap();
        let (proof, beta) = secret.prove(&alpha).unwrap();
        prop_assert_eq!(secret.public_key().verify(&alpha, &proof), Ok(beta));
        prop_assert_eq!(secret.prove(&alpha).unwrap(), (proof, beta));
    }

    #[test]
    fn no_bytes_make_a_verifier_panic(key: [u8; 32], alpha: Vec<u8>, proof: [[u8; 16]; 5]) {
        let proof: [u8; PROOF_BYTES] = proof.concat().try_into().unwrap();
        if let Ok(key) = PublicKey::from_bytes(key) {
            prop_assert!(key.verify(&alpha, &proof).is_err());
        }
        let (key, _, _) = first();
        prop_assert!(key.verify(&alpha, &proof).is_err());
    }
}
