//! Builds programs that a loader accepts, with ranges derived as the specification says.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a program that cannot be built is a failure of the test"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "sizes and values of test programs are small"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use veridical_program::{
    ConstData, ConstInfo, ConstKind, Decode, Encode, Graph, Input, Node, Op, Output, Program,
    TensorInfo, Window, codec,
};

/// Largest magnitude of a value.
const M: i64 = 1_065_353_216;
/// Field modulus.
const P: i64 = 2_130_706_433;

/// A linear congruential generator: tests print a seed and nothing else.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    pub fn between(&mut self, lo: i64, hi: i64) -> i64 {
        lo + i64::from(self.bits()) % (hi - lo + 1)
    }

    pub fn index(&mut self, n: usize) -> usize {
        self.bits() as usize % n
    }

    pub fn one_in(&mut self, n: u32) -> bool {
        self.bits().is_multiple_of(n)
    }

    /// A value which is often an end of the range.
    pub fn value(&mut self, lo: i64, hi: i64) -> i32 {
        let value = match self.index(8) {
            0 => lo,
            1 => hi,
            2 => 0.clamp(lo, hi),
            _ => self.between(lo, hi),
        };
        value as i32
    }
}

pub struct Builder {
    graph: Graph,
    consts: Vec<ConstData>,
    pub random: Random,
}

impl Builder {
    pub fn new(seed: u64) -> Self {
        let graph = Graph {
            salted: false,
            consts: vec![],
            inputs: vec![],
            nodes: vec![],
            outputs: vec![],
            tensors: vec![],
        };
        Self {
            graph,
            consts: vec![],
            random: Random(seed),
        }
    }

    /// Inputs come before all nodes.
    pub fn input(&mut self, shape: &[usize], lo: i64, hi: i64) -> usize {
        let name = format!("x{}", self.graph.inputs.len());
        self.graph.inputs.push(Input {
            name,
            encode: Encode::Integer,
        });
        self.tensor(shape, lo, hi)
    }

    fn tensor(&mut self, shape: &[usize], lo: i64, hi: i64) -> usize {
        let (lo, hi) = (i32::try_from(lo).unwrap(), i32::try_from(hi).unwrap());
        self.graph.tensors.push(TensorInfo {
            shape: shape.to_vec(),
            lo,
            hi,
        });
        self.graph.tensors.len() - 1
    }

    pub fn output(&mut self, tensor: usize) {
        let name = format!("y{}", self.graph.outputs.len());
        let decode = Decode { mul: 1, shift: 0 };
        self.graph.outputs.push(Output {
            name,
            tensor,
            decode,
        });
    }

    pub fn build(self) -> Arc<Program> {
        let bytes = codec::encode(&self.graph);
        match Program::new(&bytes, self.consts, None, BTreeMap::new()) {
            Ok(program) => Arc::new(program),
            Err(error) => panic!("{error} in {}", String::from_utf8_lossy(&bytes)),
        }
    }

    pub fn shape(&self, t: usize) -> Vec<usize> {
        self.graph.tensors[t].shape.clone()
    }

    pub fn range(&self, t: usize) -> (i64, i64) {
        (
            self.graph.tensors[t].lo.into(),
            self.graph.tensors[t].hi.into(),
        )
    }

    pub fn is_narrow(&self, t: usize) -> bool {
        self.graph.tensors[t].is_narrow()
    }

    pub fn tensors(&self) -> usize {
        self.graph.tensors.len()
    }

    pub fn constant(&mut self, kind: ConstKind, shape: &[usize], data: ConstData) -> usize {
        self.graph.consts.push(ConstInfo {
            dtype: data.dtype(),
            kind,
            shape: shape.to_vec(),
        });
        self.consts.push(data);
        self.consts.len() - 1
    }

