//! The reciprocal root of a normalised row.
//!
//! Spec: spec/v1/zk.md, section 4.13.

use veridical_argument::plan::{WideLimb, WidePart};

use super::arithmetic::balanced_wide;
use super::nest::{Nest, fill_costly};
use super::{Values, ValuesError};

/// Bits of a limb.
const LIMB: u32 = 14;
/// Limbs of the products.
const LIMBS: usize = 4;
/// What a row costs in ordinary cells.
const COST: usize = 16;

impl Values<'_> {
    pub(super) fn wide(&self, id: usize, limb: &WideLimb) -> Result<Vec<i32>, ValuesError> {
        let mut shapes: [&[usize]; LIMBS] = [&[]; LIMBS];
        let mut variance: [&[i32]; LIMBS] = [&[]; LIMBS];
        for (i, &wire) in limb.variance.iter().enumerate() {
            (shapes[i], variance[i]) = self.operand(id, wire)?;
        }
        let nest: Nest = self.space(id, &shapes)?;
        Ok(fill_costly(self.len(id), COST, |cells, out: &mut [i32]| {
            nest.runs(cells, |start, len, positions| {
                for (cell, out) in out[start..start + len].iter_mut().enumerate() {
                    let at = |i: usize| variance[i][positions[i] + cell * nest.inner()[i]];
                    let row = Row::new(
                        std::array::from_fn(|i| at(i).into()),
                        limb.target.map(i128::from),
                    );
                    *out = balanced_wide(row.part(limb.part));
                }
            });
        }))
    }
}

/// All quantities of one row; limbs low first.
struct Row {
    variance: [i128; LIMBS],
    target: [i128; LIMBS],
    root: [i128; 2],
    /// `t = r V`.
    product: [i128; LIMBS],
    /// `D - r t`.
    slack: [i128; LIMBS],
    /// `2 t + V - 1 - (D - r t)`.
    gap: [i128; LIMBS],
}

impl Row {
    fn new(variance: [i128; LIMBS], target: [i128; LIMBS]) -> Self {
        let (v, d) = (join(variance), join(target));
        // Only a dishonest witness is not positive; then the root is 0.
        let ratio = d.checked_div(v).filter(|_| v > 0 && d > 0).unwrap_or(0);
        let r = u64::try_from(ratio).map_or(0, |ratio| i128::from(ratio.isqrt()));
        let t = r * v;
        let slack = d - r * t;
        Self {
            variance,
            target,
            root: [r & MASK, r >> LIMB],
            product: split(t),
            slack: split(slack),
            gap: split(2 * t + v - 1 - slack),
        }
    }

    fn part(&self, part: WidePart) -> i128 {
        let limb = |limbs: &[i128], i: usize| limbs.get(i).copied().unwrap_or(0);
        match part {
            WidePart::Root(i) => limb(&self.root, i),
            WidePart::Product(i) => limb(&self.product, i),
            WidePart::Slack(i) => limb(&self.slack, i),
            WidePart::Gap(i) => limb(&self.gap, i),
            WidePart::ProductCarry(i) => self.carry(i, &self.variance, &[0; LIMBS], &self.product),
            WidePart::TargetCarry(i) => self.carry(i, &self.product, &self.slack, &self.target),
            WidePart::GapCarry => {
                let low = |limbs: &[i128; LIMBS]| limbs[0] + (limbs[1] << LIMB);
                let sum = low(&self.slack) + low(&self.gap) + 1
                    - 2 * low(&self.product)
                    - low(&self.variance);
                sum >> (2 * LIMB)
            }
        }
    }

    /// Carry out of column `i` of `r * factor + addend = result`.
    fn carry(
        &self,
        i: usize,
        factor: &[i128; LIMBS],
        addend: &[i128; LIMBS],
        result: &[i128; LIMBS],
    ) -> i128 {
        let mut carry = 0;
        for column in 0..=i.min(LIMBS - 1) {
            let low = self.root[0] * factor[column];
            let high = column
                .checked_sub(1)
                .map_or(0, |below| self.root[1] * factor[below]);
            carry = (low + high + addend[column] + carry - result[column]) >> LIMB;
        }
        carry
    }
}

const MASK: i128 = (1 << LIMB) - 1;

/// The integer of limbs.
fn join(limbs: [i128; LIMBS]) -> i128 {
    limbs.iter().rev().fold(0, |sum, limb| (sum << LIMB) + limb)
}

/// Limbs of an integer; the highest takes what is left.
fn split(value: i128) -> [i128; LIMBS] {
    [
        value & MASK,
        (value >> LIMB) & MASK,
        (value >> (2 * LIMB)) & MASK,
        value >> (3 * LIMB),
    ]
}
