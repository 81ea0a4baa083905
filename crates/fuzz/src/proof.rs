//! Changed proofs of honest runs.

use veridical_argument::pcs::PcsError;
use veridical_verifier::VerifyError;

use crate::case::{CASES, Case};
use crate::script::Script;

const P: u32 = 2_130_706_433;
/// Most changes of one proof.
const CHANGES: usize = 32;

/// Only an unchanged proof of an unchanged statement is accepted, and nothing panics, even where it would be caught.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let case = &CASES[script.index(CASES.len())];
    let (mut proof, mut statement) = (case.proof.clone(), case.statement.clone());
    for _ in 0..CHANGES {
        if script.is_over() {
            break;
        }
        match script.byte() % 16 {
            15 => {
                let run = script.index(statement.digests.len());
                let at = script.index(32);
                statement.digests[run][at] ^= script.byte();
            }
            14 => {
                let runs = &mut statement.outputs;
                let run = script.index(runs.len());
                let at = script.index(runs[run][0].len());
                runs[run][0][at] = i32::from_le_bytes(script.word().to_le_bytes());
            }
            kind => change(kind, case, &mut proof, &mut script),
        }
    }
    let is_same = proof == case.proof && statement == case.statement;
    match case.judge(&statement, &proof) {
        Ok(()) => assert!(is_same, "a changed proof is accepted"),
        Err(VerifyError::Opening {
            error: PcsError::Panicked,
            ..
        }) => panic!("the opening panicked"),
        Err(error) => assert!(!is_same, "an honest proof is refused: {error}"),
    }
}

fn change(kind: u8, case: &Case, proof: &mut Vec<u8>, script: &mut Script<'_>) {
    let length = proof.len();
    let at = script.index(length + 1);
    let element = at - at % 4;
    match kind {
        0 | 1 => {
            let mask = script.byte();
            if let Some(byte) = proof.get_mut(at) {
                *byte ^= mask;
            }
        }
        2 | 3 => set(proof, element, script.word() % P),
        4 => {
            let special = [0, 1, 2, P - 1, P, u32::MAX, 1 << 31, 1 << 24];
            set(proof, element, special[script.index(special.len())]);
        }
        5 => {
            let old = proof.get(element..element + 4);
            let old = old.map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
            set(
                proof,
                element,
                old.wrapping_add(u32::from(script.byte())) % P,
            );
        }
        6 | 7 => {
            // A stretch of elements from elsewhere.
            let from = script.index(length + 1);
            let count = 4 * usize::from(script.byte());
            let from = from - from % 4;
            let stretch = proof.get(from..length.min(from + count)).unwrap_or(&[]);
            let stretch = stretch.to_vec();
            for (slot, byte) in proof.iter_mut().skip(element).zip(stretch) {
                *slot = byte;
            }
        }
        8 => proof.truncate(at),
        9 => proof.truncate(element),
        10 => {
            let word = script.word().to_le_bytes();
            proof.splice(at..at, word);
        }
        11 => {
            let end = length.min(at + usize::from(script.byte()));
            proof.drain(at.min(length)..end);
        }
        12 => {
            // The rest of another proof.
            let other = &CASES[script.index(CASES.len())].proof;
            proof.truncate(at);
            proof.extend(other.iter().skip(at));
        }
        _ => {
            // The rest of a proof of the same shape: honest elements, in another order.
            let by = 4 * script.index(64);
            let rest = case.proof.iter().cycle().skip(element + by);
            for (slot, byte) in proof.iter_mut().skip(element).zip(rest) {
                *slot = *byte;
            }
        }
    }
}

fn set(proof: &mut [u8], at: usize, value: u32) {
    if let Some(bytes) = proof.get_mut(at..at + 4) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
}