    pub fn node(
        &mut self,
        op: Op,
        inputs: &[usize],
        consts: &[usize],
        shape: &[usize],
        (lo, hi): (i64, i64),
    ) -> usize {
        self.graph.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
            consts: consts.to_vec(),
        });
        self.tensor(shape, lo, hi)
    }

    /// Weights of at most `limit` and their interval bounds per row, for an operand in `[lo, hi]`.
    fn weights(&mut self, rows: usize, depth: usize, limit: i64, (lo, hi): (i64, i64)) -> Weights {
        let mut data = Vec::with_capacity(rows * depth);
        let mut range = (i64::MAX, i64::MIN);
        let mut bias = Vec::with_capacity(rows);
        for _ in 0..rows {
            let b = self.random.between(-1000, 1000);
            let (mut low, mut high) = (b, b);
            for _ in 0..depth {
                let w = self.random.between(-limit, limit);
                low += (w * lo).min(w * hi);
                high += (w * lo).max(w * hi);
                data.push(w as i16);
            }
            range = (range.0.min(low), range.1.max(high));
            bias.push(b as i32);
        }
        Weights { data, bias, range }
    }

    fn weight_consts(&mut self, weights: &Weights, shape: &[usize], narrow: bool) -> [usize; 2] {
        let data = if narrow {
            ConstData::I8(weights.data.iter().map(|&w| w as i8).collect())
        } else {
            ConstData::I16(weights.data.clone().into())
        };
        let w = self.constant(ConstKind::Weight, shape, data);
        let b = ConstData::I32(weights.bias.clone().into());
        let b = self.constant(ConstKind::Weight, &[weights.bias.len()], b);
        [w, b]
    }

    /// Largest weight for which a sum of `depth` products stays in range.
    fn weight_limit(&self, x: usize, depth: usize, bound: i64) -> i64 {
        let (lo, hi) = self.range(x);
        let magnitude = lo.abs().max(hi.abs()).max(1);
        ((bound - 2000) / (magnitude * depth as i64)).clamp(0, 32767)
    }

    pub fn linear(&mut self, x: usize, columns: usize) -> usize {
        self.linear_within(x, columns, M)
    }

    /// A `linear` whose sums stay within `bound`.
    pub fn linear_within(&mut self, x: usize, columns: usize, bound: i64) -> usize {
        let mut shape = self.shape(x);
        let depth = shape[shape.len() - 1];
        let limit = self.weight_limit(x, depth, bound);
        let range = self.range(x);
        let weights = self.weights(columns, depth, limit, range);
        let consts = self.weight_consts(&weights, &[columns, depth], limit < 128);
        *shape.last_mut().unwrap() = columns;
        self.node(Op::Linear, &[x], &consts, &shape, weights.range)
    }

    pub fn conv(&mut self, x: usize, outputs: usize, window: Window, groups: usize) -> usize {
        let mut shape = self.shape(x);
        let rank = shape.len();
        let channels = shape[rank - 3] / groups;
        let depth = channels * window.kernel[0] * window.kernel[1];
        let limit = self.weight_limit(x, depth, M);
        let (lo, hi) = self.range(x);
        let weights = self.weights(outputs, depth, limit, (lo.min(0), hi.max(0)));
        let kernel = [outputs, channels, window.kernel[0], window.kernel[1]];
        let consts = self.weight_consts(&weights, &kernel, limit < 128);
        let [rows, columns] = window_result(&window, [shape[rank - 2], shape[rank - 1]]);
        shape[rank - 3..].copy_from_slice(&[outputs, rows, columns]);
        self.node(
            Op::Conv { window, groups },
            &[x],
            &consts,
            &shape,
            weights.range,
        )
    }

    /// A table with the given entries over the whole range of `x`, for the least shift that allows it.
    pub fn table(
        &mut self,
        x: usize,
        min_shift: u32,
        entry: impl Fn(i64, &mut Random) -> i64,
    ) -> usize {
        let (lo, hi) = self.range(x);
        let round = self.random.one_in(2);
        let place = |shift: u32| {
            let half = if round && shift > 0 {
                1_i64 << (shift - 1)
            } else {
                0
            };
            let first = (lo + half) >> shift;
            (first, ((hi + half) >> shift) - first + 1)
        };
        let shift = (min_shift..=16)
            .find(|&s| place(s).1 <= 65536 && place(s).1 << s <= P)
            .expect("a table of 65536 entries covers every range");
        let (first, count) = place(shift);
        let entries: Vec<i32> = (0..count)
            .map(|i| entry(first + i, &mut self.random) as i32)
            .collect();
        let range = entries.iter().fold((i64::MAX, i64::MIN), |(lo, hi), &y| {
            (lo.min(y.into()), hi.max(y.into()))
        });
        let data = if (-32768..=32767).contains(&range.0) && range.1 <= 32767 {
            ConstData::I16(entries.iter().map(|&y| y as i16).collect())
        } else {
            ConstData::I32(entries.into())
        };
        let t = self.constant(ConstKind::Table, &[count as usize], data);
        let shape = self.shape(x);
        self.node(
            Op::Table {
                shift,
                first,
                round,
            },
            &[x],
            &[t],
            &shape,
            range,
        )
    }

    /// Brings a tensor into 16 bits, by a clamp or by an arbitrary table.
    pub fn narrow(&mut self, x: usize, lo: i64, hi: i64) -> usize {
        if self.random.one_in(3) {
            self.table(x, 0, move |_, random| random.between(lo, hi))
        } else {
            self.requantise(x, lo, hi)
        }
    }

    /// `clamp((x + half) >> shift, lo, hi)` as a table.
    pub fn requantise(&mut self, x: usize, lo: i64, hi: i64) -> usize {
        let (least, greatest) = self.range(x);
        let spread = greatest.abs().max(least.abs()).max(1);
        let shift = (0..=16)
            .find(|&s| spread >> s <= 2 * hi.max(1))
            .unwrap_or(16);
        self.table(x, shift, move |i, _| i.clamp(lo, hi))
    }

    pub fn shift(&mut self, x: usize, shift: u32) -> usize {
        let (lo, hi) = self.range(x);
        let half = 1_i64 << (shift - 1);
        let range = ((lo + half) >> shift, (hi + half) >> shift);
        let shape = self.shape(x);
        self.node(Op::Shift { shift }, &[x], &[], &shape, range)
    }

    pub fn clamp(&mut self, x: usize, lo: i64, hi: i64) -> usize {
        let (least, greatest) = self.range(x);
        let range = (least.clamp(lo, hi), greatest.clamp(lo, hi));
        let op = Op::Clamp {
            lo: lo as i32,
            hi: hi as i32,
        };
        let shape = self.shape(x);
        self.node(op, &[x], &[], &shape, range)
    }

    pub fn matmul(&mut self, a: usize, b: usize, transpose_b: bool) -> usize {
        let (mut shape, right) = (self.shape(a), self.shape(b));
        let rank = shape.len();
        let depth = shape[rank - 1] as i64;
        shape[rank - 1] = right[if transpose_b { rank - 2 } else { rank - 1 }];
        let (lo, hi) = product_range(self.range(a), self.range(b));
        self.node(
            Op::Matmul { transpose_b },
            &[a, b],
            &[],
            &shape,
            (depth * lo, depth * hi),
        )
    }

    pub fn weighted_mean(&mut self, e: usize, v: usize) -> usize {
        let (mut shape, right) = (self.shape(e), self.shape(v));
        let rank = shape.len();
        shape[rank - 1] = right[rank - 1];
        let range = self.range(v);
        self.node(Op::WeightedMean, &[e, v], &[], &shape, range)
    }

    /// `mask` is 0 or 1 and broadcasts.
    pub fn softmax_numerator(&mut self, x: usize, mask: Option<usize>, top: i64) -> usize {
        let (lo, hi) = self.range(x);
        let shift = (0..=16)
            .find(|&s| ((hi - lo) >> s) < 65536 && hi - lo + ((((hi - lo) >> s) + 1) << s) <= P)
            .expect("some shift fits");
        let count = ((hi - lo) >> shift) + 1;
        let entries = (0..count).map(|i| if i == 0 { top } else { self.random.between(0, top) } as i16);
        let data = ConstData::I16(entries.collect());
        let t = self.constant(ConstKind::Table, &[count as usize], data);
        let inputs: Vec<usize> = std::iter::once(x).chain(mask).collect();
        let shape = self.shape(x);
        self.node(
            Op::SoftmaxNumerator { shift },
            &inputs,
            &[t],
            &shape,
            (0, top),
        )
    }

    pub fn layernorm(&mut self, x: usize, u: u32, fx: u32, centered: bool) -> usize {
        let (lo, hi) = self.range(x);
        let shape = self.shape(x);
        let shift = (0..=11)
            .find(|&s| (lo >> s) >= -(1 << 19) && ((hi + (1 << s)) >> s) < (1 << 19) - 4096)
            .expect("x is too wide");
        let d = shape[shape.len() - 1] as i64;
        let mut root = (d << (2 * u)).isqrt();
        if root * root < d << (2 * u) {
            root += 1;
        }
        let y = (root + (1 << (u - fx - 1))) >> (u - fx);
        let epsilon = self.random.between(1, 1000);
        let op = Op::LayerNorm {
            shift,
            u,
            fx,
            epsilon,
            centered,
        };
        self.node(op, &[x], &[], &shape, (-y, y))
    }

    /// Broadcasts; the caller keeps the sum in range.
    pub fn add(&mut self, operands: &[usize], coeff: &[i32]) -> usize {
        let shapes: Vec<Vec<usize>> = operands.iter().map(|&t| self.shape(t)).collect();
        let mut range = (0, 0);
        for (&t, &c) in operands.iter().zip(coeff) {
            let (lo, hi) = product_range(self.range(t), (c.into(), c.into()));
            range = (range.0 + lo, range.1 + hi);
        }
        let op = Op::Add {
            coeff: coeff.to_vec(),
        };
        self.node(op, operands, &[], &broadcast(&shapes), range)
    }

    pub fn mul(&mut self, a: usize, b: usize) -> usize {
        let range = if a == b {
            let (lo, hi) = self.range(a);
            (
                if lo <= 0 && hi >= 0 {
                    0
                } else {
                    (lo * lo).min(hi * hi)
                },
                (lo * lo).max(hi * hi),
            )
        } else {
            product_range(self.range(a), self.range(b))
        };
        let shape = broadcast(&[self.shape(a), self.shape(b)]);
        self.node(Op::Mul, &[a, b], &[], &shape, range)
    }

    pub fn affine(&mut self, x: usize, gain: &[usize], bias: &[usize], limit: i64) -> usize {
        let shape = self.shape(x);
        let mut draw = |shape: &[usize], limit: i64| -> Vec<i32> {
            (0..shape.iter().product())
                .map(|_| self.random.between(-limit, limit) as i32)
                .collect()
        };
        let (g, b) = (draw(gain, limit), draw(bias, 1000));
        let (lo, hi) = self.range(x);
        let bound = limit * lo.abs().max(hi.abs()) + 1000;
        let g = self.constant(ConstKind::Weight, gain, ConstData::I32(g.into()));
        let b = self.constant(ConstKind::Weight, bias, ConstData::I32(b.into()));
        self.node(Op::Affine, &[x], &[g, b], &shape, (-bound, bound))
    }

    pub fn reshape(&mut self, x: usize, shape: &[usize]) -> usize {
        let range = self.range(x);
        self.node(
            Op::Reshape {
                shape: shape.to_vec(),
            },
            &[x],
            &[],
            shape,
            range,
        )
    }

    pub fn transpose(&mut self, x: usize, perm: &[usize]) -> usize {
        let from = self.shape(x);
        let shape: Vec<usize> = perm.iter().map(|&axis| from[axis]).collect();
        let range = self.range(x);
        self.node(
            Op::Transpose {
                perm: perm.to_vec(),
            },
            &[x],
            &[],
            &shape,
            range,
        )
    }

    pub fn pool(&mut self, x: usize, window: Window, sum: bool) -> usize {
        let mut shape = self.shape(x);
        let rank = shape.len();
        let [rows, columns] = window_result(&window, [shape[rank - 2], shape[rank - 1]]);
        shape[rank - 2..].copy_from_slice(&[rows, columns]);
        let (lo, hi) = self.range(x);
        if sum {
            let taps = (window.kernel[0] * window.kernel[1]) as i64;
            let range = (lo.min(0) * taps, hi.max(0) * taps);
            self.node(Op::SumPool(window), &[x], &[], &shape, range)
        } else {
            self.node(Op::MaxPool(window), &[x], &[], &shape, (lo, hi))
        }
    }
}

