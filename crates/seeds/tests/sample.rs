//! Noise and sampling against what they stand for.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use veridical_seeds::SeedError;
use veridical_seeds::noise::{Draw, Row};
use veridical_seeds::sample::{Weight, sample};

const SEED: [u8; 32] = [7; 32];

fn noise(row: u64, len: usize) -> Vec<i32> {
    Row::new(&SEED, row).take(len).map(Draw::noise).collect()
}

/// Gumbel-max without any short cut.
fn plain(row: u64, logits: &[i32], logit: i128, unit: i128) -> usize {
    let noise = noise(row, logits.len());
    let scores = logits.iter().zip(noise);
    let scores = scores.map(|(q, g)| i128::from(*q) * logit + i128::from(g) * unit);
    let best = scores.clone().max().unwrap();
    scores.clone().position(|score| score == best).unwrap()
}

#[test]
fn noise_is_a_function_of_seed_row_and_position() {
    assert_eq!(noise(3, 10), noise(3, 1000)[..10]);
    assert_ne!(noise(3, 10), noise(4, 10));
    let other = Row::new(&[8; 32], 3).take(10).map(Draw::noise);
    assert_ne!(other.collect::<Vec<_>>(), noise(3, 10));
}

#[test]
fn sums_of_noise_are_those_of_the_gumbel_distribution() {
    let count = 200_000;
    let values: Vec<f64> = noise(0, count)
        .iter()
        .map(|g| f64::from(*g) / 16_777_216.0)
        .collect();
    let mean = values.iter().sum::<f64>() / 200_000.0;
    let variance = values.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / 200_000.0;
    // Euler's constant and pi^2 / 6; five standard errors.
    assert!((mean - 0.577_215_664_9).abs() < 0.015, "{mean}");
    assert!((variance - 1.644_934_066_8).abs() < 0.035, "{variance}");
}

#[test]
fn equal_scores_go_to_the_lower_index() {
    // A logit so heavy that noise does not matter.
    let weight = Weight::new(1 << 20, -32, (1, 1 << 16)).unwrap();
    let rows = (0..50).map(|row| sample(&SEED, row, &[0, 0, -1, 0], weight).unwrap());
    let chosen: Vec<u32> = rows.collect();
    assert!(chosen.iter().all(|index| *index != 2));
    assert!(
        [0, 1, 3].iter().all(|index| chosen.contains(index)),
        "noise decides among equals"
    );
    let light = Weight::new(1, 32, (1 << 16, 1)).unwrap();
    assert_eq!(sample(&SEED, 0, &[5], light), Ok(0));
}

#[test]
fn what_is_out_of_range_is_refused() {
    let weight = Weight::new(1, 0, (1, 1)).unwrap();
    assert_eq!(
        sample(&SEED, 0, &[], weight),
        Err(SeedError::Row { len: 0 })
    );
    for (mul, shift, temperature) in [
        (0, 0, (1, 1)),
        (1 << 22, 0, (1, 1)),
        (1, 0, (0, 1)),
        (1, 0, (1, 0)),
        (1, 0, (65_537, 1)),
        (1, 0, (1, 65_537)),
    ] {
        let refused = Weight::new(mul, shift, temperature);
        assert!(matches!(refused, Err(SeedError::Weight { .. })));
    }
    for shift in [-33, 33, i32::MIN] {
        assert!(matches!(
            Weight::new(1, shift, (1, 1)),
            Err(SeedError::Shift { .. })
        ));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn short_cuts_change_nothing(
        row: u64,
        logits in prop::collection::vec(-2000..2000_i32, 1..400),
        (n, d) in (1..=65_536_u32, 1..=65_536_u32),
        mul in 1..(1_u32 << 22),
        shift in -32..=32_i32,
    ) {
        let weight = Weight::new(mul, shift, (n, d)).unwrap();
        let up = u32::try_from(-shift).unwrap_or(0);
        let down = u32::try_from(shift).unwrap_or(0);
        let logit = (i128::from(mul) * i128::from(d)) << (24 + up);
        let expected = plain(row, &logits, logit, i128::from(n) << down);
        let chosen = sample(&SEED, row, &logits, weight).unwrap();
        prop_assert_eq!(usize::try_from(chosen).unwrap(), expected);
    }

    #[test]
    fn the_largest_numbers_fit(row: u64, logits in prop::collection::vec(
        prop_oneof![Just(i32::MIN), Just(i32::MAX)], 1..20)
    ) {
        let weight = Weight::new((1 << 22) - 1, -32, (1 << 16, 1 << 16)).unwrap();
        prop_assert!(sample(&SEED, row, &logits, weight).is_ok());
    }
}
