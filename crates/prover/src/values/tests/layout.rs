//! Views, and maps of every kind of pairs.

use veridical_argument::plan::{Definition, Factor, Pairs, View, Window, WireId};

use super::sketch::Sketch;
use crate::values::Column;

fn map(sketch: &mut Sketch, of: WireId, shape: &[usize], factors: Vec<Factor>) -> WireId {
    sketch.wire(shape, Definition::Map { of, factors })
}

fn window(sketch: &mut Sketch) -> Window {
    let random = &mut sketch.random;
    let (size, taps) = (1 + random.index(6), 1 + random.index(3));
    let (stride, dilation, pad) = (1 + random.index(3), 1 + random.index(2), random.index(3));
    Window {
        size,
        windows: 1 + random.index(5),
        taps,
        stride,
        dilation,
        pad,
    }
}

/// A random group of pairs with the shapes of operand and result.
fn group(sketch: &mut Sketch) -> (Factor, Vec<usize>, Vec<usize>) {
    let kind = sketch.random.index(9);
    let (from, to) = (1 + sketch.random.index(5), 1 + sketch.random.index(7));
    let pairs = match kind {
        0 => Pairs::Reshape {
            from: vec![2, 3, 2],
            to: vec![4, 3],
        },
        1 => Pairs::Place {
            from,
            to,
            offset: sketch.random.index(4),
        },
        2 => {
            let (step, start) = (1 + sketch.random.index(3), sketch.random.index(4));
            Pairs::Slice {
                from: start + step * to + sketch.random.index(2),
                to,
                start,
                step,
            }
        }
        3 => Pairs::Window(window(sketch)),
        4 => Pairs::WindowSum(window(sketch)),
        5 => Pairs::WindowReal(window(sketch)),
        6 => Pairs::WindowMask(window(sketch)),
        7 => {
            let shape = vec![2, 1 + sketch.random.index(3)];
            let rows = i64::try_from(from).unwrap();
            let ids = sketch.random(&shape, 0, rows - 1);
            Pairs::Rows {
                ids,
                shape,
                rows: from,
            }
        }
        _ => return (Factor::Same { axes: 2 }, vec![from, 2], vec![from, 2]),
    };
    let (from, to) = (pairs.from_shape(), pairs.to_shape());
    (Factor::Related(pairs), from, to)
}

#[test]
fn every_kind_of_pairs_alone_and_beside_others() {
    for seed in 0..300 {
        let mut sketch = Sketch::new(seed);
        let (mut factors, mut from, mut to) = (vec![], vec![], vec![]);
        for _ in 0..=sketch.random.index(3) {
            let (factor, own_from, own_to) = group(&mut sketch);
            factors.push(factor);
            from.extend(own_from);
            to.extend(own_to);
        }
        let x = sketch.random(&from, -1_000_000, 1_000_000);
        map(&mut sketch, x, &to, factors);
        sketch.check();
    }
}

#[test]
fn im2col_of_a_known_image() {
    let window = Window {
        size: 3,
        windows: 2,
        taps: 2,
        stride: 2,
        dilation: 1,
        pad: 1,
    };
    let mut sketch = Sketch::new(0);
    let x = sketch.given(&[1, 3], vec![10, 20, 30]);
    let factors = |pairs| vec![Factor::Same { axes: 1 }, Factor::Related(pairs)];
    let windows = map(&mut sketch, x, &[1, 2, 2], factors(Pairs::Window(window)));
    let sums = map(&mut sketch, x, &[1, 2], factors(Pairs::WindowSum(window)));
    let all = sketch.check();
    assert_eq!(all[windows.0], [0, 10, 20, 30]);
    assert_eq!(all[sums.0], [10, 50]);
}

#[test]
fn ids_outside_the_rows_are_no_pairs() {
    let mut sketch = Sketch::new(0);
    let ids = sketch.given(&[2, 2], vec![2, -1, 3, 0]);
    let x = sketch.given(&[3, 2], vec![1, 2, 3, 4, 5, 6]);
    let factors = vec![
        Factor::Related(Pairs::Rows {
            ids,
            shape: vec![2, 2],
            rows: 3,
        }),
        Factor::Same { axes: 1 },
    ];
    map(&mut sketch, x, &[2, 2, 2], factors);
    assert_eq!(sketch.check_last(), [5, 6, 0, 0, 0, 0, 1, 2]);
}

