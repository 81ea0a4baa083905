//! Section 3: the graph as a whole.

use super::edge;
use crate::draft::Draft;
use std::collections::BTreeMap;
use veridical_program::{
    ConstData, ConstKind, Decode, Encode, GraphError, M, Op, Program, ProgramError, codec,
};

/// `y = x + x` over two inputs, a gather and an output.
fn base() -> Draft {
    let mut d = Draft::with_input(&[2], 0, 3);
    d.input(&[2], 0, 3);
    let w = d.i8(&[4], vec![1, 2, 3, 4]);
    let g = d.node(Op::Gather, &[0], &[w], &[2], (0, 10));
    d.wide(Op::Add { coeff: vec![1, 1] }, &[g, 1], &[], &[2]);
    d.publish();
    d
}

fn changed(change: impl FnOnce(&mut Draft)) -> &'static str {
    let mut d = base();
    change(&mut d);
    d.check()
}

#[test]
fn the_base_is_accepted() {
    assert_eq!(changed(|_| ()), "accepted");
}

#[test]
fn names_are_unique_and_of_1_to_128_characters() {
    assert_eq!(
        changed(|d| d.graph.inputs[1].name = "in0".to_owned()),
        "DuplicateName"
    );
    assert_eq!(
        changed(|d| {
            d.publish();
        }),
        "accepted"
    );
    assert_eq!(
        changed(|d| {
            d.publish();
            d.graph.outputs[1].name = "out0".to_owned();
        }),
        "DuplicateName"
    );
    let named = |n: usize| changed(|d| d.graph.inputs[1].name = "x".repeat(n));
    assert_eq!(
        [named(0), named(1), named(128), named(129)],
        ["Limit", "accepted", "accepted", "Limit"]
    );
}

#[test]
fn there_is_an_output_and_it_exists() {
    assert_eq!(changed(|d| d.graph.outputs[0].tensor = 3), "accepted");
    assert_eq!(changed(|d| d.graph.outputs[0].tensor = 4), "OutputTensor");
    let mut d = base();
    d.graph.outputs.clear();
    let error = Program::new(&codec::encode(&d.graph), d.constants, None, BTreeMap::new());
    assert!(matches!(
        error,
        Err(ProgramError::Graph(GraphError::Limit { .. }))
    ));
}

#[test]
fn every_tensor_is_defined_by_an_input_or_a_node() {
    assert_eq!(
        changed(|d| {
            d.graph.tensors.pop();
        }),
        "TensorCount"
    );
    assert_eq!(
        changed(|d| d.graph.tensors.push(d.graph.tensors[0].clone())),
        "TensorCount"
    );
}

#[test]
fn a_node_reads_only_what_is_defined_before_it() {
    assert_eq!(changed(|d| d.graph.nodes[0].inputs[0] = 2), "OperandOrder");
    assert_eq!(changed(|d| d.graph.nodes[0].inputs[0] = 3), "OperandOrder");
    assert_eq!(changed(|d| d.graph.nodes[1].inputs[0] = 99), "OperandOrder");
}

#[test]
fn constants_are_declared_and_used() {
    assert_eq!(changed(|d| d.graph.nodes[0].consts[0] = 1), "ConstId");
    assert_eq!(
        changed(|d| {
            d.i8(&[1], vec![1]);
        }),
        "UnusedConst"
    );
}

#[test]
fn a_large_constant_is_used_by_few_nodes() {
    // 2^18 elements: 64 uses by proportion and 64 more that are free.
    let shared = |nodes: usize| {
        let mut d = Draft::with_input(&[1], 0, 3);
        let w = d.i8(&[1 << 18], vec![1; 1 << 18]);
        for _ in 0..nodes {
            d.node(Op::Gather, &[0], &[w], &[1], (0, 1));
        }
        d.publish();
        d.check()
    };
    assert_eq!([shared(128), shared(129)], ["accepted", "ConstUses"]);
}

#[test]
fn ranges_are_not_empty_and_stay_in_the_field() {
    let m = i32::try_from(M).unwrap();
    assert_eq!(
        changed(|d| (d.graph.tensors[1].lo, d.graph.tensors[1].hi) = (3, 3)),
        "accepted"
    );
    assert_eq!(changed(|d| d.graph.tensors[1].lo = 4), "EmptyRange");
    assert_eq!(changed(|d| d.graph.tensors[3].hi = m + 1), "Limit");
    assert_eq!(changed(|d| d.graph.tensors[3].lo = -m - 1), "Limit");
}

#[test]
fn shapes_have_limits() {
    let shaped = |shape: &[usize]| changed(|d| d.graph.tensors[1].shape = shape.to_vec());
    assert_eq!(shaped(&[]), "Limit");
    assert_eq!(shaped(&[0]), "Limit");
    assert_eq!(shaped(&[(1 << 24) + 1]), "Limit");
    assert_eq!(shaped(&[1; 9]), "Limit");
    assert_eq!(shaped(&[1 << 24, 17]), "Elements");
    // Within the limits, only the operation that reads it is left to complain.
    assert_eq!(shaped(&[1 << 24, 16]), "OperandShape");
}

