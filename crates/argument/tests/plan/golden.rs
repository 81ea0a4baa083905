//! Whole plans of small programs.

use veridical_argument::plan::Plan;
use veridical_program::{Op, Window};

use crate::summary::summary;
use crate::support::Builder;

fn plan(mut b: Builder, batch: usize) -> String {
    let last = b.tensors() - 1;
    b.output(last);
    summary(&Plan::build(&b.build(), batch).unwrap())
}

/// Compares line by line, so that a difference is readable.
fn same(actual: &str, expected: &str) {
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    let actual: Vec<&str> = actual.lines().collect();
    assert_eq!(actual, expected, "{actual:#?}");
}

#[test]
fn a_layer_with_a_table() {
    let mut b = Builder::new(1);
    let x = b.input(&[3], -8, 7);
    let y = b.linear(x, 4);
    b.requantise(y, -128, 127);
    let expected = "
        w0 [2, 3] public 0 = tensor 0
        w1 [4, 3] weight 0
        w2 [2, 4] einsum w0 w1 ab,cb->ac
        w3 [1, 4] weight 1
        w4 [2, 4] 1 w2 + 1 w3 = tensor 1
        w5 [2, 4] witness tensor 2 = tensor 2
        w6 [2, 4] witness 11 bits of 1 w4 + 443392
        w7 [2, 4] witness 8 bits of 1 w6
        w8 [256] witness count of table 1
        w9 [8] witness count of table 2
        w10 [421] witness count of table 3
        table 1 R8 256 rows w8
        table 2 R3 8 rows w9
        table 3 const 2 421 rows w10
        site [2, 4] (1, 1 w7) dropped bits
        site [2, 4] (2, (1 w6 + -1 w7) / 2^8) dropped bits
        site [2, 4] (3, (1 w4 + -1 w6 + 443392) / 2^11, 1 w5) table output
        outputs w5
    ";
    same(&plan(b, 2), expected);
}

#[test]
fn clamps_on_both_sides() {
    let mut b = Builder::new(1);
    let x = b.input(&[3], -100, 100);
    b.clamp(x, -10, 20);
    let expected = "
        w0 [1, 3] public 0 = tensor 0
        w1 [1, 3] witness max(w0, -10)
        w2 [1, 3] witness tensor 1 = tensor 1
        w3 [128] witness count of table 1
        w4 [32] witness count of table 2
        table 1 R7 128 rows w3
        table 2 R5 32 rows w4
        site [1, 3] (1, 1 w1 + 10) distance to the bound
        site [1, 3] (1, -1 w0 + 1 w1) distance to the operand
        site [1, 3] (2, -1 w2 + 20) distance to the bound
        site [1, 3] (1, 1 w1 + -1 w2) distance to the operand
        identity [1, 3] 1 w1 w1 + -1 w0 w1 + 10 w1 + -10 w0 = 0
        identity [1, 3] 1 w2 w2 + -1 w1 w2 + -20 w2 + 20 w1 = 0
        outputs w2
    ";
    same(&plan(b, 1), expected);
}

#[test]
fn groups_of_three_channels() {
    let mut b = Builder::new(1);
    let x = b.input(&[6, 5, 4], -8, 7);
    let window = Window {
        kernel: [3, 1],
        stride: [2, 1],
        pad: [1, 0, 1, 0],
        dilation: [1, 1],
    };
    b.conv(x, 6, window, 2);
    let expected = "
        w0 [1, 6, 5, 4] public 0 = tensor 0
        w1 [1, 2, 3, 3, 3, 4] map w0 same 1 reshape [6]->[2, 3] window [5]->[3, 3] same 1
        w2 [6, 3, 3, 1] weight 0
        w3 [6, 3, 3] view w2 [0, 1, 2, 3, 4, 5, 6]
        w4 [2, 3, 3, 3] map w3 reshape [6]->[2, 3] same 2
        w5 [2, 3, 3, 3, 1] view w4 [0, 1, 2, 3, 4, 5, 6]
        w6 [1, 2, 3, 3, 4] einsum w1 w5 .wxzab,wyxa.->.wyzb
        w7 [1, 6, 3, 4] map w6 same 1 reshape [2, 3]->[6] same 2
        w8 [1, 6, 1, 1] weight 1
        w9 [1, 6, 3, 4] 1 w7 + 1 w8 = tensor 1
        outputs w9
    ";
    same(&plan(b, 1), expected);
}