#[test]
fn what_keeps_all_cells_in_order_is_no_copy() {
    let mut sketch = Sketch::new(0);
    let x = sketch.random(&[2, 3, 4], -9, 9);
    let factors = vec![
        Factor::Same { axes: 1 },
        Factor::Related(Pairs::Reshape {
            from: vec![3, 4],
            to: vec![6, 2],
        }),
    ];
    let reshaped = map(&mut sketch, x, &[2, 6, 2], factors);
    let unit = sketch.wire(
        &[2, 1, 6, 2],
        Definition::View(View {
            of: reshaped,
            bits: (0..5).collect(),
        }),
    );
    let sum = sketch.combination(&[2, 1, 6, 2], &[(1, unit)], 0);
    sketch.output(sum);
    sketch.check();
    let values = sketch.values().unwrap();
    assert!(matches!(values.columns[sum.0], Some(Column::Same(of)) if of == x));
    assert_eq!(values.wire(sum), values.wire(x));
}

#[test]
fn views_permute_split_and_join_axes() {
    let view = |sketch: &mut Sketch, of, shape: &[usize], bits: &[usize]| {
        let bits = bits.to_vec();
        sketch.wire(shape, Definition::View(View { of, bits }))
    };
    for seed in 0..10 {
        let mut sketch = Sketch::new(seed);
        // Axes of 2, 2 and 3 variables.
        let x = sketch.random(&[3, 4, 5], -99, 99);
        view(&mut sketch, x, &[5, 3, 4], &[3, 4, 5, 6, 0, 1, 2]);
        view(&mut sketch, x, &[3, 1, 5, 1, 4], &[0, 1, 5, 6, 2, 3, 4]);
        // Joins the second axis to the first, splits the second, both with a transposition.
        view(&mut sketch, x, &[12, 5], &[0, 1, 2, 3, 4, 5, 6]);
        view(&mut sketch, x, &[5, 12], &[3, 4, 5, 6, 0, 1, 2]);
        view(&mut sketch, x, &[2, 5, 3, 2], &[4, 5, 0, 6, 1, 2, 3]);
        let y = sketch.random(&[6, 8], -99, 99);
        view(&mut sketch, y, &[12, 4], &[0, 1, 2, 3, 4, 5]);
        view(&mut sketch, y, &[3, 4, 4], &[0, 1, 2, 3, 4, 5]);
        // Neighbouring cells of the result are not evenly spaced in the operand.
        let z = sketch.random(&[4, 3, 2, 2], -99, 99);
        view(&mut sketch, z, &[16, 3], &[0, 1, 4, 5, 2, 3]);
        sketch.check();
    }
}

#[test]
fn many_cells_are_copied_as_few() {
    let mut sketch = Sketch::new(9);
    let image = Window {
        size: 40,
        windows: 40,
        taps: 3,
        stride: 1,
        dilation: 1,
        pad: 1,
    };
    let x = sketch.random(&[2, 4, 40, 40], -999, 999);
    let factors = vec![
        Factor::Same { axes: 2 },
        Factor::Related(Pairs::Window(image)),
        Factor::Related(Pairs::Window(image)),
    ];
    let columns = map(&mut sketch, x, &[2, 4, 40, 3, 40, 3], factors);
    // Far more cells than one task has.
    let all = sketch.all();
    let expected = super::naive::indices(&[2, 4, 40, 3, 40, 3])
        .into_iter()
        .map(|i| {
            let at = |o: usize, k: usize| (o + k).checked_sub(1).filter(|&at| at < 40);
            let cell = at(i[2], i[3]).zip(at(i[4], i[5]));
            cell.map_or(0, |(h, w)| all[x.0][((i[0] * 4 + i[1]) * 40 + h) * 40 + w])
        });
    assert!(all[columns.0].iter().copied().eq(expected));
}
