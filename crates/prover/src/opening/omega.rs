//! The functional of the claims on a stack, part by part.
//!
//! Spec: spec/v1/zk.md, section 9.2. `omega` is never held whole if the stack is large: a part of it costs one product
//! per element and claim wherever it is needed.

use p3_field::{PackedFieldExtension, PackedValue, PrimeCharacteristicRing};
use rayon::prelude::*;
use veridical_argument::field::EF;
use veridical_argument::stack::CellTerm;

use crate::sumcheck::{Lanes, PackedEF, PackedF, equality_table, packed_equality_table};

/// Variables of the low table of a term.
const LOW_VARIABLES: usize = 9;

/// Vectors of a chunk of a table.
const CHUNK: usize = 64;

/// `coefficient * eq(point, .)` on the cell at an address.
#[derive(Debug)]
struct Weights {
    /// First element of the cell.
    start: usize,
    /// Element behind the cell.
    end: usize,
    low_variables: usize,
    /// Factors of the blocks of `2^low_variables` elements, with the coefficient.
    high: Vec<EF>,
    /// Factors within a block; a cell of less than a vector has one with lanes of 0.
    low: Vec<PackedEF>,
}

impl Weights {
    fn new(term: &CellTerm) -> Self {
        let split = term.point.len().saturating_sub(LOW_VARIABLES);
        let (high, low) = term.point.split_at(split);
        Self {
            start: term.address,
            end: term.address + (1 << term.point.len()),
            low_variables: low.len(),
            high: equality_table(high, term.coefficient),
            low: packed_equality_table(low, EF::ONE),
        }
    }

    /// Adds `scale` times the weights of the elements from `start` to `to`.
    ///
    /// The cell lies in these elements, or they in it: all are aligned.
    fn add(&self, start: usize, scale: EF, to: &mut [PackedEF]) {
        let width = PackedF::WIDTH;
        let length = to.len() * width;
        let first = self.start.max(start);
        let end = self.end.min(start + length);
        if self.end - self.start < width {
            let factor = scale * self.high[0];
            let low: &PackedEF = &self.low[0];
            for lane in 0..self.end - self.start {
                let at = self.start - start + lane;
                let weight = factor * low_lane(low, lane);
                <PackedEF as PackedFieldExtension<_, EF>>::add_assign_lane(
                    &mut to[at / width],
                    at % width,
                    weight,
                );
            }
            return;
        }
        let mut at = first;
        while at < end {
            let within = at - self.start;
            let block = within >> self.low_variables;
            let offset = within - (block << self.low_variables);
            let count = ((1 << self.low_variables) - offset).min(end - at);
            let factor = PackedEF::factor(scale * self.high[block]);
            let low = &self.low[offset / width..(offset + count) / width];
            let to = &mut to[(at - start) / width..];
            for (to, low) in to.iter_mut().zip(low) {
                *to += low.times(&factor);
            }
            at += count;
        }
    }
}

fn low_lane(vector: &PackedEF, lane: usize) -> EF {
    <PackedEF as PackedFieldExtension<_, EF>>::extract(vector, lane)
}

/// The sum of all terms.
#[derive(Debug)]
pub(crate) struct Omega {
    /// In order of address; the terms of one cell stand together.
    terms: Vec<Weights>,
}

impl Omega {
    pub(crate) fn new(mut terms: Vec<CellTerm>) -> Self {
        terms.sort_by_key(|term| term.address);
        Self {
            terms: terms.iter().map(Weights::new).collect(),
        }
    }

    /// Adds `scale` times the weights of the elements from `start`, an aligned power of two of them, to `to`.
    pub(super) fn add(&self, start: usize, scale: EF, to: &mut [PackedEF]) {
        let end = start + to.len() * PackedF::WIDTH;
        // Cells do not overlap, so both their starts and their ends ascend.
        let first = self.terms.partition_point(|term| term.end <= start);
        for term in self.terms[first..]
            .iter()
            .take_while(|term| term.start < end)
        {
            term.add(start, scale, to);
        }
    }

    /// The weights of all `2^variables` elements.
    pub(crate) fn table(&self, variables: usize) -> Vec<PackedEF> {
        let mut weights = vec![PackedEF::ZERO; (1_usize << variables).div_ceil(PackedF::WIDTH)];
        if weights.len() <= CHUNK {
            self.add(0, EF::ONE, &mut weights);
        } else {
            let chunks = weights.par_chunks_mut(CHUNK).enumerate();
            chunks.for_each(|(number, weights)| {
                self.add(number * CHUNK * PackedF::WIDTH, EF::ONE, weights);
            });
        }
        weights
    }
}
