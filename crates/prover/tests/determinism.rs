//! One run has one proof: the same bytes every time, on any number of threads.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::path::Path;
use std::sync::Arc;

use veridical_argument::profile::Profile;
use veridical_argument::statement::Tensors;
use veridical_executor::{Executor, Options};
use veridical_program::Program;
use veridical_prover::{Runs, WeightCommitment, prove};

fn proof(program: &Arc<Program>, threads: usize) -> Vec<u8> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let weights = WeightCommitment::new(program, Profile::STANDARD).unwrap();
    let executor = Executor::new(Arc::clone(program), Options::default()).unwrap();
    let graph = program.graph();
    let inputs: Vec<Tensors> = (0..3)
        .map(|run| {
            let tensors = graph.tensors.iter().take(graph.inputs.len());
            tensors
                .map(|t| vec![run.clamp(t.lo, t.hi); t.len()])
                .collect()
        })
        .collect();
    let runs = Runs {
        digests: &[[7; 32]; 3],
        inputs: &inputs,
    };
    pool.install(|| prove(&executor, &weights, runs, &mut |_| {}))
        .unwrap()
        .bytes
}

#[test]
fn every_proof_of_a_run_has_the_same_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/program");
    for name in ["example", "op_layernorm", "op_conv", "op_matmul"] {
        let file = std::fs::read(folder.join(format!("{name}.vprog"))).unwrap();
        let program = Arc::new(Program::from_bytes(&file).unwrap());
        let first = proof(&program, 1);
        for threads in [1, 2, 3, 5] {
            assert_eq!(
                proof(&program, threads),
                first,
                "{name} on {threads} threads"
            );
        }
    }
}
