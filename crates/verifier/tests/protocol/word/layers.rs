//! Sumchecks and fractional sums from their definitions.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::EF;
use veridical_argument::labels;
use veridical_argument::multilinear::eq_table;
use veridical_argument::transcript::{ProverTranscript, Transcript};

/// Which variable a round binds.
#[derive(Clone, Copy)]
pub enum Bind {
    Highest,
    Lowest,
}

/// Proves the sum over the cube of `term` of the tables; the challenges as a point.
pub fn sumcheck(
    transcript: &mut ProverTranscript,
    mut tables: Vec<Vec<EF>>,
    degree: usize,
    bind: Bind,
    term: impl Fn(&[EF]) -> EF,
) -> Vec<EF> {
    let size = tables.first().map_or(1, Vec::len);
    assert!(tables.iter().all(|table| table.len() == size));
    let mut challenges = Vec::new();
    for _ in 0..size.ilog2() {
        let pair = |table: &[EF], i: usize| match bind {
            Bind::Highest => (table[i], table[i + table.len() / 2]),
            Bind::Lowest => (table[2 * i], table[2 * i + 1]),
        };
        let half = tables[0].len() / 2;
        let mut message = Vec::new();
        for node in (0..=degree).filter(|node| *node != 1) {
            let mut sum = EF::ZERO;
            for i in 0..half {
                let at = tables.iter().map(|table| {
                    let (low, high) = pair(table, i);
                    low + (high - low) * EF::from_usize(node)
                });
                sum += term(&at.collect::<Vec<EF>>());
            }
            message.push(sum);
        }
        transcript.send(labels::ROUND, &message);
        let challenge = transcript.challenge(labels::ROUND);
        for table in &mut tables {
            *table = (0..half)
                .map(|i| {
                    let (low, high) = pair(table, i);
                    low + (high - low) * challenge
                })
                .collect();
        }
        challenges.push(challenge);
    }
    if matches!(bind, Bind::Lowest) {
        challenges.reverse();
    }
    challenges
}

/// Section 6.3; the last point.
pub fn fractional_sums(
    transcript: &mut ProverTranscript,
    numerators: Vec<EF>,
    denominators: Vec<EF>,
) -> Vec<EF> {
    let mut layers = vec![(numerators, denominators)];
    while let Some((n, d)) = layers.last().filter(|(n, _)| n.len() > 1) {
        let pairs = n.chunks(2).zip(d.chunks(2));
        let sums = pairs.map(|(n, d)| (n[0] * d[1] + n[1] * d[0], d[0] * d[1]));
        let above = sums.unzip();
        layers.push(above);
    }
    let (_, root) = layers.pop().expect("a root");
    transcript.send(labels::LOOKUP_ROOT, &root);
    let mut point = Vec::new();
    for (n, d) in layers.into_iter().rev() {
        let lambda = transcript.challenge(labels::LAYER);
        let split = |values: &[EF], odd: usize| -> Vec<EF> {
            values.iter().skip(odd).step_by(2).copied().collect()
        };
        let tables = vec![
            eq_table(&point),
            split(&n, 0),
            split(&n, 1),
            split(&d, 0),
            split(&d, 1),
        ];
        let at = sumcheck(transcript, tables.clone(), 3, Bind::Lowest, |v| {
            v[0] * (v[1] * v[4] + v[2] * v[3] + lambda * v[3] * v[4])
        });
        let values: Vec<EF> = tables[1..]
            .iter()
            .map(|table| super::tables::evaluate(table, &at))
            .collect();
        transcript.send(labels::LAYER_VALUES, &values);
        point = at;
        point.push(transcript.challenge(labels::BRANCH));
    }
    point
}
