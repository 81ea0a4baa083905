//! Tables, shifts and ranges.

use veridical_argument::plan::Table;
use veridical_program::{ConstData, ConstKind, Op};
use veridical_prover::cheat::Cheat;

use crate::Forgery;
use crate::case::{Case, apply, divided};
use crate::support::Builder;

pub const FORGERIES: &[Forgery] = &[
    Forgery {
        number: "14",
        lie: "table: next lower row, dropped bits plus a row",
        check: "LookupSum",
        tell: lower_row,
    },
    Forgery {
        number: "16a",
        lie: "table: result of the next row",
        check: "LookupSum",
        tell: || result(|rows, index| rows[index + 1]),
    },
    Forgery {
        number: "16b",
        lie: "table: result of another table",
        check: "LookupSum",
        tell: || result(|_, index| OTHER + i64::try_from(index).unwrap()),
    },
    Forgery {
        number: "16c",
        lie: "table: looked up under the id of another table",
        check: "LeafDenominator",
        tell: other_table_id,
    },
    Forgery {
        number: "17",
        lie: "table: row behind the last one",
        check: "LookupSum",
        tell: row_behind,
    },
    Forgery {
        number: "19",
        lie: "table: result clamped where the table does not clamp",
        check: "LookupSum",
        tell: || result(|rows, _| rows[0]),
    },
    Forgery {
        number: "20",
        lie: "shift: one more dropped bit, result of p / 2^s",
        check: "LookupSum",
        tell: one_more_dropped_bit,
    },
    Forgery {
        number: "21",
        lie: "range: 65025 shown to be one bit by scaling",
        check: "LookupSum",
        tell: scaled_bit,
    },
    Forgery {
        number: "22",
        lie: "range: 2^-8 modulo p as a limb",
        check: "LookupSum",
        tell: fraction,
    },
    Forgery {
        number: "49",
        lie: "lookup: multiplicity moved between two rows",
        check: "LookupSum",
        tell: moved_multiplicity,
    },
    Forgery {
        number: "53",
        lie: "lookup: multiplicities chosen after the challenges",
        check: "StackClaim",
        tell: late_multiplicity,
    },
    Forgery {
        number: "58",
        lie: "lookup: a table that differs from the published one",
        check: "LeafDenominator",
        tell: other_table,
    },
];

/// Bits that the table drops.
const SHIFT: u32 = 4;
/// First entry of the second table.
const OTHER: i64 = 5000;

/// Two tables of 13 and more rows on one input, in two outputs; the first of them is under attack.
fn two_tables() -> Case {
    let mut b = Builder::new(21);
    let x = b.input(&[3, 5], 0, 200);
    let rows: Vec<i16> = (0..13).map(|i| i * i).collect();
    let t = b.constant(ConstKind::Table, &[13], ConstData::I16(rows.into()));
    let op = Op::Table {
        shift: SHIFT,
        first: 0,
        round: false,
    };
    let y = b.node(op, &[x], &[t], &[3, 5], (0, 144));
    let other = b.table(x, 0, |i, _| OTHER + i);
    b.output(y);
    let _ = other;
    let inputs = vec![vec![(0..15).map(|i| 13 * i + 5).collect()]];
    Case::new(b, inputs)
}

fn rows() -> Vec<i64> {
    (0..13).map(|i| i * i).collect()
}

/// The cell under attack and its row.
const CELL: (usize, usize) = (6, 5);

fn result(of: impl Fn(&[i64], usize) -> i64) -> &'static str {
    let case = two_tables();
    let y = case.wire("table output");
    let (cell, row) = CELL;
    assert_eq!(case.integers(y)[cell], rows()[row]);
    let changes = [(y, cell, of(&rows(), row))];
    case.changed_inside(&changes)
}

fn lower_row() -> &'static str {
    let case = two_tables();
    let (y, low) = (case.wire("table output"), case.wire("dropped bits"));
    let (cell, row) = CELL;
    case.changed_inside(&[
        (y, cell, rows()[row - 1]),
        case.moved(low, cell, 1 << SHIFT),
    ])
}