struct Weights {
    data: Vec<i16>,
    bias: Vec<i32>,
    range: (i64, i64),
}

pub fn product_range(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    let ends = [a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1];
    ends.iter()
        .fold((i64::MAX, i64::MIN), |(lo, hi), &x| (lo.min(x), hi.max(x)))
}

fn broadcast(shapes: &[Vec<usize>]) -> Vec<usize> {
    (0..shapes[0].len())
        .map(|axis| shapes.iter().map(|s| s[axis]).max().unwrap())
        .collect()
}

pub fn window_result(window: &Window, size: [usize; 2]) -> [usize; 2] {
    [0, 1].map(|i| {
        let padded = size[i] + window.pad[i] + window.pad[i + 2];
        (padded - window.dilation[i] * (window.kernel[i] - 1) - 1) / window.stride[i] + 1
    })
}

/// Inputs for a batch, with many values at the ends of the ranges.
pub fn inputs(program: &Program, batch: usize, seed: u64) -> Vec<Vec<i32>> {
    let mut random = Random(seed);
    let graph = program.graph();
    let tensors = graph.tensors.iter().take(graph.inputs.len());
    tensors
        .map(|info| {
            let count = batch * info.len();
            (0..count)
                .map(|_| random.value(info.lo.into(), info.hi.into()))
                .collect()
        })
        .collect()
}
