//! Limbs of the bound of a row by its norm, and functions of one weight.

use veridical_argument::plan::{Fill, Formula, NormLimb, NormPart};

use super::sketch::{Random, Sketch};

const PARTS: [NormPart; 13] = [
    NormPart::Choice,
    NormPart::Root(0),
    NormPart::Root(1),
    NormPart::Root(2),
    NormPart::Slack(0),
    NormPart::Slack(1),
    NormPart::Slack(2),
    NormPart::Slack(3),
    NormPart::Carry(0),
    NormPart::Carry(1),
    NormPart::Carry(2),
    NormPart::Carry(3),
    NormPart::Carry(4),
];

fn limb(value: i64, i: usize) -> i32 {
    let rest = value >> (10 * i);
    i32::try_from(if i == 3 { rest } else { rest & 1023 }).unwrap()
}

#[test]
fn limbs_of_norms_satisfy_their_definitions_and_ranges() {
    let mut random = Random::new(5);
    for q in [1, 1023, 25_165_824, (1 << 30) - 1] {
        let mut rows: Vec<(i64, i64)> = vec![(0, 0), (1, 1), (2, 2)];
        for _ in 0..300 {
            let scale = random.between(0, 40);
            let squares = random
                .between(0, 1 << scale)
                .min(((1 << 60) - (1 << 32)) / q);
            rows.push((
                squares,
                random.between(squares.isqrt(), squares.isqrt() * 9 + 1),
            ));
        }
        let mut sketch = Sketch::new(0);
        let shape = [rows.len(), 1];
        let squares = std::array::from_fn(|i| {
            sketch.given(&shape, rows.iter().map(|&(s, _)| limb(s, i)).collect())
        });
        let magnitudes = rows.iter().map(|&(_, m)| i32::try_from(m).unwrap());
        let magnitude = sketch.given(&shape, magnitudes.collect());
        let wires = PARTS.map(|part| {
            let limb = NormLimb {
                squares,
                factor: [q & 1023, (q >> 10) & 1023, q >> 20],
                magnitude,
                reach: q.isqrt(),
                part,
            };
            sketch.witness(&shape, Fill::Norm { limb })
        });
        let all = sketch.check();
        for (part, wire) in PARTS.iter().zip(wires) {
            let (lo, hi) = match part {
                NormPart::Choice => (0, 1),
                NormPart::Root(_) | NormPart::Slack(_) => (0, 1023),
                NormPart::Carry(_) => (-(1 << 13), (1 << 13) - 1),
            };
            let outside = all[wire.0].iter().find(|x| !(lo..=hi).contains(*x));
            assert_eq!(outside, None, "{part:?} of {q}");
        }
        let chosen: i32 = all[wires[0].0].iter().sum();
        assert!(chosen > 0, "both bounds occur: {q}");
    }
}

#[test]
fn functions_of_weights_are_those_of_their_tables() {
    let mut sketch = Sketch::new(0);
    let x = sketch.given(&[6], vec![-32_768, -1, 0, 1, 300, 32_767]);
    let positive = sketch.witness(
        &[6],
        Fill::Formula {
            of: x,
            formula: Formula::Positive,
        },
    );
    let square = sketch.witness(
        &[6],
        Fill::Formula {
            of: x,
            formula: Formula::Square,
        },
    );
    let all = sketch.check();
    assert_eq!(all[positive.0], [0, 0, 0, 1, 300, 32_767]);
    assert_eq!(all[square.0], [32_768, 0, 0, 0, 2, 32_766]);
}
