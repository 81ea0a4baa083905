//! `linear`, `matmul`, `gather`.

use super::edge;
use crate::draft::Draft;
use veridical_program::{M, Op};

/// `y = sum w x + b` with the range `lo..=hi` declared.
fn linear(w: Vec<i16>, b: i32, (lo, hi): (i32, i32)) -> Draft {
    let k = w.len();
    let mut d = Draft::with_input(&[k], -100, 200);
    let w = d.i16(&[1, k], w);
    let b = d.i32(&[1], vec![b]);
    d.node(Op::Linear, &[0], &[w, b], &[1], (lo, hi));
    d
}

#[test]
fn a_linear_range_is_the_interval_bound_to_the_unit() {
    // 3x - 5y + 7 for x, y in -100..=200 lies in -1293..=1107.
    edge(
        |hi| linear(vec![3, -5], 7, (-1293, hi)),
        1107,
        1106,
        "ResultRange",
    );
    edge(
        |lo| linear(vec![3, -5], 7, (lo, 1107)),
        -1293,
        -1292,
        "ResultRange",
    );
}

#[test]
fn a_linear_range_is_the_union_over_its_rows() {
    let draft = |hi| {
        let mut d = Draft::with_input(&[1], 0, 10);
        let w = d.i8(&[3, 1], vec![1, 7, -2]);
        let b = d.i32(&[3], vec![0, 0, 0]);
        d.node(Op::Linear, &[0], &[w, b], &[3], (-20, hi));
        d
    };
    edge(draft, 70, 69, "ResultRange");
}

#[test]
fn an_accumulator_that_could_leave_the_field_is_refused() {
    // 32512 * 32767 + 1022 * 32767 exceeds M for x = 32767.
    let draft = |b: i32| {
        let mut d = Draft::with_input(&[1], 0, 32767);
        let w = d.i16(&[1, 1], vec![32512]);
        let b = d.i32(&[1], vec![b]);
        d.wide(Op::Linear, &[0], &[w, b], &[1]);
        d
    };
    let most = i32::try_from(M - 32512 * 32767).unwrap();
    edge(draft, most, most + 1, "ResultRange");
}

#[test]
fn a_row_norm_bounds_the_next_linear() {
    // Without the norm fact the interval bound of 64 weights of 100 times Y would be refused.
    let draft = |bound: i32, is_normed: bool| {
        let mut d = Draft::with_input(&[64], -1000, 1000);
        let op = Op::LayerNorm {
            shift: 0,
            u: 16,
            fx: 7,
            epsilon: 1,
            centered: true,
        };
        let y = 1024;
        let mut x = d.node(op, &[0], &[], &[64], (-y, y));
        if !is_normed {
            x = d.node(Op::Add { coeff: vec![1] }, &[x], &[], &[64], (-y, y));
        }
        let w = d.i8(&[1, 64], vec![100; 64]);
        let b = d.i32(&[1], vec![0]);
        d.node(Op::Linear, &[x], &[w, b], &[1], (-bound, bound));
        d
    };
    // sqrt(64 * 2^14 * 64 * 100^2) + 64 * 100 / 2.
    let bound = 64 * 128 * 100 + 3200;
    edge(|b| draft(b, true), bound, bound - 1, "ResultRange");
    edge(
        |is_normed| draft(bound, is_normed),
        true,
        false,
        "ResultRange",
    );
    edge(
        |b| draft(b, false),
        64 * 100 * 1024,
        64 * 100 * 1024 - 1,
        "ResultRange",
    );
}

#[test]
fn a_norm_fact_passes_only_if_rows_are_kept() {
    let draft = |shape: [usize; 2], perm: Option<Vec<usize>>| {
        let mut d = Draft::with_input(&[8, 8], -1000, 1000);
        let op = Op::LayerNorm {
            shift: 0,
            u: 16,
            fx: 7,
            epsilon: 1,
            centered: false,
        };
        let y = 363;
        let mut x = d.node(op, &[0], &[], &[8, 8], (-y, y));
        if let Some(perm) = perm {
            x = d.node(Op::Transpose { perm }, &[x], &[], &[8, 8], (-y, y));
        }
        x = d.node(
            Op::Reshape {
                shape: shape.to_vec(),
            },
            &[x],
            &[],
            &shape,
            (-y, y),
        );
        let w = d.i8(&[1, shape[1]], vec![100; shape[1]]);
        let b = d.i32(&[1], vec![0]);
        let bound = 8 * 128 * 100 + 400;
        d.node(Op::Linear, &[x], &[w, b], &[shape[0], 1], (-bound, bound));
        d
    };
    assert_eq!(draft([8, 8], None).check(), "accepted");
    assert_eq!(draft([8, 8], Some(vec![0, 1])).check(), "accepted");
    assert_eq!(draft([8, 8], Some(vec![1, 0])).check(), "ResultRange");
    assert_eq!(draft([4, 16], None).check(), "ResultRange");
}

