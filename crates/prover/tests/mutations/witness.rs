//! Every witness wire of every operation, changed in one cell.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use veridical_argument::plan::{Definition, Fill, WireId};
use veridical_executor::{Executor, ExecutorError, Options};
use veridical_program::Program;

use crate::case::{ACCEPTED, Case, divided, runs};
use crate::is_full;
use crate::support::{self, Random};

/// A program with a run on random inputs; another seed where a mask leaves a row empty.
fn load(path: &PathBuf) -> Case {
    let program = Arc::new(Program::from_bytes(&std::fs::read(path).unwrap()).unwrap());
    let executor = Executor::new(Arc::clone(&program), Options::default()).unwrap();
    for seed in 5.. {
        let inputs = support::inputs(&program, 1, seed);
        let slices: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
        match executor.trace(&slices, 1) {
            Ok(_) => return Case::of(program, runs(&inputs, 1)),
            Err(ExecutorError::EmptyRow { .. }) => {}
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
    panic!("no run of {}", path.display());
}

/// The vectors of single operations.
fn operations() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/program");
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_operation = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy();
        name.starts_with("op_") && path.extension().is_some_and(|e| e == "vprog")
    };
    let mut paths: Vec<PathBuf> = paths.filter(is_operation).collect();
    paths.sort();
    assert!(paths.len() > 20, "{}", paths.len());
    paths
}

/// What is added to a cell: one; a limb's worth, which a carry may take; what is a fraction in the field.
fn steps() -> Vec<i64> {
    vec![1, -1, 1 << 8, 1 << 16, divided(1, 1), divided(1, 8)]
}

#[test]
fn no_cell_of_a_witness_can_change() {
    let mut random = Random(9);
    let mut names: BTreeMap<&'static str, usize> = BTreeMap::new();
    for path in operations() {
        let case = load(&path);
        for (id, wire) in case.plan.wires.iter().enumerate() {
            let Definition::Witness { fill } = &wire.definition else {
                continue;
            };
            let steps = steps();
            // Each wire takes its turn with another step.
            let count = if is_full() { steps.len() } else { 1 };
            for step in steps.iter().cycle().skip(id % steps.len()).take(count) {
                let cell = random.index(wire.shape.iter().product());
                let change = case.moved(WireId(id), cell, *step);
                let place = || format!("{} {:?} cell {cell} {step}", path.display(), wire.role);
                let (published, hidden) = (case.changed(&[change]), case.changed_inside(&[change]));
                assert_ne!(published, ACCEPTED, "{}", place());
                assert_ne!(hidden, ACCEPTED, "{}", place());
                if matches!(fill, Fill::Multiplicity { .. }) {
                    assert_eq!(hidden, "LookupSum", "{}", place());
                }
                *names.entry(published).or_default() += 1;
                *names.entry(hidden).or_default() += 1;
            }
        }
    }
    println!("{names:?}");
    assert!(names.values().sum::<usize>() > 400, "{names:?}");
}

/// Products, sums, maps, weights and inputs that are not what they must be: no other output has a proof.
#[test]
fn no_cell_of_another_wire_gives_another_output() {
    let mut random = Random(10);
    let mut names: BTreeMap<&'static str, usize> = BTreeMap::new();
    for path in operations() {
        let case = load(&path);
        for (id, wire) in case.plan.wires.iter().enumerate() {
            if matches!(wire.definition, Definition::Witness { .. }) {
                continue;
            }
            let cell = random.index(wire.shape.iter().product());
            let change = case.moved(WireId(id), cell, [1, -1][id % 2]);
            let forged = case.forged(&[change]);
            let name = case.judge_forged(&forged);
            // Some wires only tell a prover what to fill in.
            let is_true = forged.outputs == case.outputs;
            assert!(
                name != ACCEPTED || is_true,
                "{} {:?} cell {cell}",
                path.display(),
                wire.role
            );
            *names.entry(name).or_default() += 1;
        }
    }
    println!("{names:?}");
    for name in ["EinsumFinal", "MapFinal", "StackClaim", "PublicClaim"] {
        assert!(names.contains_key(name), "{names:?}");
    }
}
