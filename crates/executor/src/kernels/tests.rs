//! Every kernel equals its portable form bit for bit, for all shapes and the most extreme operands.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "expected values are cut as the kernels cut them, and test shapes are small"
)]

use proptest::prelude::*;

use super::aligned::Aligned;
use super::epilogue::{Bias, Cells, CellsMut, Map, Table};
use super::gemm::{LANES, PAIR, Panels, Rows, gemm, panel_len};
use super::pack::{pack_columns, pack_rows, packed_len};
use super::patch::Patches;
use super::vector::{Divisor, Norm};
use super::{Isa, Kernels};

/// The portable kernels, then those that this machine has.
fn all() -> (Kernels, Vec<Kernels>) {
    let portable = Kernels::new(Isa::Portable).expect("always there");
    let fast = [Isa::Avx2, Isa::Avx512]
        .into_iter()
        .filter_map(|isa| Kernels::new(isa).ok());
    (portable, fast.collect())
}

/// 16-bit integers, one in four an end of the range.
fn narrow(len: usize) -> impl Strategy<Value = Vec<i16>> {
    let value = prop_oneof![2 => any::<i16>(), 1 => Just(i16::MIN), 1 => Just(i16::MAX)];
    prop::collection::vec(value, len)
}

fn wide(len: usize) -> impl Strategy<Value = Vec<i32>> {
    let limit = 1_065_353_216;
    prop::collection::vec(
        prop_oneof![3 => -limit..=limit, 1 => Just(-limit), 1 => Just(limit)],
        len,
    )
}

/// Rows, columns and depth of a product with its operands; columns are stored one after the other.
fn product() -> impl Strategy<Value = ([usize; 3], Vec<i16>, Vec<i16>)> {
    (1_usize..30, 1_usize..140, 1_usize..20)
        .prop_flat_map(|(m, n, k)| (Just([m, n, k]), narrow(m * k), narrow(n * k)))
}

/// Sums of products in exact arithmetic, reduced to 32 bits once.
fn exact([m, n, k]: [usize; 3], a: &[i16], b: &[i16]) -> Vec<i32> {
    let sum = |i: usize, j: usize| -> i64 {
        (0..k)
            .map(|t| i64::from(a[i * k + t]) * i64::from(b[j * k + t]))
            .sum()
    };
    (0..m * n).map(|p| sum(p / n, p % n) as i32).collect()
}

fn multiply(kernels: Kernels, [m, n, k]: [usize; 3], a: &[i16], packed: &[i16]) -> Vec<i32> {
    let mut padded = a.to_vec();
    padded.push(i16::MIN);
    let rows = Rows {
        data: &padded,
        stride: k,
        count: m,
    };
    let panels = Panels {
        data: packed,
        pairs: k.div_ceil(2),
    };
    let mut result = vec![0; m * n];
    gemm(kernels, rows, panels, n, |window, tile| {
        let mut cells = CellsMut::Wide(&mut result);
        kernels.store(tile, window, Bias::None, &Map::Identity, &mut cells, n);
    });
    result
}

fn maps() -> Vec<Map> {
    let entries: Vec<i32> = (0..600).map(|i| (i * 7919) % 65536 - 32768).collect();
    let large: Vec<i32> = entries.iter().map(|e| e * 30000).collect();
    let lookup = |entries: &[i32]| Map::Lookup {
        round: 1 << 15,
        shift: 16,
        add: 300,
        table: Table::new(entries),
    };
    vec![
        Map::Identity,
        Map::Clamp {
            round: 4,
            shift: 3,
            add: -9,
            lo: i32::MIN,
            hi: i32::MAX,
        },
        Map::Clamp {
            round: 0,
            shift: 0,
            add: 0,
            lo: -128,
            hi: 127,
        },
        Map::Clamp {
            round: 1 << 15,
            shift: 16,
            add: 5,
            lo: -30000,
            hi: 32767,
        },
        lookup(&entries),
        lookup(&large),
        lookup(&[17]),
    ]
}

