//! Bytes from outside never panic, and no changed byte keeps the digest with another meaning.

use crate::draft::Draft;
use proptest::prelude::*;
use veridical_program::{ContainerError, Op, Program, ProgramError, codec, json};

fn valid() -> Vec<u8> {
    let mut d = Draft::with_input(&[3], -100, 100);
    d.salt = Some([7; 32]);
    d.graph.salted = true;
    let w = d.i16(&[2, 3], vec![1, -2, 3, 400, -500, 600]);
    let b = d.i32(&[2], vec![10, -20]);
    let acc = d.node(Op::Linear, &[0], &[w, b], &[2], (-200_000, 200_000));
    let op = Op::Table {
        shift: 8,
        first: -800,
        round: true,
    };
    let t = d.table((0..1600).collect());
    d.node(op, &[acc], &[t], &[2], (0, 1599));
    d.load().unwrap().to_bytes()
}

#[test]
fn a_program_with_one_changed_byte_is_refused_or_is_another_program() {
    let bytes = valid();
    let program = Program::from_bytes(&bytes).unwrap();
    let header = 8 + usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let positions = (0..header).chain((header..bytes.len()).step_by(97));
    let mut num_refused = 0;
    for position in positions {
        for flip in [0x01, 0x20, 0x80] {
            let mut mutant = bytes.clone();
            mutant[position] ^= flip;
            match Program::from_bytes(&mutant) {
                Err(_) => num_refused += 1,
                // White space of the header may move; everything else is in the digest.
                Ok(other) => assert!(
                    other == program || other.digest() != program.digest(),
                    "byte {position} ^ {flip}"
                ),
            }
        }
    }
    assert!(num_refused > 2 * header);
}

#[test]
fn every_prefix_is_refused() {
    let bytes = valid();
    for end in (0..2000).chain((2000..bytes.len()).step_by(501)) {
        assert!(Program::from_bytes(&bytes[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_header_length_beyond_the_cap_is_refused_before_anything_is_read() {
    let mut bytes = valid();
    bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let error = Program::from_bytes(&bytes).unwrap_err();
    assert_eq!(error.check(), "HeaderSize");
}

#[test]
fn nesting_is_refused_without_recursion() {
    let deep = vec![b'['; 1 << 20];
    assert_eq!(json::parse(&deep, 6).unwrap_err().name(), "Depth");
    let mut file = u64::try_from(deep.len() + 2)
        .unwrap()
        .to_le_bytes()
        .to_vec();
    file.push(b'{');
    file.extend(deep);
    file.push(b'}');
    let error = Program::from_bytes(&file).unwrap_err();
    assert!(
        matches!(error, ProgramError::Container(ContainerError::Json(_))),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Program::from_bytes(&bytes).is_err());
        prop_assert!(codec::decode(&bytes).is_err());
    }

    #[test]
    fn random_json_never_panics(text in "[\\[\\]{}\",:0-9a-z.+\\\\ -]{0,80}") {
        if let Ok(value) = json::parse(text.as_bytes(), 6) {
            let is_canonical = json::encode(&value) == text.as_bytes();
            match json::parse_canonical(text.as_bytes(), 6) {
                Ok(again) => prop_assert!(is_canonical && again == value),
                Err(error) => prop_assert!(!is_canonical && error.name() == "NotCanonical"),
            }
        }
    }

    #[test]
    fn a_valid_file_with_random_changes_never_panics(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = FILE.with(Clone::clone);
        for (index, byte) in edits {
            // Half of the edits hit the header, where the structure is.
            let limit = if byte % 2 == 0 { bytes.len() } else { 1200 };
            let position = index.index(limit);
            bytes[position] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(program) = Program::from_bytes(&bytes) {
            prop_assert_eq!(&Program::from_bytes(&program.to_bytes()).unwrap(), &program);
        }
    }
}

thread_local! {
    static FILE: Vec<u8> = valid();
}
