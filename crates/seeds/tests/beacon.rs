//! Recorded rounds of two public chains (vectors/seeds/README.md names their sources).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use veridical_seeds::SeedError;
use veridical_seeds::beacon::{ChainKey, KEY_BYTES, SIGNATURE_BYTES};

const QUICKNET: &str = "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a";
const TESTNET: &str = "b15b65b46fb29104f6a4b5d1e11a8da6344463973d423661bb0804846a0ecd1ef93c25057f1c0baab2ac53e56c662b66072f6d84ee791a3382bfb055afab1e6a375538d8ffc451104ac971d2dc9b168e2d3246b0be2015969cbaac298f6502da";
/// Round, signature, randomness.
const ROUNDS: [(u64, &str, &str); 3] = [
    (
        1,
        "b55e7cb2d5c613ee0b2e28d6750aabbb78c39dcc96bd9d38c2c2e12198df95571de8e8e402a0cc48871c7089a2b3af4b",
        "1466a6cd24e327188770752f6134001c64d6efcc590ccc26b721611ad96f165a",
    ),
    (
        1000,
        "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
        "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
    ),
    (
        1_000_000,
        "83ad29e4c409f9470fc2ef02f90214df49e02b441a1a241a82d622d9f608ef98fd8b11a029f1bee9d9e83b45088abe72",
        "b22aad4794f7451896f7a371aa46106fd84d919f3f569acd5b2fddf1d1440af3",
    ),
];

fn array<const N: usize>(hex: &str) -> [u8; N] {
    let digits = (0..hex.len()).step_by(2);
    let bytes = digits.map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap());
    bytes.collect::<Vec<_>>().try_into().unwrap()
}

fn quicknet() -> ChainKey {
    ChainKey::from_bytes(&array(QUICKNET)).unwrap()
}

#[test]
fn recorded_rounds_verify_and_give_their_randomness() {
    for (round, signature, randomness) in ROUNDS {
        assert_eq!(
            quicknet().verify(round, &array(signature)),
            Ok(array(randomness))
        );
    }
}

#[test]
fn a_round_is_no_other_round() {
    let signature = array(ROUNDS[1].1);
    for round in [1, 999, 1001, u64::MAX] {
        let error = SeedError::RoundSignature { round };
        assert_eq!(quicknet().verify(round, &signature), Err(error));
    }
    assert_eq!(quicknet().verify(0, &signature), Err(SeedError::RoundZero));
}

#[test]
fn a_round_of_another_chain_is_refused() {
    let testnet = ChainKey::from_bytes(&array(TESTNET)).unwrap();
    let signature = array(
        "81d347e1c4be0e4277112de281d3a52aa1190bbd2f0ad7954e22799d168e61b60b4a0c46fc5a2777963cb739a0243e21",
    );
    assert!(testnet.verify(1, &signature).is_ok());
    let error = SeedError::RoundSignature { round: 1 };
    assert_eq!(quicknet().verify(1, &signature), Err(error));
    assert_eq!(testnet.verify(1, &array(ROUNDS[0].1)), Err(error));
}

#[test]
fn every_changed_bit_is_refused() {
    let (round, signature, _) = ROUNDS[0];
    for bit in 0..SIGNATURE_BYTES * 8 {
        let mut changed: [u8; SIGNATURE_BYTES] = array(signature);
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(quicknet().verify(round, &changed).is_err(), "bit {bit}");
    }
}

#[test]
fn neutral_elements_and_other_encodings_are_no_points() {
    let mut infinity = [0; KEY_BYTES];
    infinity[0] = 0xc0;
    assert_eq!(ChainKey::from_bytes(&infinity), Err(SeedError::ChainKey));
    assert_eq!(
        ChainKey::from_bytes(&[0; KEY_BYTES]),
        Err(SeedError::ChainKey)
    );
    assert_eq!(
        ChainKey::from_bytes(&[0xff; KEY_BYTES]),
        Err(SeedError::ChainKey)
    );
    let mut infinity = [0; SIGNATURE_BYTES];
    infinity[0] = 0xc0;
    let error = SeedError::RoundEncoding { round: 1 };
    assert_eq!(quicknet().verify(1, &infinity), Err(error));
    // (0, 2) lies on the curve and outside the subgroup.
    let mut outside = [0; SIGNATURE_BYTES];
    outside[0] = 0x80;
    assert_eq!(quicknet().verify(1, &outside), Err(error));
}
