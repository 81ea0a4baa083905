//! Products: `linear`, `conv`, `matmul`, `add`.

use std::sync::Arc;

use veridical_argument::plan::{Definition, Factor, Pairs, Wire, WireId};
use veridical_executor::{Executor, Options};
use veridical_program::{ConstData, Window};
use veridical_prover::WeightCommitment;
use veridical_prover::cheat::{Cheat, Claimed};

use crate::Forgery;
use crate::case::{Case, trace};
use crate::support::Builder;

pub const FORGERIES: &[Forgery] = &[
    Forgery {
        number: "7",
        lie: "linear: accumulator off by one, activation adapted",
        check: "EinsumFinal",
        tell: accumulator_off_by_one,
    },
    Forgery {
        number: "8a",
        lie: "linear: a weight other than the committed one",
        check: "StackClaim",
        tell: other_weight,
    },
    Forgery {
        number: "8b",
        lie: "linear: weights of another commitment are opened",
        check: "Opening",
        tell: other_commitment,
    },
    Forgery {
        number: "10a",
        lie: "conv: two taps of the window swapped",
        check: "MapFinal",
        tell: swapped_taps,
    },
    Forgery {
        number: "10b",
        lie: "conv: proof of another stride and dilation",
        check: "MapFinal",
        tell: other_window,
    },
    Forgery {
        number: "11",
        lie: "conv: non-zero value at a padding position",
        check: "MapFinal",
        tell: value_in_padding,
    },
    Forgery {
        number: "12",
        lie: "conv: channels of the other group",
        check: "EinsumFinal",
        tell: other_group,
    },
    Forgery {
        number: "13",
        lie: "matmul: a head uses the keys of another head",
        check: "EinsumFinal",
        tell: other_head,
    },
    Forgery {
        number: "48a",
        lie: "residual: skip path omitted",
        check: "CombinationSum",
        tell: || residual(0),
    },
    Forgery {
        number: "48b",
        lie: "residual: skip path added twice",
        check: "CombinationSum",
        tell: || residual(2),
    },
];

/// Bits that the activation drops.
const STEP: u32 = 9;

fn dense() -> Case {
    let mut b = Builder::new(5);
    let x = b.input(&[3, 6], -90, 100);
    let hidden = b.linear_within(x, 4, 9_000_000);
    b.table(hidden, STEP, |i, _| i.max(0));
    Case::random(b, 1, 2)
}

/// The last product of the plan.
fn product(case: &Case) -> WireId {
    let is_product = |wire: &Wire| matches!(wire.definition, Definition::Einsum { .. });
    WireId(case.plan.wires.iter().rposition(is_product).unwrap())
}

fn accumulator_off_by_one() -> &'static str {
    let case = dense();
    let product = product(&case);
    let y = case.wire("table output");
    // By one step of the activation, whose next value is then looked up honestly.
    let outputs = case.integers(y);
    let cell = outputs.iter().position(|&y| y > 0).unwrap();
    case.changed(&[case.moved(product, cell, 1 << STEP), case.moved(y, cell, 1)])
}

fn other_weight() -> &'static str {
    let case = dense();
    let weight = case.wires("weight")[0];
    case.changed(&[case.moved(weight, 3, 1)])
}

fn other_commitment() -> &'static str {
    let case = dense();
    let other = Arc::new(case.with_constants(|consts| {
        let ConstData::I16(weights) = &mut consts[0] else {
            panic!("weights of 16 bits");
        };
        let mut changed = weights.to_vec();
        changed[0] -= changed[0].signum();
        *weights = changed.into();
    }));
    // Everything is computed with the other weights; only the registration is the true one.
    let weights = WeightCommitment::new(&other, case.registration().profile).unwrap();
    let executor = Executor::new(Arc::clone(&other), Options::default()).unwrap();
    let trace = trace(&executor, &case.inputs);
    let cheat = Cheat {
        program: &other,
        trace: &trace,
        weights: &weights,
        claimed: Claimed::Wires,
        ..case.cheat()
    };
    case.judge_forged(&cheat.prove(&mut |_, _| {}).unwrap())
}

const WINDOW: Window = Window {
    kernel: [2, 2],
    stride: [1, 1],
    pad: [1, 0, 0, 0],
    dilation: [2, 2],
};

fn convolution(groups: usize) -> Case {
    let mut b = Builder::new(6);
    let x = b.input(&[4, 5, 6], -20, 30);
    b.conv(x, 4, WINDOW, groups);
    Case::random(b, 1, 3)
}

/// The unfolded image; its last axis are the taps of the columns.
fn unfolded(case: &Case) -> WireId {
    let is_map = |wire: &Wire| matches!(wire.definition, Definition::Map { .. });
    WireId(case.plan.wires.iter().rposition(is_map).unwrap())
}

fn swapped_taps() -> &'static str {
    let case = convolution(1);
    let unfolded = unfolded(&case);
    case.overridden(|wire, integers| {
        if wire == unfolded {
            for pair in integers.chunks_mut(2) {
                pair.swap(0, 1);
            }
        }
    })
}

fn other_window() -> &'static str {
    let case = convolution(1);
    case.replanned(|plan| {
        let factors = plan
            .wires
            .iter_mut()
            .flat_map(|wire| match &mut wire.definition {
                Definition::Map { factors, .. } => factors.as_mut_slice(),
                _ => &mut [],
            });
        let mut changed = 0;
        for factor in factors {
            if let Factor::Related(Pairs::Window(window)) = factor {
                // The same number of positions, further apart.
                std::mem::swap(&mut window.stride, &mut window.dilation);
                changed += 1;
            }
        }
        assert!(changed > 0);
    })
}

fn value_in_padding() -> &'static str {
    let case = convolution(1);
    let unfolded = unfolded(&case);
    // The first tap of the first row is in the padding.
    assert_eq!(case.integers(unfolded)[0], 0);
    case.changed(&[(unfolded, 0, 7)])
}

fn other_group() -> &'static str {
    let case = convolution(2);
    let product = product(&case);
    case.overridden(|wire, integers| {
        if wire == product {
            integers.reverse();
        }
    })
}

fn other_head() -> &'static str {
    let mut b = Builder::new(7);
    let q = b.input(&[2, 3, 4], -9, 9);
    let k = b.input(&[2, 3, 4], -9, 9);
    b.matmul(q, k, true);
    let case = Case::random(b, 1, 4);
    let scores = case.plan.outputs[0].wire;
    let [q, k] = [0, 1].map(|i| case.inputs[0][i].clone());
    case.overridden(|wire, integers| {
        if wire == scores {
            for (cell, score) in integers.iter_mut().enumerate() {
                let (head, row, column) = (cell / 9, cell / 3 % 3, cell % 3);
                let other = 1 - head;
                let product = |i| q[(head * 3 + row) * 4 + i] * k[(other * 3 + column) * 4 + i];
                *score = (0..4).map(product).sum();
            }
        }
    })
}

/// The second operand `times` times in the sum.
fn residual(times: i64) -> &'static str {
    let mut b = Builder::new(8);
    let x = b.input(&[3, 5], -20, 30);
    let y = b.linear_within(x, 5, 4000);
    b.add(&[y, x], &[1, 1]);
    let case = Case::new(b, vec![vec![(0..15).map(|i| 3 * i % 7 - 3).collect()]]);
    let sum = case.plan.outputs[0].wire;
    case.replanned(|plan| {
        let Definition::Combination(sum) = &mut plan.wires[sum.0].definition else {
            panic!("a sum");
        };
        sum.terms[1].0 = times;
    })
}
