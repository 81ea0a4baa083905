//! Changed proofs.

use std::collections::BTreeMap;

use proptest::prelude::*;
use veridical_program::Op;

use crate::case::{ACCEPTED, Case, P};
use crate::is_full;
use crate::support::{Builder, Random};

/// A linear layer with an activation.
pub fn dense() -> Case {
    let mut b = Builder::new(81);
    let x = b.input(&[2, 4], -90, 100);
    let hidden = b.linear(x, 6);
    b.requantise(hidden, 0, 120);
    Case::random(b, 1, 3)
}

/// Attention without weights: a softmax, a mean, a position.
pub fn attention() -> Case {
    let mut b = Builder::new(82);
    let x = b.input(&[2, 3, 4], -9, 9);
    let mask = b.input(&[1, 1, 3], 0, 1);
    let scores = b.matmul(x, x, true);
    let e = b.softmax_numerator(scores, Some(mask), 500);
    let y = b.weighted_mean(e, x);
    b.node(Op::Argmax, &[y], &[], &[2, 3, 1], (0, 3));
    let x = (0..24).map(|i| i * 5 % 19 - 9).collect();
    Case::new(b, vec![vec![x, vec![1, 0, 1]]])
}

/// Two layers, a shift, a product and a normalised row.
fn deep() -> Case {
    let mut b = Builder::new(83);
    let x = b.input(&[6, 20], -100, 100);
    let hidden = b.linear(x, 32);
    let narrow = b.requantise(hidden, -120, 120);
    let normed = b.layernorm(narrow, 16, 8, true);
    let narrow = b.requantise(normed, -100, 100);
    let product = b.mul(narrow, narrow);
    let shifted = b.shift(product, 3);
    b.linear(shifted, 5);
    Case::random(b, 1, 4)
}

/// Judges a proof with other bytes at an offset.
fn judge(case: &Case, proof: &mut [u8], at: usize, bytes: &[u8]) -> &'static str {
    let before = proof[at..at + bytes.len()].to_vec();
    proof[at..at + bytes.len()].copy_from_slice(bytes);
    let name = case.judge(proof);
    proof[at..at + bytes.len()].copy_from_slice(&before);
    name
}

#[expect(clippy::print_stdout, reason = "how often each check refused")]
fn every_byte(case: &Case) {
    let mut proof = case.proof.clone();
    let mut random = Random(1);
    let length = proof.len();
    let all = (0..length).flat_map(|at| [(at, 1), (at, 0x80)]);
    let sample = (0..400).map(|i| (random.index(length), if i % 2 == 0 { 1 } else { 0x80 }));
    let changes: Vec<(usize, u8)> = if is_full() {
        all.collect()
    } else {
        sample.collect()
    };
    let mut names: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (at, mask) in changes {
        let byte = proof[at] ^ mask;
        let name = judge(case, &mut proof, at, &[byte]);
        assert_ne!(name, ACCEPTED, "byte {at} of {length} xor {mask}");
        *names.entry(name).or_default() += 1;
    }
    println!("{length} bytes: {names:?}");
    // The sample reaches the lookup argument and the openings.
    for name in ["LookupLayer", "Opening"] {
        assert!(names.contains_key(name), "{names:?}");
    }
    assert_eq!(case.judge(&proof), ACCEPTED);
}

#[test]
fn no_byte_of_a_dense_layer_can_change() {
    every_byte(&dense());
}

#[test]
fn no_byte_of_attention_can_change() {
    every_byte(&attention());
}

#[test]
fn no_element_of_a_deeper_proof_can_change() {
    let case = deep();
    let mut proof = case.proof.clone();
    let mut random = Random(2);
    let count = if is_full() { 20_000 } else { 200 };
    let mut names: BTreeMap<&'static str, usize> = BTreeMap::new();
    for _ in 0..count {
        let at = 4 * random.index(proof.len() / 4);
        let element = u32::try_from(random.between(0, P - 1))
            .unwrap()
            .to_le_bytes();
        if proof[at..at + 4] == element {
            continue;
        }
        let name = judge(&case, &mut proof, at, &element);
        assert_ne!(name, ACCEPTED, "element at byte {at} of {}", proof.len());
        *names.entry(name).or_default() += 1;
    }
    println!("{} bytes: {names:?}", proof.len());
    assert!(names.len() > 2, "{names:?}");
}

#[test]
fn no_proof_is_shorter_or_longer() {
    let case = dense();
    let proof = &case.proof;
    let step = if is_full() { 1 } else { 97 };
    for length in (0..proof.len()).step_by(step) {
        let name = case.judge(&proof[..length]);
        assert_ne!(name, ACCEPTED, "{length} of {} bytes", proof.len());
    }
    for tail in [&[0_u8][..], &[1], &[0; 32], proof] {
        let longer = [proof, tail].concat();
        assert_eq!(case.judge(&longer), "TrailingBytes");
    }
}

#[test]
fn random_bytes_are_no_proof() {
    let case = dense();
    let length = case.proof.len();
    let cases = if is_full() { 4096 } else { 128 };
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(
        bytes in prop::collection::vec(any::<u8>(), 0..2 * length),
        kept in 0..=length,
        canonical in any::<bool>(),
    )| {
        // The honest proof up to some byte, then anything.
        let mut proof = case.proof[..kept].to_vec();
        proof.extend(bytes.iter().enumerate().map(|(at, byte)| {
            if canonical && (proof_is_top(kept + at)) { byte & 0x3f } else { *byte }
        }));
        prop_assume!(proof != case.proof);
        prop_assert_ne!(case.judge(&proof), ACCEPTED);
    });
}

/// Whether a byte is the highest of an element, so that a small one makes it canonical.
fn proof_is_top(at: usize) -> bool {
    at % 4 == 3
}
