//! Graphs that no loader accepts: the conditions are checked here once more.

use veridical_program::{
    ConstInfo, ConstKind, Dtype, Encode, Graph, Input, Node, Op, Output, TensorInfo, Window,
};

use crate::plan::PlanError;
use crate::plan::build::build;

const M: i32 = 1_065_353_216;

/// One node with the operands, consts and result given.
fn graph(
    op: Op,
    operands: &[(&[usize], i32, i32)],
    consts: &[&[usize]],
    result: &[usize],
) -> Graph {
    let kind = if matches!(op, Op::Table { .. } | Op::SoftmaxNumerator { .. }) {
        ConstKind::Table
    } else {
        ConstKind::Weight
    };
    let tensor = |shape: &[usize], lo, hi| TensorInfo {
        shape: shape.to_vec(),
        lo,
        hi,
    };
    let operands = operands.iter();
    let mut tensors: Vec<TensorInfo> = operands.map(|&(s, lo, hi)| tensor(s, lo, hi)).collect();
    let count = tensors.len();
    tensors.push(tensor(result, -M, M));
    Graph {
        salted: false,
        consts: consts
            .iter()
            .map(|shape| ConstInfo {
                dtype: Dtype::I32,
                kind,
                shape: shape.to_vec(),
            })
            .collect(),
        inputs: (0..count)
            .map(|i| Input {
                name: format!("x{i}"),
                encode: Encode::Integer,
            })
            .collect(),
        nodes: vec![Node {
            op,
            inputs: (0..count).collect(),
            consts: (0..consts.len()).collect(),
        }],
        outputs: vec![Output {
            name: "y".to_owned(),
            tensor: count,
            decode: veridical_program::Decode { mul: 1, shift: 0 },
        }],
        tensors,
    }
}

fn condition(graph: &Graph) -> &'static str {
    match build(graph, 1, 16).unwrap_err() {
        PlanError::NotInjective { condition, .. } => condition,
        PlanError::Inconsistent { what, .. } | PlanError::TooLarge { what, .. } => what,
        PlanError::EmptyBatch => "empty batch",
    }
}

fn layernorm(shift: u32, u: u32, fx: u32, epsilon: i64, centered: bool) -> Op {
    Op::LayerNorm {
        shift,
        u,
        fx,
        epsilon,
        centered,
    }
}

#[test]
fn decompositions_are_unique() {
    let table = |shift, first| Op::Table {
        shift,
        first,
        round: false,
    };
    let x: (&[usize], i32, i32) = (&[3], 0, 65535);
    for (op, rows, expected) in [
        (table(15, 0), 65536, "N * 2^shift <= p"),
        (table(0, 1), 65536, "first <= (L + r) >> shift"),
        (table(0, -1), 65536, "(H + r) >> shift < first + N"),
        (table(0, i64::MIN), 65536, "(H + r) >> shift < first + N"),
        (table(0, i64::MAX), 65536, "first <= (L + r) >> shift"),
    ] {
        assert_eq!(condition(&graph(op, &[x], &[&[rows]], &[3])), expected);
    }
    let x: (&[usize], i32, i32) = (&[3], -M, M);
    let shift = graph(Op::Shift { shift: 16 }, &[x], &[], &[3]);
    assert_eq!(condition(&shift), "2^w * 2^shift <= p");
    let below = Op::Clamp { lo: 0, hi: M };
    assert_eq!(
        condition(&graph(below, &[x], &[], &[3])),
        "2^w + b <= p, 2^w > a"
    );
}

#[test]
fn maxima_are_true_differences() {
    let x: (&[usize], i32, i32) = (&[1, 2, 2], -M, M);
    let window = Window {
        kernel: [2, 2],
        stride: [1, 1],
        pad: [0; 4],
        dilation: [1, 1],
    };
    let expected = "(H - L) + admitted differences <= p";
    for (op, result) in [
        (Op::MaxPool(window), [1, 1, 1]),
        (Op::ReduceMax { axes: vec![1, 2] }, [1, 1, 1]),
    ] {
        assert_eq!(condition(&graph(op, &[x], &[], &result)), expected);
    }
    for (op, result) in [
        (Op::Argmax, [1, 2, 1]),
        (Op::TopK { k: 1, values: true }, [1, 2, 1]),
    ] {
        let expected = "H - L + 1 + 2^w <= p";
        assert_eq!(condition(&graph(op, &[x], &[], &result)), expected);
    }
    let softmax = |shift| Op::SoftmaxNumerator { shift };
    let wide: (&[usize], i32, i32) = (&[3], 0, 1 << 30);
    let masks: [(&[usize], i32, i32); 2] = [(&[3], -1, 1), (&[3], 0, 2)];
    let [below, above] = masks;
    let narrow: (&[usize], i32, i32) = (&[3], 0, 9);
    for (op, operands, expected) in [
        (softmax(15), vec![wide], expected),
        (softmax(14), vec![wide], "(H - L) >> shift < N"),
        (softmax(0), vec![narrow, below], "mask >= 0"),
        (softmax(0), vec![narrow, above], "mask <= 1"),
    ] {
        assert_eq!(
            condition(&graph(op, &operands, &[&[65536]], &[3])),
            expected
        );
    }
}

