//! All paths give the same integers: instruction sets, fusions, threads, batches, single steps.

#![expect(clippy::expect_used, reason = "what cannot run has failed the test")]

#[path = "support/random.rs"]
mod random;
mod support;

use std::sync::Arc;

use proptest::prelude::*;
use support::{Random, inputs};
use veridical_executor::{Executor, ExecutorError, Isa, Options, Trace};
use veridical_program::Program;

fn slices(tensors: &[Vec<i32>]) -> Vec<&[i32]> {
    tensors.iter().map(Vec::as_slice).collect()
}

fn executors(program: &Arc<Program>) -> Vec<Executor> {
    let isas = [Isa::Portable, Isa::Avx2, Isa::Avx512]
        .into_iter()
        .filter(|isa| isa.is_available());
    let options = isas.flat_map(|isa| {
        [1, 2].map(|threads| Options {
            threads,
            isa: Some(isa),
        })
    });
    options
        .map(|o| Executor::new(Arc::clone(program), o).expect("this machine has it"))
        .collect()
}

/// Tensors of the interpreter, or its error.
fn expected(
    program: &Arc<Program>,
    inputs: &[&[i32]],
    batch: usize,
) -> Result<Trace, ExecutorError> {
    let executor = Executor::new(Arc::clone(program), Options::default())?;
    executor.interpret(inputs, batch)
}

fn check(seed: u64, nodes: usize, batch: usize) {
    let program = random::program(seed, nodes);
    let inputs = inputs(&program, batch, seed);
    let inputs = slices(&inputs);
    let expected = expected(&program, &inputs, batch);
    for executor in executors(&program) {
        let place = (seed, executor.isa(), executor.threads());
        let (run, trace) = (executor.run(&inputs, batch), executor.trace(&inputs, batch));
        match &expected {
            Ok(expected) => {
                let (run, trace) = (run.expect("a run"), trace.expect("a trace"));
                for t in 0..expected.len() {
                    assert_eq!(trace.tensor(t), expected.tensor(t), "tensor {t} {place:?}");
                }
                for (values, output) in run.iter().zip(&program.graph().outputs) {
                    assert_eq!(
                        Ok(values.as_slice()),
                        expected.tensor(output.tensor),
                        "{place:?}"
                    );
                }
                assert_eq!(trace.root(), expected.root());
            }
            Err(error) => {
                assert!(matches!(error, ExecutorError::EmptyRow { .. }), "{error}");
                assert_eq!(trace.err().as_ref(), Some(error), "{place:?}");
                assert_eq!(run.err().as_ref(), Some(error), "{place:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn test_all_paths_equal_the_interpreter(seed: u64, nodes in 1_usize..14, batch in 1_usize..4) {
        check(seed, nodes, batch);
    }

    #[test]
    fn test_a_step_recomputes_any_element_of_a_trace(seed: u64, nodes in 1_usize..10) {
        let program = random::program(seed, nodes);
        let inputs = inputs(&program, 2, seed);
        let executor = Executor::new(Arc::clone(&program), Options::default()).expect("valid");
        if let Ok(trace) = executor.trace(&slices(&inputs), 2) {
            let mut random = Random(seed);
            for t in 0..trace.len() {
                let tensor = trace.tensor(t).expect("inside");
                for _ in 0..4 {
                    let k = random.index(tensor.len());
                    prop_assert_eq!(trace.step(t, k), Ok(tensor[k]));
                }
            }
        }
    }
}

#[test]
fn test_a_batch_of_64_equals_its_items() {
    for seed in 0..10 {
        let program = random::program(seed, 8);
        let inputs = inputs(&program, 64, seed);
        let executor = Executor::new(Arc::clone(&program), Options::default()).expect("valid");
        let Ok(together) = executor.run(&slices(&inputs), 64) else {
            continue;
        };
        for item in 0..64 {
            let single: Vec<&[i32]> = inputs
                .iter()
                .map(|values| {
                    let len = values.len() / 64;
                    &values[item * len..(item + 1) * len]
                })
                .collect();
            let alone = executor.run(&single, 1).expect("its batch could be run");
            for (alone, together) in alone.iter().zip(&together) {
                let len = alone.len();
                assert_eq!(
                    alone,
                    &together[item * len..(item + 1) * len],
                    "{seed} {item}"
                );
            }
        }
    }
}
