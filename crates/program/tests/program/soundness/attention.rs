//! `softmax_numerator`, `weighted_mean`, `normalize`.

use super::{edge, field_edge};
use crate::draft::Draft;
use veridical_program::{ConstData, ConstKind, Op, P};

fn softmax((lo, hi): (i32, i32), shift: u32, entries: Vec<i16>) -> Draft {
    let mut d = Draft::with_input(&[2, 4], lo, hi);
    let t = d.table(entries);
    d.node(
        Op::SoftmaxNumerator { shift },
        &[0],
        &[t],
        &[2, 4],
        (0, 1000),
    );
    d
}

#[test]
fn an_exponential_table_must_cover_every_difference() {
    // Differences up to 63 at shift 4 reach rows 0..=3.
    edge(
        |hi| softmax((0, hi), 4, vec![9, 5, 3, 1]),
        63,
        64,
        "TableCover",
    );
    edge(
        |lo| softmax((lo, 63), 4, vec![9, 5, 3, 1]),
        0,
        -1,
        "TableCover",
    );
}

#[test]
fn an_exponential_table_must_not_be_negative() {
    edge(
        |last| softmax((0, 63), 4, vec![9, 5, 3, last]),
        0,
        -1,
        "TableNegative",
    );
}

#[test]
fn entry_zero_of_an_exponential_table_is_its_positive_maximum() {
    edge(
        |second| softmax((0, 63), 4, vec![9, second, 3, 1]),
        9,
        10,
        "TablePeak",
    );
    edge(|all| softmax((0, 63), 4, vec![all; 4]), 1, 0, "TablePeak");
}

#[test]
fn a_runner_up_cannot_pose_as_the_maximum() {
    // D + N * 2^16 <= p: a negative difference must miss the table as a residue.
    let rows = 16384;
    let width = i32::try_from(P - (i64::from(rows) << 16)).unwrap();
    let draft = |(lo, hi)| softmax((lo, hi), 16, vec![1; usize::try_from(rows).unwrap()]);
    field_edge(
        draft,
        (-1000, width - 1000),
        (-1000, width - 999),
        "D + N * 2^shift <= p",
    );
}

#[test]
fn a_numerator_range_ends_at_entry_zero() {
    let draft = |hi: i32| {
        let mut d = Draft::with_input(&[4], 0, 1);
        let t = d.constant(
            ConstKind::Table,
            &[2],
            ConstData::I32(vec![70_000, 3].into()),
        );
        d.node(Op::SoftmaxNumerator { shift: 0 }, &[0], &[t], &[4], (0, hi));
        d
    };
    edge(draft, 70_000, 69_999, "ResultRange");
}

fn masked(shape: &[usize], (lo, hi): (i32, i32)) -> Draft {
    let mut d = Draft::with_input(&[2, 4], 0, 1);
    let mask = d.input(shape, lo, hi);
    let t = d.table(vec![2, 1]);
    d.node(
        Op::SoftmaxNumerator { shift: 0 },
        &[0, mask],
        &[t],
        &[2, 4],
        (0, 2),
    );
    d
}

#[test]
fn a_mask_holds_zeros_and_ones() {
    edge(
        |range| masked(&[2, 4], range),
        (0, 1),
        (0, 2),
        "OperandRange",
    );
    edge(
        |range| masked(&[2, 4], range),
        (0, 1),
        (-1, 1),
        "OperandRange",
    );
}

#[test]
fn a_mask_broadcasts_to_the_operand_but_not_along_rows() {
    edge(
        |shape| masked(shape, (0, 1)),
        &[1, 4][..],
        &[2, 1],
        "OperandShape",
    );
    edge(
        |shape| masked(shape, (0, 1)),
        &[1, 4][..],
        &[4],
        "OperandShape",
    );
    edge(
        |shape| masked(shape, (0, 1)),
        &[1, 4][..],
        &[3, 4],
        "OperandShape",
    );
}

#[test]
fn a_softmax_takes_one_or_two_operands() {
    let mut d = masked(&[2, 4], (0, 1));
    d.graph.nodes[0].inputs.push(1);
    assert_eq!(d.check(), "Arity");
    d.graph.nodes[0].inputs.clear();
    assert_eq!(d.check(), "Arity");
}

