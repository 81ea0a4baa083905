//! Messages of the lookup argument and of the openings; claims; rows by index.

use std::sync::Arc;

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::EF;
use veridical_argument::labels;
use veridical_argument::transcript::cheating::Edit;
use veridical_program::{ConstData, ConstKind, Op};
use veridical_prover::cheat::Cheat;

use crate::Forgery;
use crate::case::{Case, apply};
use crate::support::Builder;

pub const FORGERIES: &[Forgery] = &[
    Forgery {
        number: "9",
        lie: "linear: bias counted on padded rows",
        check: "CombinationSum",
        tell: || edited(labels::COMBINATION, 0, 1),
    },
    Forgery {
        number: "44a",
        lie: "gather: element of another row for a computed index",
        check: "LookupSum",
        tell: other_row,
    },
    Forgery {
        number: "45",
        lie: "gather: public indices other than those of the statement",
        check: "MapFinal",
        tell: other_public_index,
    },
    Forgery {
        number: "50b",
        lie: "lookup: numerators in unused slots",
        check: "LookupLayer",
        tell: || edited(labels::LAYER_VALUES, 4, 0),
    },
    Forgery {
        number: "51",
        lie: "lookup: denominator of the root 0",
        check: "LookupRootZero",
        tell: || edited_to(labels::LOOKUP_ROOT, 0, 0, |_| EF::ZERO),
    },
    Forgery {
        number: "52",
        lie: "lookup: padded rows balance the sum",
        check: "LeafNumerator",
        tell: || edited(labels::TABLE_VALUES, 0, 0),
    },
    Forgery {
        number: "54",
        lie: "opening: two cells of the stack exchanged",
        check: "StackClaim",
        tell: exchanged,
    },
    Forgery {
        number: "55",
        lie: "opening: value of the stack at another point",
        check: "StackClaim",
        tell: || edited(labels::STACK_VALUE, 1, 0),
    },
    Forgery {
        number: "56",
        lie: "claims: two values at one point",
        check: "UnequalClaims",
        tell: two_values,
    },
];

fn dense() -> Case {
    let mut b = Builder::new(61);
    let x = b.input(&[3, 4], -90, 100);
    let hidden = b.linear(x, 6);
    let narrow = b.requantise(hidden, -50, 60);
    b.linear(narrow, 2);
    Case::random(b, 1, 7)
}

/// One element of a message plus 1; everything behind it is as honest as it can be.
fn edited(label: &'static str, nth: usize, element: usize) -> &'static str {
    edited_to(label, nth, element, |value| value + EF::ONE)
}

fn edited_to(
    label: &'static str,
    nth: usize,
    element: usize,
    change: fn(EF) -> EF,
) -> &'static str {
    let case = dense();
    let edits = [Edit {
        label,
        nth,
        element,
        change,
    }];
    let cheat = Cheat {
        edits: &edits,
        ..case.cheat()
    };
    let forged = cheat.prove(&mut |_, _| {}).unwrap();
    assert_ne!(forged.bytes, case.proof);
    case.judge_forged(&forged)
}

fn exchanged() -> &'static str {
    let case = dense();
    let y = case.wire("table output");
    let integers = case.integers(y);
    let other = integers
        .iter()
        .position(|&value| value != integers[0])
        .unwrap();
    let swap = [(y, 0, integers[other]), (y, other, integers[0])];
    let forged = case.cheat().prove_other(
        &mut |wire, integers| apply(&swap, wire, integers),
        &mut |_, _| {},
    );
    case.judge_forged(&forged.unwrap())
}

/// A wire of one cell has one point, at which the output and an identity speak of it.
fn two_values() -> &'static str {
    let mut b = Builder::new(62);
    let x = b.input(&[1, 5], -50, 20);
    let op = Op::ReduceMax { axes: vec![1] };
    b.node(op, &[x], &[], &[1, 1], (-50, 20));
    let case = Case::new(b, vec![vec![vec![3, -8, 19, 4, 0]]]);
    let outputs = vec![vec![vec![18]]];
    let mut cheat = case.cheat();
    cheat.statement.outputs = &outputs;
    case.judge_forged(&cheat.prove(&mut |_, _| {}).unwrap())
}

/// Rows of a weight by indices that are inputs, or computed from them.
fn rows(is_computed: bool) -> Case {
    let mut b = Builder::new(63);
    let mut ids = b.input(&[3], 0, 6);
    if is_computed {
        ids = b.table(ids, 0, |i, _| 6 - i);
    }
    let elements: Vec<i16> = (0..14).map(|i| 10 * i).collect();
    let w = b.constant(ConstKind::Weight, &[7, 2], ConstData::I16(elements.into()));
    b.node(Op::Gather, &[ids], &[w], &[3, 2], (0, 130));
    Case::new(b, vec![vec![vec![2, 0, 5]]])
}

fn other_row() -> &'static str {
    let case = rows(true);
    let y = case.wire("gather");
    case.changed(&[case.moved(y, 0, 20), case.moved(y, 1, 20)])
}

fn other_public_index() -> &'static str {
    let case = rows(false);
    let other = Case::of(Arc::clone(&case.program), vec![vec![vec![2, 1, 5]]]);
    let mut cheat = other.cheat();
    cheat.statement.inputs = &case.inputs;
    case.judge_forged(&cheat.prove(&mut |_, _| {}).unwrap())
}