#[test]
fn quotients_are_unique() {
    let v: (&[usize], i32, i32) = (&[4, 1], 0, 255);
    for ((lo, hi), expected) in [
        ((-1, 1), "e >= 0"),
        ((0, 0), "E >= 1"),
        ((0, 1 << 28), "2 * 2^z <= p"),
        ((0, 1 << 22), "2^w * K * E <= p"),
    ] {
        let e: (&[usize], i32, i32) = (&[1, 4], lo, hi);
        let graph = graph(Op::WeightedMean, &[e, v], &[], &[1, 1]);
        assert_eq!(condition(&graph), expected, "{lo} {hi}");
    }
    for digits in [[20, 0], [1, 20], [20, 1]] {
        let e: (&[usize], i32, i32) = (&[4], 0, 1 << 10);
        let graph = graph(Op::Normalize { digits }, &[e], &[], &[4]);
        assert_eq!(condition(&graph), "(2^k + 1) * K * E <= p", "{digits:?}");
    }
}

#[test]
fn rows_fit_their_limbs() {
    let d = |d: usize| vec![1, d];
    let small = (-1000, 1000);
    let cases = [
        (layernorm(12, 20, 8, 1, true), d(4), small, "shift <= 11"),
        (
            layernorm(0, 20, 8, 1, true),
            d(1025),
            small,
            "d <= 1024, 1000 if not centered",
        ),
        (
            layernorm(0, 20, 8, 1, false),
            d(1001),
            small,
            "d <= 1024, 1000 if not centered",
        ),
        (layernorm(0, 20, 8, 0, true), d(4), small, "1 <= epsilon"),
        (
            layernorm(0, 20, 8, 1 << 21, true),
            d(4),
            small,
            "epsilon <= 2^20",
        ),
        (layernorm(0, 24, 8, 1, true), d(4), small, "u <= 23"),
        (layernorm(0, 20, 20, 1, true), d(4), small, "fx < u"),
        (layernorm(0, 20, 3, 1, true), d(4), small, "u - fx <= 16"),
        (
            layernorm(0, 20, 8, 1, true),
            d(4),
            (-524_289, 0),
            "least v >= -limit",
        ),
        (
            layernorm(0, 20, 8, 1, true),
            d(4),
            (0, 524_288),
            "greatest v < limit",
        ),
        (
            layernorm(11, 20, 8, 1, true),
            d(4),
            (0, 1_065_352_192),
            "greatest v < limit",
        ),
        (
            layernorm(0, 23, 8, 1, true),
            d(1024),
            small,
            "isqrt(d * 2^(2u) / epsilon) < 2^28",
        ),
    ];
    for (op, shape, (lo, hi), expected) in cases {
        let graph = graph(op.clone(), &[(&shape, lo, hi)], &[], &shape);
        assert_eq!(condition(&graph), expected, "{op:?}");
    }
}

#[test]
fn ids_are_rows() {
    for (lo, hi, expected) in [(-1, 3, "id >= 0"), (0, 4, "id < V")] {
        let graph = graph(Op::Gather, &[(&[2], lo, hi)], &[&[4, 3]], &[2, 3]);
        assert_eq!(condition(&graph), expected);
    }
}

/// Whatever the shapes of a graph, there is an answer. (Layouts of inputs are the loader's to check.)
#[test]
fn graphs_without_sense_have_no_plan() {
    let x: (&[usize], i32, i32) = (&[4, 4], 0, 9);
    for op in [
        Op::Linear,
        Op::Matmul { transpose_b: true },
        Op::Table {
            shift: 60,
            first: 0,
            round: true,
        },
        Op::WeightedMean,
        Op::Gather,
        Op::Affine,
        Op::Mul,
        Op::TopK { k: 9, values: true },
        Op::ReduceSum { axes: vec![8] },
    ] {
        let graph = graph(op.clone(), &[x], &[], &[3, 7]);
        assert!(build(&graph, 1, 16).is_err(), "{op:?}");
    }
}
