//! Random programs: every operation, odd sizes, shared and published intermediate tensors.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "sizes and values of test programs are small"
)]

use std::sync::Arc;

use veridical_program::{ConstData, ConstKind, Op, Program, Window};

use crate::support::{Builder, window_result};

/// A program of about `nodes` operations on images or on sequences.
pub fn program(seed: u64, nodes: usize) -> Arc<Program> {
    let mut b = Builder::new(seed);
    let image = b.random.one_in(2);
    let shape = if image {
        [0; 3].map(|_| 1 + b.random.index(7)).to_vec()
    } else {
        vec![
            1 + b.random.index(3),
            1 + b.random.index(9),
            1 + b.random.index(40),
        ]
    };
    let (lo, hi) = [(-32768, 32767), (-100, 90), (0, 4000), (-5, 70000)][b.random.index(4)];
    let x = b.input(&shape, lo, hi);
    let mask = b.input(&[shape[0], 1, shape[2]], 0, 1);
    let mut pool = vec![x];
    while b.tensors() < nodes + 2 {
        // Recent tensors are likelier, so that programs get deep.
        let pick = if b.random.one_in(3) {
            b.random.index(pool.len())
        } else {
            pool.len() - 1
        };
        if let Some(y) = grow(&mut b, pool[pick], mask) {
            pool.push(y);
        }
    }
    let last = pool[pool.len() - 1];
    b.output(last);
    let other = b.random.index(b.tensors());
    if b.random.one_in(2) && other != last {
        b.output(other);
    }
    b.build()
}

/// Applies a random operation, if it fits the tensor.
fn grow(b: &mut Builder, x: usize, mask: usize) -> Option<usize> {
    let shape = b.shape(x);
    let (lo, hi) = b.range(x);
    let size: usize = shape.iter().product();
    let spread = lo.abs().max(hi.abs()).max(1);
    let rank = shape.len();
    let width = shape[rank - 1];
    if size > 20_000 {
        return None;
    }
    if spread > 1 << 24 && !b.random.one_in(4) {
        return Some(b.narrow(x, -300, 255));
    }
    match b.random.index(23) {
        0 | 1 if b.is_narrow(x) => {
            let columns = 1 + b.random.index(50);
            Some(b.linear(x, columns))
        }
        2 | 3 if b.is_narrow(x) && rank >= 3 => convolution(b, x),
        4 => pooling(b, x, spread),
        5 => Some(b.narrow(x, -300, 255)),
        6 if spread < 1 << 28 => {
            let shift = 1 + b.random.index(3) as u32;
            Some(b.shift(x, shift))
        }
        7 if spread < 1 << 20 => {
            let gain: Vec<usize> = shape
                .iter()
                .map(|&n| if b.random.one_in(2) { 1 } else { n })
                .collect();
            let bias: Vec<usize> = shape
                .iter()
                .map(|&n| if b.random.one_in(2) { 1 } else { n })
                .collect();
            Some(b.affine(x, &gain, &bias, 50))
        }
        8 if spread < 1 << 14 => Some(b.mul(x, x)),
        9 if spread < 1 << 26 => {
            let y = broadcast_partner(b, x);
            let coeff = [
                b.random.between(1, 3) as i32,
                -(b.random.between(1, 3) as i32),
            ];
            Some(b.add(&[x, y, x], &[coeff[0], coeff[1], 1]))
        }
        10 if spread < 1 << 14 => {
            let y = broadcast_partner(b, x);
            Some(b.mul(y, x))
        }
        11 | 12 if spread < 1 << 29 && width <= 1000 => {
            let centered = b.random.one_in(2);
            Some(b.layernorm(x, 15, 6, centered))
        }
        13 | 14 if rank >= 2 && spread < 1 << 14 => Some(attention(b, x, mask)),
        15 if spread < 1 << 28 => Some(largest(b, x)),
        16 if spread < 1 << 20 => reduction(b, x),
        22 if spread < 1 << 28 => {
            let (low, high) = (b.random.between(lo, hi), b.random.between(lo, hi));
            Some(b.clamp(x, low.min(high), low.max(high)))
        }
        17 => Some(normalize(b, x)),
        18 => gather(b, x, size),
        _ => Some(layout(b, x)),
    }
}

fn largest(b: &mut Builder, x: usize) -> usize {
    let shape = b.shape(x);
    let (lo, hi) = b.range(x);
    let rank = shape.len();
    let width = shape[rank - 1];
    let values = i32::from(b.random.one_in(2)) == 1;
    let k = 1 + b.random.index(width);
    let mut result = shape;
    result[rank - 1] = if b.random.one_in(3) { 1 } else { k };
    let (op, range) = if result[rank - 1] == 1 {
        (Op::Argmax, (0, width as i64 - 1))
    } else {
        let range = if values {
            (lo, hi)
        } else {
            (0, width as i64 - 1)
        };
        (
            Op::TopK {
                k: result[rank - 1],
                values,
            },
            range,
        )
    };
    b.node(op, &[x], &[], &result, range)
}

