//! Commitments to multilinear polynomials and openings at one point.
//!
//! Spec: spec/v1/zk.md, section 11.
//!
//! A stack of `n` variables is the list of its `2^n` values; index `i = sum_b 2^b i_b`, and
//! `point[0]` belongs to the most significant bit. The scheme is WHIR in the Johnson regime over
//! BLAKE3 trees, used through its prescribed-point form: the caller's transcript has absorbed the
//! root before it drew any challenge, and the point comes from that transcript.

pub mod codec;
#[cfg(feature = "prover")]
mod commit;
pub mod merkle;
pub mod schedule;
mod verify;

use p3_dft::Radix2DFTSmallBatch;
use p3_sumcheck::layout::PrefixProver;
use p3_sumcheck::{OpeningBatch, OpeningProtocol, TableShape, TableSpec};
use p3_whir::{
    FoldingFactor, ProtocolParameters, SecurityAssumption, WhirConfig, WhirConfigError, WhirProver,
};
use thiserror::Error;

#[cfg(feature = "prover")]
pub use commit::Committed;
pub use schedule::{MAX_VARIABLES, MIN_VARIABLES, Schedule, VariablesError};
pub use verify::verify;

use crate::field::{EF, F};
use crate::stream::StreamError;
use crate::transcript::Challenger;
use merkle::SharedTree;

/// Label of an opening in the transcript.
const LABEL: &str = "opening";

type Domain = Radix2DFTSmallBatch<F>;
type Config = WhirConfig<EF, F, Challenger>;
type Scheme = WhirProver<EF, F, Domain, SharedTree, Challenger, PrefixProver<F, EF>>;

/// Why an opening was refused, or could not be made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PcsError {
    /// No schedule exists for the size of the stack.
    #[error(transparent)]
    Variables(#[from] VariablesError),
    /// The number of values is no power of two.
    #[error("a stack has a power of two of values, not {values}")]
    Length {
        /// Number of values.
        values: usize,
    },
    /// The point has another number of coordinates than the stack has variables.
    #[error("the point has {found} coordinates, the stack has {variables} variables")]
    Point {
        /// Variables of the stack.
        variables: usize,
        /// Coordinates of the point.
        found: usize,
    },
    /// The value to be opened is not that of the stack at the point.
    #[error("the stack has another value at the point than the one to be opened")]
    Value,
    /// The scheme derives another schedule from the parameters than this crate does.
    #[error("the commitment scheme derives another schedule: {what}")]
    Schedule {
        /// What differs.
        what: String,
    },
    /// The bytes of the opening do not have its shape.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The opening has its shape and is not valid.
    #[error("opening refused: {reason}")]
    Refused {
        /// The check that failed.
        reason: String,
    },
    /// The scheme panicked, which counts as a refusal.
    #[error("opening refused: the commitment scheme panicked")]
    Panicked,
}

/// The scheme's configuration for `schedule`, checked against it number by number.
fn config(schedule: &Schedule) -> Result<Config, PcsError> {
    let phases = &schedule.phases;
    let parameters = ProtocolParameters {
        starting_log_inv_rate: phases.first().map_or(0, |phase| phase.log_inv_rate),
        round_log_inv_rates: phases.iter().skip(1).map(|p| p.log_inv_rate).collect(),
        folding_factor: FoldingFactor::PerRound(phases.iter().map(|p| p.fold).collect()),
        soundness_type: SecurityAssumption::JohnsonBound,
        security_level: schedule.term_bits,
        pow_bits: schedule.work,
    };
    let refuse = |error: &WhirConfigError| PcsError::Schedule {
        what: error.to_string(),
    };
    let config = Config::new_with_initial_claims(schedule.variables, parameters, 1)
        .map_err(|error| refuse(&error))?;
    match difference(schedule, &config) {
        None => Ok(config),
        Some(what) => Err(PcsError::Schedule { what }),
    }
}

/// The first number in which the scheme's configuration differs from the schedule.
fn difference(schedule: &Schedule, config: &Config) -> Option<String> {
    let mut pairs = Vec::new();
    let mut compare = |what, ours: usize, theirs: usize| pairs.push((what, ours, theirs));
    let rounds = config.round_parameters();
    compare("phases", schedule.phases.len(), rounds.len() + 1);
    compare(
        "final variables",
        schedule.final_variables,
        config.final_sumcheck_rounds(),
    );
    compare("final fold work", 0, config.final_folding_pow_bits());
    for (index, phase) in schedule.phases.iter().enumerate() {
        // Queries into a codeword are counted by the round that follows it.
        let (queries, query_work) = rounds.get(index).map_or(
            (config.terminal().num_queries, config.terminal().pow_bits),
            |round| (round.num_queries, round.pow_bits),
        );
        compare("queries", phase.queries, queries);
        compare("query work", phase.query_work, query_work);
        let (samples, fold_work) = match index.checked_sub(1).and_then(|index| rounds.get(index)) {
            Some(round) => (round.ood_samples, round.folding_pow_bits),
            None => (
                config.commitment_ood_samples(),
                config.starting_folding_pow_bits(),
            ),
        };
        compare("samples", phase.samples, samples);
        compare("fold work", phase.fold_work, fold_work);
    }
    pairs
        .into_iter()
        .find(|(_, ours, theirs)| ours != theirs)
        .map(|(what, ours, theirs)| format!("{what}: {theirs} instead of {ours}"))
}

/// One polynomial, opened at one point.
fn protocol(variables: usize) -> OpeningProtocol {
    OpeningProtocol::new(vec![TableSpec::new(
        TableShape::new(variables, 1),
        vec![OpeningBatch::new(vec![0], vec![])],
    )])
}

#[cfg(test)]
mod tests;