/// Rows of `k` weights up to `e` over values in `v`.
fn mean(k: usize, (e_lo, e): (i32, i32), v: (i32, i32)) -> Draft {
    let mut d = Draft::with_input(&[1, k], e_lo, e);
    let values = d.input(&[k, 1], v.0, v.1);
    d.node(Op::WeightedMean, &[0, values], &[], &[1, 1], v);
    d
}

#[test]
fn weights_of_a_mean_are_not_negative_and_not_all_zero() {
    edge(|e| mean(4, e, (-5, 5)), (0, 7), (-1, 7), "OperandRange");
    edge(|e| mean(4, e, (-5, 5)), (0, 1), (0, 0), "ZeroDenominator");
}

#[test]
fn the_numerator_of_a_mean_must_stay_in_the_field() {
    // K * E * max |v| <= M = 127 * 2^23; 64 values of v keep the other limit far.
    let draft = |e: i32| mean(1024, (0, e), (-4064, -4001));
    field_edge(draft, 256, 257, "K * E * max(|v_lo|, |v_hi|) <= M");
}

#[test]
fn quotients_of_a_mean_must_be_unique() {
    // v in -2048..=2048 admits 2^13 quotients, so K * E <= 2^31 / 2^13, less what p lacks.
    let most = i32::try_from(P >> 13 >> 9).unwrap();
    let draft = |e: i32| mean(512, (0, e), (-2048, 2048));
    field_edge(draft, most, most + 1, "2^w * K * E <= p");
}

#[test]
fn operands_of_a_mean_must_fit() {
    let draft = |shape: &[usize]| {
        let mut d = Draft::with_input(&[2, 3, 4], 0, 1);
        let v = d.input(shape, 0, 1);
        d.node(Op::WeightedMean, &[0, v], &[], &[2, 3, 5], (0, 1));
        d
    };
    edge(draft, &[2, 4, 5][..], &[2, 3, 5], "OperandShape");
    edge(draft, &[2, 4, 5][..], &[1, 4, 5], "OperandShape");
    edge(draft, &[2, 4, 5][..], &[5], "Rank");
}

#[test]
fn a_mean_range_is_that_of_its_values() {
    let draft = |hi: i32| {
        let mut d = Draft::with_input(&[1, 2], 0, 1);
        let v = d.input(&[2, 1], -3, 9);
        d.node(Op::WeightedMean, &[0, v], &[], &[1, 1], (-3, hi));
        d
    };
    edge(draft, 9, 8, "ResultRange");
}

fn normalize(k: usize, (lo, e): (i32, i32), digits: [u32; 2]) -> Draft {
    let mut d = Draft::with_input(&[k], lo, e);
    d.wide(Op::Normalize { digits }, &[0], &[], &[k]);
    d
}

#[test]
fn the_first_digit_of_a_quotient_must_be_unique() {
    // (2^14 + 1) * 8 * E <= p.
    let most = i32::try_from(P / ((1 << 14) + 1) / 8).unwrap();
    let draft = |e: i32| normalize(8, (0, e), [14, 0]);
    field_edge(draft, most, most + 1, "(2^k1 + 1) * K * E <= p");
}

#[test]
fn the_second_digit_of_a_quotient_must_be_unique() {
    let most = i32::try_from(P / ((1 << 14) + 1) / 8).unwrap();
    let draft = |e: i32| normalize(8, (0, e), [13, 14]);
    field_edge(draft, most, most + 1, "(2^k2 + 1) * K * E <= p");
}

#[test]
fn digits_have_limits() {
    edge(
        |digits| normalize(2, (0, 1), digits),
        [1, 0],
        [0, 1],
        "Attribute",
    );
    edge(
        |digits| normalize(2, (0, 1), digits),
        [15, 14],
        [15, 15],
        "Attribute",
    );
}

#[test]
fn numerators_of_a_quotient_are_not_negative_and_not_all_zero() {
    edge(|e| normalize(2, e, [8, 0]), (0, 9), (-1, 9), "OperandRange");
    edge(
        |e| normalize(2, e, [8, 0]),
        (0, 1),
        (0, 0),
        "ZeroDenominator",
    );
}

#[test]
fn a_quotient_range_ends_at_one() {
    let draft = |hi: i32| {
        let mut d = Draft::with_input(&[2], 0, 9);
        d.node(Op::Normalize { digits: [8, 4] }, &[0], &[], &[2], (0, hi));
        d
    };
    edge(draft, 4096, 4095, "ResultRange");
}
