//! No bytes are accepted but the proof's, and none make the verifier panic.

use std::sync::OnceLock;

use proptest::prelude::*;
use veridical_verifier::verify;

use crate::case::{Case, small};
use crate::word::Honest;

/// A case with its proof.
fn proven() -> &'static (Case, Vec<u8>) {
    static PROVEN: OnceLock<(Case, Vec<u8>)> = OnceLock::new();
    PROVEN.get_or_init(|| {
        let case = small(1);
        let proof = case.prove(&mut Honest, &[]);
        (case, proof)
    })
}

fn name(proof: &[u8]) -> &'static str {
    let (case, _) = proven();
    match verify(&case.request(), proof) {
        Ok(_) => "accepted",
        Err(error) => {
            assert!(!error.to_string().is_empty());
            error.name()
        }
    }
}

#[test]
fn the_proof_is_read_to_its_end_and_no_further() {
    let (_, proof) = proven();
    assert_eq!(name(proof), "accepted");
    let mut longer = proof.clone();
    longer.push(0);
    assert_eq!(name(&longer), "TrailingBytes");
    for length in (0..proof.len()).step_by(proof.len() / 40) {
        assert_eq!(name(&proof[..length]), "Truncated", "{length}");
    }
    assert_eq!(name(&proof[..proof.len() - 1]), "Truncated");
}

#[test]
fn elements_have_one_encoding() {
    let (_, proof) = proven();
    // The first element after the root of the witness.
    let mut other = proof.clone();
    other[32..36].copy_from_slice(&2_130_706_433_u32.to_le_bytes());
    assert_eq!(name(&other), "NotCanonical");
}

#[test]
fn a_root_denominator_of_zero_is_refused() {
    let (_, proof) = proven();
    let mut zero = proof.clone();
    zero[32..52].fill(0);
    assert_eq!(name(&zero), "LookupRootZero");
}

#[test]
fn every_part_of_the_proof_is_checked() {
    let (_, proof) = proven();
    // The last byte of an element may leave it; the first never does.
    for at in (0..proof.len()).step_by(proof.len() / 150) {
        let mut changed = proof.clone();
        changed[at] ^= 1;
        assert_ne!(name(&changed), "accepted", "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn mutations_are_refused(
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let (_, proof) = proven();
        let mut changed = proof.clone();
        let at = at.index(changed.len());
        for (slot, byte) in changed.iter_mut().skip(at).zip(&bytes) {
            *slot = *byte;
        }
        prop_assume!(changed != *proof);
        prop_assert_ne!(name(&changed), "accepted");
    }

    #[test]
    fn removals_and_insertions_are_refused(
        at in any::<prop::sample::Index>(),
        count in 1_usize..60,
        insert in any::<bool>(),
    ) {
        let (_, proof) = proven();
        let mut changed = proof.clone();
        let at = at.index(changed.len());
        if insert {
            changed.splice(at..at, std::iter::repeat_n(0, count));
        } else {
            let end = (at + count).min(changed.len());
            changed.drain(at..end);
        }
        prop_assert_ne!(name(&changed), "accepted");
    }

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        prop_assert_ne!(name(&bytes), "accepted");
    }
}
