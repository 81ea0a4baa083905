//! Operations on whole rows, the vectors along the last axis.

use super::index::{ravel_broadcast, unravel};
use super::{Site, half, last};

impl Site<'_> {
    fn operand_row(&self, row: usize) -> Vec<i64> {
        let width = last(&self.shape(0));
        (0..width).map(|i| self.at(0, row * width + i)).collect()
    }

    pub(super) fn softmax_numerator(&self, row: usize, shift: u32) -> Result<Vec<i64>, usize> {
        let x = self.operand_row(row);
        let open: Vec<bool> = (0..x.len())
            .map(|i| {
                self.operands.len() == 1 || {
                    let index = unravel(row * x.len() + i, &self.shape(0));
                    self.at(1, ravel_broadcast(&index, &self.shape(1))) == 1
                }
            })
            .collect();
        let greatest = x
            .iter()
            .zip(&open)
            .filter(|&(_, &open)| open)
            .map(|(&x, _)| x)
            .max();
        let greatest = greatest.ok_or(row)?;
        let value = |(&x, &open): (&i64, &bool)| {
            let index = (greatest - x) >> shift;
            if open {
                usize::try_from(index).map_or(0, |index| self.constant(0, index))
            } else {
                0
            }
        };
        Ok(x.iter().zip(&open).map(value).collect())
    }

    pub(super) fn layernorm(
        &self,
        row: usize,
        shift: u32,
        u: u32,
        fx: u32,
        epsilon: i64,
        centered: bool,
    ) -> Vec<i64> {
        let mut c: Vec<i64> = self
            .operand_row(row)
            .into_iter()
            .map(|x| (x + half(shift)) >> shift)
            .collect();
        let d = i64::try_from(c.len()).unwrap_or(i64::MAX);
        if centered {
            let mean = (c.iter().sum::<i64>() + d / 2).div_euclid(d);
            for c in &mut c {
                *c -= mean;
            }
        }
        let v = c.iter().map(|c| c * c).sum::<i64>() + epsilon;
        let r = ((d << (2 * u)) / v).isqrt();
        c.into_iter()
            .map(|c| (c * r + half(u - fx)) >> (u - fx))
            .collect()
    }

    pub(super) fn normalize(&self, row: usize, digits: [u32; 2]) -> Result<Vec<i64>, usize> {
        let e = self.operand_row(row);
        let total: i64 = e.iter().sum();
        if total == 0 {
            return Err(row);
        }
        let quotient = |e: &i64| ((e << (digits[0] + digits[1])) + total / 2).div_euclid(total);
        Ok(e.iter().map(quotient).collect())
    }

    pub(super) fn argmax(&self, row: usize) -> i64 {
        self.order(row).first().map_or(0, |&i| position(i))
    }

    pub(super) fn topk(&self, row: usize, k: usize, values: bool) -> Vec<i64> {
        let x = self.operand_row(row);
        let pick = |i: usize| if values { x[i] } else { position(i) };
        self.order(row).into_iter().take(k).map(pick).collect()
    }

    /// Positions of a row, largest value first, equal values by lowest position.
    fn order(&self, row: usize) -> Vec<usize> {
        let x = self.operand_row(row);
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(x[i]), i));
        order
    }
}

/// Axes have at most `2^24` positions.
fn position(i: usize) -> i64 {
    i64::try_from(i).unwrap_or(i64::MAX)
}
