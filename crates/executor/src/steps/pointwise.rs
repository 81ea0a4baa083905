//! Sums, products and maps element by element, with broadcast.

use super::broadcast::Runs;
use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::kernels::Kernels;
use crate::kernels::epilogue::{Cells, CellsMut, Map};

/// Elements that are worked on together, so that the sums stay in the first-level cache.
const BLOCK: usize = 2048;

/// One summand of a [`Sum`].
#[derive(Debug)]
pub(crate) struct Term {
    /// Operand of the step.
    pub(crate) operand: usize,
    /// Elements of an item of the operand.
    pub(crate) item: usize,
    pub(crate) factor: Factor,
}

/// What multiplies an operand.
#[derive(Debug)]
pub(crate) enum Factor {
    /// One number.
    Scalar(i32),
    /// A constant, at the place of its own among the runs.
    Gain(Vec<i32>),
}

/// `map(bias + sum factor_i x_i)`: `add` and `affine`, alone or together.
///
/// Runs list the places of all terms first, then those of the gains in order, then that of the bias.
#[derive(Debug)]
pub(crate) struct Sum {
    pub(crate) runs: Runs,
    pub(crate) terms: Vec<Term>,
    pub(crate) bias: Option<Vec<i32>>,
    pub(crate) map: Map,
}

impl Step for Sum {
    fn units(&self, batch: usize) -> Units {
        let work = 4 * self.runs.len * (1 + self.terms.len());
        Units {
            count: batch * self.runs.count,
            len: self.runs.len,
            work,
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        units: Range<usize>,
        scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        scratch.sums.reserve(BLOCK);
        for (place, i) in units.enumerate() {
            let (item, r) = (i / self.runs.count, i % self.runs.count);
            for from in (0..self.runs.len).step_by(BLOCK) {
                let len = BLOCK.min(self.runs.len - from);
                let sums = &mut scratch.sums[..len];
                self.start(sums, r, from);
                let mut gain = self.terms.len();
                for (t, term) in self.terms.iter().enumerate() {
                    let lane = &self.runs.operands[t];
                    let x = operands.get(term.operand);
                    let start = item * term.item + lane.start(r);
                    let x = if lane.constant {
                        x.part(start..start + 1)
                    } else {
                        x.part(start + from..start + from + len)
                    };
                    match &term.factor {
                        Factor::Scalar(factor) => {
                            add_scaled(run.kernels, sums, *factor, x, lane.constant);
                        }
                        Factor::Gain(gains) => {
                            let place = &self.runs.operands[gain];
                            gain += 1;
                            let at = place.start(r);
                            if place.constant {
                                add_scaled(run.kernels, sums, gains[at], x, lane.constant);
                            } else {
                                let gains = &gains[at + from..][..len];
                                if lane.constant {
                                    run.kernels.add_scaled(sums, x.at(0), Cells::Wide(gains));
                                } else {
                                    run.kernels.add_product(sums, gains, x);
                                }
                            }
                        }
                    }
                }
                let at = place * self.runs.len + from;
                run.kernels
                    .map(&self.map, Cells::Wide(sums), &mut result.part(at..at + len));
            }
        }
        Ok(())
    }
}

impl Sum {
    /// Fills a block with the bias.
    fn start(&self, sums: &mut [i32], r: usize, from: usize) {
        match (&self.bias, self.runs.operands.last()) {
            (Some(bias), Some(place)) if place.constant => sums.fill(bias[place.start(r)]),
            (Some(bias), Some(place)) => {
                sums.copy_from_slice(&bias[place.start(r) + from..][..sums.len()]);
            }
            _ => sums.fill(0),
        }
    }
}

fn add_scaled(kernels: Kernels, sums: &mut [i32], factor: i32, x: Cells<'_>, constant: bool) {
    if constant {
        let summand = factor.wrapping_mul(x.at(0));
        for sum in sums {
            *sum = sum.wrapping_add(summand);
        }
    } else {
        kernels.add_scaled(sums, factor, x);
    }
}

/// `map(a b)`.
#[derive(Debug)]
pub(crate) struct Multiply {
    pub(crate) runs: Runs,
    /// Elements of an item of the operands.
    pub(crate) items: [usize; 2],
    pub(crate) map: Map,
}

impl Step for Multiply {
    fn units(&self, batch: usize) -> Units {
        let work = 8 * self.runs.len;
        Units {
            count: batch * self.runs.count,
            len: self.runs.len,
            work,
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        units: Range<usize>,
        scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        scratch.sums.reserve(BLOCK);
        for (place, i) in units.enumerate() {
            let (item, r) = (i / self.runs.count, i % self.runs.count);
            for from in (0..self.runs.len).step_by(BLOCK) {
                let len = BLOCK.min(self.runs.len - from);
                let values = &mut scratch.sums[..len];
                values.fill(1);
                for (operand, lane) in self.runs.operands.iter().enumerate() {
                    let x = operands.get(operand);
                    let start = item * self.items[operand] + lane.start(r);
                    if lane.constant {
                        let x = x.at(start);
                        for y in &mut *values {
                            *y = y.wrapping_mul(x);
                        }
                    } else {
                        run.kernels
                            .multiply(values, x.part(start + from..start + from + len));
                    }
                }
                let at = place * self.runs.len + from;
                run.kernels.map(
                    &self.map,
                    Cells::Wide(values),
                    &mut result.part(at..at + len),
                );
            }
        }
        Ok(())
    }
}

/// A map of every element.
#[derive(Debug)]
pub(crate) struct MapStep {
    pub(crate) map: Map,
    /// Elements of an item.
    pub(crate) len: usize,
}

impl Step for MapStep {
    fn units(&self, batch: usize) -> Units {
        Units {
            count: (batch * self.len).div_ceil(BLOCK),
            len: BLOCK,
            work: 8 * BLOCK,
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        units: Range<usize>,
        _scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        let start = units.start * BLOCK;
        let source = operands.get(0).part(start..start + result.len());
        run.kernels.map(&self.map, source, &mut result);
        Ok(())
    }
}
