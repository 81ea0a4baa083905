//! `add`, `affine`, `mul`, reductions, `argmax`, `topk`.

use super::{edge, field_edge};
use crate::draft::{Draft, window};
use veridical_program::{M, Op, P};

fn add(coeff: Vec<i32>, (lo, hi): (i32, i32)) -> Draft {
    let mut d = Draft::with_input(&[2, 1], -3, 5);
    let y = d.input(&[1, 3], -10, 20);
    d.node(Op::Add { coeff }, &[0, y], &[], &[2, 3], (lo, hi));
    d
}

#[test]
fn an_add_range_follows_signs_of_coefficients() {
    edge(|hi| add(vec![2, -1], (-26, hi)), 20, 19, "ResultRange");
    edge(|lo| add(vec![2, -1], (lo, 20)), -26, -25, "ResultRange");
}

#[test]
fn a_zero_coefficient_is_refused() {
    edge(|c| add(vec![c, 1], (-100, 100)), 1, 0, "ZeroCoefficient");
}

#[test]
fn coefficients_are_as_many_as_operands() {
    edge(
        |coeff| add(coeff, (-100, 100)),
        vec![1, 1],
        vec![1, 1, 1],
        "Coefficients",
    );
    edge(
        |coeff| add(coeff, (-100, 100)),
        vec![1, 1],
        vec![1],
        "Coefficients",
    );
}

#[test]
fn a_coefficient_beyond_24_bits_is_refused() {
    let draft = |c: i32| {
        let mut d = Draft::with_input(&[1], 0, 1);
        d.wide(Op::Add { coeff: vec![c] }, &[0], &[], &[1]);
        d
    };
    edge(draft, 1 << 24, (1 << 24) + 1, "Limit");
    edge(draft, -(1 << 24), -(1 << 24) - 1, "Limit");
}

#[test]
fn operands_must_broadcast() {
    for op in [Op::Add { coeff: vec![1, 1] }, Op::Mul] {
        let draft = |shape: &[usize]| {
            let mut d = Draft::with_input(&[2, 3], 0, 1);
            let y = d.input(shape, 0, 1);
            d.wide(op.clone(), &[0, y], &[], &[2, 3]);
            d
        };
        edge(draft, &[2, 1][..], &[2, 2], "OperandShape");
        edge(draft, &[1, 3][..], &[3], "OperandShape");
    }
}

#[test]
fn a_mul_range_is_that_of_products() {
    let draft = |range| {
        let mut d = Draft::with_input(&[1], -3, 5);
        let y = d.input(&[1], -7, 2);
        d.node(Op::Mul, &[0, y], &[], &[1], range);
        d
    };
    edge(draft, (-35, 21), (-34, 21), "ResultRange");
    edge(draft, (-35, 21), (-35, 20), "ResultRange");
}

#[test]
fn a_square_is_never_negative() {
    let draft = |range| {
        let mut d = Draft::with_input(&[1], -3, 5);
        d.node(Op::Mul, &[0, 0], &[], &[1], range);
        d
    };
    edge(draft, (0, 25), (1, 25), "ResultRange");
    edge(draft, (0, 25), (0, 24), "ResultRange");
}

#[test]
fn a_product_that_could_leave_the_field_is_refused() {
    let draft = |hi: i32| {
        let mut d = Draft::with_input(&[1], 0, hi);
        let y = d.input(&[1], 0, 1 << 15);
        d.wide(Op::Mul, &[0, y], &[], &[1]);
        d
    };
    let most = i32::try_from(M >> 15).unwrap();
    edge(draft, most, most + 1, "ResultRange");
}

/// Gains `[2, 1]` by offsets of the shape given, for x in -10..=20.
fn affine(g: (&[usize], Vec<i16>), b: (&[usize], Vec<i32>), range: (i32, i32)) -> Draft {
    let mut d = Draft::with_input(&[2, 2], -10, 20);
    let g = d.i16(g.0, g.1);
    let b = d.i32(b.0, b.1);
    d.node(Op::Affine, &[0], &[g, b], &[2, 2], range);
    d
}

#[test]
fn an_affine_range_pairs_each_gain_with_its_offset() {
    // 3x + 0 and -2x + 100: -30..=60 and 60..=120.
    let draft = |range| affine((&[2, 1], vec![3, -2]), (&[2, 1], vec![0, 100]), range);
    edge(draft, (-30, 120), (-29, 120), "ResultRange");
    edge(draft, (-30, 120), (-30, 119), "ResultRange");
}

