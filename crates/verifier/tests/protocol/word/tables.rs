//! Wires as dense tables of their zero extensions.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::{EF, F};
use veridical_argument::formulas::pairs::for_each;
use veridical_argument::multilinear::{eq_table, padded_indices, shape_variables, variables};
use veridical_argument::plan::{Definition, Factor, Labels, Pairs, Plan, WireId};

/// Where integers of wires come from that are no function of other wires.
pub trait Integers {
    fn witness(&self, wire: WireId) -> Vec<i32>;
    fn weight(&self, constant: usize) -> Vec<i32>;
    fn public(&self, tensor: usize) -> Vec<i32>;
}

/// The tables of all wires of a plan.
pub fn tables(plan: &Plan, integers: &impl Integers) -> Vec<Vec<EF>> {
    let mut tables: Vec<Vec<EF>> = Vec::with_capacity(plan.wires.len());
    for (id, wire) in plan.wires.iter().enumerate() {
        let shape = &wire.shape;
        let operand = |id: WireId| (plan.wires[id.0].shape.as_slice(), tables[id.0].as_slice());
        let table = match &wire.definition {
            Definition::Public { tensor } => padded(&integers.public(*tensor), shape),
            Definition::Weight { constant } => padded(&integers.weight(*constant), shape),
            Definition::Witness { .. } => padded(&integers.witness(WireId(id)), shape),
            Definition::One => vec![EF::ONE],
            Definition::Iota => {
                let n = i32::try_from(shape.iter().product::<usize>()).expect("a size");
                padded(&(0..n).collect::<Vec<i32>>(), shape)
            }
            Definition::Combination(sum) => {
                let mut table = vec![EF::ZERO; 1 << shape_variables(shape)];
                for &(coeff, id) in &sum.terms {
                    let wide = broadcast(shape, operand(id));
                    for (slot, value) in table.iter_mut().zip(wide) {
                        *slot += value * F::from_i64(coeff);
                    }
                }
                for cell in padded_indices(shape) {
                    table[cell] += F::from_i64(sum.constant);
                }
                table
            }
            Definition::Sum { of, axes } => {
                let (from, values) = operand(*of);
                let mut table = vec![EF::ZERO; 1 << shape_variables(shape)];
                for (cell, index) in cells(from) {
                    let kept = cell.iter().enumerate();
                    let kept = kept.map(|(axis, &at)| if axes.contains(&axis) { 0 } else { at });
                    table[flat(&kept.collect::<Vec<usize>>(), shape)] += values[index];
                }
                table
            }
            Definition::View(view) => {
                let (_, values) = operand(view.of);
                let total = view.bits.len();
                assert_eq!(total, shape_variables(shape));
                (0..values.len())
                    .map(|y| {
                        let bits = view.bits.iter().map(|bit| (y >> (total - 1 - bit)) & 1);
                        values[bits.fold(0, |index, bit| (index << 1) | bit)]
                    })
                    .collect()
            }
            Definition::Map { of, factors } => {
                let (from, values) = operand(*of);
                map(from, values, factors, |pairs| match pairs {
                    Pairs::Rows { ids, .. } => match plan.wires[ids.0].definition {
                        Definition::Public { tensor } => integers.public(tensor),
                        _ => panic!("indices are public"),
                    },
                    _ => Vec::new(),
                })
            }
            Definition::Einsum { a, b, labels } => einsum(operand(*a), operand(*b), labels, shape),
        };
        assert_eq!(table.len(), 1 << shape_variables(shape), "wire {id}");
        tables.push(table);
    }
    tables
}

fn padded(integers: &[i32], shape: &[usize]) -> Vec<EF> {
    assert_eq!(integers.len(), shape.iter().product::<usize>());
    let mut table = vec![EF::ZERO; 1 << shape_variables(shape)];
    for (&integer, index) in integers.iter().zip(padded_indices(shape)) {
        table[index] = EF::from_i32(integer);
    }
    table
}

