//! Provers that change cells and messages, and go on from there.

use veridical_argument::field::EF;
use veridical_argument::labels;
use veridical_argument::plan::WireId;
use veridical_argument::transcript::cheating::Edit;
use veridical_prover::cheat::{Cheat, Claimed};
use veridical_wasm::StatementBytes;

use crate::case::{CASES, borrowed};
use crate::script::Script;

const P: i64 = 2_130_706_433;
/// Most changes of one proof.
const CHANGES: usize = 12;

/// Whatever is accepted has the outputs that the executor computes.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let case = &CASES[script.index(CASES.len())];
    let claimed = script.byte();
    let mut edits = Vec::new();
    let mut changes = Vec::new();
    for _ in 0..CHANGES {
        if script.is_over() {
            break;
        }
        let kind = script.byte();
        if kind % 8 == 7 {
            edits.push(edit(&mut script));
        } else {
            let wire = WireId(script.index(case.plan.wires.len()));
            let cell = script.index(1 << 16);
            changes.push((wire, cell, kind, script.word()));
        }
    }
    let cheat = Cheat {
        claimed: if claimed.is_multiple_of(2) {
            Claimed::Wires
        } else {
            Claimed::Absorbed
        },
        edits: &edits,
        ..Cheat::new(
            &case.program,
            &case.trace,
            &case.plan,
            &case.weights,
            borrowed(&case.statement),
        )
    };
    let change = &mut |wire: WireId, integers: &mut Vec<i32>| {
        for &(_, cell, kind, value) in changes.iter().filter(|change| change.0 == wire) {
            let cell = cell % integers.len().max(1);
            if let Some(slot) = integers.get_mut(cell) {
                *slot = changed(*slot, kind, value);
            }
        }
    };
    let Ok(forged) = cheat.prove(change) else {
        return;
    };
    let statement = StatementBytes {
        outputs: forged.outputs,
        ..case.statement.clone()
    };
    if case.judge(&statement, &forged.bytes).is_ok() {
        assert_eq!(statement.outputs, case.statement.outputs, "a false output");
    }
}

/// The new integer of a cell, of least magnitude modulo the field.
fn changed(old: i32, kind: u8, value: u32) -> i32 {
    let (old, value) = (i64::from(old), i64::from(value));
    let new = match kind % 8 {
        0 => value,
        1 => old + value % 8 - 4,
        2 => -old,
        3 => old + (1 << (value % 31)),
        4 => old - (1 << (value % 31)),
        5 => (P + 1) / 2 * old.rem_euclid(P),
        _ => 0,
    };
    let new = new.rem_euclid(P);
    i32::try_from(if new > P / 2 { new - P } else { new }).unwrap()
}

fn edit(script: &mut Script<'_>) -> Edit {
    const LABELS: [&str; 8] = [
        labels::ROUND,
        labels::LOOKUP_ROOT,
        labels::LAYER_VALUES,
        labels::COMBINATION,
        labels::MERGED,
        labels::MAPPED,
        labels::EINSUM,
        labels::STACK_VALUE,
    ];
    const CHANGES: [fn(EF) -> EF; 4] = [
        |value| value + EF::from(veridical_argument::field::F::new(1)),
        |value| value + value,
        |value| -value,
        |value| value * value,
    ];
    Edit {
        label: LABELS[script.index(LABELS.len())],
        nth: script.byte().into(),
        element: script.index(16),
        change: CHANGES[script.index(CHANGES.len())],
    }
}
