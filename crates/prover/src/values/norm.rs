//! The bound of a row by its norm.
//!
//! Spec: spec/v1/zk.md, section 12.6.

use veridical_argument::plan::{NormLimb, NormPart};

use super::arithmetic::balanced_wide;
use super::nest::{Nest, fill_costly};
use super::{Values, ValuesError};

/// Bits of a limb.
const LIMB: u32 = 10;
const MASK: i128 = (1 << LIMB) - 1;
/// What a row costs in ordinary cells.
const COST: usize = 16;

impl Values<'_> {
    pub(super) fn norm(&self, id: usize, limb: &NormLimb) -> Result<Vec<i32>, ValuesError> {
        let mut shapes: [&[usize]; 5] = [&[]; 5];
        let mut operands: [&[i32]; 5] = [&[]; 5];
        let wires = limb.squares.iter().chain([&limb.magnitude]);
        for (i, &wire) in wires.enumerate() {
            (shapes[i], operands[i]) = self.operand(id, wire)?;
        }
        let nest: Nest = self.space(id, &shapes)?;
        Ok(fill_costly(self.len(id), COST, |cells, out: &mut [i32]| {
            nest.runs(cells, |start, len, positions| {
                for (cell, out) in out[start..start + len].iter_mut().enumerate() {
                    let at = |i: usize| operands[i][positions[i] + cell * nest.inner()[i]];
                    let squares = std::array::from_fn(|i| at(i).into());
                    let magnitude = i128::from(at(4));
                    let interval = (magnitude, i128::from(limb.reach));
                    let row = Row::new(squares, limb.factor.map(i128::from), interval);
                    *out = balanced_wide(row.part(limb.part));
                }
            });
        }))
    }
}

/// All quantities of one row; limbs low first.
struct Row {
    squares: [i128; 4],
    factor: [i128; 3],
    /// Whether the bound by the interval is the smaller one: then everything else is 0.
    by_interval: bool,
    root: i128,
    /// `r^2 - Q S`.
    slack: i128,
}

impl Row {
    fn new(squares: [i128; 4], factor: [i128; 3], (magnitude, reach): (i128, i128)) -> Self {
        // Only a dishonest witness makes a product that is negative or has more than 62 bits.
        let product = join(&factor)
            .saturating_mul(join(&squares))
            .clamp(0, 1 << 62);
        let floor = product.isqrt();
        let root = floor + i128::from(floor * floor < product);
        let half = (magnitude + 1) >> 1;
        if magnitude * reach < root + half {
            return Self {
                squares: [0; 4],
                factor,
                by_interval: true,
                root: 0,
                slack: 0,
            };
        }
        Self {
            squares,
            factor,
            by_interval: false,
            root,
            slack: root * root - product,
        }
    }

    fn part(&self, part: NormPart) -> i128 {
        match part {
            NormPart::Choice => self.by_interval.into(),
            // The highest limb takes what is left.
            NormPart::Root(i) if i >= 2 => self.root >> (2 * LIMB),
            NormPart::Root(i) => digit(self.root, i),
            NormPart::Slack(i) if i >= 3 => self.slack >> (3 * LIMB),
            NormPart::Slack(i) => digit(self.slack, i),
            NormPart::Carry(i) => self.carry(i),
        }
    }

    /// Limb `i` of the slack; there are four.
    fn slack(&self, i: usize) -> i128 {
        if i > 3 {
            0
        } else {
            self.part(NormPart::Slack(i))
        }
    }

    /// Carry out of digit `last` of `r^2 - Q S - slack`.
    fn carry(&self, last: usize) -> i128 {
        let mut carry = 0;
        for i in 0..=last.min(5) {
            for j in 0..=i.min(2) {
                if i - j < 3 {
                    carry += self.part(NormPart::Root(j)) * self.part(NormPart::Root(i - j));
                }
                carry -= self.squares.get(i - j).map_or(0, |s| self.factor[j] * s);
            }
            carry = (carry - self.slack(i)) >> LIMB;
        }
        carry
    }
}

/// Limb `i` of an integer.
fn digit(value: i128, i: usize) -> i128 {
    u32::try_from(i).map_or(0, |i| (value >> (i * LIMB)) & MASK)
}

/// The integer of limbs.
fn join(limbs: &[i128]) -> i128 {
    limbs.iter().rev().fold(0, |sum, limb| (sum << LIMB) + limb)
}
