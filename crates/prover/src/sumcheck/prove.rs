//! The rounds of a sumcheck.
//!
//! Spec: spec/v1/zk.md, section 5, "Sumcheck rounds".

use p3_field::{PackedValue, PrimeCharacteristicRing};
use veridical_argument::field::EF;
use veridical_argument::labels::ROUND;
use veridical_argument::rounds::interpolate;
use veridical_argument::transcript::{ProverTranscript, Transcript};

use super::equality::Split;
use super::first::First;
use super::kernel::Kernel;
use super::lanes::Lanes;
use super::samples::{self, Line, Sample};
use super::stage::{SEGMENT_VARIABLES, Stage};
use super::{Outcome, PackedEF, PackedF, Part, Shape, Sumcheck, SumcheckError};

/// Tables of a part, and `eq` of the variables below the next one.
enum Tables<'a> {
    First(First<'a>, Option<Split<PackedEF>>),
    Packed(Stage<PackedEF>, Option<Split<PackedEF>>),
    Single(Stage<EF>, Option<Split<EF>>),
}

struct Live<'a> {
    kernel: Kernel,
    tables: Tables<'a>,
}

impl Sumcheck<'_> {
    /// Proves that the sum is `claim`.
    ///
    /// A wrong claim gives messages that a verifier refuses at the final value, not here.
    ///
    /// # Errors
    /// The parts do not fit each other.
    pub fn prove(
        self,
        claim: EF,
        transcript: &mut ProverTranscript,
    ) -> Result<Outcome, SumcheckError> {
        self.check()?;
        let variables = self.variables();
        let factors = self.factors();
        let Self { equality, parts } = self;
        let outer = equality.as_deref();
        let mut parts: Vec<Live<'_>> = parts
            .into_iter()
            .map(|part| Live::new(part, factors, outer))
            .collect();

        let mut point: Vec<EF> = Vec::with_capacity(variables);
        let mut claim = claim;
        let mut scale = EF::ONE;
        for round in 0..variables {
            let tau = outer.map(|point| point[round]);
            let line = tau.map_or(Line::UNIT, |tau| Line::new(scale, tau));
            let wanted = samples::wanted(factors, &line);
            let fold = point.last().copied();
            let mut sums: Vec<(Sample, EF)> =
                wanted.iter().map(|sample| (*sample, EF::ZERO)).collect();
            for part in &mut parts {
                let values = part.round(fold, &wanted, outer.map(|point| &point[round..]));
                for ((_, sum), value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
            let values = samples::values(factors, outer.is_some(), &line, claim, &sums);
            let challenge = answer(&values, transcript);
            claim = interpolate(&values, challenge);
            scale = if tau.is_some() {
                line.at(challenge)
            } else {
                scale
            };
            point.push(challenge);
        }
        let fold = point.last().copied();
        let values: Vec<EF> = parts.into_iter().flat_map(|part| part.end(fold)).collect();
        Ok(Outcome {
            point,
            values,
            claim,
        })
    }
}

/// Sends the values of a round polynomial at `0, 1, ..` without that at 1, and draws the challenge.
fn answer(values: &[EF], transcript: &mut ProverTranscript) -> EF {
    let message = values.iter().enumerate().filter(|(at, _)| *at != 1);
    let message: Vec<EF> = message.map(|(_, value)| *value).collect();
    transcript.send(ROUND, &message);
    transcript.challenge(ROUND)
}

/// One round of a sumcheck of degree 2 whose sums the caller computes: at 0, and of the differences.
pub(crate) fn product_round(
    claim: EF,
    zero: EF,
    highest: EF,
    transcript: &mut ProverTranscript,
) -> (EF, EF) {
    let sums = [(Sample::Zero, zero), (Sample::Highest, highest)];
    let values = samples::values(2, false, &Line::UNIT, claim, &sums);
    let challenge = answer(&values, transcript);
    (challenge, interpolate(&values, challenge))
}

impl<'a> Live<'a> {
    fn new(part: Part<'a>, factors: usize, outer: Option<&[EF]>) -> Self {
        let shape = part.shape.merged();
        let kernel = Kernel::new(&part.groups, factors);
        let below = outer.and_then(|point| point.get(1..));
        let first = First::new(shape, part.tables);
        let tables = if fits(shape) {
            let split = below.map(|point| Split::new(point, low_variables(shape.bound())));
            Tables::First(first, split)
        } else {
            let split = below.map(|point| Split::new(point, SEGMENT_VARIABLES));
            Tables::Single(first.unpack(), split)
        };
        Self { kernel, tables }
    }

    /// Binds the variable of the last round, if there was one, and samples in the next; `outer` begins with its `tau`.
    fn round(&mut self, fold: Option<EF>, wanted: &[Sample], outer: Option<&[EF]>) -> Vec<EF> {
        self.kernel.sample_at(wanted);
        let mut fold = fold;
        if let Some(challenge) = fold {
            let tables = std::mem::replace(&mut self.tables, Tables::Single(Stage::empty(), None));
            // The first fold is a pass of its own.
            fold = fold.filter(|_| !matches!(tables, Tables::First(..)));
            self.tables = tables.descend(challenge, outer);
        }
        match &mut self.tables {
            Tables::First(first, split) => first.sample(split.as_ref(), &self.kernel),
            Tables::Packed(stage, split) => stage.pass(fold, split.as_ref(), &self.kernel),
            Tables::Single(stage, split) => stage.pass(fold, split.as_ref(), &self.kernel),
        }
    }

    fn end(self, fold: Option<EF>) -> Vec<EF> {
        match self.tables {
            Tables::First(first, _) => first.unpack().end(fold),
            Tables::Packed(stage, _) => stage.unpack().end(fold),
            Tables::Single(stage, _) => stage.end(fold),
        }
    }
}

impl Tables<'_> {
    /// Makes `eq` that of the next round, and leaves the lanes where its pairs are less than a vector. The tables of
    /// the first round are folded.
    fn descend(self, challenge: EF, outer: Option<&[EF]>) -> Self {
        let leave = |single: Stage<EF>| {
            let below = outer.and_then(|point| point.get(1..));
            let split = below.map(|point| Split::new(point, SEGMENT_VARIABLES));
            Self::Single(single, split)
        };
        match self {
            Self::First(first, split) => {
                let stage = first.fold(challenge);
                if fits(stage.shape) {
                    Self::Packed(stage, dropped(split))
                } else {
                    leave(stage.unpack())
                }
            }
            Self::Packed(stage, split) if fits(stage.shape.bound()) => {
                Self::Packed(stage, dropped(split))
            }
            Self::Packed(stage, _) => leave(stage.unpack()),
            Self::Single(stage, split) => Self::Single(stage, dropped(split)),
        }
    }
}

fn dropped<V: Lanes>(split: Option<Split<V>>) -> Option<Split<V>> {
    split.map(|mut split| {
        split.drop_highest();
        split
    })
}

/// Whether the pairs of a domain fill a vector.
fn fits(shape: Shape) -> bool {
    shape.variables() > 0 && shape.half() >= PackedF::WIDTH
}

/// Variables of the low factor of `eq` over `shape`: it never spans rows.
fn low_variables(shape: Shape) -> usize {
    shape.inner.min(SEGMENT_VARIABLES)
}
