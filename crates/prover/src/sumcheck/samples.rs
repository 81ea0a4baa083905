//! From the sums that a pass computes to the message of a round.
//!
//! Spec: spec/v1/zk.md, section 5, "Sumcheck rounds".

use p3_field::{Field, PrimeCharacteristicRing};
use veridical_argument::field::EF;

/// Where the inner polynomial of a round is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    /// At 0.
    Zero,
    /// At 1: only if the claim does not tell it.
    One,
    /// At 2: for three factors.
    Two,
    /// The highest coefficient: a table contributes its difference.
    Highest,
}

/// The outer factor `scale * eq(tau, X)` of a round, a line; the constant 1 without an outer point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub at_zero: EF,
    pub at_one: EF,
}

impl Line {
    pub(super) const UNIT: Self = Self {
        at_zero: EF::ONE,
        at_one: EF::ONE,
    };

    pub(super) fn new(scale: EF, tau: EF) -> Self {
        let at_one = scale * tau;
        Self {
            at_zero: scale - at_one,
            at_one,
        }
    }

    pub(super) fn at(&self, x: EF) -> EF {
        self.at_zero + x * (self.at_one - self.at_zero)
    }
}

/// Samples from which a round of this many factors is known, the claim given.
pub(super) fn wanted(factors: usize, line: &Line) -> Vec<Sample> {
    let mut samples = vec![Sample::Zero];
    if line.at_one == EF::ZERO {
        samples.push(Sample::One);
    }
    if factors > 1 {
        samples.push(Sample::Highest);
    }
    if factors > 2 {
        samples.push(Sample::Two);
    }
    samples
}

/// Values of the round polynomial at `0, 1, .., degree`: the inner polynomial times the line.
pub(super) fn values(
    factors: usize,
    outer: bool,
    line: &Line,
    claim: EF,
    samples: &[(Sample, EF)],
) -> Vec<EF> {
    let sample = |wanted| {
        samples
            .iter()
            .find(|(sample, _)| *sample == wanted)
            .map(|(_, value)| *value)
    };
    let zero = sample(Sample::Zero).unwrap_or_default();
    let one = sample(Sample::One).unwrap_or_else(|| {
        let rest = claim - line.at_zero * zero;
        line.at_one
            .try_inverse()
            .map_or(EF::ZERO, |inverse| rest * inverse)
    });
    let highest = sample(Sample::Highest).unwrap_or_default();
    // The n-th difference of a polynomial of degree n is n! times its highest coefficient.
    let mut inner = vec![zero, one];
    match factors {
        1 => {}
        2 => inner.push(one.double() - zero + highest.double()),
        _ => {
            let two = sample(Sample::Two).unwrap_or_default();
            let three = triple(highest.double()) + triple(two - one) + zero;
            inner.extend([two, three]);
        }
    }
    if !outer {
        return inner;
    }
    let next = match factors {
        1 => one.double() - zero,
        2 => inner[2].double() - one + highest.double(),
        _ => triple(highest.double()) + triple(inner[3] - inner[2]) + one,
    };
    inner.push(next);
    let step = line.at_one - line.at_zero;
    let mut factor = line.at_zero;
    for value in &mut inner {
        *value *= factor;
        factor += step;
    }
    inner
}

fn triple(x: EF) -> EF {
    x.double() + x
}
