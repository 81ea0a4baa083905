//! Limbs of the reciprocal root of a row.

use veridical_argument::plan::{Fill, WideLimb, WidePart, WireId};

use super::sketch::{Random, Sketch};

/// All quantities, in the order of their wires.
const PARTS: [WidePart; 21] = [
    WidePart::Root(0),
    WidePart::Root(1),
    WidePart::Product(0),
    WidePart::Product(1),
    WidePart::Product(2),
    WidePart::Product(3),
    WidePart::Slack(0),
    WidePart::Slack(1),
    WidePart::Slack(2),
    WidePart::Slack(3),
    WidePart::Gap(0),
    WidePart::Gap(1),
    WidePart::Gap(2),
    WidePart::Gap(3),
    WidePart::ProductCarry(0),
    WidePart::ProductCarry(1),
    WidePart::ProductCarry(2),
    WidePart::TargetCarry(0),
    WidePart::TargetCarry(1),
    WidePart::TargetCarry(2),
    WidePart::GapCarry,
];

fn limbs(value: i64) -> [i64; 4] {
    [
        value & 0x3fff,
        value >> 14 & 0x3fff,
        value >> 28 & 0x3fff,
        value >> 42,
    ]
}

/// Wires of all quantities for rows with these sums of squares.
fn sketch(variances: &[i64], target: i64) -> (Sketch, Vec<WireId>) {
    let mut sketch = Sketch::new(0);
    let shape = [1, variances.len(), 1];
    let variance = std::array::from_fn(|i| {
        let limbs = variances
            .iter()
            .map(|&v| i32::try_from(limbs(v)[i]).unwrap());
        sketch.given(&shape, limbs.collect())
    });
    let target = limbs(target);
    let wires = PARTS.map(|part| {
        let limb = WideLimb {
            variance,
            target,
            part,
        };
        sketch.witness(&shape, Fill::Wide { limb })
    });
    (sketch, wires.to_vec())
}

#[test]
fn limbs_satisfy_their_definitions_at_the_ends_and_inside() {
    let mut random = Random::new(11);
    for (d, u) in [(1, 1), (3, 5), (384, 16), (1000, 23), (1024, 23), (768, 20)] {
        let target = d << (2 * u);
        // The least sum of squares that the loader admits, and the greatest.
        let least = (target >> 56) + 1;
        let greatest = d * (1 << 38) + (1 << 20);
        let mut variances = vec![
            least,
            least + 1,
            greatest,
            greatest - 1,
            target.min(greatest),
            1 << 14,
            (1 << 28) - 1,
        ];
        for _ in 0..200 {
            let scale = random.between(0, 47);
            variances.push(random.between(least, (least << scale).min(greatest).max(least)));
        }
        variances.retain(|v| (least..=greatest).contains(v));
        let (sketch, wires) = sketch(&variances, target);
        let all = sketch.check();
        let range = |part: WidePart, lo: i32, hi: i32| {
            let wire = wires[PARTS.iter().position(|&p| p == part).unwrap()];
            let outside = all[wire.0].iter().find(|x| !(lo..=hi).contains(*x));
            assert_eq!(outside, None, "{part:?} of {d} columns");
        };
        // The ranges that the argument shows.
        for part in PARTS {
            match part {
                WidePart::Root(_)
                | WidePart::Product(_)
                | WidePart::Slack(_)
                | WidePart::Gap(_) => {
                    range(part, 0, (1 << 14) - 1);
                }
                WidePart::ProductCarry(_) | WidePart::TargetCarry(_) => {
                    range(part, 0, (1 << 16) - 1);
                }
                WidePart::GapCarry => range(part, -4, 3),
            }
        }
        // The executor's root.
        for (row, &v) in variances.iter().enumerate() {
            let root = i64::from(all[wires[0].0][row]) + (i64::from(all[wires[1].0][row]) << 14);
            assert_eq!(root, (target / v).isqrt());
        }
    }
}

#[test]
fn dishonest_limbs_do_not_overflow() {
    let top = 1_065_353_216;
    let rows = [
        [0; 4],
        [-1, 0, 0, 0],
        [top; 4],
        [-top; 4],
        [top, -top, top, -top],
        [1, 0, 0, 0],
        [-top, 0, 0, 1],
    ];
    let mut sketch = Sketch::new(0);
    let variance =
        std::array::from_fn(|i| sketch.given(&[1, 7, 1], rows.iter().map(|row| row[i]).collect()));
    for target in [[0; 4], [0x3fff; 4], [-1; 4], [i64::from(i32::MAX); 4]] {
        for part in PARTS {
            let limb = WideLimb {
                variance,
                target,
                part,
            };
            sketch.witness(&[1, 7, 1], Fill::Wide { limb });
        }
    }
    let limit = i32::try_from(veridical_program::M).unwrap();
    assert!(
        sketch
            .all()
            .iter()
            .flatten()
            .all(|x| (-limit..=limit).contains(x))
    );
}
