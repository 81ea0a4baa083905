//! Judges cases that another program writes to its standard input: what tests compare implementations with.
//!
//! A case is three parts, each behind its length in 4 bytes, little-endian: a receipt, options as the WebAssembly
//! module takes them, and a program. The answer to each is its length and JSON.

use std::io::{Read, Write};
use std::process::ExitCode;

use veridical_receipt::options::answer;

fn main() -> ExitCode {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    while let Some(receipt) = part(&mut input) {
        let (Some(options), Some(program)) = (part(&mut input), part(&mut input)) else {
            return ExitCode::FAILURE;
        };
        let answer = answer(&receipt, &options, &program);
        let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
        let written = output.write_all(&length.to_le_bytes());
        if written
            .and_then(|()| output.write_all(answer.as_bytes()))
            .is_err()
        {
            return ExitCode::FAILURE;
        }
        if output.flush().is_err() {
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
