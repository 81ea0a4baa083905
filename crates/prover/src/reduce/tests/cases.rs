use veridical_argument::plan::{Factor, Pairs, Window};

use super::*;

#[test]
fn combinations_broadcast_and_share_operands() {
    let mut model = Model::new(1);
    let x = model.witness(&[1, 5, 12], 20);
    let bias = model.witness(&[12], 10);
    let row = model.witness(&[1, 5, 1], 10);
    let unit = model.witness(&[1], 10);
    let y = model.combination(&[1, 5, 12], &[(1, x), (-3, bias), (7, row), (2, unit)], -11);
    let z = model.combination(&[1, 5, 12], &[(1, y), (5, x)], 0);
    let constant = model.combination(&[1, 5, 12], &[], 9);
    check(&model, &[y]);
    check(&model, &[z]);
    // One claim after the other at one point, then several at others.
    check(&model, &[y, z, z]);
    check(&model, &[constant]);
    let scalar = model.combination(&[1, 1], &[(-2, unit)], 4);
    check(&model, &[scalar]);
}

#[test]
fn values_that_follow_from_a_claim_need_no_integers() {
    let mut model = Model::new(2);
    let x = model.witness(&[6, 20], 8);
    let w = model.witness(&[10, 20], 8);
    let bias = model.witness(&[10], 12);
    let product = model.einsum(x, w, ["sk", "nk", "sn"]);
    let y = model.combination(&[6, 10], &[(3, product), (1, bias)], 0);
    model.hidden.insert(product);
    model.hidden.insert(y);
    check(&model, &[y]);

    model.hidden.insert(bias);
    let claims = claims(&model, &[y], EF::ZERO);
    let mut transcript = ProverTranscript::new(PROTOCOL);
    assert!(matches!(
        run(&model.plan, &model, &mut ledger(&claims), &mut transcript),
        Err(ReduceError::Missing { node: 7, .. })
    ));
}

#[test]
fn sums_and_views_pass_claims_on() {
    let mut model = Model::new(3);
    let x = model.witness(&[3, 1, 5, 6], 15);
    for axes in [&[0][..], &[2], &[3], &[0, 3], &[1], &[0, 1, 2, 3]] {
        let y = model.sum(x, axes);
        check(&model, &[y]);
        check(&model, &[y, y]);
    }
    // 3 x 5 x 6 has 2 + 3 + 3 variables: a permutation of the axes.
    let y = model.view(&[6, 3, 5], x, &[3, 4, 5, 6, 7, 0, 1, 2]);
    check(&model, &[y]);
    let z = model.sum(y, &[1]);
    check(&model, &[z, y]);
    let flat = model.witness(&[5, 4], 15);
    let y = model.view(&[10, 2], flat, &[0, 1, 2, 3, 4]);
    check(&model, &[y]);
}

fn window(size: usize, taps: usize, stride: usize, dilation: usize, pad: usize) -> Window {
    let span = dilation * (taps - 1) + 1;
    Window {
        size,
        windows: (size + 2 * pad - span) / stride + 1,
        taps,
        stride,
        dilation,
        pad,
    }
}

