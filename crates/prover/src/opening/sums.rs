//! The sumcheck of a stack with the functional of its claims.
//!
//! Spec: spec/v1/zk.md, section 9.3. As long as tables of extension elements would be large, a round recomputes what it
//! needs from the stack, chunk by chunk; only then are folded stack and functional kept.

use std::borrow::Cow;

use p3_field::{PackedValue, PrimeCharacteristicRing};
use rayon::prelude::*;
use veridical_argument::field::{EF, F};
use veridical_argument::stack::CellTerm;
use veridical_argument::transcript::ProverTranscript;

use super::omega::Omega;
use crate::sumcheck::{
    Lanes, PackedEF, PackedF, Sumcheck, SumcheckError, Table, equality_table, product_round,
};

/// Binary logarithm of the elements of a chunk.
const CHUNK_VARIABLES: usize = 10;

/// Variables of the largest tables of extension elements that are kept: two of 160 MiB.
const KEPT_VARIABLES: usize = 23;

/// A stack, the functional of its claims, and the variables that are bound already.
struct Stream<'a> {
    elements: &'a [PackedF],
    omega: Omega,
    /// `eq(challenges, .)` over the bound variables.
    bound: Vec<EF>,
    /// Variables that are left.
    variables: usize,
}

impl Stream<'_> {
    /// Elements of a chunk, at most `2^variables`.
    fn chunk(variables: usize) -> usize {
        1 << variables
            .min(CHUNK_VARIABLES)
            .max(PackedF::WIDTH.ilog2() as usize)
    }

    /// The folded stack and functional from element `start`.
    fn load(&self, start: usize, stack: &mut [PackedEF], weights: &mut [PackedEF]) {
        stack.fill(PackedEF::ZERO);
        weights.fill(PackedEF::ZERO);
        for (number, factor) in self.bound.iter().enumerate() {
            let start = (number << self.variables) + start;
            let first = start / PackedF::WIDTH;
            let elements = &self.elements[first..first + stack.len()];
            if self.bound.len() == 1 {
                for (cell, element) in stack.iter_mut().zip(elements) {
                    *cell = PackedEF::from(*element);
                }
            } else {
                let factor = PackedEF::from(*factor);
                for (cell, element) in stack.iter_mut().zip(elements) {
                    *cell += factor * *element;
                }
            }
            self.omega.add(start, *factor, weights);
        }
    }

    /// The sums of the next round: at 0, and of the differences.
    fn sample(&self) -> (EF, EF) {
        let half = 1 << (self.variables - 1);
        let chunk = Self::chunk(self.variables - 1);
        let vectors = chunk / PackedF::WIDTH;
        let buffers = || {
            let buffers: [Vec<PackedEF>; 4] =
                std::array::from_fn(|_| vec![PackedEF::ZERO; vectors]);
            (buffers, [PackedEF::ZERO; 2])
        };
        let (_, [zero, highest]) = (0..half / chunk)
            .into_par_iter()
            .fold(buffers, |(mut buffers, [mut zero, mut highest]), number| {
                let [low, low_weights, high, high_weights] = &mut buffers;
                self.load(number * chunk, low, low_weights);
                self.load(half + number * chunk, high, high_weights);
                zero += PackedEF::dot(low, low_weights);
                for (high, low) in high.iter_mut().zip(low) {
                    *high -= *low;
                }
                for (high, low) in high_weights.iter_mut().zip(low_weights) {
                    *high -= *low;
                }
                highest += PackedEF::dot(high, high_weights);
                (buffers, [zero, highest])
            })
            .reduce(buffers, |(buffers, [a, b]), (_, [c, d])| {
                (buffers, [a + c, b + d])
            });
        (zero.total(), highest.total())
    }

    /// The folded stack, unless nothing is bound, and functional.
    fn tables(&self) -> (Vec<PackedEF>, Vec<PackedEF>) {
        let vectors = (1 << self.variables) / PackedF::WIDTH;
        let chunk = Self::chunk(self.variables);
        let per_chunk = chunk / PackedF::WIDTH;
        let mut weights = vec![PackedEF::ZERO; vectors];
        if self.bound.len() == 1 {
            let chunks = weights.par_chunks_mut(per_chunk).enumerate();
            chunks.for_each(|(number, weights)| self.omega.add(number * chunk, EF::ONE, weights));
            return (Vec::new(), weights);
        }
        let mut stack = vec![PackedEF::ZERO; vectors];
        stack
            .par_chunks_mut(per_chunk)
            .zip(weights.par_chunks_mut(per_chunk))
            .enumerate()
            .for_each(|(number, (stack, weights))| self.load(number * chunk, stack, weights));
        (stack, weights)
    }
}

/// Proves that the stack times the sum of the terms is `claim`: the final point, and the stack there.
pub(super) fn prove(
    elements: &[F],
    terms: Vec<CellTerm>,
    claim: EF,
    transcript: &mut ProverTranscript,
) -> Result<(Vec<EF>, EF), SumcheckError> {
    prove_with(elements, terms, claim, transcript, KEPT_VARIABLES)
}

/// As [`prove`]; tables of more than `2^kept` elements are not kept.
pub(super) fn prove_with(
    elements: &[F],
    terms: Vec<CellTerm>,
    claim: EF,
    transcript: &mut ProverTranscript,
    kept: usize,
) -> Result<(Vec<EF>, EF), SumcheckError> {
    let variables = elements.len().ilog2() as usize;
    let padded: Vec<F>;
    let mut stored = elements;
    if elements.len() < PackedF::WIDTH {
        let mut cells = elements.to_vec();
        cells.resize(PackedF::WIDTH, F::ZERO);
        padded = cells;
        stored = &padded;
    }
    let mut stream = Stream {
        elements: PackedF::pack_slice(stored),
        omega: Omega::new(terms),
        bound: vec![EF::ONE],
        variables,
    };
    let mut point = Vec::new();
    let mut claim = claim;
    let least = PackedF::WIDTH.ilog2() as usize;
    while stream.variables > kept && stream.variables > least {
        let (zero, highest) = stream.sample();
        let (challenge, next) = product_round(claim, zero, highest, transcript);
        claim = next;
        point.push(challenge);
        stream.bound = equality_table(&point, EF::ONE);
        stream.variables -= 1;
    }
    let left = stream.variables;
    let (stack, weights) = if left < least {
        // A stack of less than a vector: one chunk.
        let mut weights = vec![PackedEF::ZERO];
        stream.omega.add(0, EF::ONE, &mut weights);
        (Vec::new(), weights)
    } else {
        stream.tables()
    };
    let stack = if stack.is_empty() {
        Table::Base(Cow::Borrowed(elements))
    } else {
        Table::Packed(stack)
    };
    let outcome =
        Sumcheck::product(left, stack, Table::Packed(weights)).prove(claim, transcript)?;
    point.extend(outcome.point);
    let value = outcome.values.first().copied().unwrap_or_default();
    Ok((point, value))
}
