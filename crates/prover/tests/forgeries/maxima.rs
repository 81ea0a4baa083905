//! Maxima, pools, positions.

use veridical_program::{Op, Window};

use crate::Forgery;
use crate::case::{Case, Change};
use crate::support::Builder;

pub const FORGERIES: &[Forgery] = &[
    Forgery {
        number: "23",
        lie: "maximum: one more than any element",
        check: "ZeroCheckFinal",
        tell: || maximum(|case, max, _| vec![case.moved(max, 0, 1)]),
    },
    Forgery {
        number: "24",
        lie: "maximum: the second largest, attained",
        check: "LookupSum",
        tell: || attained_at(SECOND),
    },
    Forgery {
        number: "25",
        lie: "maximum: 0 attained nowhere, all elements negative",
        check: "ZeroCheckFinal",
        tell: || maximum(|_, max, h| vec![(max, 0, 0), (h, LARGEST, 0)]),
    },
    Forgery {
        number: "41",
        lie: "argmax: higher index of a tie",
        check: "LookupSum",
        tell: || argmax(3),
    },
    Forgery {
        number: "42",
        lie: "argmax: index of the second largest",
        check: "LookupSum",
        tell: || argmax(0),
    },
    Forgery {
        number: "43a",
        lie: "topk: the same index twice",
        check: "LookupSum",
        tell: || topk([1, 1]),
    },
    Forgery {
        number: "43b",
        lie: "topk: equal values in the other order",
        check: "LookupSum",
        tell: || topk([3, 1]),
    },
    Forgery {
        number: "43c",
        lie: "topk: an element too small",
        check: "LookupSum",
        tell: || topk([1, 0]),
    },
    Forgery {
        number: "44b",
        lie: "argmax: position that is no bit",
        check: "ZeroCheckFinal",
        tell: no_bit,
    },
    Forgery {
        number: "47",
        lie: "max_pool: smaller tap posed as the maximum",
        check: "LookupSum",
        tell: smaller_tap,
    },
];

const ROW: [i32; 5] = [-40, -7, -30, -9, -25];
const LARGEST: usize = 1;
const SECOND: usize = 3;

fn maximum(
    lie: impl Fn(
        &Case,
        veridical_argument::plan::WireId,
        veridical_argument::plan::WireId,
    ) -> Vec<Change>,
) -> &'static str {
    let mut b = Builder::new(31);
    let x = b.input(&[1, 5], -50, 20);
    b.node(
        Op::ReduceMax { axes: vec![1] },
        &[x],
        &[],
        &[1, 1],
        (-50, 20),
    );
    let case = Case::new(b, vec![vec![ROW.to_vec()]]);
    let max = case.wire("reduce_max");
    let h = case.wire("position of the maximum");
    case.changed(&lie(&case, max, h))
}

fn attained_at(cell: usize) -> &'static str {
    maximum(|_, max, h| vec![(max, 0, ROW[cell].into()), (h, LARGEST, 0), (h, cell, 1)])
}

const TIES: [i32; 5] = [-9, 4, -30, 4, -25];

/// Says that the ranks are at these positions.
fn ranked(case: &Case, positions: &[usize]) -> &'static str {
    let steps = case.wire("positions at or behind");
    let changes: Vec<Change> = positions
        .iter()
        .enumerate()
        .flat_map(|(rank, &at)| (0..5).map(move |j| (steps, 5 * rank + j, i64::from(j >= at))))
        .collect();
    case.changed(&changes)
}

fn argmax(position: usize) -> &'static str {
    ranked(&argmax_case(), &[position])
}

fn argmax_case() -> Case {
    let mut b = Builder::new(32);
    let x = b.input(&[1, 5], -50, 20);
    b.node(Op::Argmax, &[x], &[], &[1, 1], (0, 4));
    Case::new(b, vec![vec![TIES.to_vec()]])
}

fn no_bit() -> &'static str {
    let case = argmax_case();
    let steps = case.wire("positions at or behind");
    // The sum of the positions stays 1.
    case.changed(&[(steps, 1, 2), (steps, 2, 0)])
}

fn topk(positions: [usize; 2]) -> &'static str {
    let mut b = Builder::new(33);
    let x = b.input(&[1, 5], -50, 20);
    let op = Op::TopK {
        k: 2,
        values: false,
    };
    b.node(op, &[x], &[], &[1, 2], (0, 4));
    ranked(&Case::new(b, vec![vec![TIES.to_vec()]]), &positions)
}

fn smaller_tap() -> &'static str {
    let mut b = Builder::new(34);
    let x = b.input(&[1, 2, 2], -50, 20);
    let window = Window {
        kernel: [2, 2],
        stride: [2, 2],
        pad: [0; 4],
        dilation: [1, 1],
    };
    b.pool(x, window, false);
    let case = Case::new(b, vec![vec![vec![3, 9, -4, 1]]]);
    let max = case.wire("max_pool");
    let h = case.wire("position of the maximum");
    assert_eq!(case.integers(h), [0, 1, 0, 0]);
    case.changed(&[(max, 0, 3), (h, 0, 1), (h, 1, 0)])
}
