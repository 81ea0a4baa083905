//! What only moves integers.

use super::edge;
use crate::draft::Draft;
use veridical_program::Op;

fn one(op: Op, shape: &[usize], range: (i32, i32)) -> Draft {
    let mut d = Draft::with_input(&[2, 6], -3, 9);
    d.node(op, &[0], &[], shape, range);
    d
}

#[test]
fn a_reshape_keeps_its_elements() {
    let draft = |shape: &[usize]| {
        one(
            Op::Reshape {
                shape: shape.to_vec(),
            },
            shape,
            (-3, 9),
        )
    };
    edge(draft, &[3, 4][..], &[3, 5], "ElementCount");
}

#[test]
fn a_transpose_is_a_permutation() {
    let draft = |perm: &[usize]| {
        one(
            Op::Transpose {
                perm: perm.to_vec(),
            },
            &[6, 2],
            (-3, 9),
        )
    };
    edge(draft, &[1, 0][..], &[1, 1], "Permutation");
    edge(draft, &[1, 0][..], &[1], "Permutation");
    edge(draft, &[1, 0][..], &[1, 2], "Permutation");
}

#[test]
fn an_expand_grows_axes_of_size_one_only() {
    let draft = |shape: &[usize]| {
        let mut d = Draft::with_input(&[1, 6], -3, 9);
        d.node(
            Op::Expand {
                shape: shape.to_vec(),
            },
            &[0],
            &[],
            shape,
            (-3, 9),
        );
        d
    };
    edge(draft, &[5, 6][..], &[1, 12], "OperandShape");
    edge(draft, &[5, 6][..], &[1, 1, 6], "OperandShape");
}

#[test]
fn concat_parts_agree_on_other_axes() {
    let draft = |(shape, axis): (&[usize], usize)| {
        let mut d = Draft::with_input(&[2, 6], -3, 9);
        let y = d.input(shape, -5, 1);
        d.node(Op::Concat { axis }, &[0, y], &[], &[2, 9], (-5, 9));
        d
    };
    edge(draft, (&[2, 3], 1), (&[3, 3], 1), "OperandShape");
    edge(draft, (&[2, 3], 1), (&[2, 3], 0), "OperandShape");
    edge(draft, (&[2, 3], 1), (&[2, 3], 2), "Axes");
    edge(draft, (&[2, 3], 1), (&[2, 3, 1], 1), "OperandShape");
}

#[test]
fn a_concat_range_is_the_union() {
    let draft = |range| {
        let mut d = Draft::with_input(&[1], -3, 9);
        let y = d.input(&[1], -5, 1);
        d.node(Op::Concat { axis: 0 }, &[0, y], &[], &[2], range);
        d
    };
    edge(draft, (-5, 9), (-4, 9), "ResultRange");
    edge(draft, (-5, 9), (-5, 8), "ResultRange");
}

#[test]
fn a_slice_stays_inside_its_axis() {
    let draft = |(start, stop): (usize, usize)| {
        one(
            Op::Slice {
                axis: 1,
                start,
                stop,
                step: 2,
            },
            &[2, 3],
            (-3, 9),
        )
    };
    edge(draft, (1, 6), (2, 7), "SliceBounds");
    edge(draft, (0, 5), (3, 3), "SliceBounds");
    edge(draft, (0, 5), (4, 3), "SliceBounds");
    let draft = |axis| {
        one(
            Op::Slice {
                axis,
                start: 0,
                stop: 2,
                step: 1,
            },
            &[2, 2],
            (-3, 9),
        )
    };
    edge(draft, 1, 2, "Axes");
    let draft = |step| {
        one(
            Op::Slice {
                axis: 1,
                start: 0,
                stop: 1,
                step,
            },
            &[2, 1],
            (-3, 9),
        )
    };
    edge(draft, 1, 0, "Limit");
}

#[test]
fn a_pad_has_an_entry_per_axis() {
    let draft = |(before, after): (&[usize], &[usize])| {
        let op = Op::Pad {
            before: before.to_vec(),
            after: after.to_vec(),
            value: 0,
        };
        one(op, &[3, 6], (-3, 9))
    };
    edge(draft, (&[1, 0], &[0, 0]), (&[1], &[0, 0]), "Axes");
    edge(draft, (&[1, 0], &[0, 0]), (&[1, 0], &[0, 0, 0]), "Axes");
}

#[test]
fn a_pad_range_includes_its_value() {
    let draft = |value| {
        one(
            Op::Pad {
                before: vec![1, 0],
                after: vec![0, 0],
                value,
            },
            &[3, 6],
            (-3, 9),
        )
    };
    edge(draft, 9, 10, "ResultRange");
    edge(draft, -3, -4, "ResultRange");
}

#[test]
fn operations_that_move_integers_keep_the_range() {
    let moves = [
        (Op::Reshape { shape: vec![12] }, vec![12]),
        (Op::Transpose { perm: vec![1, 0] }, vec![6, 2]),
        (Op::Expand { shape: vec![2, 6] }, vec![2, 6]),
        (Op::Concat { axis: 0 }, vec![2, 6]),
        (
            Op::Slice {
                axis: 0,
                start: 0,
                stop: 1,
                step: 1,
            },
            vec![1, 6],
        ),
    ];
    for (op, shape) in moves {
        edge(
            |range| one(op.clone(), &shape, range),
            (-3, 9),
            (-2, 9),
            "ResultRange",
        );
        edge(
            |range| one(op.clone(), &shape, range),
            (-3, 9),
            (-3, 8),
            "ResultRange",
        );
    }
}
