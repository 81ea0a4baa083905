//! Ranges, shapes and parameters at their limits.

use std::sync::Arc;

use veridical_program::{ConstData, ConstKind, Op, Program, Window};

use crate::check;
use crate::support::Builder;

const M: i64 = 1_065_353_216;

/// Publishes the last tensor, and checks runs on inputs with many ends of ranges.
fn holds(name: &str, mut b: Builder) {
    let last = b.tensors() - 1;
    b.output(last);
    let program: Arc<Program> = b.build();
    for (batch, seed) in [(1, 3), (2, 5), (3, 8)] {
        assert!(check(name, &program, batch, seed), "{name}");
    }
}

/// `layernorm` with the greatest `u` that its conditions allow.
fn layernorm(shape: &[usize], shift: u32, centered: bool, (lo, hi): (i64, i64)) -> Builder {
    let mut b = Builder::new(1);
    let x = b.input(shape, lo, hi);
    let d = i64::try_from(shape[shape.len() - 1]).unwrap();
    let is_fine = |u: &u32| (d << (2 * u)).isqrt() < 1 << 28;
    let u = (8..=23).rev().find(is_fine).unwrap();
    let fx = u.saturating_sub(16).max(4);
    let target = d << (2 * u);
    let root = target.isqrt() + i64::from(target.isqrt() * target.isqrt() < target);
    let y = (root + (1 << (u - fx - 1))) >> (u - fx);
    let op = Op::LayerNorm {
        shift,
        u,
        fx,
        epsilon: 1,
        centered,
    };
    b.node(op, &[x], &[], shape, (-y, y));
    b
}

#[test]
fn rows_of_every_length_and_limb() {
    for d in [1, 2, 7, 384, 1000, 1001, 1024] {
        for shift in [0, 1, 10, 11] {
            for centered in [true, false] {
                if d > 1000 && !centered {
                    continue;
                }
                let limit: i64 = if shift == 11 { 508 << 10 } else { 1 << 19 };
                let half = if shift == 0 { 0 } else { 1_i64 << (shift - 1) };
                // The whole range of v, as far as integers of programs go.
                let lo = ((-limit << shift) - half).max(-M);
                let hi = ((limit << shift) - half - 1).min(M);
                let name = format!("layernorm {d} {shift} {centered}");
                holds(&name, layernorm(&[2, d], shift, centered, (lo, hi)));
                holds(&name, layernorm(&[1, d], shift, centered, (hi - 1, hi)));
                holds(&name, layernorm(&[1, d], shift, centered, (lo, lo)));
            }
        }
    }
}

#[test]
fn bounds_of_clamps() {
    let ends = [-90, -50, -49, 0, 30, 60, 61, 99];
    for lo in ends {
        for hi in ends.into_iter().filter(|&hi| hi >= lo) {
            let mut b = Builder::new(1);
            let x = b.input(&[3, 11], -50, 60);
            b.clamp(x, lo, hi);
            holds(&format!("clamp {lo} {hi}"), b);
        }
    }
    let mut b = Builder::new(1);
    let x = b.input(&[40], -(1 << 29), (1 << 29) - 1);
    b.clamp(x, -3, 5);
    holds("wide clamp", b);
}

#[test]
fn quotients_of_every_width() {
    // (2^k + 1) K E close to p, and rows of one element.
    for (k, e, digits) in [
        (1, 1, [29, 0]),
        (1, 2, [28, 1]),
        (1, 3, [1, 28]),
        (2, 1, [29, 0]),
        (3, 32767, [14, 14]),
        (3, 21673, [1, 15]),
        (1000, 32, [15, 14]),
        (5, 1, [1, 1]),
    ] {
        let mut b = Builder::new(1);
        let x = b.input(&[4, k], 1, e);
        let [k1, k2] = digits;
        b.node(
            Op::Normalize { digits },
            &[x],
            &[],
            &[4, k],
            (0, 1 << (k1 + k2)),
        );
        holds(&format!("normalize {k} {e} {digits:?}"), b);
    }
    for (k, e, lo, hi) in [
        (1, 1, -32768, 32767),
        (7, 2000, 0, 1),
        (2, 32767, -8000, 8191),
        (3, 21000, 16383, 16384),
        (300, 100, -511, -511),
        (16384, 32767, 0, 1),
    ] {
        let mut b = Builder::new(1);
        let weights = b.input(&[2, 3, k], 1, e);
        let values = b.input(&[2, k, 5], lo, hi);
        b.weighted_mean(weights, values);
        holds(&format!("weighted mean {k} {e} {lo} {hi}"), b);
    }
}

