//! Integer combinations of wires, evaluated over the runs of a nest.

use std::ops::{AddAssign, Mul, SubAssign};

use veridical_program::M;

use super::arithmetic::balanced_wide;

/// Cells that are evaluated at once: the partial sums stay in the first cache.
pub(super) const BLOCK: usize = 1024;

/// A coefficient, its integers, and which operand of the nest they are.
pub(super) type Term<'a> = (i64, &'a [i32], usize);

/// A combination whose operands are at hand.
#[derive(Debug, Clone)]
pub(super) struct Linear<'a> {
    terms: Vec<Term<'a>>,
    constant: i64,
    /// Whether the sum may leave 64 bits.
    is_wide: bool,
}

impl<'a> Linear<'a> {
    /// `sum coeff * integers + constant`.
    pub(super) fn new(terms: Vec<Term<'a>>, constant: i64) -> Self {
        let magnitude = |coeff: i64| i128::from(coeff.unsigned_abs()) * i128::from(M);
        let bound = terms.iter().map(|term| magnitude(term.0)).sum::<i128>();
        Self {
            is_wide: bound + i128::from(constant.unsigned_abs()) > i128::from(i64::MAX),
            terms,
            constant,
        }
    }

    /// The value if no wire takes part.
    pub(super) fn as_constant(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.constant)
    }

    /// Integers congruent to the combination modulo `p`; the combination itself, unless it may leave 64 bits.
    ///
    /// `steps` and `positions` are those of the nest, `skip` counts cells of the run that come before.
    pub(super) fn residues(
        &self,
        steps: &[usize],
        positions: &[usize],
        skip: usize,
        out: &mut [i64],
    ) {
        if self.is_wide {
            self.wide(steps, positions, skip, out, |value| {
                balanced_wide(value).into()
            });
        } else {
            self.accumulate(steps, positions, skip, out);
        }
    }

    /// `floor(combination / 2^shift) & mask`, exact; only its residue modulo `p` if that leaves 64 bits.
    pub(super) fn floors(
        &self,
        (shift, mask): (u32, i64),
        steps: &[usize],
        positions: &[usize],
        skip: usize,
        out: &mut [i64],
    ) {
        if self.is_wide {
            self.wide(steps, positions, skip, out, |value| {
                let floor = value >> shift & i128::from(mask);
                i64::try_from(floor).unwrap_or_else(|_| balanced_wide(floor).into())
            });
        } else {
            self.accumulate(steps, positions, skip, out);
            for value in out {
                *value = *value >> shift & mask;
            }
        }
    }

    fn wide(
        &self,
        steps: &[usize],
        positions: &[usize],
        skip: usize,
        out: &mut [i64],
        narrow: impl Fn(i128) -> i64,
    ) {
        let mut sums = vec![0_i128; out.len()];
        self.accumulate(steps, positions, skip, &mut sums);
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = narrow(sum);
        }
    }

    fn accumulate<S>(&self, steps: &[usize], positions: &[usize], skip: usize, sums: &mut [S])
    where
        S: Copy + From<i32> + From<i64> + AddAssign + SubAssign + Mul<Output = S>,
    {
        sums.fill(self.constant.into());
        for &(coeff, integers, operand) in &self.terms {
            let step = steps[operand];
            let start = positions[operand] + skip * step;
            let factor = S::from(coeff);
            if step == 0 {
                let value = factor * integers[start].into();
                for sum in &mut *sums {
                    *sum += value;
                }
            } else if step > 1 {
                let integers = integers[start..].iter().step_by(step);
                for (sum, &value) in sums.iter_mut().zip(integers) {
                    *sum += factor * value.into();
                }
            } else {
                let sums = sums.iter_mut().zip(&integers[start..]);
                // Most coefficients are units, and a product of 64 bits is no single instruction.
                match coeff {
                    1 => sums.for_each(|(sum, &value)| *sum += value.into()),
                    -1 => sums.for_each(|(sum, &value)| *sum -= value.into()),
                    _ => sums.for_each(|(sum, &value)| *sum += factor * value.into()),
                }
            }
        }
    }
}
