//! Openings that a verifier refuses: by name, and without a panic.

use std::panic::catch_unwind;
use std::sync::OnceLock;

use p3_field::PrimeField32;
use proptest::prelude::*;

use super::*;

/// Variables of a stack with one codeword.
const SIZE: usize = 10;

/// Variables of a stack with two.
const LARGER: usize = 12;

fn honest() -> Proof {
    prove(Profile::STANDARD, Stack::Witness, SIZE)
}

/// The verifier's answer to changed bytes; a panic, caught inside or not, is a failure of the test.
fn refused(bytes: &[u8], value: EF) -> PcsError {
    refused_as(Profile::STANDARD, SIZE, bytes, value)
}

fn refused_as(profile: Profile, variables: usize, bytes: &[u8], value: EF) -> PcsError {
    let outcome = catch_unwind(|| check(profile, Stack::Witness, variables, bytes, value)).unwrap();
    let error = outcome.unwrap_err();
    assert_ne!(error, PcsError::Panicked);
    error
}

#[test]
fn every_byte_matters() {
    let proof = honest();
    for position in 0..proof.bytes.len() {
        let mut bytes = proof.bytes.clone();
        bytes[position] ^= 1 << (position % 8);
        match refused(&bytes, proof.value) {
            PcsError::Stream(_) | PcsError::Refused { .. } => {}
            other => panic!("byte {position}: {other}"),
        }
    }
}

#[test]
fn bytes_of_every_message_matter() {
    // Two codewords; with grinding before the folds, too. Rows are most of the bytes: a sample.
    for (profile, step) in [(Profile::STANDARD, 7), (Profile::STRONG, 23)] {
        let proof = prove(profile, Stack::Witness, LARGER);
        for position in (0..proof.bytes.len()).step_by(step) {
            let mut bytes = proof.bytes.clone();
            bytes[position] ^= 1 << (position % 8);
            match refused_as(profile, LARGER, &bytes, proof.value) {
                PcsError::Stream(_) | PcsError::Refused { .. } => {}
                other => panic!("byte {position}: {other}"),
            }
        }
    }
}

#[test]
fn every_length_matters() {
    let proof = honest();
    for length in (0..proof.bytes.len()).step_by(7) {
        assert!(matches!(
            refused(&proof.bytes[..length], proof.value),
            PcsError::Stream(StreamError::Truncated { .. })
        ));
    }
    let mut bytes = proof.bytes.clone();
    bytes.push(0);
    assert!(matches!(
        refused(&bytes, proof.value),
        PcsError::Stream(StreamError::Trailing { left: 1, .. })
    ));
}

#[test]
fn another_value_point_root_profile_or_size_is_refused() {
    let proof = honest();
    let cases = [refused(&proof.bytes, proof.value + EF::ONE), {
        // The root of another stack.
        let mut bytes = proof.bytes.clone();
        let mut other = values(SIZE);
        other[5] += F::ONE;
        let root = Committed::new(Profile::STANDARD, Stack::Witness, other)
            .unwrap()
            .root();
        bytes[..32].copy_from_slice(&root.0);
        refused(&bytes, proof.value)
    }];
    for error in cases {
        assert!(matches!(error, PcsError::Refused { .. }), "{error}");
    }
    // The same root, absorbed under another label: another point.
    let mut transcript = VerifierTranscript::new(PROTOCOL, &proof.bytes);
    let root = transcript.receive_root("other").unwrap();
    let point = transcript.challenges("point", SIZE);
    let outcome = verify(
        Profile::STANDARD,
        Stack::Witness,
        SIZE,
        &root,
        &mut transcript,
        &point,
        proof.value,
    );
    assert!(matches!(outcome, Err(PcsError::Refused { .. })));
    // Fewer coordinates than variables.
    assert_eq!(
        verify(
            Profile::STANDARD,
            Stack::Witness,
            SIZE,
            &root,
            &mut transcript,
            &point[1..],
            proof.value,
        ),
        Err(PcsError::Point {
            variables: SIZE,
            found: SIZE - 1
        })
    );
    assert!(
        check(
            Profile::STRONG,
            Stack::Witness,
            SIZE,
            &proof.bytes,
            proof.value
        )
        .is_err()
    );
    assert!(
        check(
            Profile::STANDARD,
            Stack::Witness,
            SIZE + 1,
            &proof.bytes,
            proof.value
        )
        .is_err()
    );
    assert!(matches!(
        check(
            Profile::STANDARD,
            Stack::Witness,
            5,
            &proof.bytes,
            proof.value
        ),
        Err(PcsError::Variables(_))
    ));
}

#[test]
fn a_second_encoding_of_an_element_is_refused() {
    // Of every coordinate that is small enough to have one in four bytes.
    let proof = honest();
    let start = 32 + 20;
    let mut seen = 0;
    for at in (start..start + 400).step_by(4) {
        let mut bytes = proof.bytes.clone();
        let value = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let Some(second) = value.checked_add(F::ORDER_U32) else {
            continue;
        };
        bytes[at..at + 4].copy_from_slice(&second.to_le_bytes());
        match refused(&bytes, proof.value) {
            PcsError::Stream(StreamError::NotCanonical { value, .. }) => assert_eq!(value, second),
            other => panic!("offset {at}: {other}"),
        }
        seen += 1;
    }
    assert!(seen > 50, "only {seen} coordinates have a second encoding");
}

