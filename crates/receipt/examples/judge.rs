//! Judges cases that another program writes to its standard input: what tests compare implementations with.
//!
//! A case is four parts, each behind its length in 4 bytes, little-endian: the name of an export of the WebAssembly
//! module, and its three arguments. The answer to each is its length and JSON.

use std::io::{Read, Write};
use std::process::ExitCode;

use veridical_receipt::options::{answer, answer_post};

fn main() -> ExitCode {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    while let Some(name) = part(&mut input) {
        let arguments = (part(&mut input), part(&mut input), part(&mut input));
        let (Some(first), Some(second), Some(third)) = arguments else {
            return ExitCode::FAILURE;
        };
        let answer = match name.as_slice() {
            b"veridical_verify_receipt" => answer(&first, &second, &third),
            b"veridical_check_post" => answer_post(&first, &second, &third),
            _ => return ExitCode::FAILURE,
        };
        let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
        let framed = [&length.to_le_bytes(), answer.as_bytes()].concat();
        if output.write_all(&framed).is_err() || output.flush().is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The next part, or none at the end.
fn part(input: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length)).ok()?];
    input.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