fn row_behind() -> &'static str {
    let case = two_tables();
    let (y, low) = (case.wire("table output"), case.wire("dropped bits"));
    let (cell, row) = CELL;
    let rows = i64::try_from(13 - row).unwrap();
    case.changed_inside(&[(y, cell, 0), case.moved(low, cell, -(rows << SHIFT))])
}

fn other_table_id() -> &'static str {
    let case = two_tables();
    let y = case.wire("table output");
    let is_table = |table: &Table| matches!(table, Table::Constant { .. });
    let tables = case.plan.tables.iter().map(|used| used.table);
    let tables = tables.enumerate().filter(|(_, table)| is_table(table));
    let ids: Vec<i64> = tables
        .map(|(at, _)| i64::try_from(at + 1).unwrap())
        .collect();
    let mut plan = case.plan.clone();
    for site in &mut plan.sites {
        let id = &mut site.tuple[0].combination.constant;
        if *id == ids[0] {
            *id = ids[1];
        }
    }
    let changes: Vec<_> = (0..15)
        .map(|cell| {
            (
                y,
                cell,
                OTHER + ((13 * i64::try_from(cell).unwrap() + 5) >> SHIFT),
            )
        })
        .collect();
    let cheat = Cheat {
        plan: &plan,
        ..case.cheat()
    };
    let change = &mut |wire, integers: &mut Vec<i32>| apply(&changes, wire, integers);
    case.judge_forged(&cheat.prove(change).unwrap())
}

/// An input that is shifted by `shift` bits.
fn shifted(shift: u32, limit: i64) -> Case {
    let mut b = Builder::new(22);
    let x = b.input(&[7], -limit, limit);
    b.shift(x, shift);
    Case::random(b, 1, 6)
}

/// `shifted` such that the dropped bits are `dropped(true ones)`.
fn with_dropped_bits(case: &Case, shift: u32, dropped: impl Fn(i64) -> i64) -> &'static str {
    let y = case.wire("shifted");
    let cell = 3;
    let x: i64 = case.inputs[0][0][cell].into();
    let rounded = x + (1 << (shift - 1));
    let low = rounded.rem_euclid(1 << shift);
    assert_eq!(case.integers(y)[cell], rounded >> shift);
    case.changed_inside(&[(y, cell, divided(rounded - dropped(low), shift))])
}

fn one_more_dropped_bit() -> &'static str {
    with_dropped_bits(&shifted(6, 1 << 24), 6, |low| (low + 1) % 64)
}

fn scaled_bit() -> &'static str {
    with_dropped_bits(&shifted(1, 1 << 20), 1, |_| 65025)
}

/// The result has more bits than a limb; the low limb is a fraction, of which a multiple is small.
fn fraction() -> &'static str {
    let case = shifted(1, 1 << 28);
    let limb = case.wire("limb");
    case.changed_inside(&[(limb, 2, divided(1, 8))])
}

fn moved_multiplicity() -> &'static str {
    let case = two_tables();
    let counts = case.wires("multiplicities")[0];
    case.changed(&[case.moved(counts, 0, 1), case.moved(counts, 1, -1)])
}

fn late_multiplicity() -> &'static str {
    let case = two_tables();
    let counts = case.wires("multiplicities")[0];
    let before = [case.moved(counts, 0, 1)];
    let forged = case.cheat().prove_other(
        &mut |wire, integers| apply(&before, wire, integers),
        &mut |_, _| {},
    );
    case.judge_forged(&forged.unwrap())
}

fn other_table() -> &'static str {
    let case = two_tables();
    let other = case.with_constants(|consts| {
        let ConstData::I16(rows) = &mut consts[0] else {
            panic!("a table of 16 bits");
        };
        let mut changed = rows.to_vec();
        changed[5] += 1;
        *rows = changed.into();
    });
    let y = case.wire("table output");
    let changes: Vec<_> = (0..15)
        .filter(|&cell| case.integers(y)[cell] == 25)
        .map(|cell| (y, cell, 26))
        .collect();
    assert!(!changes.is_empty());
    let cheat = Cheat {
        program: &other,
        ..case.cheat()
    };
    let forged = cheat.prove(&mut |wire, integers| {
        apply(&changes, wire, integers);
    });
    case.judge_forged(&forged.unwrap())
}
