//! Writes a program, a statement and its proof into a folder: what the test of the WebAssembly module reads.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be made has failed the test"
)]

use std::path::PathBuf;
use std::sync::Arc;

use veridical_argument::profile::Profile;
use veridical_executor::{Executor, Options};
use veridical_prover::{Runs, WeightCommitment, prove};
use veridical_wasm::{StatementBytes, check};

#[path = "../../executor/tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with tests that build more")]
mod support;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap());
    let mut b = support::Builder::new(91);
    let x = b.input(&[8], -90, 100);
    let hidden = b.linear(x, 12);
    let narrow = b.requantise(hidden, 0, 120);
    let y = b.linear(narrow, 3);
    b.output(y);
    let program = b.build();
    let inputs = vec![support::inputs(&program, 1, 5)];
    let weights = WeightCommitment::new(&program, Profile::STANDARD).unwrap();
    let executor = Executor::new(Arc::clone(&program), Options::default()).unwrap();
    let digests = [[7; 32]];
    let runs = Runs {
        digests: &digests,
        inputs: &inputs,
    };
    let proof = prove(&executor, &weights, runs, &mut |_| {}).unwrap();
    let statement = StatementBytes {
        registration: *weights.registration(),
        digests: digests.to_vec(),
        inputs,
        outputs: proof.outputs,
    };
    let (program, statement) = (program.to_vkey_bytes(), statement.to_bytes());
    let verdict = check(&program, &statement, &proof.bytes).unwrap();
    assert_eq!(verdict.counts.batch, 1);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in [
        ("program", &program),
        ("statement", &statement),
        ("proof", &proof.bytes),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}
