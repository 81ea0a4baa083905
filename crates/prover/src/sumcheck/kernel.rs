//! The summand on blocks of cells.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::{EF, F};

use super::lanes::Lanes;
use super::samples::Sample;
use super::{Group, MAX_FACTORS};

/// Vectors of a block: scratch of a block of extension elements stays in the first-level cache.
pub(super) const BLOCK: usize = 8;

/// A group of terms without its weight.
#[derive(Debug, Clone)]
struct Compiled {
    terms: Vec<CompiledTerm>,
}

#[derive(Debug, Clone)]
struct CompiledTerm {
    /// `None` stands for 1.
    coeff: Option<F>,
    factors: [usize; MAX_FACTORS],
    count: usize,
}

/// The summand, and where it is sampled.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    groups: Vec<Compiled>,
    weights: Vec<EF>,
    /// Largest number of factors over all parts.
    factors: usize,
    samples: Vec<Sample>,
}

impl Kernel {
    pub(super) fn new(groups: &[Group], factors: usize) -> Self {
        let compiled = groups.iter().map(|group| Compiled {
            terms: group.terms.iter().map(CompiledTerm::new).collect(),
        });
        Self {
            groups: compiled.collect(),
            weights: groups.iter().map(|group| group.weight).collect(),
            factors,
            samples: Vec::new(),
        }
    }

    pub(super) fn sample_at(&mut self, samples: &[Sample]) {
        self.samples = samples.to_vec();
    }

    /// Number of accumulators.
    pub(super) fn sums(&self) -> usize {
        self.groups.len() * self.samples.len()
    }

    /// The samples from the accumulators.
    pub(super) fn finish<V: Lanes>(&self, sums: &[V]) -> Vec<EF> {
        let mut values = vec![EF::ZERO; self.samples.len()];
        for (sums, weight) in sums.chunks(self.samples.len()).zip(&self.weights) {
            for (value, sum) in values.iter_mut().zip(sums) {
                *value += *weight * sum.total();
            }
        }
        values
    }

    /// Adds a block to the accumulators: `count` vectors of every table at 0, and of their differences.
    pub(super) fn add<V: Lanes>(
        &self,
        low: &[[V; BLOCK]],
        difference: &[[V; BLOCK]],
        at: &mut [[V; BLOCK]],
        count: usize,
        weights: Option<&[V]>,
        sums: &mut [V],
    ) {
        for (position, sample) in self.samples.iter().enumerate() {
            if matches!(sample, Sample::One | Sample::Two) {
                for ((at, low), difference) in at.iter_mut().zip(low).zip(difference) {
                    for ((at, low), difference) in
                        at.iter_mut().zip(low).zip(difference).take(count)
                    {
                        *at = *low + *difference;
                        if *sample == Sample::Two {
                            *at += *difference;
                        }
                    }
                }
            }
            let tables: &[[V; BLOCK]] = match sample {
                Sample::Zero => low,
                Sample::Highest => difference,
                Sample::One | Sample::Two => at,
            };
            let least = match sample {
                Sample::Highest => self.factors,
                _ => 1,
            };
            for (group, sums) in self.groups.iter().zip(sums.chunks_mut(self.samples.len())) {
                if let Some(sum) = group.sum(tables, count, weights, least) {
                    sums[position] += sum;
                }
            }
        }
    }
}

impl CompiledTerm {
    fn new(term: &super::Term) -> Self {
        let mut factors = [0; MAX_FACTORS];
        for (slot, factor) in factors.iter_mut().zip(&term.factors) {
            *slot = *factor;
        }
        Self {
            coeff: (term.coeff != F::ONE).then_some(term.coeff),
            factors,
            count: term.factors.len(),
        }
    }

    /// The term at vector `at` of the block.
    #[inline(always)]
    fn value<V: Lanes>(&self, tables: &[[V; BLOCK]], at: usize) -> V {
        let [a, b, c] = self.factors;
        let product = match self.count {
            1 => tables[a][at],
            2 => tables[a][at] * tables[b][at],
            _ => tables[a][at] * tables[b][at] * tables[c][at],
        };
        match self.coeff {
            None => product,
            Some(coeff) => product.scale(coeff),
        }
    }
}

impl Compiled {
    /// `sum over the block of weight * sum of terms of at least `least` factors`.
    fn sum<V: Lanes>(
        &self,
        tables: &[[V; BLOCK]],
        count: usize,
        weights: Option<&[V]>,
        least: usize,
    ) -> Option<V> {
        let mut terms = self.terms.iter().filter(|term| term.count >= least);
        let first = terms.next()?;
        let mut values = [V::ZERO; BLOCK];
        if weights.is_none() && self.terms.len() == 1 && first.count == 2 && first.coeff.is_none() {
            let [a, b, _] = first.factors;
            return Some(V::dot(&tables[a][..count], &tables[b][..count]));
        }
        for (at, value) in values.iter_mut().enumerate().take(count) {
            *value = first.value(tables, at);
        }
        for term in terms {
            for (at, value) in values.iter_mut().enumerate().take(count) {
                *value += term.value(tables, at);
            }
        }
        Some(match weights {
            Some(weights) => V::dot(&weights[..count], &values[..count]),
            None => values[..count]
                .iter()
                .fold(V::ZERO, |sum, value| sum + *value),
        })
    }
}