#[test]
fn maps_of_every_relation() {
    let mut model = Model::new(4);
    let x = model.witness(&[2, 3, 7, 20], 15);
    let same = |axes| Factor::Same { axes };
    let place = Pairs::Place {
        from: 20,
        to: 33,
        offset: 9,
    };
    let cut = Pairs::Place {
        from: 20,
        to: 15,
        offset: 9,
    };
    let slice = Pairs::Slice {
        from: 20,
        to: 6,
        start: 2,
        step: 3,
    };
    let geometry = window(20, 3, 2, 1, 1);
    for pairs in [
        place,
        cut,
        slice,
        Pairs::Window(geometry),
        Pairs::WindowSum(geometry),
        Pairs::Window(window(20, 4, 1, 2, 3)),
    ] {
        let y = model.map(x, &[same(3), Factor::Related(pairs.clone())]);
        check(&model, &[y]);
        check(&model, &[y, y]);
    }
    let long = model.witness(&[3, 40], 15);
    for pairs in [
        Pairs::Slice {
            from: 40,
            to: 9,
            start: 7,
            step: 4,
        },
        Pairs::Place {
            from: 40,
            to: 70,
            offset: 3,
        },
        Pairs::Window(window(40, 5, 3, 1, 2)),
    ] {
        let y = model.map(long, &[same(1), Factor::Related(pairs.clone())]);
        check(&model, &[y, y]);
        let first = Pairs::Slice {
            from: 3,
            to: 2,
            start: 0,
            step: 2,
        };
        let y = model.map(long, &[Factor::Related(first), Factor::Related(pairs)]);
        check(&model, &[y, y]);
    }
    let rows = Pairs::Window(window(7, 3, 2, 1, 1));
    let columns = Pairs::Window(geometry);
    let y = model.map(
        x,
        &[
            same(2),
            Factor::Related(rows.clone()),
            Factor::Related(columns),
        ],
    );
    check(&model, &[y]);
    let y = model.map(x, &[same(2), Factor::Related(rows), same(1)]);
    check(&model, &[y]);
    for (from, to) in [
        (vec![3, 7, 20], vec![420]),
        (vec![3, 7, 20], vec![10, 1, 42]),
    ] {
        let y = model.map(x, &[same(1), Factor::Related(Pairs::Reshape { from, to })]);
        check(&model, &[y]);
    }
    let everything = Pairs::Reshape {
        from: vec![2, 3, 7, 20],
        to: vec![840, 1],
    };
    let y = model.map(x, &[Factor::Related(everything)]);
    check(&model, &[y]);
    let y = model.map(x, &[same(4)]);
    check(&model, &[y]);
}

#[test]
fn maps_of_single_cells_and_rows() {
    let mut model = Model::new(5);
    let geometry = window(9, 3, 2, 1, 1);
    let one = model.push(&[1, 1], Definition::One, vec![1]);
    let masks = [Pairs::WindowMask(geometry), Pairs::WindowMask(geometry)];
    let y = model.map(one, &masks.clone().map(Factor::Related));
    check(&model, &[y]);
    let x = model.witness(&[1, 10], 15);
    let mixed = [
        Pairs::WindowMask(geometry),
        Pairs::Slice {
            from: 10,
            to: 3,
            start: 1,
            step: 4,
        },
    ];
    let y = model.map(x, &mixed.map(Factor::Related));
    check(&model, &[y]);
    let maxima = model.witness(&[3, geometry.windows], 15);
    let real = Factor::Related(Pairs::WindowReal(geometry));
    let y = model.map(maxima, &[Factor::Same { axes: 1 }, real]);
    check(&model, &[y]);
    let column = Pairs::Reshape {
        from: vec![6, 1],
        to: vec![3, 2],
    };
    let x = model.witness(&[5, 6, 1], 15);
    let y = model.map(x, &[Factor::Same { axes: 1 }, Factor::Related(column)]);
    check(&model, &[y]);

    let weights = model.witness(&[50, 24], 7);
    let drawn = vec![3, 49, 3, 0, 17, 21];
    let definition = Definition::Public { tensor: 0 };
    let ids = model.push(&[2, 3], definition, drawn);
    let rows = Pairs::Rows {
        ids,
        shape: vec![2, 3],
        rows: 50,
    };
    let y = model.map(weights, &[Factor::Related(rows), Factor::Same { axes: 1 }]);
    check(&model, &[y]);
}