fn reduction(b: &mut Builder, x: usize) -> Option<usize> {
    let shape = b.shape(x);
    let (lo, hi) = b.range(x);
    let rank = shape.len();
    let axes: Vec<usize> = (0..rank).filter(|_| b.random.one_in(2)).collect();
    if axes.is_empty() {
        return None;
    }
    let count: usize = axes.iter().map(|&a| shape[a]).product();
    let mut result = shape;
    for &axis in &axes {
        result[axis] = 1;
    }
    Some(if b.random.one_in(2) {
        let range = (count as i64 * lo, count as i64 * hi);
        if range.0.abs().max(range.1.abs()) > 1 << 29 {
            return None;
        }
        b.node(Op::ReduceSum { axes }, &[x], &[], &result, range)
    } else {
        b.node(Op::ReduceMax { axes }, &[x], &[], &result, (lo, hi))
    })
}

fn convolution(b: &mut Builder, x: usize) -> Option<usize> {
    let shape = b.shape(x);
    let channels = shape[shape.len() - 3];
    let size = [shape[shape.len() - 2], shape[shape.len() - 1]];
    let window = random_window(b, size)?;
    let groups = match b.random.index(3) {
        0 => channels,
        1 if channels.is_multiple_of(2) => 2,
        _ => 1,
    };
    let outputs = groups * (1 + b.random.index(4) * b.random.index(4));
    Some(b.conv(x, outputs, window, groups))
}

/// A window that fits into a plane of the given size.
fn random_window(b: &mut Builder, size: [usize; 2]) -> Option<Window> {
    let random = &mut b.random;
    let mut kernel = [0; 2].map(|_: usize| 1 + random.index(3));
    let mut pad = [0; 4].map(|_: usize| random.index(3));
    if random.one_in(3) {
        kernel = [1, 1];
    }
    // Smaller than the kernel, so that every window has a real position.
    for i in 0..4 {
        pad[i] = if random.one_in(2) {
            0
        } else {
            pad[i].min(kernel[i % 2] - 1)
        };
    }
    let stride = [0; 2].map(|_: usize| 1 + random.index(3));
    let dilation = [0; 2].map(|_: usize| {
        if pad == [0; 4] {
            1 + random.index(2)
        } else {
            1
        }
    });
    let window = Window {
        kernel,
        stride,
        pad,
        dilation,
    };
    let fits = |i: usize| size[i] + pad[i] + pad[i + 2] > dilation[i] * (kernel[i] - 1);
    (fits(0) && fits(1)).then_some(window)
}

fn pooling(b: &mut Builder, x: usize, spread: i64) -> Option<usize> {
    let shape = b.shape(x);
    if shape.len() < 3 || spread > 1 << 25 {
        return None;
    }
    let size = [shape[shape.len() - 2], shape[shape.len() - 1]];
    let window = random_window(b, size)?;
    // Positions beyond the image on both sides would leave a window empty.
    let [rows, columns] = window_result(&window, size);
    let real = |i: usize, n: usize| {
        (0..n).all(|o| {
            (0..window.kernel[i]).any(|tap| {
                (o * window.stride[i] + tap * window.dilation[i])
                    .checked_sub(window.pad[i])
                    .is_some_and(|p| p < size[i])
            })
        })
    };
    if !real(0, rows) || !real(1, columns) {
        return None;
    }
    let sum = b.random.one_in(2);
    Some(b.pool(x, window, sum))
}

/// A tensor that broadcasts against `x`: a sum over some axes, brought into 8 bits.
fn broadcast_partner(b: &mut Builder, x: usize) -> usize {
    let mut shape = b.shape(x);
    let axes: Vec<usize> = (0..shape.len()).filter(|_| b.random.one_in(2)).collect();
    let mut y = x;
    if !axes.is_empty() {
        for &axis in &axes {
            shape[axis] = 1;
        }
        let range = b.range(x);
        y = b.node(Op::ReduceMax { axes }, &[x], &[], &shape, range);
    }
    b.narrow(y, -128, 127)
}

