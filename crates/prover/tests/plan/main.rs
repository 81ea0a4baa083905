//! Plans against real runs: every lookup is a row of its table, every identity holds, every virtual wire is what its
//! definition says and what the executor computed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot be built or run has failed the test"
)]

mod edges;
mod naive;
mod oracle;
#[cfg(feature = "cheating")]
mod pinned;
#[path = "../../../executor/tests/support/random.rs"]
mod random;
mod registration;
#[path = "../../../executor/tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oracle::Oracle;
use support::inputs;
use veridical_argument::plan::Plan;
use veridical_executor::{Executor, ExecutorError, Options, Trace};
use veridical_program::{ConstInfo, Program};

/// Elements above which virtual wires are not computed again by definition.
const SMALL: usize = 1 << 16;

/// A run on random inputs; none if a random mask left a row empty.
fn run(program: &Arc<Program>, batch: usize, seed: u64) -> Option<Trace> {
    let inputs = inputs(program, batch, seed);
    let inputs: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
    let executor = Executor::new(Arc::clone(program), Options::default()).unwrap();
    match executor.trace(&inputs, batch) {
        Ok(trace) => Some(trace),
        Err(ExecutorError::EmptyRow { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn check(name: &str, program: &Arc<Program>, batch: usize, seed: u64) -> bool {
    let plan = Plan::build(program, batch).unwrap_or_else(|error| panic!("{name}: {error}"));
    plan.check()
        .unwrap_or_else(|defect| panic!("{name}: {defect}"));
    let vkey = Program::from_bytes(&program.to_vkey_bytes()).unwrap();
    assert_eq!(Plan::build(&vkey, batch).as_ref(), Ok(&plan), "{name}");
    let Some(trace) = run(program, batch, seed) else {
        return false;
    };
    let oracle = Oracle::new(&plan, program, &trace);
    let checked = oracle
        .check_lookups()
        .and_then(|()| oracle.check_identities());
    assert_eq!(checked, Ok(()), "{name}");
    let consts = program.graph().consts.iter().map(ConstInfo::len);
    let tensors = (0..trace.len()).map(|t| trace.tensor(t).unwrap().len());
    if consts.chain(tensors).sum::<usize>() <= SMALL {
        naive::check(name, &plan, &oracle, &trace);
    }
    true
}

fn programs(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "vprog"))
        .collect();
    paths.sort();
    paths
}

fn load(path: &Path) -> Arc<Program> {
    Arc::new(Program::from_bytes(&std::fs::read(path).unwrap()).unwrap())
}

#[test]
fn plans_of_the_vectors_hold_on_real_runs() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/program");
    let paths = programs(&folder);
    assert!(paths.len() > 30, "{}", paths.len());
    let mut num_runs = 0;
    for path in paths {
        let program = load(&path);
        for (batch, seed) in [(1, 1), (2, 7), (3, 11)] {
            let name = format!("{} x {batch}", path.display());
            num_runs += i32::from(check(&name, &program, batch, seed));
        }
    }
    assert!(num_runs > 80, "{num_runs}");
}

#[test]
fn plans_of_random_programs_hold_on_real_runs() {
    let count = std::env::var("VERIDICAL_PLAN_SEEDS").map_or(60, |n| n.parse().unwrap());
    let mut num_runs = 0;
    for seed in 0..count {
        let nodes = 1 + usize::try_from(seed % 13).unwrap();
        let program = random::program(seed, nodes);
        let batch = 1 + usize::try_from(seed % 3).unwrap();
        let name = format!("random program {seed}");
        num_runs += u64::from(check(&name, &program, batch, seed));
    }
    assert!(num_runs > count / 2, "{num_runs} of {count}");
}

/// Larger programs from a folder that the environment names.
#[test]
fn plans_of_given_programs_hold_on_real_runs() {
    let Some(folder) = std::env::var_os("VERIDICAL_PROGRAMS") else {
        println!("skipped: VERIDICAL_PROGRAMS names no folder");
        return;
    };
    for path in programs(Path::new(&folder)) {
        let program = load(&path);
        let is_run = check(&path.display().to_string(), &program, 1, 5);
        assert!(is_run, "{}", path.display());
    }
}
