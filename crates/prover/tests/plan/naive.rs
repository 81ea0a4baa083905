//! Virtual wires by their definitions alone, compared with the executor.

use std::collections::BTreeMap;

use veridical_argument::formulas::pairs::for_each;
use veridical_argument::plan::{Combination, Definition, Factor, Labels, Plan, View, WireId};
use veridical_executor::Trace;

use crate::oracle::{Oracle, P, cells};

/// Cells with their integers.
type Cells<'t> = Vec<(&'t Vec<usize>, i64)>;

/// A tensor by cell; what is missing is 0.
type Tensor = BTreeMap<Vec<usize>, i64>;

/// Computes every virtual wire from public, committed and constant wires, and compares those that hold a tensor.
pub fn check(name: &str, plan: &Plan, oracle: &Oracle<'_>, trace: &Trace) {
    let mut wires: Vec<Tensor> = Vec::new();
    let mut num_compared = 0;
    for (id, wire) in plan.wires.iter().enumerate() {
        let of = |id: &WireId| (plan.wires[id.0].shape.as_slice(), &wires[id.0]);
        let tensor = match &wire.definition {
            Definition::Combination(c) => combination(c, &wire.shape, of),
            Definition::Sum { of: operand, axes } => sum(of(operand).1, axes),
            Definition::View(v) => view(v, of(&v.of), &wire.shape),
            Definition::Map {
                of: operand,
                factors,
            } => map(of(operand), factors, &wire.shape, |ids| integers(of(ids))),
            Definition::Einsum { a, b, labels } => einsum(of(a).1, of(b).1, labels),
            _ => {
                let integers = oracle.integers(WireId(id)).expect("not virtual");
                let integers = integers.into_iter().map(i64::from);
                cells(&wire.shape).zip(integers).collect()
            }
        };
        if let Some(expected) = wire.tensor {
            let expected = trace.tensor(expected).unwrap();
            for (cell, &expected) in cells(&wire.shape).zip(expected) {
                let actual = tensor.get(&cell).copied().unwrap_or(0);
                let difference = (actual - i64::from(expected)).rem_euclid(P);
                assert_eq!(difference, 0, "{name}: wire {id} {wire:?} at {cell:?}");
            }
            num_compared += 1;
        }
        if let Some(integers) = oracle.integers(WireId(id)) {
            for (cell, integer) in cells(&wire.shape).zip(integers) {
                let actual = tensor.get(&cell).copied().unwrap_or(0);
                let difference = (actual - i64::from(integer)).rem_euclid(P);
                assert_eq!(difference, 0, "{name}: wire {id} {wire:?} at {cell:?}");
            }
        }
        wires.push(tensor);
    }
    assert!(num_compared > 0, "{name}");
}

fn integers((shape, tensor): (&[usize], &Tensor)) -> Vec<i32> {
    let at = |cell| i32::try_from(tensor.get(&cell).copied().unwrap_or(0)).unwrap();
    cells(shape).map(at).collect()
}

fn combination<'t>(
    c: &Combination,
    shape: &[usize],
    of: impl Fn(&WireId) -> (&'t [usize], &'t Tensor),
) -> Tensor {
    let value = |cell: &[usize]| {
        let term = |(coeff, wire): &(i64, WireId)| {
            let (shape, tensor) = of(wire);
            let at: Vec<usize> = cell.iter().zip(shape).map(|(i, n)| i % n).collect();
            coeff * tensor.get(&at).copied().unwrap_or(0) % P
        };
        (c.constant + c.terms.iter().map(term).sum::<i64>()) % P
    };
    cells(shape)
        .map(|cell| (cell.clone(), value(&cell)))
        .collect()
}

fn sum(of: &Tensor, axes: &[usize]) -> Tensor {
    let mut result = Tensor::new();
    for (cell, value) in of {
        let mut cell = cell.clone();
        for &axis in axes {
            cell[axis] = 0;
        }
        let slot = result.entry(cell).or_insert(0);
        *slot = (*slot + value) % P;
    }
    result
}

/// Bits of a cell, axis by axis, high bit first.
fn bits(shape: &[usize], cell: &[usize]) -> Vec<bool> {
    let axis = |(&n, &i): (&usize, &usize)| {
        let count = n.next_power_of_two().trailing_zeros();
        (0..count).rev().map(move |bit| i >> bit & 1 == 1)
    };
    shape.iter().zip(cell).flat_map(axis).collect()
}