/// Attention of a sequence to itself, with or without transposed heads and a mask.
fn attention(b: &mut Builder, x: usize, mask: usize) -> usize {
    let mut x = b.narrow(x, -127, 127);
    let shape = b.shape(x);
    let rank = shape.len();
    let heads = shape[rank - 1].is_multiple_of(2) && rank == 2 && b.random.one_in(2);
    if heads {
        x = b.reshape(x, &[shape[0], 2, shape[1] / 2]);
        x = b.transpose(x, &[1, 0, 2]);
    }
    let scores = if b.random.one_in(2) {
        b.matmul(x, x, true)
    } else {
        let mut perm: Vec<usize> = (0..b.shape(x).len()).collect();
        let last = perm.len() - 1;
        perm.swap(last - 1, last);
        let turned = b.transpose(x, &perm);
        b.matmul(x, turned, false)
    };
    let narrow = b.random.one_in(2).then(|| b.narrow(scores, -1000, 1000));
    let (rows, width) = (b.shape(scores), b.shape(mask)[2]);
    let mask_shape = b.shape(mask);
    let fits = rows.len() == 3 && mask_shape[0] == rows[0] && width == rows[2];
    let masked = (fits && b.random.one_in(2)).then_some(mask);
    let e = b.softmax_numerator(narrow.unwrap_or(scores), masked, 1023);
    let mut y = b.weighted_mean(e, x);
    if b.random.one_in(3) {
        // A product that is written into its transpose and read again through it.
        let mut perm: Vec<usize> = (0..b.shape(y).len()).collect();
        let last = perm.len() - 1;
        perm.swap(last - 1, last);
        let turned = b.transpose(y, &perm);
        let other = b.matmul(turned, e, false);
        if b.random.one_in(2) {
            b.output(other);
        } else {
            let sums = b.matmul(x, turned, false);
            b.output(sums);
        }
    }
    if heads {
        y = b.transpose(y, &[1, 0, 2]);
        y = b.reshape(y, &shape);
    }
    y
}

fn normalize(b: &mut Builder, x: usize) -> usize {
    let e = b.narrow(x, 1, 200);
    let shape = b.shape(e);
    let [k1, k2] = [1 + b.random.index(8) as u32, b.random.index(8) as u32];
    b.node(
        Op::Normalize { digits: [k1, k2] },
        &[e],
        &[],
        &shape,
        (0, 1 << (k1 + k2)),
    )
}

fn gather(b: &mut Builder, x: usize, size: usize) -> Option<usize> {
    if size > 500 {
        return None;
    }
    let ids = b.narrow(x, 0, 9);
    let width = 1 + b.random.index(20);
    let mut shape = b.shape(ids);
    shape.push(width);
    let rows: Vec<i16> = (0..10 * width)
        .map(|_| b.random.value(-32768, 32767) as i16)
        .collect();
    let data = match b.random.index(3) {
        0 => ConstData::I8(rows.iter().map(|&w| w as i8).collect()),
        1 => ConstData::I16(rows.into()),
        _ => ConstData::I32(rows.iter().map(|&w| i32::from(w) * 1000).collect()),
    };
    let w = b.constant(ConstKind::Weight, &[10, width], data);
    (shape.len() <= 6).then(|| b.node(Op::Gather, &[ids], &[w], &shape, (-32_768_000, 32_767_000)))
}

fn layout(b: &mut Builder, x: usize) -> usize {
    let shape = b.shape(x);
    let rank = shape.len();
    let range = b.range(x);
    let axis = b.random.index(rank);
    let mut result = shape.clone();
    match b.random.index(6) {
        0 => {
            let mut perm: Vec<usize> = (0..rank).collect();
            for i in 0..rank {
                let j = b.random.index(rank);
                perm.swap(i, j);
            }
            b.transpose(x, &perm)
        }
        1 => {
            result[axis] *= 2;
            let op = Op::Concat { axis };
            b.node(op, &[x, x], &[], &result, range)
        }
        2 => {
            let start = b.random.index(shape[axis]);
            let stop = start + 1 + b.random.index(shape[axis] - start);
            let step = 1 + b.random.index(3);
            result[axis] = (stop - start).div_ceil(step);
            b.node(
                Op::Slice {
                    axis,
                    start,
                    stop,
                    step,
                },
                &[x],
                &[],
                &result,
                range,
            )
        }
        3 => {
            let before: Vec<usize> = shape.iter().map(|_| b.random.index(3)).collect();
            let after: Vec<usize> = shape.iter().map(|_| b.random.index(2)).collect();
            for i in 0..rank {
                result[i] += before[i] + after[i];
            }
            let value = b.random.between(-40, 40) as i32;
            let range = (range.0.min(value.into()), range.1.max(value.into()));
            b.node(
                Op::Pad {
                    before,
                    after,
                    value,
                },
                &[x],
                &[],
                &result,
                range,
            )
        }
        4 => {
            result.iter_mut().filter(|n| **n == 1).for_each(|n| *n = 3);
            b.node(
                Op::Expand {
                    shape: result.clone(),
                },
                &[x],
                &[],
                &result,
                range,
            )
        }
        _ => {
            // Two-dimensional and back: heads and sequences are split and merged like this.
            let merged = vec![
                result[..axis].iter().product(),
                result[axis..].iter().product(),
            ];
            b.reshape(x, &merged)
        }
    }
}
