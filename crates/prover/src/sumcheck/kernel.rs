//! The summand on blocks of cells.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::{EF, F};

use super::lanes::Lanes;
use super::samples::Sample;
use super::{Group, MAX_FACTORS, PackedEF, PackedF};

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

    /// Fresh accumulators.
    pub(super) fn zeros(&self) -> Vec<PackedEF> {
        vec![PackedEF::ZERO; self.sums()]
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
    #[inline]
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

/// Buffers of the first round, in which a table is one of base or of extension elements.
pub(super) struct Mixed {
    is_base: Vec<bool>,
    base: [Vec<[PackedF; BLOCK]>; 3],
    extension: [Vec<[PackedEF; BLOCK]>; 3],
    sums: Vec<PackedEF>,
}

/// Which buffers of [`Mixed`].
const LOW: usize = 0;
const DIFFERENCE: usize = 1;
const AT: usize = 2;

impl Mixed {
    pub(super) fn new(tables: usize, sums: usize) -> Self {
        Self {
            is_base: vec![false; tables],
            base: std::array::from_fn(|_| vec![[PackedF::ZERO; BLOCK]; tables]),
            extension: std::array::from_fn(|_| vec![[PackedEF::ZERO; BLOCK]; tables]),
            sums: vec![PackedEF::ZERO; sums],
        }
    }

    /// Loads a block of a table of base elements.
    pub(super) fn base(&mut self, table: usize, low: &[PackedF], high: &[PackedF]) {
        self.is_base[table] = true;
        let [lows, differences, _] = &mut self.base;
        load(
            &mut lows[table],
            &mut differences[table],
            low,
            high,
            PackedF::ZERO,
        );
    }

    /// Loads a block of a table of extension elements.
    pub(super) fn extension(&mut self, table: usize, low: &[PackedEF], high: &[PackedEF]) {
        self.is_base[table] = false;
        let [lows, differences, _] = &mut self.extension;
        load(
            &mut lows[table],
            &mut differences[table],
            low,
            high,
            PackedEF::ZERO,
        );
    }

    /// Moves the sums of a segment, times its factor, to the accumulators.
    pub(super) fn flush(&mut self, factor: Option<PackedEF>, to: &mut [PackedEF]) {
        for (sum, segment) in to.iter_mut().zip(&mut self.sums) {
            *sum += factor.map_or(*segment, |factor| *segment * factor);
            *segment = PackedEF::ZERO;
        }
    }

    /// Evaluates every table at 1 or 2.
    fn step(&mut self, steps: usize, count: usize) {
        for table in 0..self.is_base.len() {
            if self.is_base[table] {
                let [low, difference, at] = &mut self.base;
                step(
                    &low[table],
                    &difference[table],
                    &mut at[table],
                    steps,
                    count,
                );
            } else {
                let [low, difference, at] = &mut self.extension;
                step(
                    &low[table],
                    &difference[table],
                    &mut at[table],
                    steps,
                    count,
                );
            }
        }
    }
}

fn load<V: Copy + std::ops::Sub<Output = V>>(
    lows: &mut [V; BLOCK],
    differences: &mut [V; BLOCK],
    low: &[V],
    high: &[V],
    zero: V,
) {
    lows[..low.len()].copy_from_slice(low);
    lows[low.len()..].fill(zero);
    differences[..high.len()].copy_from_slice(high);
    differences[high.len()..].fill(zero);
    for (difference, low) in differences.iter_mut().zip(lows) {
        *difference = *difference - *low;
    }
}

fn step<V: Copy + std::ops::Add<Output = V>>(
    low: &[V; BLOCK],
    difference: &[V; BLOCK],
    at: &mut [V; BLOCK],
    steps: usize,
    count: usize,
) {
    for ((at, low), difference) in at.iter_mut().zip(low).zip(difference).take(count) {
        *at = *low + *difference;
        if steps == 2 {
            *at = *at + *difference;
        }
    }
}

impl Kernel {
    /// As [`Kernel::add`], for the tables of the first round.
    pub(super) fn add_mixed(&self, tables: &mut Mixed, count: usize, weights: Option<&[PackedEF]>) {
        for (position, sample) in self.samples.iter().enumerate() {
            let (which, least) = match sample {
                Sample::Zero => (LOW, 1),
                Sample::Highest => (DIFFERENCE, self.factors),
                Sample::One | Sample::Two => (AT, 1),
            };
            match sample {
                Sample::One => tables.step(1, count),
                Sample::Two => tables.step(2, count),
                Sample::Zero | Sample::Highest => {}
            }
            for (number, group) in self.groups.iter().enumerate() {
                let sum = group.sum_mixed(tables, which, count, weights, least);
                tables.sums[number * self.samples.len() + position] += sum;
            }
        }
    }
}

impl Compiled {
    fn sum_mixed(
        &self,
        tables: &Mixed,
        which: usize,
        count: usize,
        weights: Option<&[PackedEF]>,
        least: usize,
    ) -> PackedEF {
        let mut base = [PackedF::ZERO; BLOCK];
        let mut extension = [PackedEF::ZERO; BLOCK];
        let (mut has_base, mut has_extension) = (false, false);
        if let (None, [term]) = (weights, self.terms.as_slice())
            && let (None, [a, b]) = (term.coeff, &term.factors[..term.count])
            && term.count >= least
            && !tables.is_base[*b]
        {
            let b = &tables.extension[which][*b][..count];
            if tables.is_base[*a] {
                let a = &tables.base[which][*a][..count];
                let products = a.iter().zip(b).map(|(a, b)| *b * *a);
                return products.fold(PackedEF::ZERO, |sum, product| sum + product);
            }
            return PackedEF::dot(&tables.extension[which][*a][..count], b);
        }
        for term in self.terms.iter().filter(|term| term.count >= least) {
            let factors = &term.factors[..term.count];
            let mut of_base = factors.iter().filter(|table| tables.is_base[**table]);
            let mut product = [PackedF::ONE; BLOCK];
            let mut scales = true;
            match (of_base.next(), term.coeff) {
                (Some(first), None) => {
                    product[..count].copy_from_slice(&tables.base[which][*first][..count]);
                }
                (Some(first), Some(coeff)) => {
                    let coeff = PackedF::from(coeff);
                    for (product, cell) in product
                        .iter_mut()
                        .zip(&tables.base[which][*first])
                        .take(count)
                    {
                        *product = *cell * coeff;
                    }
                }
                (None, Some(coeff)) => product.fill(PackedF::from(coeff)),
                (None, None) => scales = false,
            }
            for table in of_base {
                for (product, cell) in product
                    .iter_mut()
                    .zip(&tables.base[which][*table])
                    .take(count)
                {
                    *product *= *cell;
                }
            }
            let mut of_extension = factors.iter().filter(|table| !tables.is_base[**table]);
            let Some(first) = of_extension.next() else {
                has_base = true;
                for (sum, product) in base.iter_mut().zip(&product).take(count) {
                    *sum += *product;
                }
                continue;
            };
            has_extension = true;
            let mut value = tables.extension[which][*first];
            for table in of_extension {
                for (value, cell) in value
                    .iter_mut()
                    .zip(&tables.extension[which][*table])
                    .take(count)
                {
                    *value *= *cell;
                }
            }
            for ((sum, value), product) in
                extension.iter_mut().zip(&value).zip(&product).take(count)
            {
                *sum += if scales { *value * *product } else { *value };
            }
        }
        let mut sum = PackedEF::ZERO;
        if has_extension {
            sum += match weights {
                Some(weights) => PackedEF::dot(&weights[..count], &extension[..count]),
                None => extension[..count]
                    .iter()
                    .fold(sum, |sum, value| sum + *value),
            };
        }
        if has_base {
            if let Some(weights) = weights {
                for (weight, value) in weights.iter().zip(&base).take(count) {
                    sum += *weight * *value;
                }
            } else {
                let base = base[..count].iter().copied();
                let base = base.fold(PackedF::ZERO, |sum, value| sum + value);
                sum += PackedEF::from(base);
            }
        }
        sum
    }
}
