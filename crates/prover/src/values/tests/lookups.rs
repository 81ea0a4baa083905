//! Multiplicities.

use std::sync::Arc;

use veridical_argument::plan::{Definition, Fill, Labels, Scaled, Table, WireId};
use veridical_program::{ConstData, M, P};

use super::sketch::{Sketch, combination, scaled};
use crate::values::ValuesError;

fn constant(id: i64) -> Scaled {
    scaled(&[], id, 0)
}

#[test]
fn rows_are_counted_over_all_sites() {
    for seed in 0..20 {
        let mut sketch = Sketch::new(seed);
        let random = sketch.random.integers(20, -30000, 30000);
        sketch.constants.push(ConstData::I16(
            random.iter().map(|&x| i16::try_from(x).unwrap()).collect(),
        ));
        let rows = sketch.random.integers(20, -30000, 30000);
        sketch.constants.push(ConstData::I32(rows.into()));
        let elements = sketch.wire(&[20], Definition::Weight { constant: 1 });
        let range = sketch.table(Table::Range { bits: 4 }, 16);
        let table = sketch.table(Table::Constant { constant: 0 }, 20);
        let zero = sketch.table(Table::Zero, 1);
        let weight = sketch.table(
            Table::Weight {
                constant: 1,
                wire: elements,
            },
            20,
        );

        let x = sketch.random(&[2, 3, 7], -3, 25);
        let y = sketch.random(&[2, 1, 7], -3, 25);
        // Ranges, with values outside, and sums of wires.
        sketch.site(&[2, 3, 7], vec![constant(range), scaled(&[(1, x)], 0, 0)]);
        sketch.site(
            &[2, 3, 7],
            vec![
                constant(range),
                scaled(&[(1, x), (-1, y)], 3, 0),
                constant(0),
            ],
        );
        sketch.site(
            &[2, 3, 7],
            vec![constant(range), scaled(&[(1, x)], 0, 0), constant(1)],
        );
        // Multiples of 2^s in the field, whether the integer is one or not.
        sketch.site(
            &[2, 3, 7],
            vec![constant(range), scaled(&[(8, x), (1, y)], 0, 3)],
        );
        sketch.site(&[2, 3, 7], vec![constant(range), scaled(&[(1, x)], P, 0)]);
        // True rows, wrong rows and rows that do not exist.
        let index = sketch.random.integers(42, -2, 21);
        let row = |i: &i32| usize::try_from(*i).ok();
        let result = |data: &ConstData| -> Vec<i32> {
            index
                .iter()
                .map(|i| row(i).and_then(|i| data.get(i)).unwrap_or(5))
                .collect()
        };
        let (mut results, weights) = (result(&sketch.constants[0]), result(&sketch.constants[1]));
        results[3] ^= 1;
        let i = sketch.given(&[2, 3, 7], index);
        let results = sketch.given(&[2, 3, 7], results);
        let weights = sketch.given(&[2, 3, 7], weights);
        sketch.site(
            &[2, 3, 7],
            vec![
                constant(table),
                scaled(&[(4, i)], 0, 2),
                scaled(&[(1, results)], 0, 0),
            ],
        );
        sketch.site(
            &[2, 3, 7],
            vec![
                constant(weight),
                scaled(&[(1, i)], 0, 0),
                scaled(&[(2, weights)], 0, 1),
            ],
        );
        // Two tables by a mask, and ids that name none.
        let mask = sketch.random(&[2, 1, 7], 0, 1);
        let masked = |values: WireId, sketch: &mut Sketch| {
            sketch.witness(&[2, 3, 7], Fill::Product(mask, values))
        };
        let (masked_i, masked_y) = (masked(i, &mut sketch), masked(results, &mut sketch));
        let id = scaled(&[(table - zero, mask)], zero, 0);
        sketch.site(
            &[2, 3, 7],
            vec![
                id,
                scaled(&[(1, masked_i)], 0, 0),
                scaled(&[(1, masked_y)], 0, 0),
            ],
        );
        sketch.site(&[2, 3, 7], vec![scaled(&[(1, x)], 0, 1), constant(0)]);
        sketch.check();
    }
}

#[test]
fn a_quotient_of_the_field_is_found_where_the_integer_is_odd() {
    let mut sketch = Sketch::new(0);
    let range = sketch.table(Table::Range { bits: 2 }, 4);
    // (p + 6) / 2 is no integer, but 6 / 2 = 3 is what it is congruent to: M + 4 = (p + 7) / 2.
    let x = sketch.given(&[1, 2], vec![i32::try_from(M).unwrap(), 6]);
    sketch.site(&[1, 2], vec![constant(range), scaled(&[(2, x)], 7, 1)]);
    let all = sketch.check();
    // 2 M + 7 = p + 6; and 2 * 6 + 7 = 19 is no multiple of 2 below 8.
    assert_eq!(all[0], [0, 0, 0, 1]);
}

