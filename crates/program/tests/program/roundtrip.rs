//! What is written reads the same: graphs, files, keys.

use crate::draft::Draft;
use proptest::prelude::*;
use veridical_program::{Encode, Op, Program, Window, codec};

fn any_window() -> impl Strategy<Value = Window> {
    let pairs = || prop::array::uniform2(1_usize..=1 << 15);
    (
        pairs(),
        pairs(),
        prop::array::uniform4(0_usize..=1 << 15),
        pairs(),
    )
        .prop_map(|(kernel, stride, pad, dilation)| Window {
            kernel,
            stride,
            pad,
            dilation,
        })
}

fn axes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..8, 1..8)
}

fn shape() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..=1 << 24, 1..8)
}

/// Every operation with any attributes that the JSON can hold.
fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::Linear),
        Just(Op::Affine),
        Just(Op::Mul),
        Just(Op::WeightedMean),
        Just(Op::Argmax),
        Just(Op::Gather),
        any::<bool>().prop_map(|transpose_b| Op::Matmul { transpose_b }),
        (0..=16_u32, -1_000_000..1_000_000_i64, any::<bool>()).prop_map(|(shift, first, round)| {
            Op::Table {
                shift,
                first,
                round,
            }
        }),
        (1..=16_u32).prop_map(|shift| Op::Shift { shift }),
        (-1000..=0_i32, 0..=1000_i32).prop_map(|(lo, hi)| Op::Clamp { lo, hi }),
        prop::collection::vec(-(1 << 24)..=1 << 24_i32, 0..64).prop_map(|coeff| Op::Add { coeff }),
        (0..=16_u32).prop_map(|shift| Op::SoftmaxNumerator { shift }),
        (
            0..=11_u32,
            1..=23_u32,
            0..=23_u32,
            1_i64..=1 << 20,
            any::<bool>()
        )
            .prop_map(|(shift, u, fx, epsilon, centered)| Op::LayerNorm {
                shift,
                u,
                fx,
                epsilon,
                centered
            }),
        prop::array::uniform2(0..=29_u32).prop_map(|digits| Op::Normalize { digits }),
        any_window().prop_map(Op::MaxPool),
        any_window().prop_map(Op::SumPool),
        // The kernel of a convolution is not written; without a weight it reads as zeros.
        (any_window(), 1..1000_usize).prop_map(|(w, groups)| {
            Op::Conv {
                window: Window {
                    kernel: [0, 0],
                    ..w
                },
                groups,
            }
        }),
        axes().prop_map(|axes| Op::ReduceSum { axes }),
        axes().prop_map(|axes| Op::ReduceMax { axes }),
        (1..1000_usize, any::<bool>()).prop_map(|(k, values)| Op::TopK { k, values }),
        shape().prop_map(|shape| Op::Reshape { shape }),
        shape().prop_map(|shape| Op::Expand { shape }),
        axes().prop_map(|perm| Op::Transpose { perm }),
        (0..8_usize).prop_map(|axis| Op::Concat { axis }),
        (0..8_usize, 0..100_usize, 0..100_usize, 1..100_usize).prop_map(
            |(axis, start, stop, step)| Op::Slice {
                axis,
                start,
                stop,
                step
            }
        ),
        (axes(), axes(), -1000..1000_i32).prop_map(|(before, after, value)| Op::Pad {
            before,
            after,
            value
        }),
    ]
}

/// A chain of layers that fit each other.
fn any_program() -> impl Strategy<Value = Draft> {
    let layer = (1..6_usize, 1..=8_u32, any::<u64>(), any::<bool>());
    let layers = prop::collection::vec(layer, 1..5);
    (layers, 1..6_usize, any::<bool>(), -20..20_i32).prop_map(|(layers, width, salted, shift)| {
        let mut d = Draft::with_input(&[3, width], -500, 500);
        d.graph.inputs[0].encode = Encode::Real { mul: 3, shift };
        (d.graph.salted, d.salt) = (salted, salted.then_some([5; 32]));
        let (mut x, mut width) = (0, width);
        for (n, shift, seed, is_wide) in layers {
            let mut state = seed;
            let mut next = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                i8::from_le_bytes([(state >> 33).to_le_bytes()[0]])
            };
            let w = if is_wide {
                d.i16(
                    &[n, width],
                    (0..n * width).map(|_| i16::from(next()) * 3).collect(),
                )
            } else {
                d.i8(&[n, width], (0..n * width).map(|_| next()).collect())
            };
            let b = d.i32(&[n], (0..n).map(|_| i32::from(next())).collect());
            let bound = 1 << 20;
            x = d.node(Op::Linear, &[x], &[w, b], &[3, n], (-bound, bound));
            let rows = usize::try_from(2 * (bound >> shift) + 1)
                .unwrap()
                .min(65_536);
            let first = -i64::from(bound >> shift);
            let t = d.table((0..rows).map(|i| i16::try_from(i % 500).unwrap()).collect());
            let op = Op::Table {
                shift: shift + 5,
                first: first >> 5,
                round: true,
            };
            x = d.node(op, &[x], &[t], &[3, n], (0, 499));
            width = n;
        }
        d
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_graph_reads_as_it_was_written(
        ops in prop::collection::vec(any_op(), 1..6), salted in any::<bool>(),
    ) {
        let mut d = Draft::with_input(&[2], -5, 5);
        d.graph.salted = salted;
        for op in ops {
            d.wide(op, &[0], &[], &[1]);
        }
        d.publish();
        let text = codec::encode(&d.graph);
        let graph = codec::decode(&text).unwrap();
        prop_assert_eq!(codec::encode(&graph), text);
        prop_assert_eq!(graph, d.graph);
    }

    #[test]
    fn a_file_reads_as_it_was_written(d in any_program()) {
        let program = d.load().unwrap();
        let file = program.to_bytes();
        let read = Program::from_bytes(&file).unwrap();
        prop_assert_eq!(&read, &program);
        prop_assert_eq!(read.to_bytes(), file);
        let key = Program::from_bytes(&program.to_vkey_bytes()).unwrap();
        prop_assert!(key.is_vkey() && !program.is_vkey());
        prop_assert_eq!(key.digest(), program.digest());
        prop_assert_eq!(key.weight_root(), program.weight_root());
        prop_assert_eq!(key.to_bytes(), program.to_vkey_bytes());
        for (id, info) in program.graph().consts.iter().enumerate() {
            let is_table = info.kind == veridical_program::ConstKind::Table;
            prop_assert_eq!(key.constant(id).is_some(), is_table);
        }
    }
}
