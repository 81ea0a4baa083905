//! Random plans: many wires, each from random ones before it.

use veridical_argument::plan::{Definition, Fill, Identity, Labels, Table, Term, WireId};
use veridical_program::M;

use super::sketch::{ROLE, Sketch, scaled};

const SHAPE: [usize; 3] = [2, 3, 4];

/// A wire that broadcasts to [`SHAPE`].
fn any(sketch: &mut Sketch, pool: &[WireId]) -> WireId {
    pool[sketch.random.index(pool.len())]
}

fn coefficient(sketch: &mut Sketch) -> i64 {
    let sign = [-1, 1][sketch.random.index(2)];
    let limit = [1, 9, 1 << 20, (1 << 31) - 1][sketch.random.index(4)];
    sign * sketch.random.between(1, limit)
}

/// Operands that are pairwise distinct, with coefficients.
fn terms(sketch: &mut Sketch, pool: &[WireId]) -> Vec<(i64, WireId)> {
    let mut terms: Vec<(i64, WireId)> = vec![];
    for _ in 0..=sketch.random.index(3) {
        let operand = any(sketch, pool);
        if terms.iter().all(|term| term.1 != operand) {
            terms.push((coefficient(sketch), operand));
        }
    }
    terms
}

fn grow(sketch: &mut Sketch, pool: &[WireId], full: &[WireId]) -> (WireId, bool) {
    let operand = any(sketch, full);
    match sketch.random.index(10) {
        0..3 => {
            let (terms, constant) = (terms(sketch, pool), coefficient(sketch));
            (sketch.combination(&SHAPE, &terms, constant), true)
        }
        3 => {
            let (terms, shift) = (
                terms(sketch, pool),
                u32::try_from(sketch.random.index(32)).unwrap(),
            );
            let of = scaled(&terms, 77, shift);
            (sketch.witness(&SHAPE, Fill::Floor { of }), true)
        }
        4 => {
            let fill = Fill::Product(any(sketch, pool), any(sketch, pool));
            (sketch.witness(&SHAPE, fill), true)
        }
        5 => {
            let fill = Fill::Remainder(any(sketch, pool), any(sketch, pool));
            (sketch.witness(&SHAPE, fill), true)
        }
        6 => (
            sketch.wire(
                &[2, 1, 4],
                Definition::Sum {
                    of: operand,
                    axes: vec![1],
                },
            ),
            false,
        ),
        7 => {
            let fill = Fill::Max {
                of: operand,
                axes: vec![2],
                mask: None,
            };
            (sketch.witness(&[2, 3, 1], fill), false)
        }
        8 => {
            let labels = Labels {
                a: vec![0, 1, 2],
                b: vec![0, 1, 2],
                out: vec![0, 1, Labels::UNIT],
            };
            let b = any(sketch, full);
            (
                sketch.wire(
                    &[2, 3, 1],
                    Definition::Einsum {
                        a: operand,
                        b,
                        labels,
                    },
                ),
                false,
            )
        }
        _ => {
            let labels = Labels {
                a: vec![0, 1, 2],
                b: vec![0, 1, 2],
                out: vec![0, 1, 2],
            };
            let b = any(sketch, full);
            (
                sketch.wire(
                    &SHAPE,
                    Definition::Einsum {
                        a: operand,
                        b,
                        labels,
                    },
                ),
                true,
            )
        }
    }
}

#[test]
fn random_plans_have_the_integers_of_their_definitions() {
    let (mut skipped, mut computed) = (0, 0);
    for seed in 0..300 {
        let mut sketch = Sketch::new(seed);
        let range = sketch.table(Table::Range { bits: 5 }, 32);
        let limit = [3, 300, M][sketch.random.index(3)];
        let mut full = vec![
            sketch.random(&SHAPE, -limit, limit),
            sketch.random(&SHAPE, 0, 3),
        ];
        let mut pool = full.clone();
        pool.push(sketch.random(&[1, 3, 1], -limit, limit));
        for _ in 0..12 {
            let (wire, is_full) = grow(&mut sketch, &pool, &full);
            pool.push(wire);
            if is_full {
                full.push(wire);
            }
        }
        let looked_up = terms(&mut sketch, &pool);
        sketch.site(
            &SHAPE,
            vec![scaled(&[], range, 0), scaled(&looked_up, 1, 1)],
        );
        let factors = vec![any(&mut sketch, &pool), any(&mut sketch, &pool)];
        sketch.plan.identities.push(Identity {
            shape: SHAPE.to_vec(),
            terms: vec![Term {
                coeff: 1,
                factors: factors.clone(),
            }],
            role: ROLE,
        });
        sketch.output(any(&mut sketch.clone(), &full));
        sketch.check();

        // What a prover looks at is there.
        let values = sketch.values().unwrap();
        let there = |wire: WireId| assert!(values.wire(wire).is_some(), "seed {seed}: {wire:?}");
        for &(_, wire) in &looked_up {
            there(wire);
        }
        for wire in factors {
            there(wire);
        }
        there(sketch.plan.outputs[0].wire);
        let mut consumers = vec![0; sketch.plan.wires.len()];
        for (id, wire) in sketch.plan.wires.iter().enumerate() {
            match &wire.definition {
                Definition::Witness { .. } => there(WireId(id)),
                Definition::Einsum { a, b, .. } => {
                    there(*a);
                    there(*b);
                }
                Definition::Combination(combination) => {
                    let absent = combination
                        .terms
                        .iter()
                        .filter(|term| values.wire(term.1).is_none());
                    assert!(absent.count() <= 1, "seed {seed}: wire {id}");
                    combination
                        .terms
                        .iter()
                        .for_each(|term| consumers[term.1.0] += 1);
                }
                Definition::Sum { of, .. } => consumers[of.0] += 1,
                _ => {}
            }
        }
        for (id, &consumers) in consumers.iter().enumerate() {
            if values.wire(WireId(id)).is_some() {
                computed += 1;
            } else {
                skipped += 1;
                assert!(consumers <= 1, "seed {seed}: wire {id} has several claims");
            }
        }
    }
    assert!(skipped > 100 && computed > 1000, "{skipped} of {computed}");
}
