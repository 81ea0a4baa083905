use p3_field::PrimeCharacteristicRing;

use super::*;
use crate::multilinear::eq_index;
use crate::multilinear::tests::random_point;
use crate::plan::WireId;

/// Multi-index of every cell, in row-major order.
fn cells(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |cells, &n| {
        cells
            .iter()
            .flat_map(|cell| (0..n).map(move |at| [cell.as_slice(), &[at]].concat()))
            .collect()
    })
}

/// `eq` of a cell and a point that is cut by axis.
fn eq_cell(cell: &[usize], shape: &[usize], point: &[EF]) -> EF {
    let segments = crate::multilinear::segments(shape, point);
    let axes = cell.iter().zip(segments);
    axes.map(|(&at, segment)| eq_index(at, segment)).product()
}

/// Compares with the sum over all pairs of cells that satisfy `related`.
fn check(pairs: &Pairs, ids: &[i32], related: impl Fn(&[usize], &[usize]) -> bool) {
    let (from, to) = (pairs.from_shape(), pairs.to_shape());
    let x = random_point(1, shape_variables(&from));
    let r = random_point(2, shape_variables(&to));
    let mut expected = EF::ZERO;
    let mut number = 0;
    for i in cells(&from) {
        for o in cells(&to) {
            if related(&i, &o) {
                expected += eq_cell(&i, &from, &x) * eq_cell(&o, &to, &r);
                number += 1;
            }
        }
    }
    assert!(number > 0 && number <= pairs.most(), "{pairs:?}");
    assert_eq!(evaluate(pairs, &x, &r, ids), expected, "{pairs:?}");
    let column = column(pairs, &r, ids);
    let extended: EF = column
        .iter()
        .enumerate()
        .map(|(i, &value)| value * eq_index(i, &x))
        .sum();
    assert_eq!(extended, expected);
}

fn flat(cell: &[usize], shape: &[usize]) -> usize {
    cell.iter()
        .zip(shape)
        .fold(0, |sum, (&at, &n)| sum * n + at)
}

#[test]
fn reshape_keeps_the_order() {
    for (from, to) in [
        (vec![6, 5], vec![3, 10]),
        (vec![30], vec![2, 3, 5]),
        (vec![3, 2, 5], vec![30]),
        (vec![1], vec![1, 1]),
    ] {
        let pairs = Pairs::Reshape {
            from: from.clone(),
            to: to.clone(),
        };
        check(&pairs, &[], |i, o| flat(i, &from) == flat(o, &to));
    }
}

#[test]
fn place_and_slice_move_an_axis() {
    for (from, to, offset) in [(3, 7, 2), (5, 5, 1), (4, 4, 0), (5, 3, 1), (1, 2, 1)] {
        let pairs = Pairs::Place { from, to, offset };
        check(&pairs, &[], |i, o| i[0] + offset == o[0]);
    }
    for (from, to, start, step) in [(7, 3, 1, 2), (7, 2, 0, 6), (4, 4, 0, 1), (9, 1, 8, 3)] {
        let pairs = Pairs::Slice {
            from,
            to,
            start,
            step,
        };
        check(&pairs, &[], |i, o| i[0] == start + step * o[0]);
    }
}

#[test]
fn windows_read_inside_the_image_only() {
    for (size, windows, taps, stride, dilation, pad) in [
        (7, 7, 3, 1, 1, 1),
        (7, 4, 3, 2, 1, 1),
        (9, 5, 3, 1, 2, 0),
        (5, 3, 5, 2, 1, 3),
        (8, 4, 2, 2, 1, 0),
        (6, 1, 6, 1, 1, 0),
    ] {
        let window = Window {
            size,
            windows,
            taps,
            stride,
            dilation,
            pad,
        };
        let at = |i: usize, o: usize, k: usize| i + pad == stride * o + dilation * k;
        let real = |o: usize, k: usize| (0..size).any(|i| at(i, o, k));
        check(&Pairs::Window(window), &[], |i, o| at(i[0], o[0], o[1]));
        check(&Pairs::WindowReal(window), &[], |i, o| {
            i[0] == o[0] && real(o[0], o[1])
        });
        check(&Pairs::WindowMask(window), &[], |_, o| real(o[0], o[1]));

        // A window may read one cell by one tap only, so the sum over taps is a set of pairs.
        check(&Pairs::WindowSum(window), &[], |i, o| {
            (0..taps).any(|k| at(i[0], o[0], k))
        });
    }
}

#[test]
fn rows_are_those_of_the_indices() {
    let shape = vec![2, 3];
    let ids = [4, 0, 2, 2, 1, 4];
    let pairs = Pairs::Rows {
        ids: WireId(0),
        shape: shape.clone(),
        rows: 5,
    };
    check(&pairs, &ids, |i, o| {
        usize::try_from(ids[flat(o, &shape)]) == Ok(i[0])
    });
    // An index that is no row has no pair; the verifier refuses it before.
    let mut visited = Vec::new();
    for_each(&pairs, &[4, 5, -1, 0, i32::MAX, 1], |i, o| {
        visited.push((i, o));
    });
    assert_eq!(visited, [(4, 0), (0, 4), (1, 6)]);
}
