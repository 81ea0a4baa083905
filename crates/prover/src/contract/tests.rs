use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::{EF, F};
use veridical_argument::multilinear::{eq_index, evaluate_integers, segments, shape_variables};
use veridical_executor::Isa;

use super::*;
use crate::testing::Random;

/// Every instruction set of this machine.
fn contractors() -> Vec<(Isa, Contractor)> {
    let all = [Isa::Portable, Isa::Avx2, Isa::Avx512];
    let found = all
        .into_iter()
        .filter_map(|isa| Contractor::new(isa).map(|contractor| (isa, contractor)));
    found.collect()
}

/// In one thread and in two.
fn in_pools(run: impl Fn() + Send + Sync) {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(&run);
    }
}

/// Integers of at most `bits` bits, the extreme ones among them.
fn integers(random: &mut Random, count: usize, bits: u32) -> Vec<i32> {
    let end = 1_i64 << bits;
    (0..count)
        .map(|at| {
            let value = match (at, random.below(8)) {
                (0, _) | (_, 0) => -end,
                (1, _) | (_, 1) => end - 1,
                _ => i64::try_from(random.next() % (2 * end.unsigned_abs())).unwrap() - end,
            };
            i32::try_from(value).unwrap()
        })
        .collect()
}

/// The sum over the cells, one by one.
fn naive(values: &[i32], axes: &[Axis<'_>], layout: &Layout<'_>) -> Vec<EF> {
    let order = layout.order;
    let outer = order.split_last().map_or(&[][..], |(_, outer)| outer);
    let rows: usize = outer.iter().map(|&axis| variables(axes[axis].size())).sum();
    let mut result = vec![EF::ZERO; layout.stride << rows];
    for (cell, &value) in values.iter().enumerate() {
        let mut rest = cell;
        let mut at = vec![0; axes.len()];
        let mut weight = EF::from_i32(value);
        for (axis, slot) in axes.iter().zip(&mut at).rev() {
            *slot = rest % axis.size();
            rest /= axis.size();
            if let Axis::Summed(_, segment) = axis {
                weight *= eq_index(*slot, segment);
            }
        }
        let row = outer.iter().fold(0, |row, &axis| {
            (row << variables(axes[axis].size())) + at[axis]
        });
        let column = order.last().map_or(0, |&axis| at[axis]);
        result[row * layout.stride + column] += weight;
    }
    result
}

/// All ways to keep and sum the axes of a shape, in the order of the axes and in reverse.
fn check_all(random: &mut Random, shape: &[usize], bits: u32) {
    let values = integers(random, shape.iter().product(), bits);
    let point = random.extension_vec(shape_variables(shape));
    let segments = segments(shape, &point);
    for choice in 0..1_usize << shape.len() {
        let axes: Vec<Axis<'_>> = shape
            .iter()
            .zip(&segments)
            .enumerate()
            .map(|(axis, (&size, segment))| {
                if choice >> axis & 1 == 1 {
                    Axis::Kept(size)
                } else {
                    Axis::Summed(size, segment)
                }
            })
            .collect();
        let mut order: Vec<usize> = (0..shape.len()).filter(|a| choice >> a & 1 == 1).collect();
        for reverse in [false, true] {
            if reverse {
                order.reverse();
            }
            let last = order.last().map_or(1, |&axis| shape[axis]);
            for stride in [last.next_power_of_two(), last + 3] {
                let layout = Layout {
                    order: &order,
                    stride,
                };
                let expected = naive(&values, &axes, &layout);
                for (isa, contractor) in contractors() {
                    let found = contractor.contract(&values, &axes, &layout).unwrap();
                    let is_base = axes
                        .iter()
                        .all(|axis| axis.size() == 1 || matches!(axis, Axis::Kept(_)));
                    assert_eq!(matches!(found, Contracted::Base(_)), is_base);
                    assert!(
                        found.into_extension() == expected,
                        "{isa:?} {shape:?} keeping {order:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_choice_of_axes_in_every_width() {
    let mut random = Random::new(1);
    for bits in [0, 1, 7, 11, 12, 13, 15, 22, 23, 24, 30, 31] {
        check_all(&mut random, &[5, 3], bits);
    }
    for shape in [
        &[1][..],
        &[1, 1, 1],
        &[37],
        &[2, 67],
        &[67, 2],
        &[3, 1, 40],
        &[4, 9, 3],
        &[3, 5, 7, 2],
        &[2, 1, 3, 17, 2],
    ] {
        check_all(&mut random, shape, 9);
        check_all(&mut random, shape, 30);
    }
}

#[test]
fn sums_of_extreme_integers_do_not_wrap() {
    let mut random = Random::new(2);
    for bits in [7, 12, 15, 22, 23, 30, 31] {
        let lowest = i32::try_from(-(1_i64 << bits)).unwrap();
        for value in [lowest, -(lowest + 1)] {
            for shape in [[3000, 3], [3, 3000], [70, 70]] {
                let values = vec![value; shape[0] * shape[1]];
                let point = random.extension_vec(shape_variables(&shape));
                let segments = segments(&shape, &point);
                for summed in 0..2 {
                    let mut axes = shape.map(Axis::Kept);
                    axes[summed] = Axis::Summed(shape[summed], segments[summed]);
                    let layout = Layout {
                        order: &[1 - summed],
                        stride: shape[1 - summed],
                    };
                    let weights = table::axis_weights(shape[summed], segments[summed]);
                    let sum = weights.into_iter().sum::<EF>() * F::from_i32(value);
                    for (isa, contractor) in contractors() {
                        let found = contractor.contract(&values, &axes, &layout).unwrap();
                        let expected = vec![sum; shape[1 - summed]];
                        assert!(
                            found.into_extension() == expected,
                            "{isa:?} {shape:?} {value}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn large_tensors_in_one_and_two_threads() {
    let mut random = Random::new(3);
    let cases = [
        (vec![300, 700], vec![1]),
        (vec![300, 700], vec![0]),
        (vec![4099, 33], vec![1]),
        (vec![5000, 40], vec![1]),
        (vec![65, 1024], vec![0]),
        (vec![40, 5000], vec![1]),
        (vec![12, 90, 90], vec![0, 2]),
        (vec![64, 14, 3, 14, 3], vec![0, 2, 4]),
        (vec![4, 40, 3, 40, 3], vec![2, 4]),
        (vec![9, 40, 5, 33], vec![0, 2]),
        (vec![8, 16, 31, 24], vec![0, 3]),
        (vec![30000, 7], vec![0]),
    ];
    for (shape, kept) in cases {
        let values = integers(&mut random, shape.iter().product(), 15);
        let point = random.extension_vec(shape_variables(&shape));
        let segments = segments(&shape, &point);
        let axes: Vec<Axis<'_>> = (0..shape.len())
            .map(|axis| {
                if kept.contains(&axis) {
                    Axis::Kept(shape[axis])
                } else {
                    Axis::Summed(shape[axis], segments[axis])
                }
            })
            .collect();
        let layout = Layout {
            order: &kept,
            stride: shape[*kept.last().unwrap()],
        };
        let expected = Contracted::Extension(naive(&values, &axes, &layout));
        in_pools(|| {
            for (isa, contractor) in contractors() {
                let found = contractor.contract(&values, &axes, &layout).unwrap();
                assert!(found == expected, "{isa:?} {shape:?} keeping {kept:?}");
            }
        });
    }
}

#[test]
fn evaluations_are_those_of_the_definition() {
    let mut random = Random::new(4);
    for shape in [
        &[][..],
        &[1],
        &[1, 1],
        &[2],
        &[3],
        &[1000],
        &[100_003],
        &[1, 128, 384],
        &[7, 3000],
        &[40_000, 3],
        &[3, 40_000],
        &[2, 3, 5, 7, 11, 2],
        &[33, 1, 5001],
        &[600, 3, 31],
    ] {
        for bits in [8, 15, 30] {
            let values = integers(&mut random, shape.iter().product(), bits);
            let point = random.extension_vec(shape_variables(shape));
            let expected = evaluate_integers(&values, shape, &point);
            in_pools(|| {
                for (isa, contractor) in contractors() {
                    let found = contractor.evaluate(&values, shape, &point);
                    assert_eq!(found, Ok(expected), "{isa:?} {shape:?}");
                }
            });
        }
    }
}

#[test]
fn narrow_integers_are_those_of_32_bits() {
    let mut random = Random::new(5);
    let shape = [70, 93];
    let point = random.extension_vec(shape_variables(&shape));
    let segments = segments(&shape, &point);
    let bytes: Vec<i8> = (0..shape[0] * shape[1])
        .map(|_| random.next().to_le_bytes()[0].cast_signed())
        .collect();
    let words: Vec<i16> = bytes.iter().map(|&x| i16::from(x) * 255 + 77).collect();
    let wide_bytes: Vec<i32> = bytes.iter().map(|&x| x.into()).collect();
    let wide_words: Vec<i32> = words.iter().map(|&x| x.into()).collect();
    for (isa, contractor) in contractors() {
        assert_eq!(
            contractor.evaluate(&bytes, &shape, &point),
            contractor.evaluate(&wide_bytes, &shape, &point),
            "{isa:?}"
        );
        for summed in 0..2 {
            let mut axes = shape.map(Axis::Kept);
            axes[summed] = Axis::Summed(shape[summed], segments[summed]);
            let layout = Layout {
                order: &[1 - summed],
                stride: shape[1 - summed],
            };
            let wide = contractor.contract(&wide_bytes, &axes, &layout).unwrap();
            assert!(contractor.contract(&bytes, &axes, &layout).unwrap() == wide);
            let wide = contractor.contract(&wide_words, &axes, &layout).unwrap();
            assert!(contractor.contract(&words, &axes, &layout).unwrap() == wide);
        }
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let contractor = Contractor::default();
    let one = [EF::ONE];
    let values = [1, 2, 3, 4];
    let layout = |order, stride| Layout { order, stride };
    let axes = [Axis::Kept(2), Axis::Summed(2, &one)];
    assert_eq!(
        contractor.contract(&values[..3], &axes, &layout(&[0], 2)),
        Err(ContractError::Cells {
            found: 3,
            expected: 4
        })
    );
    assert_eq!(
        contractor.contract(
            &values,
            &[Axis::Kept(2), Axis::Summed(2, &[])],
            &layout(&[0], 2)
        ),
        Err(ContractError::Segment {
            axis: 1,
            found: 0,
            expected: 1
        })
    );
    for (order, axis) in [(&[][..], 0), (&[1], 1), (&[0, 0], 0), (&[0, 2], 2)] {
        assert_eq!(
            contractor.contract(&values, &axes, &layout(order, 2)),
            Err(ContractError::Layout { axis })
        );
    }
    assert_eq!(
        contractor.contract(&values, &axes, &layout(&[0], 1)),
        Err(ContractError::Stride { stride: 1, size: 2 })
    );
    for point in [&[EF::ONE][..], &[EF::ONE; 3]] {
        assert!(matches!(
            contractor.evaluate(&values, &[2, 2], point),
            Err(ContractError::Segment { .. })
        ));
    }
}
