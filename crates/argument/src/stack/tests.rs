use super::*;
use crate::multilinear::tests::{brute, padded, random_integers, random_point};
use crate::multilinear::{eq_table, shape_variables};

fn shapes() -> Vec<Vec<usize>> {
    vec![
        vec![3, 7],
        vec![1],
        vec![6, 1, 5],
        vec![16],
        vec![],
        vec![2, 3, 11],
    ]
}

#[test]
fn cells_are_aligned_and_leave_no_gap() {
    let stack = Stack::new(shapes(), 0).unwrap();
    let mut next = 0;
    let mut order = Vec::new();
    for cell in stack.cells() {
        assert_eq!(cell.address, next);
        assert_eq!(cell.address % (1 << cell.variables), 0);
        next += 1 << cell.variables;
        order.push((std::cmp::Reverse(cell.variables), cell.tensor));
    }
    assert!(order.is_sorted());
    let elements = 21 + 1 + 30 + 16 + 1 + 66;
    assert_eq!(next, elements);
    assert_eq!(stack.used(), elements);
    assert_eq!(stack.variables(), 8);
    assert_eq!(Stack::new(shapes(), 12).unwrap().variables(), 12);
    assert_eq!(Stack::new(vec![], 3).unwrap().used(), 0);
    assert_eq!(Stack::new(vec![vec![1 << 40, 1 << 40]], 0), None);

    // The first tensor: two blocks by three, first axis slowest.
    let blocks: Vec<_> = stack.cells_of(0).map(|cell| cell.blocks.clone()).collect();
    assert_eq!(
        blocks,
        [
            vec![(0, 1), (0, 2)],
            vec![(0, 1), (4, 1)],
            vec![(2, 0), (0, 2)],
            vec![(0, 1), (6, 0)],
            vec![(2, 0), (4, 1)],
            vec![(2, 0), (6, 0)],
        ]
    );
}

#[test]
fn a_claim_is_a_functional_of_the_stack_that_ignores_its_tail() {
    let shapes = shapes();
    let stack = Stack::new(shapes.clone(), 0).unwrap();
    // The tail holds garbage.
    let mut values: Vec<F> = (0..1 << stack.variables()).map(F::from_usize).collect();
    let tensors: Vec<Vec<i32>> = (1..)
        .zip(&shapes)
        .map(|(seed, shape)| random_integers(seed, shape.iter().product()))
        .collect();
    for (tensor, integers) in tensors.iter().enumerate() {
        stack.scatter(tensor, integers, &mut values);
    }
    let at = random_point(77, stack.variables());
    for (tensor, (integers, shape)) in tensors.iter().zip(&shapes).enumerate() {
        let point = random_point(200 + tensor as u64, shape_variables(shape));
        let mut omega = vec![EF::ZERO; values.len()];
        for term in stack.terms(tensor, &point) {
            let local = eq_table(&term.point);
            for (slot, weight) in omega[term.address..].iter_mut().zip(local) {
                *slot += term.coefficient * weight;
            }
        }
        let claimed: EF = omega.iter().zip(&values).map(|(&w, &s)| w * s).sum();
        assert_eq!(
            claimed,
            brute(&padded(integers, shape), &point),
            "{shape:?}"
        );
        assert_eq!(stack.omega(tensor, &point, &at), brute(&omega, &at));
        assert!(omega[stack.used()..].iter().all(|w| *w == EF::ZERO));
    }
}