#[test]
fn windows_that_leave_the_image() {
    let base = Window {
        kernel: [3, 2],
        stride: [2, 1],
        pad: [1, 0, 2, 1],
        dilation: [1, 1],
    };
    let windows = [
        base,
        Window {
            pad: [0; 4],
            ..base
        },
        Window {
            pad: [2, 1, 0, 0],
            stride: [1, 3],
            ..base
        },
        Window {
            pad: [0, 0, 1, 0],
            stride: [3, 3],
            ..base
        },
        Window {
            kernel: [1, 1],
            pad: [0; 4],
            stride: [2, 3],
            ..base
        },
        Window {
            kernel: [1, 1],
            pad: [0; 4],
            stride: [1, 1],
            ..base
        },
        Window {
            kernel: [2, 3],
            pad: [0; 4],
            stride: [1, 1],
            dilation: [2, 3],
        },
    ];
    for (i, window) in windows.into_iter().enumerate() {
        for (lo, hi) in [(-40, 90), (-90, -3), (5, 70), (-(1 << 28), 1 << 28)] {
            let mut b = Builder::new(1);
            let x = b.input(&[3, 7, 8], lo, hi);
            b.pool(x, window, false);
            holds(&format!("max_pool {i}"), b);
        }
        for sum in [false, true] {
            let mut b = Builder::new(1);
            let x = b.input(&[2, 2, 7, 8], -40, 90);
            b.pool(x, window, sum);
            holds(&format!("pool {i} {sum}"), b);
        }
        // Groups of 1, 2, 3 and 4 channels, with 1, 2 and 3 outputs each.
        for (channels, groups, outputs) in [
            (6, 1, 5),
            (6, 6, 6),
            (6, 6, 12),
            (6, 3, 3),
            (6, 2, 6),
            (6, 2, 2),
            (8, 2, 8),
        ] {
            let mut b = Builder::new(2);
            let x = b.input(&[channels, 7, 8], -100, 90);
            b.conv(x, outputs, window, groups);
            holds(&format!("conv {i} {channels} {groups} {outputs}"), b);
        }
    }
}

#[test]
fn ranks_among_equal_values() {
    for (n, k) in [(1, 1), (2, 1), (2, 2), (5, 1), (5, 3), (5, 5), (33, 4)] {
        for (lo, hi) in [(-1, 1), (4, 4), (-300, 200), (-(1 << 28), 1 << 28)] {
            for values in [false, true] {
                let mut b = Builder::new(1);
                let x = b.input(&[3, n], lo, hi);
                let i = i64::try_from(n).unwrap() - 1;
                let range = if values { (lo, hi) } else { (0, i) };
                b.node(Op::TopK { k, values }, &[x], &[], &[3, k], range);
                holds(&format!("topk {n} {k} {lo} {hi} {values}"), b);
            }
            let mut b = Builder::new(1);
            let x = b.input(&[3, n], lo, hi);
            let i = i64::try_from(n).unwrap() - 1;
            b.node(Op::Argmax, &[x], &[], &[3, 1], (0, i));
            holds(&format!("argmax {n} {lo} {hi}"), b);
        }
    }
}

#[test]
fn rows_by_public_and_by_computed_ids() {
    for rest in [vec![], vec![5], vec![2, 1, 3]] {
        for computed in [false, true] {
            let mut b = Builder::new(1);
            let mut ids = b.input(&[2, 3], 0, 6);
            if computed {
                ids = b.table(ids, 0, |i, _| 6 - i);
            } else {
                ids = b.reshape(ids, &[3, 2]);
            }
            let shape = [&[7], rest.as_slice()].concat();
            let count: usize = shape.iter().product();
            let elements: Vec<i16> = (0..count).map(|i| i16::try_from(i * i).unwrap()).collect();
            let greatest = i64::from(elements[count - 1]);
            let w = b.constant(ConstKind::Weight, &shape, ConstData::I16(elements.into()));
            let shape = [b.shape(ids).as_slice(), &rest].concat();
            let first = b.node(Op::Gather, &[ids], &[w], &shape, (0, greatest));
            // A second use of the same rows.
            let second = b.node(Op::Gather, &[ids], &[w], &shape, (0, greatest));
            b.add(&[first, second], &[1, -1]);
            holds(&format!("gather {rest:?} {computed}"), b);
        }
    }
}

#[test]
fn shapes_that_are_no_powers_of_two() {
    let shapes: [(&[usize], &[usize]); 9] = [
        (&[6, 4], &[24]),
        (&[6, 4], &[2, 12]),
        (&[6, 5], &[30]),
        (&[1, 6, 5, 1, 8], &[30, 2, 4]),
        (&[3, 8, 5], &[6, 4, 1, 5]),
        (&[4, 6, 1], &[1, 6, 4]),
        (&[2, 3, 5, 7], &[7, 5, 3, 2]),
        (&[1, 1], &[1]),
        (&[16, 3], &[1, 4, 4, 3, 1]),
    ];
    for (from, to) in shapes {
        let mut b = Builder::new(1);
        let x = b.input(from, -90, 90);
        // What an input's layout is, the verifier knows; this is not one.
        let x = b.shift(x, 1);
        b.reshape(x, to);
        holds(&format!("reshape {from:?} {to:?}"), b);
    }
}