fn view(view: &View, (from, of): (&[usize], &Tensor), to: &[usize]) -> Tensor {
    let by_bits: BTreeMap<Vec<bool>, i64> = of.iter().map(|(c, v)| (bits(from, c), *v)).collect();
    let read = |cell: Vec<usize>| {
        let result = bits(to, &cell);
        let operand: Vec<bool> = view.bits.iter().map(|&bit| result[bit]).collect();
        // Every cell of a view is a cell of the operand.
        (cell, by_bits[&operand])
    };
    cells(to).map(read).collect()
}

fn map(
    (from, of): (&[usize], &Tensor),
    factors: &[Factor],
    to: &[usize],
    ids: impl Fn(&WireId) -> Vec<i32>,
) -> Tensor {
    // Per factor: number of axes on both sides, and the pairs of cells by bits.
    let mut current: Vec<(Vec<usize>, Vec<usize>, i64)> = of
        .iter()
        .map(|(cell, v)| (cell.clone(), vec![], *v))
        .collect();
    for factor in factors {
        match factor {
            Factor::Same { axes } => {
                for (rest, done, _) in &mut current {
                    done.extend(rest.drain(..axes));
                }
            }
            Factor::Related(pairs) => {
                let (operand, result) = (pairs.from_shape(), pairs.to_shape());
                let empty = || vec![];
                let held = match pairs {
                    veridical_argument::plan::Pairs::Rows { ids: wire, .. } => ids(wire),
                    _ => empty(),
                };
                let mut images: BTreeMap<usize, Vec<Vec<usize>>> = BTreeMap::new();
                for_each(pairs, &held, |i, o| {
                    images.entry(i).or_default().push(unpadded(&result, o));
                });
                let mut next = Vec::new();
                for (rest, done, value) in current {
                    let (group, rest) = rest.split_at(operand.len());
                    let index = bits(&operand, group)
                        .into_iter()
                        .fold(0, |i, bit| 2 * i + usize::from(bit));
                    for image in images.get(&index).into_iter().flatten() {
                        let done = [done.as_slice(), image].concat();
                        next.push((rest.to_vec(), done, value));
                    }
                }
                current = next;
            }
        }
    }
    let mut result: Tensor = cells(to).map(|cell| (cell, 0)).collect();
    for (rest, cell, value) in current {
        assert!(rest.is_empty(), "{from:?} {to:?}");
        let slot = result.get_mut(&cell).expect("pairs end inside the result");
        *slot = (*slot + value) % P;
    }
    result
}

/// The cell with an index in a zero-extended group.
fn unpadded(shape: &[usize], mut index: usize) -> Vec<usize> {
    let mut cell = vec![0; shape.len()];
    for (i, n) in cell.iter_mut().zip(shape).rev() {
        let size = n.next_power_of_two();
        *i = index % size;
        index /= size;
    }
    cell
}

fn einsum(a: &Tensor, b: &Tensor, labels: &Labels) -> Tensor {
    // Cells of the second operand by the values of the labels that both have.
    let common: Vec<u8> = labels
        .a
        .iter()
        .copied()
        .filter(|l| *l != Labels::UNIT && labels.b.contains(l))
        .collect();
    let of = |names: &[u8], cell: &[usize], label: u8| {
        let axis = names.iter().position(|&l| l == label)?;
        (label != Labels::UNIT).then(|| cell[axis])
    };
    let key = |names: &[u8], cell: &[usize]| -> Vec<Option<usize>> {
        common.iter().map(|&l| of(names, cell, l)).collect()
    };
    let mut index: BTreeMap<Vec<Option<usize>>, Cells<'_>> = BTreeMap::new();
    for (cell, value) in b {
        index
            .entry(key(&labels.b, cell))
            .or_default()
            .push((cell, *value));
    }
    let mut result = Tensor::new();
    for (a_cell, x) in a {
        for (b_cell, y) in index.get(&key(&labels.a, a_cell)).into_iter().flatten() {
            let at = |&l: &u8| {
                let a = of(&labels.a, a_cell, l);
                a.or(of(&labels.b, b_cell, l)).unwrap_or(0)
            };
            let slot = result
                .entry(labels.out.iter().map(at).collect())
                .or_insert(0);
            *slot = (*slot + x * (y % P)) % P;
        }
    }
    result
}
