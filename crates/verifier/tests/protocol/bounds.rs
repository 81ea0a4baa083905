//! Programs that are small and would cost a verifier much: each is refused by its bound, before any of a proof is read,
//! or costs no more than its size.

use std::sync::Arc;

use veridical_argument::plan::{Definition, Plan};
use veridical_argument::profile::Profile;
use veridical_argument::statement::{Registration, Statement, Tensors};
use veridical_executor::{Executor, Options};
use veridical_program::{Op, Program};
use veridical_prover::{Runs, WeightCommitment, prove};
use veridical_verifier::{Request, VerifyError, verify};

use crate::support::Builder;

/// What a verifier says to an empty proof of the least integers.
fn refusal(program: &Program) -> VerifyError {
    let graph = program.graph();
    let inputs = graph.tensors.iter().take(graph.inputs.len());
    let outputs = graph.outputs.iter();
    let outputs = outputs.filter_map(|output| graph.tensors.get(output.tensor));
    let inputs: Tensors = inputs.map(|info| vec![info.lo; info.len()]).collect();
    let outputs: Tensors = outputs.map(|info| vec![info.lo; info.len()]).collect();
    let registration = Registration {
        model_digest: *program.digest(),
        profile: Profile::STANDARD,
        weight_root: None,
    };
    let request = Request {
        program,
        statement: Statement {
            profile: Profile::STANDARD,
            registration: &registration,
            digests: &[[1; 32]],
            inputs: &[inputs],
            outputs: &[outputs],
        },
    };
    verify(&request, &[]).expect_err("an empty proof")
}

/// What is too large.
fn too_large(program: &Program) -> &'static str {
    match refusal(program) {
        VerifyError::TooLarge { what, .. } => what,
        error => panic!("{error}"),
    }
}

fn published(mut b: Builder) -> Arc<Program> {
    b.output(b.tensors() - 1);
    b.build()
}

/// Pads an axis from the first cells to `n`, and cuts them out again.
fn pad_and_cut(b: &mut Builder, x: usize, n: usize) -> usize {
    let (from, range) = (b.shape(x), b.range(x));
    let pad = Op::Pad {
        before: vec![0],
        after: vec![n - from[0]],
        value: 0,
    };
    let padded = b.node(pad, &[x], &[], &[n], range);
    let cut = Op::Slice {
        axis: 0,
        start: 0,
        stop: from[0],
        step: 1,
    };
    b.node(cut, &[padded], &[], &from, range)
}

#[test]
fn a_map_is_bounded_by_its_padded_axes() {
    // Fewer than 2^24 pairs, in tables of 2^25 slots.
    let mut b = Builder::new(1);
    let x = b.input(&[1, 4], -9, 9);
    let x = b.mul(x, x);
    let range = b.range(x);
    let pad = Op::Pad {
        before: vec![0, 0],
        after: vec![4096, 4091],
        value: 0,
    };
    let x = b.node(pad, &[x], &[], &[4097, 4095], range);
    let x = b.reshape(x, &[4095, 4097]);
    let cut = |axis, stop| Op::Slice {
        axis,
        start: 0,
        stop,
        step: 1,
    };
    let x = b.node(cut(0, 1), &[x], &[], &[1, 4097], range);
    b.node(cut(1, 4), &[x], &[], &[1, 4], range);
    assert_eq!(too_large(&published(b)), "a map");
}

#[test]
fn all_maps_are_bounded_together() {
    let mut b = Builder::new(2);
    let x = b.input(&[4], -9, 9);
    let mut x = b.mul(x, x);
    for _ in 0..5 {
        x = pad_and_cut(&mut b, x, (1 << 24) - 1);
    }
    assert_eq!(too_large(&published(b)), "all maps");
}

#[test]
fn cells_of_a_stack_are_bounded() {
    // Every committed tensor is cut into 2^7 cells.
    let mut b = Builder::new(3);
    let x = b.input(&[3; 7], -900, 900);
    for _ in 0..17_000 {
        b.shift(x, 3);
    }
    assert_eq!(too_large(&published(b)), "witness");
}

#[test]
fn layouts_of_inputs_are_public_up_to_a_bound() {
    const INPUT: usize = 1 << 12;
    let mut b = Builder::new(4);
    let mut x = b.input(&[INPUT], -9, 9);
    for i in 0..5000 {
        x = b.reshape(x, &[[2, INPUT / 2], [4, INPUT / 4]][i % 2]);
    }
    let plan = Plan::build(&published(b), 1).expect("a plan");
    let public = plan.wires.iter();
    let public = public.filter(|wire| matches!(wire.definition, Definition::Public { .. }));
    let cells: usize = public
        .map(|wire| wire.shape.iter().product::<usize>())
        .sum();
    assert!(cells <= (1 << 24) + INPUT, "{cells}");
}

#[test]
fn operations_that_move_nothing_cost_nothing() {
    // As tensors of their own they would be 2^26 integers and more; so would the layouts of other programs.
    const ROWS: usize = 1 << 9;
    let mut b = Builder::new(5);
    let mut x = b.input(&[ROWS, 1 << 8], 0, 9);
    for i in 0..700 {
        x = if i % 2 == 0 {
            b.reshape(x, &[ROWS, 1 << 8])
        } else {
            b.transpose(x, &[0, 1])
        };
    }
    b.transpose(x, &[1, 0]);
    let program = published(b);
    let plan = Plan::build(&program, 1).expect("a plan");
    assert_eq!(plan.wires.len(), 2, "{:?}", plan.wires);
    let inputs = [crate::support::inputs(&program, 1, 6)];
    let weights = WeightCommitment::new(&program, Profile::STANDARD).expect("no weights");
    let executor = Executor::new(Arc::clone(&program), Options::default()).expect("an executor");
    let runs = Runs {
        digests: &[[1; 32]],
        inputs: &inputs,
    };
    let proof = prove(&executor, &weights, runs, &mut |_| {}).expect("a proof");
    let request = Request {
        program: &program,
        statement: Statement {
            profile: Profile::STANDARD,
            registration: weights.registration(),
            digests: runs.digests,
            inputs: &inputs,
            outputs: &proof.outputs,
        },
    };
    let verdict = verify(&request, &proof.bytes);
    assert!(verdict.is_ok(), "{verdict:?}");
}