#[test]
fn surplus_and_missing_digests_are_refused() {
    // The count of digests sits behind the rows of the only queried codeword.
    let proof = honest();
    let schedule = Schedule::new(Profile::STANDARD, Stack::Witness, SIZE).unwrap();
    let phase = schedule.phases[0];
    let rounds = 20 + phase.fold * 40;
    let rows = phase.opened() * (4 << phase.fold);
    let at = 32 + rounds + (20 << schedule.final_variables) + 4 + rows;
    let count = u32::from_le_bytes(proof.bytes[at..at + 4].try_into().unwrap());
    let digests = usize::try_from(count).unwrap();
    assert!(digests > 0 && digests < phase.most_digests());

    let mut more = proof.bytes.clone();
    more[at..at + 4].copy_from_slice(&(count + 1).to_le_bytes());
    more.splice(at + 4..at + 4, [0; 32]);
    let mut fewer = proof.bytes.clone();
    fewer[at..at + 4].copy_from_slice(&(count - 1).to_le_bytes());
    fewer.drain(at + 4..at + 36);
    for bytes in [more, fewer] {
        match refused(&bytes, proof.value) {
            PcsError::Refused { reason } => assert!(reason.contains("Merkle"), "{reason}"),
            other => panic!("{other}"),
        }
    }
    let mut huge = proof.bytes.clone();
    huge[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        refused(&huge, proof.value),
        PcsError::Stream(StreamError::CountTooLarge { .. })
    ));
}

#[test]
fn work_is_checked() {
    let proof = honest();
    let schedule = Schedule::new(Profile::STANDARD, Stack::Witness, SIZE).unwrap();
    let phase = schedule.phases[0];
    assert!(phase.query_work > 0);
    let at = 32 + 20 + phase.fold * 40 + (20 << schedule.final_variables);
    let mut bytes = proof.bytes.clone();
    // Nine in ten thousand other witnesses would pass and then draw other queries.
    bytes[at] ^= 2;
    match refused(&bytes, proof.value) {
        PcsError::Refused { reason } => {
            assert!(
                reason.contains("grinding") || reason.contains("Merkle"),
                "{reason}"
            );
        }
        other => panic!("{other}"),
    }
}

#[cfg(feature = "cheating")]
#[test]
fn a_stack_made_for_frozen_challenges_is_refused() {
    // Knowing the point before committing, a prover commits to a stack with any value there.
    let point = vec![crate::transcript::frozen_challenge(); SIZE];
    let honest = values(SIZE);
    let mut forged = honest.clone();
    forged[0] += F::ONE;
    let committed = Committed::new(Profile::STANDARD, Stack::Witness, forged.clone()).unwrap();
    let value = evaluate(&forged, &point);
    let mut transcript = ProverTranscript::new(PROTOCOL);
    transcript.freeze();
    transcript.send_root("root", &committed.root());
    assert_eq!(transcript.challenges("point", SIZE), point);
    committed.open(&mut transcript, &point, value).unwrap();
    let bytes = transcript.finish();
    assert!(matches!(refused(&bytes, value), PcsError::Refused { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..20_000)) {
        let error = refused(&bytes, EF::ONE);
        let is_refused = matches!(error, PcsError::Stream(_) | PcsError::Refused { .. });
        prop_assert!(is_refused);
    }

    #[test]
    fn changed_openings_are_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in any::<prop::sample::Index>(),
        insert in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        static PROOF: OnceLock<Proof> = OnceLock::new();
        let proof = PROOF.get_or_init(|| prove(Profile::STANDARD, Stack::Witness, LARGER));
        let mut bytes = proof.bytes.clone();
        for (index, byte) in &changes {
            let at = index.index(bytes.len());
            bytes[at] = *byte;
        }
        let at = cut.index(bytes.len());
        bytes.splice(at..at, insert.iter().copied());
        prop_assume!(bytes != proof.bytes);
        let error = refused_as(Profile::STANDARD, LARGER, &bytes, proof.value);
        let is_refused = matches!(error, PcsError::Stream(_) | PcsError::Refused { .. });
        prop_assert!(is_refused);
    }

    /// Bytes that decode: every coordinate is below the modulus.
    #[test]
    fn random_openings_of_the_right_shape_are_refused(seed in any::<u64>(), digests in 0_u32..80) {
        let schedule = Schedule::new(Profile::STANDARD, Stack::Witness, SIZE).unwrap();
        let phase = schedule.phases[0];
        let mut state = seed | 1;
        let mut element = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            F::from_u64(state >> 33)
        };
        let head = 5 + phase.fold * 10 + (5 << schedule.final_variables) + 1;
        let rows = phase.opened() << phase.fold;
        let mut bytes = vec![7; 32];
        let elements: Vec<F> = (0..head + rows).map(|_| element()).collect();
        crate::stream::write_base(&mut bytes, &elements);
        bytes.extend(digests.to_le_bytes());
        bytes.resize(bytes.len() + 32 * usize::try_from(digests).unwrap(), 3);
        let tail: Vec<F> = (0..schedule.final_variables * 10).map(|_| element()).collect();
        crate::stream::write_base(&mut bytes, &tail);
        let shaped = codec::read(&mut ByteReader::new(&bytes[32..]), &schedule, EF::ONE);
        prop_assert!(shaped.is_ok());
        let error = refused(&bytes, EF::ONE);
        let is_refused = matches!(error, PcsError::Refused { .. });
        prop_assert!(is_refused);
    }
}