#[test]
fn many_lookups_are_counted_by_several_threads() {
    let mut sketch = Sketch::new(2);
    let tables: Vec<i64> = (1..=8)
        .map(|bits| sketch.table(Table::Range { bits }, 1 << bits))
        .collect();
    let x = sketch.random(&[4, 50, 120], 0, 300);
    for (i, &table) in (0_i64..).zip(&tables) {
        sketch.site(
            &[4, 50, 120],
            vec![constant(table), scaled(&[(1, x)], -i, 0)],
        );
    }
    let threads = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let one = threads(1).install(|| sketch.all());
    for count in [2, 3, 5] {
        assert_eq!(one, threads(count).install(|| sketch.all()));
    }
    for (i, bits) in (1..=8).enumerate() {
        let mut expected = vec![0; 1 << bits];
        for &x in &one[x.0] {
            let row = usize::try_from(x).ok().and_then(|x| x.checked_sub(i));
            if let Some(count) = row.and_then(|row| expected.get_mut(row)) {
                *count += 1;
            }
        }
        assert_eq!(one[sketch.plan.tables[i].multiplicity.0], expected);
    }
}

#[test]
fn plans_that_no_builder_makes_are_refused() {
    let refused = |change: &dyn Fn(&mut Sketch, WireId)| {
        let mut sketch = Sketch::new(0);
        let x = sketch.random(&[2, 3], 0, 3);
        sketch.table(Table::Range { bits: 2 }, 4);
        change(&mut sketch, x);
        sketch.values().map(|_| ()).unwrap_err()
    };
    let site = |wire: usize| {
        move |sketch: &mut Sketch, _: WireId| {
            sketch.site(
                &[2, 4],
                vec![constant(1), scaled(&[(1, WireId(wire))], 0, 0)],
            );
        }
    };
    assert_eq!(refused(&site(0)), ValuesError::Site { site: 0 });
    assert_eq!(refused(&site(99)), ValuesError::Site { site: 0 });
    let short = refused(&|sketch, _| sketch.plan.tables[0].rows = 5);
    assert_eq!(short, ValuesError::Multiplicity { table: 0, wire: 1 });
    let long = refused(&|sketch, _| {
        sketch.table(Table::Zero, 2);
    });
    assert!(matches!(
        long,
        ValuesError::Length {
            wire: 2,
            expected: 2,
            actual: 1
        }
    ));
    let absent = refused(&|sketch, _| {
        sketch.table(Table::Constant { constant: 3 }, 2);
    });
    assert_eq!(
        absent,
        ValuesError::MissingConstant {
            wire: 2,
            constant: 3
        }
    );
    let tensor = refused(&|sketch, _| {
        sketch.witness(&[2], Fill::Tensor(7));
    });
    assert_eq!(tensor, ValuesError::MissingTensor { wire: 2, tensor: 7 });
    let length = refused(&|sketch, _| {
        sketch.witness(&[2], Fill::Tensor(0));
    });
    assert!(matches!(
        length,
        ValuesError::Length {
            wire: 2,
            expected: 2,
            actual: 6
        }
    ));
    let late = refused(&|sketch, _| {
        sketch.witness(&[2, 3], Fill::Positive(WireId(2)));
    });
    assert_eq!(
        late,
        ValuesError::Operand {
            wire: 2,
            operand: 2
        }
    );
    let shape = refused(&|sketch, x| {
        sketch.witness(&[2, 4], Fill::Positive(x));
    });
    assert!(matches!(shape, ValuesError::Shape { wire: 2, .. }));
    let labels = refused(&|sketch, x| {
        let labels = Labels {
            a: vec![0, 1],
            b: vec![1, 0],
            out: vec![0, 2],
        };
        let product = sketch.wire(&[2, 3], Definition::Einsum { a: x, b: x, labels });
        sketch.output(product);
    });
    assert!(matches!(labels, ValuesError::Shape { wire: 2, .. }));
}

#[test]
fn weights_keep_their_width_unless_something_is_computed_from_them() {
    let mut sketch = Sketch::new(0);
    sketch
        .constants
        .push(ConstData::I8(Arc::from([1_i8, -2, 3, -4, 5, -6])));
    let x = sketch.random(&[1, 3], -9, 9);
    let w = sketch.wire(&[2, 3], Definition::Weight { constant: 0 });
    let labels = Labels {
        a: vec![Labels::UNIT, 1],
        b: vec![2, 1],
        out: vec![Labels::UNIT, 2],
    };
    let product = sketch.wire(&[1, 2], Definition::Einsum { a: x, b: w, labels });
    // The result of the layer is in the trace, so the product need not be computed.
    sketch.tensors.push(vec![7, 8]);
    let sum = sketch.combination(&[1, 2], &[(1, product)], 5);
    sketch.plan.wires[sum.0].tensor = Some(1);
    sketch.output(sum);
    let values = sketch.values().unwrap();
    assert_eq!(values.integers(product), None);
    assert_eq!(
        (values.wire(w), values.integers(w).unwrap().len()),
        (None, 6)
    );
    assert_eq!(values.wire(sum), Some([7, 8].as_slice()));
    // A second claim on the product is merged with the first, over its integers.
    sketch.combination(&[1, 2], &[(2, product)], 0);
    let values = sketch.values().unwrap();
    assert!(values.wire(product).is_some() && values.wire(w).is_some());
    sketch.plan.wires[sum.0].tensor = None;
    sketch.check();
    assert_eq!(combination(&[], 0).terms, []);
}