#[test]
fn einsums_of_every_kind_of_label() {
    let mut model = Model::new(6);
    let mut check_labels = |a: &[usize], b: &[usize], labels: [&str; 3]| {
        let (first, second) = (model.witness(a, 14), model.witness(b, 8));
        let y = model.einsum(first, second, labels);
        check(&model, &[y]);
        check(&model, &[y, y]);
    };
    // Contracted alone, in either order.
    check_labels(&[2, 5, 20], &[6, 20], ["bsk", "nk", "bsn"]);
    check_labels(&[20, 5], &[6, 20], ["ks", "nk", "ns"]);
    check_labels(&[3, 4, 9], &[9, 6, 4], ["scd", "dnc", "sn"]);
    // Shared alone: products and broadcast gains.
    check_labels(&[2, 5, 20], &[2, 5, 20], ["bsd", "bsd", "bsd"]);
    check_labels(&[2, 5, 20], &[20], ["bsd", "d", "bsd"]);
    check_labels(&[1, 5, 1], &[1, 5, 20], ["1s1", "1sd", "1sd"]);
    check_labels(&[3, 5], &[5, 3], ["sd", "ds", "sd"]);
    // Both, with the shared label in front and behind.
    check_labels(&[1, 3, 5, 20], &[1, 3, 6, 20], ["1hsk", "1htk", "1hst"]);
    check_labels(&[2, 3, 5, 6], &[2, 3, 6, 20], ["bhst", "bhtd", "bhsd"]);
    check_labels(&[5, 20, 3], &[3, 20], ["skh", "hk", "sh"]);
    check_labels(&[2, 3, 5, 4, 3], &[3, 5, 4, 3], ["bgckt", "gckt", "bg"]);
    check_labels(&[7, 1, 16], &[7, 16, 1], ["s1k", "sk1", "s"]);
    // Rows that are stored without most of their padding: the last label has 40 of 64 cells.
    check_labels(&[3, 5, 40], &[6, 5, 40], ["sck", "nck", "sn"]);
    check_labels(&[2, 5, 40], &[2, 5, 40], ["bsd", "bsd", "bsd"]);
    check_labels(&[2, 5, 40], &[2, 5, 40], ["bsd", "bsd", "bs1"]);
    check_labels(&[2, 5, 40], &[2, 5, 40], ["bsd", "bsd", "11d"]);
    check_labels(&[40, 5, 3], &[5, 40], ["hst", "sh", "ht"]);
    // Neither.
    check_labels(&[3, 1], &[1, 5], ["s1", "1n", "sn"]);
    check_labels(&[1], &[1], ["1", "1", "1"]);
    check_labels(&[7], &[1], ["s", "1", "s"]);
    // All contracted.
    check_labels(&[40], &[40], ["k", "k", "1"]);
}

#[test]
fn squares_have_two_claims_or_one() {
    let mut model = Model::new(7);
    let x = model.witness(&[2, 5, 20], 10);
    for out in ["bsd", "bs1", "b11", "111"] {
        let y = model.einsum(x, x, ["bsd", "bsd", out]);
        check(&model, &[y]);
    }
    let x = model.witness(&[2, 5, 40], 10);
    for out in ["bsd", "bs1", "b11", "111"] {
        let y = model.einsum(x, x, ["bsd", "bsd", out]);
        check(&model, &[y]);
    }
    let square = model.witness(&[6, 6], 10);
    let y = model.einsum(square, square, ["sk", "kn", "sn"]);
    check(&model, &[y]);
}

#[test]
fn chains_of_definitions() {
    let mut model = Model::new(8);
    let image = model.witness(&[2, 3, 9, 9], 8);
    let weights = model.witness(&[4, 3, 3, 3], 7);
    let geometry = Pairs::Window(window(9, 3, 2, 1, 1));
    let taps = model.map(
        image,
        &[
            Factor::Same { axes: 2 },
            Factor::Related(geometry.clone()),
            Factor::Related(geometry),
        ],
    );
    let product = model.einsum(taps, weights, ["bcykxl", "ockl", "boyx"]);
    let bias = model.witness(&[4, 1, 1], 12);
    let y = model.combination(&[2, 4, 5, 5], &[(1, product), (1, bias)], 0);
    model.hidden.insert(product);
    check(&model, &[y]);
    let pooled = model.sum(y, &[2, 3]);
    let square = model.einsum(y, y, ["boyx", "boyx", "b111"]);
    check(&model, &[pooled, square, y]);
}

#[test]
fn points_of_another_length_are_refused() {
    let mut model = Model::new(9);
    let x = model.witness(&[5], 8);
    let y = model.combination(&[5], &[(1, x)], 0);
    let mut claims = claims(&model, &[y], EF::ZERO);
    claims[0].point.pop();
    let mut transcript = ProverTranscript::new(PROTOCOL);
    assert_eq!(
        run(&model.plan, &model, &mut ledger(&claims), &mut transcript),
        Err(ReduceError::Point {
            wire: y.0,
            found: 2,
            expected: 3
        })
    );
}
