//! Overrides of witness wires.

use veridical_argument::plan::{Fill, Table, WireId};
use veridical_program::{M, P};

use super::sketch::{Sketch, scaled, wide};
use crate::values::{Values, ValuesError};

/// A committed tensor, a virtual wire and a second tensor of the trace, and a table over the virtual wire.
fn sketch() -> (Sketch, [WireId; 4]) {
    let mut sketch = Sketch::new(0);
    let x = sketch.given(&[1, 3], vec![1, 2, 3]);
    sketch.tensors.push(vec![2, 4, 6]);
    let double = sketch.combination(&[1, 3], &[(2, x)], 0);
    sketch.plan.wires[double.0].tensor = Some(1);
    sketch.tensors.push(vec![1, 1, 1]);
    let committed = sketch.witness(&[1, 3], Fill::Tensor(2));
    let positive = sketch.witness(&[1, 3], Fill::Positive(double));
    let range = sketch.table(Table::Range { bits: 3 }, 8);
    sketch.site(
        &[1, 3],
        vec![scaled(&[], range, 0), scaled(&[(1, double)], 0, 0)],
    );
    (sketch, [x, double, committed, positive])
}

fn run(
    sketch: &Sketch,
    mut overrides: impl FnMut(WireId, &mut Vec<i32>),
) -> Result<Vec<Vec<i32>>, ValuesError> {
    let values = Values::from_source(&sketch.plan, sketch.source(), Some(&mut overrides))?;
    Ok((0..sketch.plan.wires.len())
        .map(|id| wide(values.integers(WireId(id)).unwrap()))
        .collect())
}

#[test]
fn what_depends_on_a_changed_wire_follows() {
    let (sketch, [x, double, committed, positive]) = sketch();
    let multiplicity = sketch.plan.tables[0].multiplicity;
    let honest = sketch.all();
    assert_eq!(honest[multiplicity.0], [0, 0, 1, 0, 1, 0, 1, 0]);
    let all = run(&sketch, |wire, cells| {
        if wire == x {
            cells[0] = -5;
        }
    });
    let all = all.unwrap();
    assert_eq!(
        (all[x.0].clone(), all[double.0].clone()),
        (vec![-5, 2, 3], vec![-10, 4, 6])
    );
    assert_eq!(
        (all[committed.0].clone(), all[positive.0].clone()),
        (vec![1; 3], vec![0, 1, 1])
    );
    // The lookup outside the table is ignored.
    assert_eq!(all[multiplicity.0], [0, 0, 0, 0, 1, 0, 1, 0]);
}

#[test]
fn every_wire_is_offered_once_in_its_order() {
    let (sketch, [x, double, committed, positive]) = sketch();
    let mut seen = vec![];
    let all = run(&sketch, |wire, cells| {
        seen.push(wire);
        if wire == sketch.plan.tables[0].multiplicity {
            cells[7] = 3;
        }
    });
    let multiplicity = sketch.plan.tables[0].multiplicity;
    assert_eq!(seen, [x, double, committed, positive, multiplicity]);
    assert_eq!(all.unwrap()[sketch.plan.tables[0].multiplicity.0][7], 3);
}

#[test]
fn any_integer_is_reduced_and_a_length_is_kept() {
    let (sketch, [x, double, ..]) = sketch();
    let all = run(&sketch, |wire, cells| {
        if wire == x {
            *cells = vec![i32::MAX, i32::MIN, i32::try_from(M).unwrap() + 1];
        }
    });
    let all = all.unwrap();
    let reduced = |x: i64| super::naive::reduce(x.into());
    let expected = [i32::MAX, i32::MIN].map(|x| reduced(x.into()));
    assert_eq!(
        all[x.0],
        [expected[0], expected[1], -i32::try_from(M).unwrap()]
    );
    assert_eq!(all[double.0][2], reduced(2 * (M + 1)));
    assert_eq!(i64::from(all[double.0][2]), 2 * (M + 1) - P);
    let longer = run(&sketch, |_, cells| cells.push(0));
    assert!(matches!(
        longer,
        Err(ValuesError::Length {
            wire: 0,
            expected: 3,
            actual: 4
        })
    ));
}
