//! `conv`, `max_pool`, `sum_pool`.

use super::edge;
use crate::draft::{Draft, window};
use veridical_program::{Op, Window};

#[derive(Clone, Copy)]
struct Conv {
    window: Window,
    groups: usize,
    weight: [usize; 4],
    result: [usize; 3],
    range: (i32, i32),
}

/// 4 channels of 5 x 6 in -2..=3, 2 output channels, all weights 1, bias 0.
fn base() -> Conv {
    let window = Window {
        pad: [1, 0, 0, 2],
        stride: [2, 1],
        ..window([3, 2])
    };
    let weight = [2, 4, 3, 2];
    Conv {
        window,
        groups: 1,
        weight,
        result: [2, 2, 7],
        range: (-48, 72),
    }
}

fn conv(conv: Conv) -> Draft {
    let mut d = Draft::with_input(&[4, 5, 6], -2, 3);
    let w = d.i16(&conv.weight, vec![1; conv.weight.iter().product()]);
    let b = d.i32(&[conv.weight[0]], vec![0; conv.weight[0]]);
    let op = Op::Conv {
        window: conv.window,
        groups: conv.groups,
    };
    d.node(op, &[0], &[w, b], &conv.result, conv.range);
    d
}

#[test]
fn a_conv_range_is_the_interval_bound_of_a_channel() {
    edge(
        |hi| {
            conv(Conv {
                range: (-48, hi),
                ..base()
            })
        },
        72,
        71,
        "ResultRange",
    );
    edge(
        |lo| {
            conv(Conv {
                range: (lo, 72),
                ..base()
            })
        },
        -48,
        -47,
        "ResultRange",
    );
}

#[test]
fn padding_adds_zero_to_the_range_of_a_conv() {
    let draft = |pad: [usize; 4], lo: i32| {
        let mut d = Draft::with_input(&[1, 2, 2], 5, 9);
        let w = d.i8(&[1, 1, 2, 2], vec![1; 4]);
        let b = d.i32(&[1], vec![0]);
        let op = Op::Conv {
            window: Window {
                pad,
                ..window([2, 2])
            },
            groups: 1,
        };
        d.node(op, &[0], &[w, b], &[1, 1 + pad[0], 1], (lo, 36));
        d
    };
    edge(|lo| draft([0; 4], lo), 20, 21, "ResultRange");
    edge(|lo| draft([1, 0, 0, 0], lo), 0, 1, "ResultRange");
}

#[test]
fn groups_must_divide_both_channels() {
    assert_eq!(conv(base()).check(), "accepted");
    let grouped = |groups, weight, outputs| {
        conv(Conv {
            groups,
            weight,
            result: [outputs, 2, 7],
            ..base()
        })
        .check()
    };
    assert_eq!(grouped(2, [2, 2, 3, 2], 2), "accepted");
    assert_eq!(grouped(3, [3, 1, 3, 2], 3), "Groups");
    assert_eq!(grouped(4, [2, 1, 3, 2], 2), "Groups");
    assert_eq!(grouped(2, [2, 4, 3, 2], 2), "ConstShape");
}

#[test]
fn a_conv_weight_has_four_axes() {
    let mut d = Draft::with_input(&[4, 5, 6], -2, 3);
    let w = d.i16(&[2, 4, 3], vec![1; 24]);
    let b = d.i32(&[2], vec![0; 2]);
    d.wide(
        Op::Conv {
            window: window([3, 1]),
            groups: 1,
        },
        &[0],
        &[w, b],
        &[2, 3, 6],
    );
    assert_eq!(d.check(), "ConstShape");
}

#[test]
fn an_image_has_three_axes() {
    let mut d = Draft::with_input(&[5, 6], -2, 3);
    d.wide(Op::MaxPool(window([1, 1])), &[0], &[], &[5, 6]);
    assert_eq!(d.check(), "Rank");
}

fn pool(op: fn(Window) -> Op, window: Window, result: [usize; 2], range: (i32, i32)) -> Draft {
    let mut d = Draft::with_input(&[1, 5, 6], 2, 3);
    d.node(op(window), &[0], &[], &[1, result[0], result[1]], range);
    d
}

#[test]
fn a_window_larger_than_the_padded_image_is_refused() {
    let draft = |kernel: usize| {
        let w = Window {
            pad: [1, 0, 1, 0],
            ..window([kernel, 1])
        };
        pool(Op::MaxPool, w, [(8 - kernel).max(1), 6], (2, 3))
    };
    edge(draft, 7, 8, "WindowSize");
    let dilated = |dilation: usize| {
        let w = Window {
            dilation: [1, dilation],
            ..window([1, 3])
        };
        pool(Op::MaxPool, w, [5, 6 - 2 * dilation.min(2)], (2, 3))
    };
    edge(dilated, 2, 3, "WindowSize");
}

#[test]
fn a_pooling_window_of_padding_alone_is_refused() {
    for op in [Op::MaxPool, Op::SumPool] {
        let before = |pad: usize| {
            pool(
                op,
                Window {
                    pad: [pad, 0, 0, 0],
                    ..window([2, 1])
                },
                [4 + pad, 6],
                (0, 6),
            )
        };
        edge(before, 1, 2, "EmptyWindow");
        let after = |pad: usize| {
            pool(
                op,
                Window {
                    pad: [0, 0, 0, pad],
                    ..window([1, 3])
                },
                [5, 4 + pad],
                (0, 9),
            )
        };
        edge(after, 2, 3, "EmptyWindow");
    }
}

#[test]
fn a_max_pool_range_is_that_of_its_operand() {
    let draft = |lo: i32| pool(Op::MaxPool, window([2, 2]), [4, 5], (lo, 3));
    edge(draft, 2, 3, "ResultRange");
}

#[test]
fn a_sum_pool_range_counts_its_window_and_its_padding() {
    let plain = |range| pool(Op::SumPool, window([2, 3]), [4, 4], range);
    edge(plain, (12, 18), (12, 17), "ResultRange");
    edge(plain, (12, 18), (13, 18), "ResultRange");
    let padded = |range| {
        pool(
            Op::SumPool,
            Window {
                pad: [1, 0, 0, 0],
                ..window([2, 3])
            },
            [5, 4],
            range,
        )
    };
    edge(padded, (0, 18), (1, 18), "ResultRange");
}
