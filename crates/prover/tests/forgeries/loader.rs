//! Programs for which a lie would have a proof: none of them is loaded, or planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use veridical_argument::plan::{Plan, PlanError};
use veridical_program::{
    ConstData, ConstKind, Graph, NodeError, Op, Program, ProgramError, Window, codec,
};
use veridical_verifier::VerifyError;

use crate::Forgery;
use crate::case::ACCEPTED;
use crate::support::Builder;

pub const FORGERIES: &[Forgery] = &[
    Forgery {
        number: "15",
        lie: "table: 2^16 rows of 2^15 values, two decompositions",
        check: "N * 2^shift <= p",
        tell: || tables(65_536, 15, 15),
    },
    Forgery {
        number: "18",
        lie: "table: shared with a node that drops more bits",
        check: "N * 2^shift <= p",
        tell: || tables(65_024, 15, 16),
    },
    Forgery {
        number: "26",
        lie: "softmax: scores so wide that a negative distance is a row",
        check: "D + N * 2^shift <= p",
        tell: wide_scores,
    },
    Forgery {
        number: "29",
        lie: "quotient: one digit of 28 bits over 128 weights",
        check: "(2^k1 + 1) * K * E <= p",
        tell: || digits(128, 28),
    },
    Forgery {
        number: "39",
        lie: "quotient: five equal weights, two solutions",
        check: "(2^k1 + 1) * K * E <= p",
        tell: || digits(5, 15),
    },
    Forgery {
        number: "46",
        lie: "max_pool: values so wide that a negative distance is in range",
        check: "H - L + 2^w <= p",
        tell: wide_pool,
    },
    Forgery {
        number: "50a",
        lie: "lookup: as many lookups as the field has elements",
        check: "slots of the lookup argument",
        tell: too_many_lookups,
    },
    Forgery {
        number: "57",
        lie: "weights: larger than the declared range of the sums allows",
        check: "ResultRange",
        tell: large_weight,
    },
];

/// Loads a program after its graph and constants were changed; it must load as it is.
fn loaded(b: Builder, edit: impl FnOnce(&mut Graph, &mut Vec<ConstData>)) -> &'static str {
    let mut b = b;
    let last = b.tensors() - 1;
    b.output(last);
    let program: Arc<Program> = b.build();
    let mut graph = program.graph().clone();
    let consts = 0..graph.consts.len();
    let mut consts: Vec<ConstData> = consts
        .map(|i| program.constant(i).unwrap().clone())
        .collect();
    edit(&mut graph, &mut consts);
    match Program::new(&codec::encode(&graph), consts, None, BTreeMap::new()) {
        Ok(_) => ACCEPTED,
        // The condition itself: several of them have one class of error.
        Err(ProgramError::Node {
            check: NodeError::Field { condition, .. },
            ..
        }) => condition,
        Err(error) => error.check(),
    }
}

/// Two tables of so many rows that drop so many bits.
fn tables(rows: usize, first: u32, second: u32) -> &'static str {
    const COUNT: i64 = 65_024;
    let mut b = Builder::new(71);
    let limit = 32_512_i64 << 15;
    let x = b.input(&[2], -limit, limit - 1);
    let entries = vec![1_i16; 65_024];
    let t = b.constant(ConstKind::Table, &[65_024], ConstData::I16(entries.into()));
    for _ in 0..2 {
        let op = Op::Table {
            shift: 15,
            first: -COUNT / 2,
            round: false,
        };
        b.node(op, &[x], &[t], &[2], (1, 1));
    }
    loaded(b, |graph, consts| {
        graph.consts[0].shape = vec![rows];
        consts[0] = ConstData::I16(vec![1_i16; rows].into());
        for (node, other) in graph.nodes.iter_mut().zip([first, second]) {
            if let Op::Table { shift, .. } = &mut node.op {
                *shift = other;
            }
        }
    })
}

const M: i32 = 1_065_353_216;

fn wide_scores() -> &'static str {
    let mut b = Builder::new(72);
    let x = b.input(&[1, 4], -1000, 1000);
    b.softmax_numerator(x, None, 900);
    loaded(b, |graph, consts| {
        (graph.tensors[0].lo, graph.tensors[0].hi) = (-M, M);
        let mut entries = vec![0_i16; 32_513];
        entries[0] = 900;
        graph.consts[0].shape = vec![entries.len()];
        consts[0] = ConstData::I16(entries.into());
        graph.nodes[0].op = Op::SoftmaxNumerator { shift: 16 };
    })
}

fn digits(length: usize, bits: u32) -> &'static str {
    let mut b = Builder::new(73);
    let x = b.input(&[1, length], 1, 32_767);
    let op = Op::Normalize { digits: [8, 0] };
    b.node(op, &[x], &[], &[1, length], (0, 256));
    loaded(b, |graph, _| {
        graph.nodes[0].op = Op::Normalize { digits: [bits, 0] };
        graph.tensors[1].hi = 1 << bits;
    })
}

fn wide_pool() -> &'static str {
    let mut b = Builder::new(74);
    let x = b.input(&[1, 2, 2], -50, 20);
    let window = Window {
        kernel: [2, 2],
        stride: [2, 2],
        pad: [0; 4],
        dilation: [1, 1],
    };
    b.pool(x, window, false);
    loaded(b, |graph, _| {
        for tensor in &mut graph.tensors {
            (tensor.lo, tensor.hi) = (-M, M);
        }
    })
}

fn too_many_lookups() -> &'static str {
    let mut b = Builder::new(75);
    let x = b.input(&[64], -50, 20);
    let y = b.shift(x, 2);
    b.output(y);
    let program = b.build();
    assert!(Plan::build(&program, 2).is_ok());
    match Plan::build(&program, 1 << 23) {
        Ok(_) => ACCEPTED,
        Err(PlanError::TooLarge { what, .. }) => what,
        Err(error) => VerifyError::from(error).name(),
    }
}

fn large_weight() -> &'static str {
    let mut b = Builder::new(76);
    let x = b.input(&[2, 5], -50, 20);
    b.linear(x, 3);
    loaded(b, |_, consts| {
        let ConstData::I16(weights) = &mut consts[0] else {
            panic!("weights of 16 bits");
        };
        *weights = weights.iter().map(|_| i16::MAX).collect();
    })
}
