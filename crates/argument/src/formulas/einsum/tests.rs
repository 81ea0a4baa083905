use std::collections::BTreeMap;

use p3_field::PrimeCharacteristicRing;

use super::*;
use crate::multilinear::eq_table;
use crate::multilinear::tests::{brute, random_point};

const UNIT: u8 = Labels::UNIT;

/// Dense tensor over padded axes, indexed by the values of labels.
struct Dense {
    labels: Vec<u8>,
    shape: Vec<usize>,
    table: Vec<EF>,
}

impl Dense {
    fn new(seed: u64, labels: &[u8], sizes: &BTreeMap<u8, usize>) -> Self {
        let shape: Vec<usize> = labels
            .iter()
            .map(|l| sizes.get(l).copied().unwrap_or(1))
            .collect();
        let mut dense = Self {
            labels: labels.to_vec(),
            table: vec![EF::ZERO; shape.iter().map(|&n| 1 << variables(n)).product()],
            shape,
        };
        let values = random_point(seed, dense.table.len());
        for at in assignments(&dense.labels, &dense.shape) {
            let index = dense.index(&at);
            dense.table[index] = values[index];
        }
        dense
    }

    fn index(&self, at: &BTreeMap<u8, usize>) -> usize {
        let axes = self.labels.iter().zip(&self.shape);
        axes.fold(0, |index, (label, &n)| {
            (index << variables(n)) | if *label == UNIT { 0 } else { at[label] }
        })
    }
}

/// All values of the labels.
fn assignments(labels: &[u8], shape: &[usize]) -> Vec<BTreeMap<u8, usize>> {
    let mut all = vec![BTreeMap::new()];
    for (&label, &n) in labels.iter().zip(shape) {
        if label == UNIT {
            continue;
        }
        all = all
            .into_iter()
            .flat_map(|at| {
                (0..n).map(move |i| {
                    let mut more = at.clone();
                    more.insert(label, i);
                    more
                })
            })
            .collect();
    }
    all
}

fn check(a: &[u8], b: &[u8], out: &[u8], sizes: &[(u8, usize)], expected: &[(u8, bool)]) {
    let sizes: BTreeMap<u8, usize> = sizes.iter().copied().collect();
    let labels = Labels {
        a: a.to_vec(),
        b: b.to_vec(),
        out: out.to_vec(),
    };
    let (a, b) = (Dense::new(1, a, &sizes), Dense::new(2, b, &sizes));
    let mut y = Dense::new(3, out, &sizes);
    y.table.fill(EF::ZERO);
    let (names, extents): (Vec<u8>, Vec<usize>) = sizes.iter().map(|(&l, &n)| (l, n)).unzip();
    for at in assignments(&names, &extents) {
        let index = y.index(&at);
        y.table[index] += a.table[a.index(&at)] * b.table[b.index(&at)];
    }

    let einsum = EinsumVariables::new(&labels, &a.shape, &b.shape, &y.shape);
    let summed: Vec<(u8, bool)> = einsum
        .labels()
        .iter()
        .map(|s| (s.label, s.shared))
        .collect();
    assert_eq!(summed, expected);
    let shared = expected.iter().any(|(_, shared)| *shared);
    assert_eq!(einsum.degree(), if shared { 3 } else { 2 });

    // The sum over the cube of what the verifier checks at one point is the claim.
    let point = random_point(4, y.table.len().ilog2() as usize);
    let mut sum = EF::ZERO;
    for corner in 0..1_usize << einsum.summed() {
        let bits = (0..einsum.summed()).rev();
        let challenges: Vec<EF> = bits.map(|v| EF::from_usize(corner >> v & 1)).collect();
        let a_value = brute(
            &a.table,
            &einsum.operand_point(Operand::A, &point, &challenges),
        );
        let b_value = brute(
            &b.table,
            &einsum.operand_point(Operand::B, &point, &challenges),
        );
        sum += einsum.shared_eq(&point, &challenges) * a_value * b_value;
    }
    assert_eq!(sum, brute(&y.table, &point));
    assert_eq!(eq_table(&point).len(), y.table.len());
}

#[test]
fn products_are_sums_over_their_labels() {
    // linear: rows 0 and 1, contracted 2, columns 3.
    let sizes = [(0, 2), (1, 3), (2, 5), (3, 4)];
    check(&[0, 1, 2], &[3, 2], &[0, 1, 3], &sizes, &[(2, false)]);
    // matmul of two activations, batch and head shared, and transposed.
    let sizes = [(0, 2), (1, 3), (2, 2), (3, 5), (4, 3)];
    let shared = [(0, true), (1, true), (3, false)];
    check(&[0, 1, 2, 3], &[0, 1, 4, 3], &[0, 1, 2, 4], &sizes, &shared);
    check(&[0, 1, 2, 3], &[0, 1, 3, 4], &[0, 1, 2, 4], &sizes, &shared);
    // A contracted label before a shared one; results in another order.
    check(
        &[3, 0, 1],
        &[1, 0, 3],
        &[1, 0],
        &[(0, 3), (1, 2), (3, 5)],
        &[(3, false), (0, true), (1, true)],
    );
    // Pointwise with a broadcast row, nothing contracted.
    check(
        &[0, 1, 2],
        &[UNIT, UNIT, 2],
        &[0, 1, 2],
        &[(0, 2), (1, 3), (2, 5)],
        &[(2, true)],
    );
    // Outer product: no sumcheck at all.
    check(&[0, UNIT], &[UNIT, 1], &[0, 1], &[(0, 3), (1, 5)], &[]);
    // Inner product of a row with itself.
    check(
        &[0, 1],
        &[0, 1],
        &[0, UNIT],
        &[(0, 3), (1, 6)],
        &[(0, true), (1, false)],
    );
}