/// Multi-index and index in the zero extension of every cell.
pub fn cells(shape: &[usize]) -> impl Iterator<Item = (Vec<usize>, usize)> {
    let mut all = vec![vec![]];
    for &n in shape {
        let longer = all
            .iter()
            .flat_map(|cell: &Vec<usize>| (0..n).map(move |at| [cell.as_slice(), &[at]].concat()));
        all = longer.collect();
    }
    all.into_iter().zip(padded_indices(shape))
}

/// Index in the zero extension.
fn flat(cell: &[usize], shape: &[usize]) -> usize {
    let axes = cell.iter().zip(shape);
    axes.fold(0, |index, (&at, &n)| (index << variables(n)) | at)
}

/// A wire over a space, 0 outside.
pub fn broadcast(space: &[usize], (shape, table): (&[usize], &[EF])) -> Vec<EF> {
    let mut wide = vec![EF::ZERO; 1 << shape_variables(space)];
    let missing = space.len() - shape.len();
    for (cell, index) in cells(space) {
        let own = cell[missing..].iter().zip(shape);
        let own: Vec<usize> = own.map(|(&at, &n)| if n == 1 { 0 } else { at }).collect();
        wide[index] = table[flat(&own, shape)];
    }
    wide
}

fn map(
    from: &[usize],
    values: &[EF],
    factors: &[Factor],
    ids: impl Fn(&Pairs) -> Vec<i32>,
) -> Vec<EF> {
    let mut table = values.to_vec();
    let mut axes = from;
    let mut done = 1_usize;
    for factor in factors {
        match factor {
            Factor::Same { axes: count } => {
                done <<= shape_variables(&axes[..*count]);
                axes = &axes[*count..];
            }
            Factor::Related(pairs) => {
                let group = pairs.from_shape();
                assert_eq!(&axes[..group.len()], group);
                axes = &axes[group.len()..];
                let (inner, outer) = (
                    1 << shape_variables(&group),
                    1 << shape_variables(&pairs.to_shape()),
                );
                let rest = table.len() / done / inner;
                let mut next = vec![EF::ZERO; done * outer * rest];
                for_each(pairs, &ids(pairs), |i, o| {
                    for before in 0..done {
                        for after in 0..rest {
                            next[(before * outer + o) * rest + after] +=
                                table[(before * inner + i) * rest + after];
                        }
                    }
                });
                table = next;
                done *= outer;
            }
        }
    }
    assert!(axes.is_empty());
    table
}

fn einsum(
    (a_shape, a): (&[usize], &[EF]),
    (b_shape, b): (&[usize], &[EF]),
    labels: &Labels,
    shape: &[usize],
) -> Vec<EF> {
    let mut sizes: Vec<(u8, usize)> = Vec::new();
    for (labels, shape) in [(&labels.a, a_shape), (&labels.b, b_shape)] {
        for (&label, &n) in labels.iter().zip(shape) {
            if label != Labels::UNIT && !sizes.iter().any(|(known, _)| *known == label) {
                sizes.push((label, n));
            }
        }
    }
    let space: Vec<usize> = sizes.iter().map(|(_, n)| *n).collect();
    let mut table = vec![EF::ZERO; 1 << shape_variables(shape)];
    for (cell, _) in cells(&space) {
        let index = |labels: &[u8], shape: &[usize]| {
            let axes = labels.iter().map(|label| {
                let position = sizes.iter().position(|(known, _)| known == label);
                position.map_or(0, |position| cell[position])
            });
            flat(&axes.collect::<Vec<usize>>(), shape)
        };
        table[index(&labels.out, shape)] +=
            a[index(&labels.a, a_shape)] * b[index(&labels.b, b_shape)];
    }
    table
}

/// The extension of a table at a point.
pub fn evaluate(table: &[EF], point: &[EF]) -> EF {
    assert_eq!(table.len(), 1 << point.len());
    table.iter().zip(eq_table(point)).map(|(&t, e)| t * e).sum()
}