#[test]
fn an_affine_range_pairs_all_where_shapes_cross() {
    // 3x + {0, 100} and -2x + {0, 100}: up to 160, down to -40.
    let draft = |range| affine((&[2, 1], vec![3, -2]), (&[1, 2], vec![0, 100]), range);
    edge(draft, (-40, 160), (-39, 160), "ResultRange");
    edge(draft, (-40, 160), (-40, 159), "ResultRange");
    let draft = |range| affine((&[2, 2], vec![3, -2, 1, 1]), (&[1, 2], vec![0, 100]), range);
    // 3x + 0, -2x + 100, x + 0, x + 100.
    edge(draft, (-30, 120), (-30, 119), "ResultRange");
    edge(draft, (-30, 120), (-29, 120), "ResultRange");
}

#[test]
fn affine_constants_must_broadcast_to_the_operand() {
    let draft = |shape: &[usize]| {
        affine(
            (shape, vec![1; shape.iter().product()]),
            (&[1, 1], vec![0]),
            (-100, 100),
        )
    };
    edge(draft, &[2, 2][..], &[2, 4], "ConstShape");
    edge(draft, &[1, 2][..], &[2], "ConstShape");
    let draft = |shape: &[usize]| {
        affine(
            (&[1, 1], vec![1]),
            (shape, vec![0; shape.iter().product()]),
            (-100, 100),
        )
    };
    edge(draft, &[2, 1][..], &[3, 1], "ConstShape");
}

#[test]
fn reductions_need_ascending_axes_that_exist() {
    for op in [|axes| Op::ReduceSum { axes }, |axes| Op::ReduceMax { axes }] {
        let draft = |axes: Vec<usize>| {
            let mut d = Draft::with_input(&[2, 3], 0, 1);
            d.wide(op(axes), &[0], &[], &[1, 1]);
            d
        };
        edge(draft, vec![0, 1], vec![1, 0], "Axes");
        edge(draft, vec![0, 1], vec![0, 0], "Axes");
        edge(draft, vec![0, 1], vec![0, 2], "Axes");
        edge(draft, vec![0, 1], vec![], "Limit");
    }
}

#[test]
fn a_sum_range_counts_its_elements() {
    let draft = |range| {
        let mut d = Draft::with_input(&[4, 3], -1, 2);
        d.node(Op::ReduceSum { axes: vec![0] }, &[0], &[], &[1, 3], range);
        d
    };
    edge(draft, (-4, 8), (-3, 8), "ResultRange");
    edge(draft, (-4, 8), (-4, 7), "ResultRange");
}

#[test]
fn a_reduced_maximum_keeps_the_range() {
    let draft = |range| {
        let mut d = Draft::with_input(&[4, 3], -1, 2);
        d.node(Op::ReduceMax { axes: vec![1] }, &[0], &[], &[4, 1], range);
        d
    };
    edge(draft, (-1, 2), (0, 2), "ResultRange");
}

#[test]
fn differences_of_ranked_values_must_not_wrap_in_the_field() {
    // D + 1 + 2^30 <= p for D + 1 < 2^30; M is below, so only the total width decides.
    let reach = i32::try_from(P - (1 << 30)).unwrap();
    for op in [
        Op::Argmax,
        Op::TopK {
            k: 1,
            values: false,
        },
        Op::TopK { k: 1, values: true },
    ] {
        let draft = |width: i32| {
            let lo = -(width / 2);
            let mut d = Draft::with_input(&[4], lo, lo + width);
            d.wide(op.clone(), &[0], &[], &[1]);
            d
        };
        field_edge(draft, reach - 1, reach, "H - L + 1 + 2^w <= p");
    }
}

#[test]
fn topk_takes_at_most_a_row() {
    let draft = |k: usize| {
        let mut d = Draft::with_input(&[2, 4], 0, 9);
        d.wide(Op::TopK { k, values: false }, &[0], &[], &[2, k]);
        d
    };
    edge(draft, 4, 5, "Attribute");
    edge(draft, 4, 0, "Limit");
}

#[test]
fn indices_and_values_have_their_own_ranges() {
    let draft = |values: bool| {
        move |range| {
            let mut d = Draft::with_input(&[4], -7, 90);
            d.node(Op::TopK { k: 2, values }, &[0], &[], &[2], range);
            d
        }
    };
    edge(draft(false), (0, 3), (0, 2), "ResultRange");
    edge(draft(true), (-7, 90), (0, 3), "ResultRange");
}

#[test]
fn a_value_below_the_maximum_cannot_pose_as_it() {
    let reach = i32::try_from(P - (1 << 30)).unwrap();
    let pool = Op::MaxPool(window([1, 1]));
    for op in [Op::ReduceMax { axes: vec![2] }, pool] {
        let draft = |width: i32| {
            let lo = -(width / 2);
            let mut d = Draft::with_input(&[1, 1, 1], lo, lo + width);
            d.wide(op.clone(), &[0], &[], &[1, 1, 1]);
            d
        };
        field_edge(draft, reach, reach + 1, "H - L + 2^w <= p");
    }
}
