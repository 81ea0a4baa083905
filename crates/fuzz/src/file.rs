//! Bytes of any kind: a program, a statement, a proof.

use veridical_program::Program;
use veridical_wasm::{StatementBytes, answer};

use crate::graph::refuse_junk;

/// What loads is written back alike; nothing is accepted, since no fuzzer finds a proof.
///
/// The bytes are a program; or, if they begin with `FFFF`, three strings, the first two behind their lengths in two bytes.
pub fn run(data: &[u8]) {
    let Some(parts) = data.strip_prefix(b"FFFF") else {
        if let Ok(program) = Program::from_bytes(data) {
            let again = if program.is_vkey() {
                program.to_vkey_bytes()
            } else {
                program.to_bytes()
            };
            assert_eq!(again, data, "the file has two encodings");
            refuse_junk(&program, 1, data);
        }
        return;
    };
    let (program, rest) = part(parts);
    let (statement, proof) = part(rest);
    if let Ok(program) = Program::from_bytes(program)
        && let Ok(read) = StatementBytes::read(&program, statement)
    {
        assert_eq!(
            read.to_bytes(),
            statement,
            "the statement has two encodings"
        );
    }
    let is_accepted = answer(program, statement, proof).starts_with(r#"{"accepted":true"#);
    let known = crate::case::CASES.iter().any(|case| case.proof == proof);
    assert!(!is_accepted || known, "a proof from nowhere is accepted");
}

fn part(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return (&[], &[]);
    };
    let length = usize::from(u16::from_le_bytes(*length));
    rest.split_at(length.min(rest.len()))
}
