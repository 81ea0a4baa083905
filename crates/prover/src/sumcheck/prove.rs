//! The rounds of a sumcheck.
//!
//! Spec: spec/v1/zk.md, section 5, "Sumcheck rounds".

use p3_field::{PackedFieldExtension, PackedValue, PrimeCharacteristicRing};
use veridical_argument::field::{EF, F};
use veridical_argument::labels::ROUND;
use veridical_argument::rounds::interpolate;
use veridical_argument::transcript::{ProverTranscript, Transcript};

use super::equality::Split;
use super::kernel::Kernel;
use super::samples::{self, Line, Sample};
use super::stage::{SEGMENT_VARIABLES, Stage};
use super::{Outcome, PackedEF, PackedF, Part, Shape, Sumcheck, SumcheckError, Table};

/// Tables of a part, and `eq` of the variables below the next one.
enum Tables {
    Packed(Stage<PackedEF>, Option<Split<PackedEF>>),
    Single(Stage<EF>, Option<Split<EF>>),
}

struct Live {
    kernel: Kernel,
    tables: Tables,
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
        let mut parts: Vec<Live> = parts
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
            let message = values.iter().enumerate().filter(|(at, _)| *at != 1);
            let message: Vec<EF> = message.map(|(_, value)| *value).collect();
            transcript.send(ROUND, &message);
            let challenge = transcript.challenge(ROUND);
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

impl Live {
    fn new(part: Part<'_>, factors: usize, outer: Option<&[EF]>) -> Self {
        let shape = part.shape.merged();
        let kernel = Kernel::new(&part.groups, factors);
        let below = outer.and_then(|point| point.get(1..));
        let tables = if fits(shape) {
            let tables = part.tables.into_iter().map(Table::into_packed).collect();
            let split = below.map(|point| Split::new(point, low_variables(shape.bound())));
            Tables::Packed(Stage { shape, tables }, split)
        } else {
            let tables = part.tables.into_iter().map(Table::into_single).collect();
            let split = below.map(|point| Split::new(point, SEGMENT_VARIABLES));
            Tables::Single(Stage { shape, tables }, split)
        };
        Self { kernel, tables }
    }

    /// Binds the variable of the last round, if there was one, and samples in the next; `outer` begins with its `tau`.
    fn round(&mut self, fold: Option<EF>, wanted: &[Sample], outer: Option<&[EF]>) -> Vec<EF> {
        self.kernel.sample_at(wanted);
        if fold.is_some() {
            self.descend(outer);
        }
        match &mut self.tables {
            Tables::Packed(stage, split) => stage.pass(fold, split.as_ref(), &self.kernel),
            Tables::Single(stage, split) => stage.pass(fold, split.as_ref(), &self.kernel),
        }
    }

    /// Makes `eq` that of the next round, and leaves the lanes where its pairs are less than a vector.
    fn descend(&mut self, outer: Option<&[EF]>) {
        match &mut self.tables {
            Tables::Packed(stage, split) => {
                if fits(stage.shape.bound()) {
                    if let Some(split) = split {
                        split.drop_highest();
                    }
                } else {
                    let shape = stage.shape;
                    let tables = std::mem::take(&mut stage.tables);
                    let single = Stage { shape, tables }.unpack();
                    let below = outer.and_then(|point| point.get(1..));
                    let split = below.map(|point| Split::new(point, SEGMENT_VARIABLES));
                    self.tables = Tables::Single(single, split);
                }
            }
            Tables::Single(_, split) => {
                if let Some(split) = split {
                    split.drop_highest();
                }
            }
        }
    }

    fn end(self, fold: Option<EF>) -> Vec<EF> {
        match self.tables {
            Tables::Packed(stage, _) => stage.unpack().end(fold),
            Tables::Single(stage, _) => stage.end(fold),
        }
    }
}

/// Whether the pairs of a domain fill a vector.
fn fits(shape: Shape) -> bool {
    shape.variables() > 0 && shape.half() >= PackedF::WIDTH
}

/// Variables of the low factor of `eq` over `shape`: it never spans rows.
fn low_variables(shape: Shape) -> usize {
    shape.inner.min(SEGMENT_VARIABLES)
}

impl Table<'_> {
    fn into_packed(self) -> Vec<PackedEF> {
        match self {
            Self::Base(cells) => pack(cells.len(), |at| EF::from(cells[at])),
            Self::Extension(cells) => pack(cells.len(), |at| cells[at]),
            Self::Packed(vectors) => vectors,
        }
    }

    fn into_single(self) -> Vec<EF> {
        match self {
            Self::Base(cells) => cells.iter().copied().map(EF::from).collect(),
            Self::Extension(cells) => cells.into_owned(),
            Self::Packed(vectors) => {
                <PackedEF as PackedFieldExtension<F, EF>>::to_ext_iter(vectors).collect()
            }
        }
    }
}

/// Vectors of `length` cells; lanes behind the end are 0.
pub(super) fn pack(length: usize, cell: impl Fn(usize) -> EF) -> Vec<PackedEF> {
    let width = PackedF::WIDTH;
    (0..length.div_ceil(width))
        .map(|vector| {
            PackedEF::from_ext_fn(|lane| {
                let at = vector * width + lane;
                if at < length { cell(at) } else { EF::ZERO }
            })
        })
        .collect()
}