#[test]
fn constants_have_limits() {
    let shaped = |shape: &[usize]| changed(|d| d.graph.consts[0].shape = shape.to_vec());
    assert_eq!(shaped(&[]), "Limit");
    assert_eq!(shaped(&[1; 7]), "Limit");
    assert_eq!(shaped(&[1 << 24, 17]), "Elements");
    assert_eq!(shaped(&[5]), "ConstLength");
}

#[test]
fn a_table_is_flat_of_16_or_32_bits_and_at_most_65536_rows() {
    let draft = |rows: usize| {
        let mut d = Draft::with_input(&[1], 0, 1);
        let t = d.table(vec![0; rows]);
        d.wide(
            Op::Table {
                shift: 0,
                first: 0,
                round: false,
            },
            &[0],
            &[t],
            &[1],
        );
        d
    };
    edge(draft, 65_536, 65_537, "TableForm");
    let mut d = draft(4);
    d.graph.consts[0].shape = vec![2, 2];
    assert_eq!(d.check(), "TableForm");
    let mut d = Draft::with_input(&[1], 0, 1);
    let t = d.constant(ConstKind::Table, &[2], ConstData::I8(vec![0, 1].into()));
    d.wide(
        Op::Table {
            shift: 0,
            first: 0,
            round: false,
        },
        &[0],
        &[t],
        &[1],
    );
    assert_eq!(d.check(), "TableForm");
}

#[test]
fn constants_given_are_those_declared() {
    assert_eq!(
        changed(|d| {
            d.constants.pop();
        }),
        "ConstCount"
    );
    assert_eq!(
        changed(|d| d.constants.push(d.constants[0].clone())),
        "ConstCount"
    );
    let other = |c: ConstData| changed(|d| d.constants[0] = c);
    assert_eq!(other(ConstData::I16(vec![1, 2, 3, 4].into())), "ConstDtype");
    assert_eq!(other(ConstData::I8(vec![1, 2, 3].into())), "ConstLength");
}

#[test]
fn a_salt_is_there_exactly_if_the_graph_is_salted() {
    assert_eq!(changed(|d| d.salt = Some([1; 32])), "Salt");
    assert_eq!(changed(|d| d.graph.salted = true), "Salt");
    let both = |d: &mut Draft| (d.graph.salted, d.salt) = (true, Some([1; 32]));
    assert_eq!(changed(both), "accepted");
}

#[test]
fn the_salt_and_every_weight_are_in_the_digest() {
    let digest = |d: &Draft| *d.load().unwrap().digest();
    let salted = |salt: u8| {
        let mut d = base();
        (d.graph.salted, d.salt) = (true, Some([salt; 32]));
        d
    };
    assert_ne!(digest(&salted(1)), digest(&salted(2)));
    for i in 0..4 {
        let mut d = base();
        let mut elements = vec![1, 2, 3, 4];
        elements[i] += 1;
        d.constants[0] = ConstData::I8(elements.into());
        assert_ne!(digest(&d), digest(&base()));
    }
}

#[test]
fn scales_of_the_boundary_have_limits() {
    let real = |mul, shift| changed(|d| d.graph.inputs[0].encode = Encode::Real { mul, shift });
    let most = u32::try_from(i32::MAX).unwrap();
    assert_eq!([real(1, -96), real(most, 96)], ["accepted"; 2]);
    assert_eq!(
        [real(0, 0), real(most + 1, 0), real(1, 97), real(1, -97)],
        ["Limit"; 4]
    );
    let decode = |mul, shift| changed(|d| d.graph.outputs[0].decode = Decode { mul, shift });
    assert_eq!([decode(1, -96), decode((1 << 22) - 1, 96)], ["accepted"; 2]);
    assert_eq!(
        [
            decode(0, 0),
            decode(1 << 22, 0),
            decode(1, 97),
            decode(1, -97)
        ],
        ["Limit"; 4]
    );
}

#[test]
fn windows_have_limits() {
    let pool = |kernel: usize, stride: usize, pad: usize, dilation: usize| {
        let mut d = Draft::with_input(&[1, 1, 1], 0, 3);
        let mut w = crate::draft::window([kernel, 1]);
        (w.stride[0], w.pad[0], w.dilation[0]) = (stride, pad, dilation);
        d.wide(Op::MaxPool(w), &[0], &[], &[1, 1, 1]);
        d.check()
    };
    let most = 1 << 15;
    assert_eq!(pool(1, most, 0, most), "accepted");
    assert_eq!(
        [pool(most + 1, 1, 0, 1), pool(1, most + 1, 0, 1)],
        ["Limit"; 2]
    );
    assert_eq!(
        [pool(1, 1, most + 1, 1), pool(1, 1, 0, most + 1)],
        ["Limit"; 2]
    );
    assert_eq!(
        [pool(0, 1, 0, 1), pool(1, 0, 0, 1), pool(1, 1, 0, 0)],
        ["Limit"; 3]
    );
}
