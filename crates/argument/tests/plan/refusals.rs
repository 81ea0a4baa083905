//! Programs and batches without a plan.

use veridical_argument::plan::{Plan, PlanError};
use veridical_program::{ConstData, ConstKind, Op, Program};

use crate::support::Builder;

fn refusal(mut b: Builder, batch: usize) -> PlanError {
    let last = b.tensors() - 1;
    b.output(last);
    Plan::build(&b.build(), batch).unwrap_err()
}

#[test]
fn a_batch_has_a_run() {
    let mut b = Builder::new(1);
    b.input(&[3], 0, 1);
    assert_eq!(refusal(b, 0), PlanError::EmptyBatch);
}

/// A row sum of 30 bits could be 0 modulo the field for a remainder that is in range.
#[test]
fn a_denominator_leaves_room_for_its_complement() {
    let mut b = Builder::new(1);
    let e = b.input(&[1, 32768], 1, 32512);
    let v = b.input(&[32768, 1], 0, 1);
    b.weighted_mean(e, v);
    let error = refusal(b, 1);
    let expected = PlanError::NotInjective {
        node: 0,
        op: "weighted_mean",
        condition: "2 * 2^z <= p",
        actual: 1 << 31,
        limit: 2_130_706_433,
    };
    assert_eq!(error, expected);
    assert!(
        error.to_string().contains("node 0 (weighted_mean)"),
        "{error}"
    );
}

fn too_large(error: &PlanError) -> &'static str {
    match error {
        PlanError::TooLarge { what, .. } => what,
        other => panic!("{other}"),
    }
}

#[test]
fn a_batch_has_limits() {
    let mut b = Builder::new(1);
    let x = b.input(&[1 << 20], 0, 1);
    b.shift(x, 1);
    let program = {
        b.output(1);
        b.build()
    };
    let check = |batch| {
        Plan::build(&program, batch)
            .map_err(|error| too_large(&error))
            .map(|_| ())
    };
    assert_eq!(check(100), Ok(()));
    assert_eq!(check(1 << 9), Err("slots of the lookup argument"));
    assert_eq!(check(1 << 11), Err("public integers"));
    assert_eq!(check(usize::MAX), Err("cells of a wire"));
}

#[test]
fn a_table_of_rows_for_computed_ids_has_a_limit() {
    let gather = |rows: usize, computed: bool| {
        let mut b = Builder::new(1);
        let mut ids = b.input(&[2], 0, 9);
        if computed {
            ids = b.table(ids, 0, |i, _| i);
        }
        let data = ConstData::I8(vec![1; rows * 4].into());
        let w = b.constant(ConstKind::Weight, &[rows, 4], data);
        b.node(Op::Gather, &[ids], &[w], &[2, 4], (0, 1));
        b
    };
    let rows = 1 << 20;
    assert_eq!(
        too_large(&refusal(gather(rows + 1, true), 1)),
        "elements of a looked up weight"
    );
    for b in [gather(rows, true), gather(rows + 1, false)] {
        let mut b = b;
        b.output(b.tensors() - 1);
        assert!(Plan::build(&b.build(), 1).is_ok());
    }
}

/// A small file must not make a plan of gigabytes.
#[test]
fn a_chain_of_expansions_has_a_plan_of_few_parts() {
    let mut b = Builder::new(1);
    let mut x = b.input(&[1, 1], 0, 1);
    for _ in 0..40 {
        let wide = Op::Expand {
            shape: vec![1 << 14, 1 << 14],
        };
        b.node(wide, &[x], &[], &[1 << 14, 1 << 14], (0, 1));
        let axes = vec![0, 1];
        x = b.node(
            Op::ReduceMax { axes },
            &[b.tensors() - 1],
            &[],
            &[1, 1],
            (0, 1),
        );
    }
    assert_eq!(too_large(&refusal(b, 1)), "committed integers");

    let mut b = Builder::new(1);
    let x = b.input(&[1, 1], 0, 1);
    for _ in 0..3000 {
        let wide = Op::Expand {
            shape: vec![1 << 14, 1 << 14],
        };
        let wide = b.node(wide, &[x], &[], &[1 << 14, 1 << 14], (0, 1));
        let axes = vec![0, 1];
        b.node(Op::ReduceSum { axes }, &[wide], &[], &[1, 1], (0, 1 << 28));
    }
    b.output(b.tensors() - 1);
    let program: std::sync::Arc<Program> = b.build();
    let plan = Plan::build(&program, 1).unwrap();
    assert_eq!(plan.check(), Ok(()));
    assert!(plan.costs().public_cells <= 1 + (1 << 24));
    assert_eq!(plan.costs().witness_cells, 0);
}
