//! Whole proofs of the programs named on the command line: stages, sizes, verification.
//!
//! `cargo bench -p veridical-prover --bench prove -- MODEL.vprog[:BATCH] ...`
#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a report for people; whatever fails ends it"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use veridical_argument::profile::Profile;
use veridical_argument::statement::{Statement, Tensors};
use veridical_executor::{Executor, Options};
use veridical_program::Program;
use veridical_prover::{Runs, WeightCommitment, costs, prove};
use veridical_verifier::{Request, verify};

const REPEATS: usize = 5;

fn main() {
    for argument in std::env::args().skip(1).filter(|a| !a.starts_with("--")) {
        let (path, batch) = argument.split_once(':').unwrap_or((&argument, "1"));
        measure(path, batch.parse().unwrap());
    }
}

fn measure(path: &str, batch: usize) {
    let program = Arc::new(Program::from_bytes(&std::fs::read(path).unwrap()).unwrap());
    let begin = Instant::now();
    let weights = WeightCommitment::new(&program, Profile::STANDARD).unwrap();
    let commit = begin.elapsed();
    let executor = Executor::new(Arc::clone(&program), Options::default()).unwrap();
    let inputs: Vec<Tensors> = (0..batch).map(|run| input(&program, run)).collect();
    let digests: Vec<[u8; 32]> = (0..batch).map(|run| [run.to_le_bytes()[0]; 32]).collect();
    let runs = Runs {
        digests: &digests,
        inputs: &inputs,
    };
    let sizes = costs(&program, batch, Profile::STANDARD).unwrap();
    println!(
        "{path} x {batch}: weights {commit:.1?}, witness {}, slots {}, memory {} MiB, {} bits",
        sizes.witness_cells,
        sizes.lookup_slots,
        sizes.memory >> 20,
        sizes.soundness_bits
    );
    let mut totals = Vec::new();
    let mut checks = Vec::new();
    for repeat in 0..REPEATS {
        let mut stages: Vec<(&str, Instant)> = Vec::new();
        let begin = Instant::now();
        let proof = prove(&executor, &weights, runs, &mut |stage| {
            stages.push((stage, Instant::now()));
        })
        .unwrap();
        let end = Instant::now();
        totals.push(end - begin);
        let request = Request {
            program: &program,
            statement: Statement {
                profile: Profile::STANDARD,
                registration: weights.registration(),
                digests: &digests,
                inputs: &inputs,
                outputs: &proof.outputs,
            },
        };
        let begin = Instant::now();
        let verdict = verify(&request, &proof.bytes).unwrap();
        checks.push(begin.elapsed());
        if repeat + 1 == REPEATS {
            let ends = stages.iter().skip(1).map(|(_, at)| *at).chain([end]);
            for ((stage, from), to) in stages.iter().zip(ends) {
                println!("  {stage:<20} {:>9.2?}", to - *from);
            }
            println!(
                "  prove {:.2?}  verify {:.2?}  proof {} bytes  {:?}",
                median(&mut totals),
                median(&mut checks),
                proof.bytes.len(),
                verdict.counts,
            );
        }
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Integers in the declared ranges that differ from run to run.
fn input(program: &Program, run: usize) -> Tensors {
    let graph = program.graph();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(run as u64 + 1);
    graph
        .tensors
        .iter()
        .take(graph.inputs.len())
        .map(|tensor| {
            let span = u64::try_from(i64::from(tensor.hi) - i64::from(tensor.lo) + 1).unwrap();
            (0..tensor.len())
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    i32::try_from(i64::from(tensor.lo) + ((state >> 20) % span).cast_signed())
                        .unwrap()
                })
                .collect()
        })
        .collect()
}
