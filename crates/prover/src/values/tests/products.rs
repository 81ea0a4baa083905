//! Einsums.

use veridical_argument::plan::{Definition, Labels, WireId};
use veridical_program::M;

use super::sketch::Sketch;

const U: u8 = Labels::UNIT;

fn einsum(
    sketch: &mut Sketch,
    a: WireId,
    b: WireId,
    shape: &[usize],
    labels: [&[u8]; 3],
) -> WireId {
    let [la, lb, lo] = labels.map(<[u8]>::to_vec);
    let labels = Labels {
        a: la,
        b: lb,
        out: lo,
    };
    sketch.wire(shape, Definition::Einsum { a, b, labels })
}

#[test]
fn products_of_every_order_of_labels() {
    for (seed, limit) in [(0, 20), (1, 200), (2, 32767), (3, M), (4, 1 << 20)] {
        let mut sketch = Sketch::new(seed);
        // Shared 0 and 1, left 2, right 3, contracted 4 and 5.
        let a = sketch.random(&[2, 3, 4, 2, 5], -limit, limit);
        let b = sketch.random(&[2, 2, 5, 3, 6], -limit, limit);
        let [la, lb]: [&[u8]; 2] = [&[0, 1, 2, 4, 5], &[0, 4, 5, 1, 3]];
        einsum(&mut sketch, a, b, &[2, 3, 4, 6], [la, lb, &[0, 1, 2, 3]]);
        einsum(&mut sketch, a, b, &[6, 2, 4, 3], [la, lb, &[3, 0, 2, 1]]);
        einsum(
            &mut sketch,
            b,
            a,
            &[4, 1, 3, 6, 2],
            [lb, la, &[2, U, 1, 3, 0]],
        );
        // Row products, the sums of squares of a row, a matrix times a vector.
        einsum(
            &mut sketch,
            a,
            a,
            &[2, 3, 4, 1, 1],
            [la, la, &[0, 1, 2, U, U]],
        );
        let v = sketch.random(&[1, 5], -limit, limit);
        einsum(
            &mut sketch,
            a,
            v,
            &[2, 3, 4, 2],
            [la, &[U, 5], &[0, 1, 2, 4]],
        );
        // Nothing contracted: products of cells and an outer product.
        einsum(&mut sketch, a, a, &[2, 3, 4, 2, 5], [la, la, la]);
        einsum(
            &mut sketch,
            a,
            v,
            &[5, 2, 4, 3, 2],
            [la, &[U, 5], &[5, 4, 2, 1, 0]],
        );
        einsum(&mut sketch, v, v, &[5, 5], [&[U, 1], &[U, 2], &[2, 1]]);
        sketch.check();
    }
}

#[test]
fn sums_beyond_every_width_are_reduced() {
    // 40 products of M * M: more than 64 bits.
    let mut sketch = Sketch::new(0);
    let top = i32::try_from(M).unwrap();
    let a = sketch.given(&[2, 40], [vec![top; 40], vec![-top; 40]].concat());
    let b = sketch.given(&[3, 40], vec![top; 120]);
    einsum(&mut sketch, a, b, &[2, 3], [&[0, 1], &[2, 1], &[0, 2]]);
    sketch.check();
    // Narrow operands whose sum is beyond 32 bits: 4 * 32767^2 > 2^31.
    let mut sketch = Sketch::new(0);
    let a = sketch.given(&[2, 4], vec![32767; 8]);
    let b = sketch.given(&[3, 4], vec![32767; 12]);
    einsum(&mut sketch, a, b, &[2, 3], [&[0, 1], &[2, 1], &[0, 2]]);
    assert_eq!(
        sketch.check_last(),
        [super::naive::reduce(4 * 32767 * 32767); 6]
    );
}

#[test]
fn large_products_are_those_of_one_thread() {
    let mut sketch = Sketch::new(7);
    let a = sketch.random(&[3, 40, 70], -300, 300);
    let b = sketch.random(&[3, 70, 50], -300, 300);
    let y = einsum(
        &mut sketch,
        a,
        b,
        &[3, 40, 50],
        [&[0, 1, 2], &[0, 2, 3], &[0, 1, 3]],
    );
    let threads = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let one = threads(1).install(|| sketch.all());
    assert_eq!(one, threads(3).install(|| sketch.all()));
    for (cell, &actual) in one[y.0].iter().enumerate() {
        let (s, i, j) = (cell / 2000, cell / 50 % 40, cell % 50);
        let sum: i32 = (0..70)
            .map(|k| one[a.0][(s * 40 + i) * 70 + k] * one[b.0][(s * 70 + k) * 50 + j])
            .sum();
        assert_eq!(actual, sum);
    }
}
