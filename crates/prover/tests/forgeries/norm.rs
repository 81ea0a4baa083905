//! Normalised rows.

use veridical_argument::plan::WireId;

use crate::Forgery;
use crate::case::{Case, Change, divided};
use crate::support::Builder;

pub const FORGERIES: &[Forgery] = &[
    Forgery {
        number: "32",
        lie: "layernorm: high limb moved by 1016 at s = 11",
        check: "LookupSum",
        tell: || inside(|case| vec![case.moved(case.wire("high limb"), 1, 1016)]),
    },
    Forgery {
        number: "33a",
        lie: "layernorm: mean plus one, negative remainder",
        check: "LookupSum",
        tell: || inside(|case| vec![case.moved(case.wire("mean"), 0, 1)]),
    },
    Forgery {
        number: "33b",
        lie: "layernorm: mean minus one, remainder not below d",
        check: "LookupSum",
        tell: || inside(|case| vec![case.moved(case.wire("mean"), 0, -1)]),
    },
    Forgery {
        number: "34a",
        lie: "layernorm: first carry plus 2^-10 modulo p",
        check: "LookupSum",
        tell: || inside(fractional_carry),
    },
    Forgery {
        number: "34b",
        lie: "layernorm: negative top limb of the variance",
        check: "LookupSum",
        tell: || {
            inside(|case| {
                vec![
                    (case.wire("third limb, high"), 0, -1),
                    case.moved(case.wire("third limb, middle"), 0, 1 << 14),
                ]
            })
        },
    },
    Forgery {
        number: "35",
        lie: "layernorm: constant row of variance 0, without epsilon",
        check: "LookupSum",
        tell: no_epsilon,
    },
    Forgery {
        number: "36a",
        lie: "layernorm: root plus one",
        check: "LookupSum",
        tell: || root(1),
    },
    Forgery {
        number: "36b",
        lie: "layernorm: root minus one",
        check: "LookupSum",
        tell: || root(-1),
    },
    Forgery {
        number: "36c",
        lie: "layernorm: slack 0, as if the root were exact",
        check: "VanishingExpression",
        tell: || inside(exact),
    },
    Forgery {
        number: "37",
        lie: "layernorm: high limb of the root, top limbs overflow",
        check: "ZeroCheckFinal",
        tell: overflow,
    },
    Forgery {
        number: "38",
        lie: "layernorm: result plus one, dropped bits to match",
        check: "LookupSum",
        tell: || inside(|case| vec![case.moved(case.wire("layernorm"), 2, 1)]),
    },
];

const U: u32 = 16;
const D: i128 = 4;

fn row(row: [i32; 4]) -> Case {
    let mut b = Builder::new(51);
    let x = b.input(&[1, 4], -1_060_000_000, 1_060_000_000);
    b.layernorm(x, U, 8, true);
    Case::new(b, vec![vec![row.to_vec()]])
}

fn ordinary() -> Case {
    row([-900_000_000, 500_000_123, 77_000_000, 300_000_000])
}

fn constant() -> Case {
    row([70_000; 4])
}

fn inside(lie: impl Fn(&Case) -> Vec<Change>) -> &'static str {
    let case = ordinary();
    case.changed_inside(&lie(&case))
}

fn fractional_carry(case: &Case) -> Vec<Change> {
    let carry = case.wire("first carry");
    let value = case.integers(carry)[0];
    vec![
        case.moved(case.wire("first limb"), 0, -1),
        (carry, 0, divided((value << 10) + 1, 10)),
    ]
}

fn no_epsilon() -> &'static str {
    let case = constant();
    let (low, carry) = (case.wire("first limb"), case.wire("first carry"));
    let (epsilon, before) = (case.integers(low)[0], case.integers(carry)[0]);
    let changes = [
        (low, 0, 0),
        (carry, 0, divided((before << 10) + epsilon, 10)),
    ];
    case.changed_inside(&changes)
}

/// Limbs of 14 bits; the highest takes what is left.
fn limbs(value: i128) -> [i64; 4] {
    let limb = |i: u32| (value >> (14 * i)) & if i < 3 { (1 << 14) - 1 } else { -1 };
    [0, 1, 2, 3].map(|i| i64::try_from(limb(i)).unwrap())
}

fn set(wires: &[WireId], values: &[i64]) -> Vec<Change> {
    let cells = wires.iter().zip(values);
    cells.map(|(&wire, &value)| (wire, 0, value)).collect()
}

/// Everything that is computed from the root, from another root.
fn root(by: i128) -> &'static str {
    let case = ordinary();
    let limb = |what| i128::from(case.integers(case.wire(what))[0]);
    let v = limb("limb 0 of the variance")
        + (limb("limb 1 of the variance") << 14)
        + (limb("third limb, middle") << 28)
        + (limb("third limb, high") << 42);
    let roots = case.wires("limb of the root");
    let r = i128::from(case.integers(roots[0])[0]) + (i128::from(case.integers(roots[1])[0]) << 14);
    let d = D << (2 * U);
    assert!(r * r * v <= d && d < (r + 1) * (r + 1) * v);
    let r = r + by;
    let t = r * v;
    let f = d - r * t;
    let g = 2 * t + v - 1 - f;
    let [root, product, slack, gap] = [r, t, f, g].map(limbs);
    let mut changes: Vec<Change> = set(&roots, &[root[0], root[1] + (root[2] << 14)]);
    changes.extend(set(&case.wires("limb of the product"), &product));
    changes.extend(set(&case.wires("limb of the slack"), &slack));
    changes.extend(set(&case.wires("limb of the gap"), &gap));
    case.changed_inside(&changes)
}

fn exact(case: &Case) -> Vec<Change> {
    let slack = case.wires("limb of the slack");
    set(&slack, &[0; 4])
}

/// The row is constant, so that the result does not depend on the root.
fn overflow() -> &'static str {
    let case = constant();
    let top = case.wires("limb of the root")[1];
    let value = case.integers(top)[0];
    let other = if value == 0 { 1 } else { value - 1 };
    case.changed_inside(&[(top, 0, other)])
}
