//! Plans of programs: what they contain, what they keep, what has none.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot be built has failed the test"
)]

mod defects;
mod golden;
#[path = "../../../executor/tests/support/random.rs"]
mod random;
mod refusals;
mod summary;
#[path = "../../../executor/tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use veridical_argument::plan::{Definition, Plan, Wire};
use veridical_program::Program;

fn vectors() -> Vec<(PathBuf, Program)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/program");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_program = |path: &PathBuf| {
        path.extension()
            .is_some_and(|e| e == "vprog" || e == "vkey")
    };
    let programs = paths.into_iter().filter(is_program).map(|path| {
        let program = Program::from_bytes(&std::fs::read(&path).unwrap()).unwrap();
        (path, program)
    });
    programs.collect()
}

#[test]
fn plans_of_the_vectors_keep_every_rule() {
    let vectors = vectors();
    assert!(vectors.len() > 30, "{}", vectors.len());
    for (path, program) in vectors {
        for batch in [1, 2, 5] {
            let plan = Plan::build(&program, batch).unwrap();
            assert_eq!(plan.check(), Ok(()), "{} x {batch}", path.display());
            let outputs = plan.outputs.iter().zip(&program.graph().outputs);
            for (published, output) in outputs {
                let info = &program.graph().tensors[output.tensor];
                let shape = [&[batch], info.shape.as_slice()].concat();
                assert_eq!(plan.wire(published.wire).unwrap().shape, shape);
            }
        }
    }
}

#[test]
fn plans_of_random_programs_keep_every_rule_and_need_no_weights() {
    for seed in 0..400 {
        let program = random::program(seed, 1 + usize::try_from(seed % 17).unwrap());
        let plan = Plan::build(&program, 3).unwrap();
        assert_eq!(plan.check(), Ok(()), "{seed}");
        let vkey = Program::from_bytes(&program.to_vkey_bytes()).unwrap();
        assert_eq!(Plan::build(&vkey, 3), Ok(plan), "{seed}");
    }
}

/// Sums of what a plan holds, from the plan itself.
#[test]
fn costs_are_sums_over_the_plan() {
    for (path, program) in vectors() {
        let plan = Plan::build(&program, 2).unwrap();
        let costs = plan.costs();
        let sites: usize = plan
            .sites
            .iter()
            .map(|s| s.shape.iter().product::<usize>())
            .sum();
        assert_eq!(costs.site_cells, sites, "{}", path.display());
        let slots =
            |shape: &[usize]| -> usize { shape.iter().map(|n| n.next_power_of_two()).product() };
        let blocks = plan.sites.iter().map(|s| slots(&s.shape));
        let tables = plan.tables.iter().map(|t| slots(&[t.rows]));
        assert_eq!(
            costs.lookup_slots,
            blocks.chain(tables).sum(),
            "{}",
            path.display()
        );
        assert_eq!(costs.weight(), 3 * costs.lookup_slots + costs.witness_cells);
    }
}

#[test]
fn inputs_are_public_wires_in_order() {
    for seed in 0..20 {
        let program = random::program(seed, 3);
        let plan = Plan::build(&program, 2).unwrap();
        for (id, integers) in support::inputs(&program, 2, seed).iter().enumerate() {
            let wire = &plan.wires[id];
            assert_eq!(wire.definition, Definition::Public { tensor: id });
            assert_eq!(wire.shape.iter().product::<usize>(), integers.len());
        }
    }
}

/// A verifier computes layouts of inputs; it does not see that another node changes nothing.
#[test]
fn layouts_behind_other_nodes_are_not_public() {
    let publics = |plan: &Plan| {
        let is_public = |w: &&Wire| matches!(w.definition, Definition::Public { .. });
        plan.wires.iter().filter(is_public).count()
    };
    for (is_clamped, is_kept, expected) in [
        (false, false, 3),
        (false, true, 3),
        (true, false, 1),
        (true, true, 1),
    ] {
        let mut b = support::Builder::new(1);
        let mut x = b.input(&[2, 3], -5, 5);
        if is_clamped {
            x = b.clamp(x, -9, 9);
        }
        // A layout that moves nothing makes no other node a layout.
        if is_kept {
            x = b.reshape(x, &[2, 3]);
        }
        let y = b.transpose(x, &[1, 0]);
        let y = b.reshape(y, &[6]);
        b.output(y);
        let plan = Plan::build(&b.build(), 2).unwrap();
        assert_eq!(plan.check(), Ok(()));
        assert_eq!(publics(&plan), expected, "{is_clamped} {is_kept}");
    }
}
