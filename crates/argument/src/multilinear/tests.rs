use super::*;

/// Points that look random and are the same in every run.
pub(crate) fn random_point(seed: u64, count: usize) -> Vec<EF> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        F::from_u64(state)
    };
    (0..count)
        .map(|_| EF::from_basis_coefficients_fn(|_| next()))
        .collect()
}

/// The extension of a padded table, from its definition.
pub(crate) fn brute(table: &[EF], point: &[EF]) -> EF {
    assert_eq!(table.len(), 1 << point.len());
    let terms = table.iter().enumerate();
    terms.map(|(i, &v)| v * eq_index(i, point)).sum()
}

/// The padded table of a tensor.
pub(crate) fn padded(values: &[i32], shape: &[usize]) -> Vec<EF> {
    let mut table = vec![EF::ZERO; 1 << shape_variables(shape)];
    for (&value, index) in values.iter().zip(padded_indices(shape)) {
        table[index] = EF::from_i32(value);
    }
    table
}

/// Integers over the whole range that wires have.
pub(crate) fn random_integers(seed: u64, count: usize) -> Vec<i32> {
    random_point(seed, count)
        .iter()
        .map(|x| {
            let coordinates: &[F] = x.as_basis_coefficients_slice();
            i32::try_from(i64::from(coordinates[0].as_canonical_u32()) - (1 << 30)).unwrap()
        })
        .collect()
}

#[test]
fn variables_are_the_binary_logarithm_rounded_up() {
    let expected = [0, 0, 1, 2, 2, 3, 3, 3, 3, 4];
    for (n, k) in expected.into_iter().enumerate() {
        assert_eq!(variables(n), k);
    }
    assert_eq!(variables(384), 9);
    assert_eq!(variables(usize::MAX), 64);
}

#[test]
fn eq_tables_have_the_first_variable_in_the_highest_bit() {
    let point = random_point(1, 5);
    let table = eq_table(&point);
    for (i, &value) in table.iter().enumerate() {
        assert_eq!(value, eq_index(i, &point));
        let corner: Vec<EF> = (0..5).map(|v| EF::from_usize(i >> (4 - v) & 1)).collect();
        assert_eq!(value, eq(&corner, &point));
    }
    let mut corner = vec![EF::ZERO; 5];
    corner[0] = EF::ONE;
    assert_eq!(eq_table(&corner)[16], EF::ONE);
    assert_eq!(eq_table(&[]), [EF::ONE]);
    assert_eq!(eq_index(0, &[]), EF::ONE);
}

#[test]
fn dyadic_blocks_cover_an_axis_largest_first() {
    assert_eq!(dyadic(384).collect::<Vec<_>>(), [(0, 8), (256, 7)]);
    assert_eq!(dyadic(1).collect::<Vec<_>>(), [(0, 0)]);
    assert_eq!(dyadic(0).count(), 0);
    for n in 1..200 {
        let mut next = 0;
        for (start, bits) in dyadic(n) {
            assert_eq!(start, next);
            assert_eq!(start % (1 << bits), 0);
            next += 1 << bits;
        }
        assert_eq!(next, n);
    }
}

#[test]
fn selectors_and_positions_are_their_sums() {
    for n in 1..40 {
        for spare in 0..2 {
            let point = random_point(n as u64, variables(n) + spare);
            let table = eq_table(&point);
            let count: EF = table.iter().take(n).copied().sum();
            let sum: EF = (0..n).map(|i| table[i] * F::from_usize(i)).sum();
            assert_eq!(chi(n, &point), count, "{n}");
            assert_eq!(iota(n, &point), sum, "{n}");
        }
    }
}

#[test]
fn integers_are_evaluated_as_their_zero_extension() {
    let shapes: [&[usize]; 12] = [
        &[1],
        &[5],
        &[2, 3],
        &[3, 1, 5],
        &[2, 3, 300],
        &[7, 5, 3, 2],
        &[1, 1],
        &[],
        // Axes that are cut into stretches.
        &[4096],
        &[4097],
        &[2, 9001],
        &[3, 700, 9],
    ];
    for (seed, shape) in (1_u64..).zip(shapes) {
        let values = random_integers(seed, shape.iter().product());
        let point = random_point(100 + seed, shape_variables(shape));
        let expected = brute(&padded(&values, shape), &point);
        assert_eq!(
            evaluate_integers(&values, shape, &point),
            expected,
            "{shape:?}"
        );
    }
}

#[test]
fn sums_of_products_do_not_overflow() {
    for length in [1, 2, 3, 5, 70_000] {
        let elements = vec![EF::NEG_ONE; length];
        let coordinates = Coordinates::new(&elements);
        for extreme in [i32::MIN, i32::MAX] {
            let dot = coordinates.dot(&vec![extreme; length]);
            assert_eq!(dot, -EF::from_i32(extreme) * F::from_usize(length));
        }
        let dot = coordinates.dot(&vec![i16::MIN; length]);
        assert_eq!(dot, -EF::from_i16(i16::MIN) * F::from_usize(length));
    }
}

#[test]
fn a_broadcast_wire_is_zero_outside_the_space() {
    let space = [3_usize, 2, 5];
    for (seed, wire) in (1_u64..).zip([
        &[3_usize, 1, 5][..],
        &[1, 2, 1],
        &[5],
        &[2, 1],
        &[3, 2, 5],
        &[],
    ]) {
        let values = random_integers(seed, wire.iter().product());
        let aligned: Vec<usize> = std::iter::repeat_n(1, 3 - wire.len())
            .chain(wire.iter().copied())
            .collect();
        // The broadcast tensor, cell by cell.
        let mut cells = Vec::new();
        for i in 0..3 {
            for j in 0..2 {
                for k in 0..5 {
                    let index = [i, j, k].iter().zip(&aligned).fold(0, |index, (&at, &n)| {
                        index * n + if n == 1 { 0 } else { at }
                    });
                    cells.push(values[index]);
                }
            }
        }
        let point = random_point(seed + 50, shape_variables(&space));
        let expected = brute(&padded(&cells, &space), &point);
        let (kept, factor) = restrict(&space, wire, &point);
        assert_eq!(evaluate_integers(&values, wire, &kept) * factor, expected);
        let variables = kept_variables(&space, wire);
        let at: Vec<EF> = variables.iter().map(|&v| point[v]).collect();
        assert_eq!(at, kept);
    }
    let point = random_point(9, shape_variables(&space));
    let ones = padded(&[1; 30], &space);
    assert_eq!(chi_space(&space, &point), brute(&ones, &point));
}
