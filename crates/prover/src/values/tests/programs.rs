//! Plans of whole programs: the definitions give what the executor computed, and every relation holds.

use std::path::Path;
use std::sync::Arc;

use veridical_argument::plan::{Plan, Scaled, Wire, WireId};
use veridical_executor::{Executor, ExecutorError, Options, Trace};
use veridical_program::{ConstData, P, Program};

use super::naive::{indices, reduce, wires};
use super::sketch::{Random, wide};
use crate::values::Values;

fn programs() -> Vec<(String, Arc<Program>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/program");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "vprog"))
        .collect();
    files.sort();
    let load = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (
            name,
            Arc::new(Program::from_bytes(&std::fs::read(path).unwrap()).unwrap()),
        )
    };
    files.iter().map(load).collect()
}

/// A run on random inputs of the declared ranges; `None` if some row has no unmasked position.
fn run(program: &Arc<Program>, batch: usize, random: &mut Random) -> Option<Trace> {
    let graph = program.graph();
    let inputs: Vec<Vec<i32>> = graph.tensors[..graph.inputs.len()]
        .iter()
        .map(|info| {
            // Now and then only the ends, or only small values.
            let (lo, hi) = (i64::from(info.lo), i64::from(info.hi));
            let small = (lo.max(-3).min(hi), hi.min(3).max(lo));
            match random.index(4) {
                0 => random.integers(info.len() * batch, small.0, small.1),
                1 => (0..info.len() * batch)
                    .map(|_| [info.lo, info.hi][random.index(2)])
                    .collect(),
                _ => random.integers(info.len() * batch, lo, hi),
            }
        })
        .collect();
    let inputs: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
    let executor = Executor::new(Arc::clone(program), Options::default()).unwrap();
    match executor.trace(&inputs, batch) {
        Ok(trace) => Some(trace),
        Err(ExecutorError::EmptyRow { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// The integers of a wire at an index of a space in which it is broadcast.
fn at(wire: &Wire, cells: &[i32], index: &[usize]) -> i128 {
    let axes = wire.shape.iter().zip(index);
    cells[axes.fold(0, |flat, (&n, &i)| flat * n + if n == 1 { 0 } else { i })].into()
}

fn exact(plan: &Plan, all: &[Vec<i32>], scaled: &Scaled, index: &[usize]) -> i128 {
    let terms = scaled.combination.terms.iter();
    let terms =
        terms.map(|&(coeff, id)| i128::from(coeff) * at(&plan.wires[id.0], &all[id.0], index));
    terms.sum::<i128>() + i128::from(scaled.combination.constant)
}

fn check(name: &str, plan: &Plan, program: &Program, trace: &Trace) {
    let tensors: Vec<Vec<i32>> = (0..trace.len())
        .map(|t| trace.tensor(t).unwrap().to_vec())
        .collect();
    let empty = || ConstData::I8(Arc::from([]));
    let constants = 0..program.graph().consts.len();
    let constants: Vec<ConstData> = constants
        .map(|c| program.constant(c).cloned().unwrap_or_else(empty))
        .collect();
    let expected = wires(plan, &tensors, &constants);
    let values = Values::compute(plan, program, trace).unwrap();
    for (id, wire) in plan.wires.iter().enumerate() {
        if let Some(tensor) = wire.tensor {
            assert_eq!(expected[id], tensors[tensor], "{name}: wire {id} {wire:?}");
        }
        if let Some(actual) = values.integers(WireId(id)) {
            assert_eq!(wide(actual), expected[id], "{name}: wire {id} {wire:?}");
        }
    }
    for published in &plan.outputs {
        let tensor = program.graph().outputs[published.output].tensor;
        assert_eq!(
            expected[published.wire.0], tensors[tensor],
            "{name}: output {}",
            published.output
        );
    }
    for identity in &plan.identities {
        for index in indices(&identity.shape) {
            let terms = identity.terms.iter().map(|term| {
                let factors = term
                    .factors
                    .iter()
                    .map(|id| at(&plan.wires[id.0], &expected[id.0], &index));
                // Three factors below 2^30 and a coefficient below 2^31.
                i128::from(term.coeff) * factors.product::<i128>()
            });
            let value = terms.fold(0, |sum, term| (sum + term).rem_euclid(P.into()));
            assert_eq!(value, 0, "{name}: {:?} at {index:?}", identity.role);
        }
    }
    for site in &plan.sites {
        for index in indices(&site.shape) {
            for vanishing in &site.vanishing {
                let value = reduce(exact(plan, &expected, vanishing, &index));
                assert_eq!(value, 0, "{name}: {:?} at {index:?}", site.role);
            }
        }
    }
    // Every lookup is found.
    let lookups: usize = plan
        .sites
        .iter()
        .map(|site| site.shape.iter().product::<usize>())
        .sum();
    let counts = plan
        .tables
        .iter()
        .flat_map(|table| &expected[table.multiplicity.0]);
    let found: i64 = counts.map(|&count| i64::from(count)).sum();
    assert_eq!(found, i64::try_from(lookups).unwrap(), "{name}");
}

#[test]
fn every_relation_of_every_program_holds() {
    let mut runs = 0;
    for (name, program) in programs() {
        for (seed, batch) in [(1, 1), (2, 3), (3, 2)] {
            let plan = Plan::build(&program, batch).unwrap();
            let Some(trace) = run(&program, batch, &mut Random::new(seed)) else {
                continue;
            };
            check(&name, &plan, &program, &trace);
            runs += 1;
        }
    }
    assert!(runs > 60, "{runs} runs");
}
