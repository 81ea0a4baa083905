//! What every operation asks of its operands and constants, and of the declared result.

use super::edge;
use crate::draft::{Draft, window};
use veridical_program::{ConstKind, Op};

/// Every operation that takes narrow operands, with operand `position` of the range given.
fn narrow_operand(op: &str, position: usize, (lo, hi): (i32, i32)) -> Draft {
    let mut d = Draft::new();
    let range = |i: usize| if i == position { (lo, hi) } else { (0, 1) };
    let input = |d: &mut Draft, i: usize, shape: &[usize]| {
        let (lo, hi) = range(i);
        d.input(shape, lo, hi)
    };
    match op {
        "linear" => {
            input(&mut d, 0, &[1]);
            let w = d.i8(&[1, 1], vec![1]);
            let b = d.i32(&[1], vec![0]);
            d.wide(Op::Linear, &[0], &[w, b], &[1]);
        }
        "conv" => {
            input(&mut d, 0, &[1, 1, 1]);
            let w = d.i8(&[1, 1, 1, 1], vec![1]);
            let b = d.i32(&[1], vec![0]);
            let op = Op::Conv {
                window: window([1, 1]),
                groups: 1,
            };
            d.wide(op, &[0], &[w, b], &[1, 1, 1]);
        }
        "matmul" => {
            let a = input(&mut d, 0, &[1, 1]);
            let b = input(&mut d, 1, &[1, 1]);
            d.wide(Op::Matmul { transpose_b: false }, &[a, b], &[], &[1, 1]);
        }
        "weighted_mean" => {
            let e = input(&mut d, 0, &[1, 1]);
            let v = input(&mut d, 1, &[1, 1]);
            d.wide(Op::WeightedMean, &[e, v], &[], &[1, 1]);
        }
        _ => {
            input(&mut d, 0, &[1]);
            d.wide(Op::Normalize { digits: [1, 0] }, &[0], &[], &[1]);
        }
    }
    d
}

#[test]
fn an_operand_beyond_16_bits_is_refused_where_it_must_be_narrow() {
    for (op, position) in [("linear", 0), ("conv", 0), ("matmul", 0), ("matmul", 1)] {
        let draft = |range| narrow_operand(op, position, range);
        edge(draft, (-32768, 32767), (-32768, 32768), "NotNarrow");
        edge(draft, (-32768, 32767), (-32769, 32767), "NotNarrow");
    }
    let draft = |hi| narrow_operand("weighted_mean", 0, (0, hi));
    assert_eq!(draft(32768).check(), "NotNarrow");
    let draft = |hi| narrow_operand("weighted_mean", 1, (0, hi));
    edge(draft, 32767, 32768, "NotNarrow");
    let draft = |hi| narrow_operand("normalize", 0, (0, hi));
    edge(draft, 32767, 32768, "NotNarrow");
}

#[test]
fn a_missing_or_extra_operand_is_refused() {
    let draft = |operands: &[usize]| {
        let mut d = Draft::with_input(&[2], 0, 1);
        d.input(&[2], 0, 1);
        d.wide(Op::Mul, operands, &[], &[2]);
        d
    };
    assert_eq!(draft(&[0, 1]).check(), "accepted");
    assert_eq!(draft(&[0]).check(), "Arity");
    assert_eq!(draft(&[0, 1, 1]).check(), "Arity");
    assert_eq!(draft(&[]).check(), "Arity");
}

#[test]
fn operations_of_any_number_of_operands_take_at_least_one() {
    for op in [Op::Add { coeff: vec![] }, Op::Concat { axis: 0 }] {
        let mut d = Draft::with_input(&[2], 0, 1);
        d.wide(op, &[], &[], &[2]);
        assert_eq!(d.check(), "Arity");
    }
}

#[test]
fn a_missing_or_extra_constant_is_refused() {
    let mut d = Draft::with_input(&[1], 0, 1);
    let w = d.i8(&[1, 1], vec![1]);
    d.wide(Op::Linear, &[0], &[w], &[1]);
    assert_eq!(d.check(), "Arity");
    for op in [
        Op::Add { coeff: vec![1] },
        Op::Concat { axis: 0 },
        Op::Argmax,
    ] {
        let mut d = Draft::with_input(&[1], 0, 1);
        let w = d.i8(&[1], vec![1]);
        d.wide(op, &[0], &[w], &[1]);
        assert_eq!(d.check(), "Arity");
    }
}

#[test]
fn a_public_table_cannot_stand_for_a_weight_nor_a_weight_for_a_table() {
    let mut d = Draft::with_input(&[1], 0, 1);
    let w = d.table(vec![1, 2]);
    d.wide(Op::Gather, &[0], &[w], &[1]);
    assert_eq!(d.check(), "ConstKind");
    let mut d = Draft::with_input(&[1], 0, 1);
    let w = d.i16(&[2], vec![1, 2]);
    d.wide(
        Op::Table {
            shift: 0,
            first: 0,
            round: false,
        },
        &[0],
        &[w],
        &[1],
    );
    assert_eq!(d.check(), "ConstKind");
    d.graph.consts[0].kind = ConstKind::Table;
    assert_eq!(d.check(), "accepted");
}

#[test]
fn a_result_of_another_shape_is_refused() {
    let draft = |shape: &[usize]| {
        let mut d = Draft::with_input(&[2, 3], 0, 1);
        d.wide(Op::Transpose { perm: vec![1, 0] }, &[0], &[], shape);
        d
    };
    edge(draft, &[3, 2][..], &[2, 3], "ResultShape");
    edge(draft, &[3, 2][..], &[6], "ResultShape");
}

#[test]
fn the_range_of_a_hidden_weight_is_the_declared_one() {
    let mut d = Draft::with_input(&[1], 0, 1);
    let w = d.i8(&[1, 1], vec![5]);
    let b = d.i32(&[1], vec![0]);
    d.node(Op::Linear, &[0], &[w, b], &[1], (0, 5));
    let program = d.load().unwrap();
    let key = veridical_program::Program::from_bytes(&program.to_vkey_bytes()).unwrap();
    assert!(key.is_vkey() && key.constant(w).is_none());
    assert_eq!(key.digest(), program.digest());
}
