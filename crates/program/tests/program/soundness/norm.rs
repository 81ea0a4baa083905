//! `layernorm`.

use super::{edge, field_edge};
use crate::draft::Draft;
use veridical_program::Op;

#[derive(Clone, Copy)]
struct Norm {
    d: usize,
    range: (i32, i32),
    shift: u32,
    u: u32,
    fx: u32,
    epsilon: i64,
    centered: bool,
}

const BASE: Norm = Norm {
    d: 384,
    range: (-1000, 1000),
    shift: 0,
    u: 23,
    fx: 7,
    epsilon: 1,
    centered: true,
};

fn norm(n: Norm) -> Draft {
    let mut d = Draft::with_input(&[2, n.d], n.range.0, n.range.1);
    let op = Op::LayerNorm {
        shift: n.shift,
        u: n.u,
        fx: n.fx,
        epsilon: n.epsilon,
        centered: n.centered,
    };
    d.wide(op, &[0], &[], &[2, n.d]);
    d
}

#[test]
fn the_input_of_a_norm_has_20_bits_after_its_shift() {
    let top = (1 << 19 << 4) - (1 << 3) - 1;
    let draft = |hi| {
        norm(Norm {
            shift: 4,
            range: (0, hi),
            ..BASE
        })
    };
    edge(draft, top, top + 1, "OperandRange");
    let bottom = -(1 << 19 << 4) - (1 << 3);
    let draft = |lo| {
        norm(Norm {
            shift: 4,
            range: (lo, 0),
            ..BASE
        })
    };
    edge(draft, bottom, bottom - 1, "OperandRange");
}

#[test]
fn at_shift_11_the_range_of_a_norm_is_narrower() {
    let top = (508 << 10 << 11) - (1 << 10) - 1;
    let draft = |hi| {
        norm(Norm {
            shift: 11,
            range: (0, hi),
            ..BASE
        })
    };
    edge(draft, top, top + 1, "OperandRange");
    edge(|shift| norm(Norm { shift, ..BASE }), 11, 12, "Limit");
}

#[test]
fn rows_of_a_norm_have_a_greatest_length() {
    let draft = |centered| {
        move |d| {
            norm(Norm {
                d,
                u: 22,
                fx: 6,
                centered,
                ..BASE
            })
        }
    };
    edge(draft(true), 1024, 1025, "Attribute");
    edge(draft(false), 1000, 1001, "Attribute");
}

#[test]
fn the_low_limb_of_the_variance_must_not_wrap() {
    // d = 1000: 1000 * 1023^2 + epsilon < 2^30.
    let most = (1 << 30) - 1 - 1000 * 1023 * 1023;
    assert!(most > 1 << 20);
    // So only the cap on epsilon is ever reached for d <= 1000.
    let draft = |epsilon| {
        norm(Norm {
            d: 1000,
            u: 20,
            fx: 4,
            epsilon,
            ..BASE
        })
    };
    edge(draft, 1 << 20, (1 << 20) + 1, "Limit");
    edge(draft, 1, 0, "Limit");
}

#[test]
fn the_reciprocal_root_must_fit_its_limbs() {
    // d = 1024: sqrt(1024 * 2^46 / epsilon) < 2^28 needs epsilon of 2 at least.
    let draft = |epsilon| {
        norm(Norm {
            d: 1024,
            fx: 7,
            epsilon,
            ..BASE
        })
    };
    field_edge(draft, 2, 1, "isqrt(d * 2^(2u) / epsilon) < 2^28");
}

#[test]
fn the_precision_of_a_norm_has_limits() {
    edge(
        |(u, fx)| {
            norm(Norm {
                u,
                fx,
                d: 16,
                ..BASE
            })
        },
        (23, 7),
        (23, 6),
        "Attribute",
    );
    edge(
        |(u, fx)| {
            norm(Norm {
                u,
                fx,
                d: 16,
                ..BASE
            })
        },
        (8, 7),
        (7, 7),
        "Attribute",
    );
    edge(
        |(u, fx)| {
            norm(Norm {
                u,
                fx,
                d: 16,
                ..BASE
            })
        },
        (23, 7),
        (24, 8),
        "Limit",
    );
    assert_eq!(
        norm(Norm {
            u: 7,
            fx: 8,
            d: 16,
            ..BASE
        })
        .check(),
        "Attribute"
    );
}

#[test]
fn images_of_a_norm_stay_in_the_field_within_its_other_limits() {
    // 2^w * 2^(u - fx) is at most 2^(7 + u) <= 2^30: the condition never decides alone, and must
    // not refuse what the others accept.
    for d in [1, 2, 1000, 1024] {
        for u in 1_u32..=23 {
            for fx in u.saturating_sub(16)..u {
                let draft = norm(Norm {
                    d,
                    u,
                    fx,
                    epsilon: 1 << 20,
                    ..BASE
                });
                assert_eq!(draft.check(), "accepted", "d {d}, u {u}, fx {fx}");
            }
        }
    }
}

#[test]
fn a_norm_range_is_the_root_of_its_length() {
    let draft = |y: i32| {
        let mut d = Draft::with_input(&[384], -9, 9);
        let op = Op::LayerNorm {
            shift: 0,
            u: 23,
            fx: 7,
            epsilon: 1,
            centered: true,
        };
        d.node(op, &[0], &[], &[384], (-y, y));
        d
    };
    // (ceil(sqrt(384 * 2^46)) + 2^15) >> 16 = 2508.
    edge(draft, 2508, 2507, "ResultRange");
}
