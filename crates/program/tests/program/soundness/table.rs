//! `table`, `shift`, `clamp`.

use super::{edge, field_edge};
use crate::draft::Draft;
use veridical_program::{ConstData, ConstKind, Op, P};

/// Rows `0, 1, ..` over the indices from `first` on.
fn table((lo, hi): (i32, i32), shift: u32, first: i64, rows: usize, round: bool) -> Draft {
    let mut d = Draft::with_input(&[1], lo, hi);
    let elements: Vec<i32> = (0..i32::try_from(rows).unwrap()).collect();
    let t = d.constant(ConstKind::Table, &[rows], ConstData::I32(elements.into()));
    d.node(
        Op::Table {
            shift,
            first,
            round,
        },
        &[0],
        &[t],
        &[1],
        (0, 70_000),
    );
    d
}

#[test]
fn a_table_must_cover_every_index_from_both_sides() {
    // (x + 8) >> 4 of -24..=23 is -1..=1.
    edge(|lo| table((lo, 23), 4, -1, 3, true), -24, -25, "TableCover");
    edge(|hi| table((-24, hi), 4, -1, 3, true), 23, 24, "TableCover");
    // x >> 4 of -16..=31 is -1..=1.
    edge(
        |lo| table((lo, 31), 4, -1, 3, false),
        -16,
        -17,
        "TableCover",
    );
    edge(|hi| table((-16, hi), 4, -1, 3, false), 31, 32, "TableCover");
    edge(
        |first| table((0, 1), 0, first, 2, false),
        0,
        1,
        "TableCover",
    );
    edge(|rows| table((0, 1), 0, 0, rows, false), 2, 1, "TableCover");
}

#[test]
fn a_table_whose_rows_and_shift_exceed_the_field_is_refused() {
    // At shift 16 the greatest table has 32512 rows, at 15 it has 65024.
    let draft = |shift| move |rows| table((0, 1), shift, 0, rows, false);
    field_edge(draft(16), 32512, 32513, "N * 2^shift <= p");
    field_edge(draft(15), 65024, 65025, "N * 2^shift <= p");
    assert_eq!(draft(14)(65536).check(), "accepted");
}

#[test]
fn a_table_range_is_that_of_the_rows_in_reach() {
    let draft = |range| {
        let mut d = Draft::with_input(&[1], 1, 2);
        let t = d.table(vec![-9, 5, 7, 90]);
        d.node(
            Op::Table {
                shift: 0,
                first: 0,
                round: false,
            },
            &[0],
            &[t],
            &[1],
            range,
        );
        d
    };
    edge(draft, (5, 7), (6, 7), "ResultRange");
    edge(draft, (5, 7), (5, 6), "ResultRange");
}

#[test]
fn a_shift_whose_images_and_dropped_bits_exceed_the_field_is_refused() {
    let draft = |hi: i32| {
        let mut d = Draft::with_input(&[1], -(1 << 29), hi);
        d.wide(Op::Shift { shift: 16 }, &[0], &[], &[1]);
        d
    };
    // (x + 2^15) >> 16 from -8192 on: 2^14 images up to 8191, then 2^15 * 2^16 > p.
    let last = (8192 << 16) - (1 << 15) - 1;
    field_edge(draft, last, last + 1, "2^w * 2^shift <= p");
}

#[test]
fn a_shift_range_is_that_of_the_images() {
    let draft = |range| {
        let mut d = Draft::with_input(&[1], -25, 24);
        d.node(Op::Shift { shift: 4 }, &[0], &[], &[1], range);
        d
    };
    edge(draft, (-2, 2), (-1, 2), "ResultRange");
    edge(draft, (-2, 2), (-2, 1), "ResultRange");
}

fn clamp((lo, hi): (i32, i32), bounds: (i32, i32), result: (i32, i32)) -> Draft {
    let mut d = Draft::with_input(&[1], lo, hi);
    d.node(
        Op::Clamp {
            lo: bounds.0,
            hi: bounds.1,
        },
        &[0],
        &[],
        &[1],
        result,
    );
    d
}

#[test]
fn a_clamp_range_is_cut_at_both_bounds() {
    edge(
        |result| clamp((-90, 90), (-5, 7), result),
        (-5, 7),
        (-4, 7),
        "ResultRange",
    );
    edge(
        |result| clamp((-90, 90), (-5, 7), result),
        (-5, 7),
        (-5, 6),
        "ResultRange",
    );
    edge(
        |result| clamp((-3, 4), (-5, 7), result),
        (-3, 4),
        (-3, 3),
        "ResultRange",
    );
    edge(
        |result| clamp((8, 9), (-5, 7), result),
        (7, 7),
        (6, 6),
        "ResultRange",
    );
}

#[test]
fn bounds_of_a_clamp_are_ordered() {
    edge(
        |hi| clamp((-90, 90), (-5, hi), (-5, 90)),
        -5,
        -6,
        "Attribute",
    );
}

#[test]
fn differences_from_the_bounds_of_a_clamp_must_not_wrap_in_the_field() {
    // One side of 2^29 takes 30 bits; the other side may then have p - 2^30.
    let (side, other) = (1 << 29, i32::try_from(P - (1 << 30)).unwrap());
    let draft = |l: i32| clamp((l, side), (0, side), (0, side));
    field_edge(draft, -other, -other - 1, "2^w + (c - L) <= p");
    let draft = |h: i32| clamp((-side, h), (0, h), (0, h));
    field_edge(draft, other, other + 1, "2^w + (H - c) <= p");
    let draft = |l: i32| clamp((l, side), (l, 0), (l, 0));
    field_edge(draft, -other, -other - 1, "2^w + (c - L) <= p");
    let draft = |h: i32| clamp((-side, h), (-side, 0), (-side, 0));
    field_edge(draft, other, other + 1, "2^w + (H - c) <= p");
}
