//! Every kind of fill.

use veridical_argument::plan::{Definition, Fill, Window};
use veridical_argument::plan::{Factor, Pairs};
use veridical_program::M;

use super::sketch::{Sketch, scaled};

#[test]
fn low_bits_and_floors_are_of_the_exact_integer() {
    // x + half leaves the range: its representative would give other bits.
    let mut sketch = Sketch::new(1);
    let top = i32::try_from(M).unwrap();
    let x = sketch.given(&[1, 4], vec![top, -top, 5, -5]);
    let of = scaled(&[(1, x)], 2, 2);
    let low = sketch.witness(
        &[1, 4],
        Fill::Low {
            of: scaled(&[(1, x)], 2, 0),
            bits: 2,
        },
    );
    let floor = sketch.witness(&[1, 4], Fill::Floor { of });
    let all = sketch.check();
    assert_eq!(all[low.0], [2, 2, 3, 1]);
    assert_eq!(
        all[floor.0],
        [(top + 2) / 4, (2 - top).div_euclid(4), 1, -1]
    );
}

#[test]
fn limbs_of_broadcast_combinations() {
    for seed in 0..20 {
        let mut sketch = Sketch::new(seed);
        let a = sketch.random(&[2, 3, 1, 5], -M, M);
        let b = sketch.random(&[1, 3, 4, 1], -M, M);
        let c = sketch.random(&[2, 1, 4, 5], -9, 9);
        let shape = [2, 3, 4, 5];
        for (shift, bits) in [(0, 31), (3, 1), (16, 16), (31, 8)] {
            let of = scaled(&[(1 << 20, a), (-7, b), ((1 << 31) - 1, c)], -12345, shift);
            sketch.witness(
                &shape,
                Fill::Low {
                    of: of.clone(),
                    bits,
                },
            );
            sketch.witness(&shape, Fill::Floor { of });
        }
        sketch.check();
    }
}

#[test]
fn combinations_wider_than_64_bits_are_exact() {
    let mut sketch = Sketch::new(3);
    let terms: Vec<_> = (0..12)
        .map(|i| (i64::from(i32::MAX) + i, sketch.random(&[3, 50], M - 9, M)))
        .collect();
    sketch.combination(&[3, 50], &terms, i64::MAX);
    for shift in [0, 31] {
        let of = scaled(&terms, i64::MIN, shift);
        sketch.witness(
            &[3, 50],
            Fill::Low {
                of: of.clone(),
                bits: 16,
            },
        );
        sketch.witness(&[3, 50], Fill::Floor { of });
    }
    sketch.check();
}

#[test]
fn a_constant_expression_has_no_wire() {
    let mut sketch = Sketch::new(0);
    let of = scaled(&[], -9, 1);
    sketch.witness(&[2, 2], Fill::Floor { of });
    assert_eq!(sketch.check_last(), [-5; 4]);
}

#[test]
fn products_bounds_and_signs() {
    for seed in 0..20 {
        let mut sketch = Sketch::new(seed);
        let a = sketch.random(&[2, 1, 7], -M, M);
        let b = sketch.random(&[2, 5, 1], -M, M);
        let c = sketch.random(&[2, 5, 7], -3, 3);
        sketch.witness(&[2, 5, 7], Fill::Product(a, b));
        sketch.witness(&[2, 5, 7], Fill::Product(b, c));
        sketch.witness(&[2, 5, 7], Fill::Positive(c));
        sketch.witness(&[2, 5, 7], Fill::AtLeast { of: c, bound: -1 });
        sketch.witness(&[2, 1, 7], Fill::AtLeast { of: a, bound: M });
        sketch.check();
    }
}

#[test]
fn quotients_and_remainders() {
    for seed in 0..20 {
        let mut sketch = Sketch::new(seed);
        let num = sketch.random(&[2, 5, 7], -M, M);
        let den = sketch.random(&[2, 5, 1], -4, 1000);
        sketch.witness(&[2, 5, 7], Fill::Quotient(num, den));
        sketch.witness(&[2, 5, 7], Fill::Remainder(num, den));
        sketch.check();
    }
}

