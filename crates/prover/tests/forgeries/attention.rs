//! Softmax and division.

use veridical_program::Op;

use crate::Forgery;
use crate::case::{Case, Change, divided};
use crate::support::Builder;

pub const FORGERIES: &[Forgery] = &[
    Forgery {
        number: "27",
        lie: "softmax: maximum at a masked position",
        check: "ZeroCheckFinal",
        tell: masked_maximum,
    },
    Forgery {
        number: "28",
        lie: "softmax: weight on a masked position",
        check: "LookupSum",
        tell: masked_weight,
    },
    Forgery {
        number: "30a",
        lie: "quotient: one less, remainder plus the denominator",
        check: "LookupSum",
        tell: || quotient([10, 0], -1),
    },
    Forgery {
        number: "30b",
        lie: "quotient: first digit one less, its remainder plus the denominator",
        check: "LookupSum",
        tell: || quotient([8, 7], -1),
    },
    Forgery {
        number: "31",
        lie: "quotient: half of an odd denominator modulo p",
        check: "LookupSum",
        tell: odd_half,
    },
    Forgery {
        number: "40a",
        lie: "mean: remainder not below the denominator",
        check: "LookupSum",
        tell: || mean(-1),
    },
    Forgery {
        number: "40b",
        lie: "mean: negative remainder",
        check: "LookupSum",
        tell: || mean(1),
    },
];

const SCORES: [i32; 4] = [5, 9, -3, 2];
const MASK: [i32; 4] = [1, 0, 1, 1];

fn softmax() -> Case {
    let mut b = Builder::new(41);
    let x = b.input(&[1, 4], -10, 20);
    let mask = b.input(&[1, 4], 0, 1);
    b.softmax_numerator(x, Some(mask), 900);
    Case::new(b, vec![vec![SCORES.to_vec(), MASK.to_vec()]])
}

/// Everything is looked up honestly for the larger score that does not count.
fn masked_maximum() -> &'static str {
    let case = softmax();
    let table = case.program.constant(0).unwrap();
    let e = case.wire("exponential");
    let h = case.wire("position of the maximum");
    let mut changes: Vec<Change> = vec![(case.wire("maximum"), 0, 9), (h, 0, 0), (h, 1, 1)];
    for cell in [0, 2, 3] {
        let distance = usize::try_from(9 - SCORES[cell]).unwrap();
        changes.push((e, cell, table.get(distance).unwrap().into()));
    }
    case.changed(&changes)
}

fn masked_weight() -> &'static str {
    let case = softmax();
    let table = case.program.constant(0).unwrap();
    let e = case.wire("exponential");
    case.changed(&[(e, 1, table.get(0).unwrap().into())])
}

/// Weights with the odd sum 27.
const WEIGHTS: [i32; 4] = [5, 9, 11, 2];
const SUM: i64 = 27;

fn normalized(digits: [u32; 2]) -> Case {
    let mut b = Builder::new(42);
    let x = b.input(&[1, 4], 1, 20);
    let range = (0, 1 << (digits[0] + digits[1]));
    b.node(Op::Normalize { digits }, &[x], &[], &[1, 4], range);
    Case::new(b, vec![vec![WEIGHTS.to_vec()]])
}

fn quotient(digits: [u32; 2], by: i64) -> &'static str {
    let case = normalized(digits);
    let quotient = case.wires(if digits[1] == 0 {
        "quotient"
    } else {
        "digit of the quotient"
    })[0];
    let remainder = case.wires("remainder")[0];
    case.changed(&[
        case.moved(quotient, 2, by),
        case.moved(remainder, 2, -by * SUM),
    ])
}

fn odd_half() -> &'static str {
    let case = normalized([10, 0]);
    let half = case.wire("half of the denominator");
    assert_eq!(case.integers(half), [SUM / 2]);
    case.changed(&[(half, 0, divided(SUM, 1))])
}

fn mean(by: i64) -> &'static str {
    let mut b = Builder::new(43);
    let e = b.input(&[1, 4], 1, 20);
    let v = b.input(&[4, 2], -50, 60);
    b.weighted_mean(e, v);
    let values = vec![7, -9, 30, 1, -22, 8, 40, 13];
    let case = Case::new(b, vec![vec![WEIGHTS.to_vec(), values]]);
    let (y, remainder) = (case.wire("weighted mean"), case.wire("remainder"));
    case.changed(&[case.moved(y, 1, by), case.moved(remainder, 1, -by * SUM)])
}
