//! Commit, open and verify times and sizes of openings, by size of stack; a table on stdout.
//!
//! `cargo bench --workspace --bench openings [-- variables ..]`, so that the prover's threads are on.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a benchmark prints a table, ends on a failure and reads the clock"
)]

use std::time::Instant;

use p3_field::PrimeCharacteristicRing;
use p3_multilinear_util::point::Point;
use p3_multilinear_util::poly::Poly;
use veridical_argument::field::F;
use veridical_argument::pcs::{self, Committed};
use veridical_argument::profile::{Profile, Stack};
use veridical_argument::transcript::{ProverTranscript, Transcript, VerifierTranscript};

/// Least of a few runs, in milliseconds.
fn least<T>(runs: usize, mut run: impl FnMut() -> T) -> (f64, T) {
    let mut least = f64::INFINITY;
    let mut last = None;
    for _ in 0..runs {
        let start = Instant::now();
        last = Some(run());
        least = least.min(start.elapsed().as_secs_f64() * 1e3);
    }
    (least, last.unwrap())
}

fn row(profile: Profile, stack: Stack, variables: usize) {
    let runs = if variables < 20 { 8 } else { 3 };
    let values: Vec<F> = (0..1_u64 << variables)
        .map(|index| F::from_u64(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33))
        .collect();
    let poly = Poly::new(values.clone());
    let (commit, committed) = least(runs, || {
        Committed::new(profile, stack, values.clone()).unwrap()
    });
    let root = committed.root();
    let mut before = ProverTranscript::new("bench");
    before.send_root("root", &root);
    let point = before.challenges("point", variables);
    let value = poly.eval_base(&Point::new(point.clone()));
    let (open, bytes) = least(runs, || {
        let mut transcript = before.clone();
        committed.open(&mut transcript, &point, value).unwrap();
        transcript.finish()
    });
    let (verify, ()) = least(runs, || {
        let mut transcript = VerifierTranscript::new("bench", &bytes);
        let root = transcript.receive_root("root").unwrap();
        let point = transcript.challenges("point", variables);
        pcs::verify(
            profile,
            stack,
            variables,
            &root,
            &mut transcript,
            &point,
            value,
        )
        .unwrap();
        transcript.finish().unwrap();
    });
    let size = bytes.len();
    println!(
        "| {} | {stack:?} | {variables} | {commit:.2} | {open:.2} | {verify:.2} | {size} |",
        profile.name
    );
}

fn main() {
    let sizes: Vec<usize> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![10, 12, 14, 16, 18, 20]
    } else {
        sizes
    };
    println!("| profile | stack | variables | commit ms | open ms | verify ms | bytes |");
    println!("|---|---|---|---|---|---|---|");
    for profile in Profile::ALL {
        for stack in [Stack::Witness, Stack::Weights] {
            for variables in &sizes {
                row(profile, stack, *variables);
            }
        }
    }
}