#[test]
fn a_masked_row() {
    let mut b = Builder::new(1);
    let x = b.input(&[2, 5], -300, 300);
    let mask = b.input(&[1, 5], 0, 1);
    b.softmax_numerator(x, Some(mask), 1023);
    let expected = "
        w0 [1, 2, 5] public 0 = tensor 0
        w1 [1, 1, 5] public 1 = tensor 1
        w2 [1, 2, 1] witness max w0 [2]
        w3 [1, 2, 5] witness first w0 [2]
        w4 [1, 2, 1] sum w3 [2]
        w5 [1, 1, 1] one
        w6 [1, 2, 5] witness tensor 2 = tensor 2
        w7 [1, 2, 5] -1 w0 + 1 w2
        w8 [1, 2, 5] witness w1 * w7
        w9 [601] witness count of table 1
        w10 [1] witness count of table 2
        table 1 const 0 601 rows w9
        table 2 zero 1 rows w10
        site [1, 2, 5] (-1 w1 + 2, 1 w8, 1 w6) exponential
        identity [1, 2, 5] 1 w3 w3 + -1 w3 = 0
        identity [1, 2, 1] 1 w4 + -1 w5 = 0
        identity [1, 2, 5] 1 w3 w2 + -1 w3 w0 = 0
        identity [1, 2, 5] 1 w3 + -1 w3 w1 = 0
        identity [1, 2, 5] 1 w8 + -1 w1 w2 + 1 w1 w0 = 0
        outputs w6
    ";
    same(&plan(b, 1), expected);
}

#[test]
fn two_of_three() {
    let mut b = Builder::new(1);
    let x = b.input(&[3], -20, 20);
    b.node(
        Op::TopK {
            k: 2,
            values: false,
        },
        &[x],
        &[],
        &[2],
        (0, 2),
    );
    let expected = "
        w0 [1, 3] public 0 = tensor 0
        w1 [1, 2, 3] witness ranks w0
        w2 [1, 2, 3] map w1 same 2 place [3]->[3]
        w3 [1, 2, 3] 1 w1 + -1 w2
        w4 [1, 2, 1] sum w3 [2]
        w5 [1, 1, 1] one
        w6 [1, 2] einsum w3 w0 .bc,.c->.b
        w7 [1, 2, 1] view w6 [0]
        w8 [1, 2, 1] sum w1 [2]
        w9 [1, 1, 3] view w0 [0, 1]
        w10 [1, 2, 1] -1 w8 + 3
        w11 [1, 1, 1] map w10 same 1 slice [2]->[1] same 1
        w12 [1, 1, 1] map w10 same 1 slice [2]->[1] same 1
        w13 [1, 1, 1] map w7 same 1 slice [2]->[1] same 1
        w14 [1, 1, 1] map w7 same 1 slice [2]->[1] same 1
        w15 [1, 1, 1] 1 w11 + -1 w12
        w16 [1, 1, 1] witness w15 > 0
        w17 [1, 1, 1] 2 w16 + -1
        w18 [1, 1, 1] witness w17 * w15
        w19 [1, 1, 1] map w7 same 1 slice [2]->[1] same 1
        w20 [1, 1, 3] map w1 same 1 slice [2]->[1] same 1
        w21 [1, 1, 3] sum w3 [1]
        w22 [1, 1, 3] -1 w9 + 1 w19 + 1 w20 + -1
        w23 [1, 1, 3] -1 w21 + 1
        w24 [1, 1, 3] witness w23 * w22
        w25 [1, 2] view w10 [0] = tensor 1
        w26 [4] witness count of table 1
        w27 [64] witness count of table 2
        table 1 R2 4 rows w26
        table 2 R6 64 rows w27
        site [1, 1, 1] (1, -1 w16 + 1 w18) absolute distance
        site [1, 1, 1] (2, -1 w13 + 1 w14 + 1 w16 + -1) values in order
        site [1, 1, 3] (2, 1 w24) distance of others
        identity [1, 2, 3] 1 w3 w3 + -1 w3 = 0
        identity [1, 2, 1] 1 w4 + -1 w5 = 0
        identity [1, 1, 1] 1 w16 w16 + -1 w16 = 0
        identity [1, 1, 1] 1 w17 w15 + -1 w18 = 0
        identity [1, 1, 3] 1 w23 w22 + -1 w24 = 0
        outputs w25
    ";
    same(&plan(b, 1), expected);
}