#[test]
fn linear_weights_must_fit_the_rows() {
    let draft = |columns: usize| {
        let mut d = Draft::with_input(&[3], 0, 1);
        let w = d.i8(&[2, columns], vec![1; 2 * columns]);
        let b = d.i32(&[2], vec![0; 2]);
        d.wide(Op::Linear, &[0], &[w, b], &[2]);
        d
    };
    edge(draft, 3, 4, "ConstShape");
}

#[test]
fn a_linear_bias_must_fit_the_weights() {
    let draft = |n: usize| {
        let mut d = Draft::with_input(&[3], 0, 1);
        let w = d.i8(&[2, 3], vec![1; 6]);
        let b = d.i32(&[n], vec![0; n]);
        d.wide(Op::Linear, &[0], &[w, b], &[2]);
        d
    };
    edge(draft, 2, 3, "ConstShape");
}

#[test]
fn linear_weights_of_32_bits_are_refused() {
    let mut d = Draft::with_input(&[3], 0, 1);
    let w = d.i32(&[2, 3], vec![1; 6]);
    let b = d.i32(&[2], vec![0; 2]);
    d.wide(Op::Linear, &[0], &[w, b], &[2]);
    assert_eq!(d.check(), "ConstDtype");
}

#[test]
fn a_linear_bias_of_16_bits_is_refused() {
    let mut d = Draft::with_input(&[3], 0, 1);
    let w = d.i8(&[2, 3], vec![1; 6]);
    let b = d.i16(&[2], vec![0; 2]);
    d.wide(Op::Linear, &[0], &[w, b], &[2]);
    assert_eq!(d.check(), "ConstDtype");
}

fn matmul(b_shape: &[usize], transpose_b: bool, hi: i32) -> Draft {
    let mut d = Draft::with_input(&[2, 3, 5], -4, 7);
    let b = d.input(b_shape, -10, 3);
    d.node(
        Op::Matmul { transpose_b },
        &[0, b],
        &[],
        &[2, 3, 6],
        (-350, hi),
    );
    d
}

#[test]
fn a_matmul_range_is_that_of_k_products() {
    edge(|hi| matmul(&[2, 5, 6], false, hi), 200, 199, "ResultRange");
    edge(|hi| matmul(&[2, 6, 5], true, hi), 200, 199, "ResultRange");
}

#[test]
fn matmul_operands_must_fit() {
    assert_eq!(matmul(&[2, 6, 5], false, 200).check(), "OperandShape");
    assert_eq!(matmul(&[2, 5, 6], true, 200).check(), "OperandShape");
    assert_eq!(matmul(&[1, 5, 6], false, 200).check(), "OperandShape");
    assert_eq!(matmul(&[5], false, 200).check(), "Rank");
}

#[test]
fn an_index_beyond_the_rows_of_a_gather_is_refused() {
    let draft = |(lo, hi): (i32, i32)| {
        let mut d = Draft::with_input(&[4], lo, hi);
        let w = d.i8(&[10, 2], (0..20).collect());
        d.node(Op::Gather, &[0], &[w], &[4, 2], (0, 19));
        d
    };
    edge(draft, (0, 9), (0, 10), "OperandRange");
    edge(draft, (0, 9), (-1, 9), "OperandRange");
}

#[test]
fn a_gather_range_is_that_of_its_constant() {
    let draft = |hi: i32| {
        let mut d = Draft::with_input(&[4], 0, 2);
        let w = d.i16(&[10, 2], (0..20).map(|i| i * 100).collect());
        d.node(Op::Gather, &[0], &[w], &[4, 2], (0, hi));
        d
    };
    edge(draft, 1900, 1899, "ResultRange");
}