proptest! {
    #[test]
    fn test_products_are_exact_modulo_2_to_the_32((shape, a, b) in product()) {
        let [_, n, k] = shape;
        let mut packed = Aligned::zeros(packed_len(n, k));
        pack_columns(&b, k, n, k, &mut packed);
        let expected = exact(shape, &a, &b);
        let (portable, fast) = all();
        for kernels in std::iter::once(portable).chain(fast) {
            prop_assert_eq!(&multiply(kernels, shape, &a, &packed), &expected, "{:?}", kernels);
        }
    }

    #[test]
    fn test_both_layouts_pack_alike((shape, _, b) in product()) {
        let [_, n, k] = shape;
        let by_rows: Vec<i16> = (0..n * k).map(|p| b[p % n * k + p / n]).collect();
        let mut expected = vec![1; packed_len(n, k)];
        pack_columns(&b, k, n, k, &mut expected);
        let mut packed = vec![-1; packed_len(n, k)];
        pack_rows(&by_rows, n, n, k, &mut packed);
        let len = panel_len(k.div_ceil(2));
        for (panel, expected) in packed.chunks(len).zip(expected.chunks(len)) {
            let used = k.div_ceil(2) * PAIR;
            prop_assert_eq!(&panel[..used], &expected[..used]);
        }
    }

    #[test]
    fn test_stores_apply_bias_and_map_alike((shape, a, b) in product(), bias in wide(160)) {
        let [m, n, k] = shape;
        let mut packed = Aligned::zeros(packed_len(n, k));
        pack_columns(&b, k, n, k, &mut packed);
        let mut padded = a.clone();
        padded.push(0);
        let rows = Rows { data: &padded, stride: k, count: m };
        let panels = Panels { data: &packed, pairs: k.div_ceil(2) };
        let sums = exact(shape, &a, &b);
        let (portable, fast) = all();
        for kernels in std::iter::once(portable).chain(fast) {
            for map in maps() {
                for (bias, at) in [(Bias::Column(&bias), 0), (Bias::Row(&bias), 1), (Bias::None, 2)] {
                    let (mut short, mut long) = (vec![7_i16; m * n], vec![7_i32; m * n]);
                    gemm(kernels, rows, panels, n, |window, tile| {
                        kernels.store(tile, window, bias, &map, &mut CellsMut::Narrow(&mut short), n);
                        kernels.store(tile, window, bias, &map, &mut CellsMut::Wide(&mut long), n);
                    });
                    for (p, &sum) in sums.iter().enumerate() {
                        let added = match bias {
                            Bias::Column(bias) => bias[p % n],
                            Bias::Row(bias) => bias[p / n],
                            Bias::None => 0,
                        };
                        let expected = map.apply(sum.wrapping_add(added));
                        prop_assert_eq!(long[p], expected, "{:?} {:?} {}", kernels, map, at);
                        prop_assert_eq!(short[p], expected as i16);
                    }
                }
            }
        }
    }

    #[test]
    fn test_maps_of_slices_apply_to_every_element(x in (1_usize..70).prop_flat_map(wide)) {
        let narrow: Vec<i16> = x.iter().map(|&x| x as i16).collect();
        let (portable, fast) = all();
        for kernels in std::iter::once(portable).chain(fast) {
            for map in maps() {
                let (mut short, mut long) = (vec![0_i16; x.len()], vec![0_i32; x.len()]);
                kernels.map(&map, Cells::Wide(&x), &mut CellsMut::Wide(&mut long));
                let expected: Vec<i32> = x.iter().map(|&x| map.apply(x)).collect();
                prop_assert_eq!(&long, &expected);
                kernels.map(&map, Cells::Narrow(&narrow), &mut CellsMut::Narrow(&mut short));
                let expected: Vec<i16> = narrow.iter().map(|&x| map.apply(x.into()) as i16).collect();
                prop_assert_eq!(&short, &expected);
            }
            if let Map::Lookup { table, .. } = &maps()[4] {
                let greatest = kernels.greatest(Cells::Wide(&x));
                let mut below = vec![0_i32; x.len()];
                kernels.lookup_below(greatest, 16, table, Cells::Wide(&x), &mut CellsMut::Wide(&mut below));
                let entry = |&x: &i32| table.entry((greatest.wrapping_sub(x)) >> 16);
                prop_assert_eq!(&below, &x.iter().map(entry).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn test_division_by_a_multiplier_is_exact(
        z in prop_oneof![1_i32..=1 << 30, 1_i32..200, Just(1 << 30), Just((1 << 29) + 1)],
        lo in -32768_i32..=0,
        parts in prop::collection::vec(0..=i64::from(i32::MAX), 33),
    ) {
        // Any sum whose shifted numerator is below 2^31.
        let half = i64::from(z / 2);
        let least = i64::from(lo) * i64::from(z) - half;
        prop_assume!(least > -(1 << 31));
        let sums: Vec<i32> = parts
            .iter()
            .map(|part| (least + part).min(i64::from(i32::MAX)) as i32)
            .collect();
        let expected: Vec<i32> = sums
            .iter()
            .map(|&sum| (i64::from(sum) + half).div_euclid(i64::from(z)) as i32)
            .collect();
        let (portable, fast) = all();
        for kernels in std::iter::once(portable).chain(fast) {
            let mut quotients = sums.clone();
            kernels.divide(&mut quotients, Divisor::new(z, lo));
            prop_assert_eq!(&quotients, &expected, "{:?} {}", kernels, z);
        }
    }

    #[test]
    fn test_patches_are_the_elements_of_the_image(
        image in narrow(600),
        columns in 1_usize..25,
        rows in 1_usize..5,
        stride in 1_u32..4,
        taps in prop::collection::vec(0_u32..80, 1..12),
    ) {
        let bases: Vec<u32> = (0..rows * columns)
            .map(|p| (p / columns) as u32 * 60 + (p % columns) as u32 * stride)
            .collect();
        let patches = Patches::new(bases.clone(), taps.clone());
        let (portable, fast) = all();
        for kernels in std::iter::once(portable).chain(fast) {
            let len = patches.panels() * panel_len(patches.pairs());
            let mut packed = vec![0; len];
            kernels.pack_patches(&image, &patches, 0, &mut packed);
            for (j, &base) in bases.iter().enumerate() {
                for (k, &tap) in taps.iter().enumerate() {
                    let panel = j / LANES * panel_len(patches.pairs());
                    let at = panel + k / 2 * PAIR + j % LANES * 2 + k % 2;
                    prop_assert_eq!(packed[at], image[(base + tap) as usize], "{:?}", kernels);
                }
            }
        }
    }

    #[test]
    fn test_norms_of_wide_rows_equal_exact_arithmetic(
        row in (1_usize..300).prop_flat_map(|d| prop::collection::vec(-(1_i32 << 19)..(1 << 19), d)),
        centered: bool,
        epsilon in 1_i64..1000,
    ) {
        let norm = Norm { shift: 0, u: 23, fx: 7, epsilon, centered };
        let d = row.len() as i64;
        let sum: i64 = row.iter().map(|&x| i64::from(x)).sum();
        let mean = if centered { (sum + d / 2).div_euclid(d) } else { 0 };
        let square = |x: &i32| (i64::from(*x) - mean).pow(2);
        let root = ((d << 46) / (row.iter().map(square).sum::<i64>() + epsilon)).isqrt();
        let value = |x: &i32| (((i64::from(*x) - mean) * root + (1 << 15)) >> 16) as i32;
        let expected: Vec<i32> = row.iter().map(value).collect();
        let (portable, fast) = all();
        for kernels in std::iter::once(portable).chain(fast) {
            let (mut centred, mut result) = (vec![0; row.len()], vec![0; row.len()]);
            let out = &mut CellsMut::Wide(&mut result);
            kernels.normalise(Cells::Wide(&row), norm, &mut centred, out);
            prop_assert_eq!(&result, &expected, "{:?}", kernels);
        }
    }
}

#[test]
fn test_sums_that_wrap_on_the_way_are_exact_at_the_end() {
    // 2^30 per product: the sum leaves 32 bits after two and comes back.
    let k = 64;
    let a: Vec<i16> = (0..k)
        .map(|t| if t < 32 { i16::MIN } else { i16::MAX })
        .collect();
    let b = vec![i16::MIN; k];
    let expected = exact([1, 1, k], &a, &b);
    assert_eq!(
        i64::from(expected[0]),
        32 * (1_i64 << 30) - 32 * 32767 * 32768
    );
    let mut packed = vec![0; packed_len(1, k)];
    pack_columns(&b, k, 1, k, &mut packed);
    let (portable, fast) = all();
    for kernels in std::iter::once(portable).chain(fast) {
        assert_eq!(multiply(kernels, [1, 1, k], &a, &packed), expected);
    }
}