#[test]
fn maxima_and_their_first_cell() {
    for seed in 0..40 {
        let mut sketch = Sketch::new(seed);
        let shape = [2, 3, 4, 5];
        // Few values, so that maxima repeat.
        let x = sketch.random(&shape, -2, 2);
        for (axes, max_shape) in [
            (vec![3], [2, 3, 4, 1]),
            (vec![2], [2, 3, 1, 5]),
            (vec![1, 3], [2, 1, 4, 1]),
            (vec![1, 2, 3], [2, 1, 1, 1]),
        ] {
            for mask_shape in [None, Some(shape), Some([2, 1, 1, 5]), Some([1, 3, 4, 1])] {
                let mask = mask_shape.map(|mask| sketch.random(&mask, 0, 1));
                let max = sketch.witness(
                    &max_shape,
                    Fill::Max {
                        of: x,
                        axes: axes.clone(),
                        mask,
                    },
                );
                sketch.witness(
                    &shape,
                    Fill::First {
                        of: x,
                        max,
                        axes: axes.clone(),
                        mask,
                    },
                );
            }
            sketch.wire(&max_shape, Definition::Sum { of: x, axes });
        }
        sketch.check();
    }
}

#[test]
fn the_first_of_equal_cells_in_row_major_order() {
    let mut sketch = Sketch::new(0);
    let x = sketch.given(&[1, 2, 3], vec![1, 7, 7, 7, 0, 7]);
    let mask = sketch.given(&[1, 2, 3], vec![1, 0, 1, 1, 1, 0]);
    let axes = vec![1, 2];
    let mask = Some(mask);
    let max = sketch.witness(
        &[1, 1, 1],
        Fill::Max {
            of: x,
            axes: axes.clone(),
            mask,
        },
    );
    sketch.witness(
        &[1, 2, 3],
        Fill::First {
            of: x,
            max,
            axes,
            mask,
        },
    );
    assert_eq!(sketch.check_last(), [0, 0, 1, 0, 0, 0]);
}

#[test]
fn a_masked_maximum_may_broadcast_the_operand() {
    let window = Window {
        size: 5,
        windows: 3,
        taps: 3,
        stride: 2,
        dilation: 1,
        pad: 1,
    };
    let mut sketch = Sketch::new(5);
    let x = sketch.random(&[2, 1, 3], -9, 9);
    let one = sketch.wire(&[1, 1], Definition::One);
    let factors = vec![
        Factor::Same { axes: 1 },
        Factor::Related(Pairs::WindowMask(window)),
    ];
    let mask = sketch.wire(&[1, 3, 3], Definition::Map { of: one, factors });
    let fill = Fill::Max {
        of: x,
        axes: vec![2],
        mask: Some(mask),
    };
    sketch.witness(&[2, 3, 1], fill);
    sketch.check();
}

#[test]
fn ranks_of_rows() {
    for seed in 0..40 {
        let mut sketch = Sketch::new(seed);
        let n = 1 + sketch.random.index(9);
        let ranks = 1 + sketch.random.index(n);
        let x = sketch.random(&[2, 3, n], -2, 2);
        let row = sketch.random(&[2, 1, n], -2, 2);
        sketch.witness(&[2, 3, ranks, n], Fill::Ranks { of: x });
        sketch.witness(&[2, ranks, n], Fill::Ranks { of: row });
        sketch.check();
    }
    let mut sketch = Sketch::new(0);
    let x = sketch.given(&[1, 4], vec![3, 8, 8, -1]);
    sketch.witness(&[1, 3, 4], Fill::Ranks { of: x });
    assert_eq!(sketch.check_last(), [0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn sums_are_reduced() {
    let mut sketch = Sketch::new(0);
    let x = sketch.random(&[3, 1000], M - 5, M);
    sketch.wire(
        &[3, 1],
        Definition::Sum {
            of: x,
            axes: vec![1],
        },
    );
    sketch.wire(
        &[1, 1000],
        Definition::Sum {
            of: x,
            axes: vec![0],
        },
    );
    sketch.check();
}

#[test]
fn iota_and_one() {
    let mut sketch = Sketch::new(0);
    let iota = sketch.wire(&[1, 5, 1], Definition::Iota);
    let one = sketch.wire(&[1, 1, 1], Definition::One);
    sketch.combination(&[2, 5, 2], &[(3, iota), (-1, one)], 10);
    assert_eq!(sketch.check_last()[..4], [9, 9, 12, 12]);
}
