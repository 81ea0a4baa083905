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

    /// The folded stack from element `start`.
    fn load(&self, start: usize, stack: &mut [PackedEF]) {
        stack.fill(PackedEF::ZERO);
        for (number, factor) in self.bound.iter().enumerate() {
            let elements = self.stored((number << self.variables) + start, stack.len());
            let factor = PackedEF::from(*factor);
            for (cell, element) in stack.iter_mut().zip(elements) {
                *cell += factor * *element;
            }
        }
    }

    /// The folded functional from element `start`.
    fn weigh(&self, start: usize, weights: &mut [PackedEF]) {
        weights.fill(PackedEF::ZERO);
        for (number, factor) in self.bound.iter().enumerate() {
            let start = (number << self.variables) + start;
            self.omega.add(start, *factor, weights);
        }
    }

    fn stored(&self, start: usize, vectors: usize) -> &[PackedF] {
        let first = start / PackedF::WIDTH;
        &self.elements[first..first + vectors]
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
                let start = number * chunk;
                self.weigh(start, low_weights);
                self.weigh(half + start, high_weights);
                for (high, low) in high_weights.iter_mut().zip(low_weights.iter()) {
                    *high -= *low;
                }
                if self.bound.len() == 1 {
                    // Nothing is bound: the stack is still one of base elements.
                    let low = self.stored(start, vectors).iter();
                    let pairs = low.zip(self.stored(half + start, vectors));
                    let weights = low_weights.iter().zip(high_weights.iter());
                    for ((low, high), (low_weight, difference)) in pairs.zip(weights) {
                        zero += *low_weight * *low;
                        highest += *difference * (*high - *low);
                    }
                    return (buffers, [zero, highest]);
                }
                self.load(start, low);
                self.load(half + start, high);
                for (high, low) in high.iter_mut().zip(low.iter()) {
                    *high -= *low;
                }
                zero += PackedEF::dot(low, low_weights);
                highest += PackedEF::dot(high, high_weights);
                (buffers, [zero, highest])
            })
            .reduce(buffers, |(buffers, [a, b]), (_, [c, d])| {
                (buffers, [a + c, b + d])
            });
        (zero.total(), highest.total())
    }

    /// The folded stack and functional.
    fn tables(&self) -> (Vec<PackedEF>, Vec<PackedEF>) {
        let vectors = (1 << self.variables) / PackedF::WIDTH;
        let chunk = Self::chunk(self.variables);
        let mut weights = vec![PackedEF::ZERO; vectors];
        let mut stack = vec![PackedEF::ZERO; vectors];
        stack
            .par_chunks_mut(chunk / PackedF::WIDTH)
            .zip(weights.par_chunks_mut(chunk / PackedF::WIDTH))
            .enumerate()
            .for_each(|(number, (stack, weights))| {
                self.load(number * chunk, stack);
                self.weigh(number * chunk, weights);
            });
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
    let (stack, weights) = if point.is_empty() {
        let weights = stream.omega.table(left);
        (Table::Base(Cow::Borrowed(elements)), weights)
    } else {
        let (stack, weights) = stream.tables();
        (Table::Packed(stack), weights)
    };
    let outcome =
        Sumcheck::product(left, stack, Table::Packed(weights)).prove(claim, transcript)?;
    point.extend(outcome.point);
    let value = outcome.values.first().copied().unwrap_or_default();
    Ok((point, value))
}
