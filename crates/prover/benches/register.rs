//! Registration proofs of the programs named on the command line: stages, sizes, verification.
//!
//! `cargo bench -p veridical-prover --bench register -- MODEL.vprog ...`
#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a report for people; whatever fails ends it"
)]

use std::time::Instant;

use veridical_argument::profile::Profile;
use veridical_program::Program;
use veridical_prover::{WeightCommitment, register, registration_costs};
use veridical_verifier::verify_registration;

fn main() {
    for path in std::env::args().skip(1).filter(|a| !a.starts_with("--")) {
        measure(&path);
    }
}

fn measure(path: &str) {
    let program = Program::from_bytes(&std::fs::read(path).unwrap()).unwrap();
    let costs = match registration_costs(&program, Profile::STANDARD) {
        Ok(costs) => costs,
        Err(error) => return println!("{path}: {error}"),
    };
    println!(
        "{path}: weights {}, witness {}, slots {}, memory {} MiB, {} bits",
        costs.weight_cells,
        costs.witness_cells,
        costs.lookup_slots,
        costs.memory >> 20,
        costs.soundness_bits,
    );
    let begin = Instant::now();
    let weights = WeightCommitment::new(&program, Profile::STANDARD).unwrap();
    println!("  {:<20} {:>9.2?}", "weight commitment", begin.elapsed());
    let mut stages: Vec<(&str, Instant)> = Vec::new();
    let begin = Instant::now();
    let proof = register(&program, &weights, &mut |stage| {
        stages.push((stage, Instant::now()));
    })
    .unwrap();
    let end = Instant::now();
    let ends = stages.iter().skip(1).map(|(_, at)| *at).chain([end]);
    for ((stage, from), to) in stages.iter().zip(ends) {
        println!("  {stage:<20} {:>9.2?}", to - *from);
    }
    let key = Program::from_bytes(&program.to_vkey_bytes()).unwrap();
    let checked = Instant::now();
    let verdict = verify_registration(&key, weights.registration(), &proof).unwrap();
    println!(
        "  prove {:.2?}  verify {:.2?}  proof {} bytes  {:?}",
        end - begin,
        checked.elapsed(),
        proof.len(),
        verdict.counts,
    );
}
