//! The lookup argument: sums of fractions, layer by layer, and the evaluations at their last point.
//!
//! Spec: spec/v1/zk.md, section 6.
//!
//! | Module        | Purpose                                                      |
//! |---------------|--------------------------------------------------------------|
//! | `columns`     | expressions of sites as columns of base elements             |
//! | `equality`    | sums weighted by `eq`                                        |
//! | `error`       | why there is no proof                                        |
//! | `evaluations` | evaluations at the last point                                |
//! | `kernels`     | passes over leaves that are computed from columns            |
//! | `lanes`       | vectors of extension elements and the order of cells in them |
//! | `layer`       | the sumcheck of a layer                                      |
//! | `leaves`      | numerators and denominators of the leaves                    |
//! | `rounds`      | messages of the rounds                                       |
//! | `tree`        | the layers of sums                                           |
//! | `used`        | which slots are visited                                      |

mod columns;
mod equality;
mod error;
mod evaluations;
mod kernels;
mod lanes;
mod layer;
mod leaves;
mod rounds;
#[cfg(test)]
mod tests;
mod tree;
mod used;

pub use error::GkrError;

use p3_field::PrimeCharacteristicRing;
use tracing::info_span;
use veridical_argument::claims::Claim;
use veridical_argument::field::EF;
use veridical_argument::labels;
use veridical_argument::leaves::Leaves;
use veridical_argument::plan::{Plan, WireId};
use veridical_argument::transcript::{ProverTranscript, Transcript};
use veridical_program::{ConstData, Program};

use crate::values::{Integers, Values};
use lanes::LANE_BITS;
use layer::{Workspace, prove_narrow, prove_wide};
use leaves::LeafTable;
use rounds::Rounds;
use tree::{Quad, Tree, UNUSED, sum};

/// What the prover knows.
pub trait Witness: Sync {
    /// The integers of a wire in row-major order, representatives modulo `p`.
    fn integers(&self, wire: WireId) -> Option<Integers<'_>>;

    /// The elements of a const of the program.
    fn constant(&self, constant: usize) -> Option<&ConstData>;
}

/// The integers of an execution.
#[derive(Debug, Clone, Copy)]
pub struct Execution<'a> {
    /// Integers of the wires.
    pub values: &'a Values<'a>,
    /// The program, with its tables.
    pub program: &'a Program,
}

impl Witness for Execution<'_> {
    fn integers(&self, wire: WireId) -> Option<Integers<'_>> {
        self.values.integers(wire)
    }

    fn constant(&self, constant: usize) -> Option<&ConstData> {
        self.program.constant(constant)
    }
}

/// Proves all lookups; the claims on the wires of sites and tables, in the order in which their
/// values were sent.
///
/// # Errors
/// A lookup is not satisfied, or the witness lacks a wire or a table.
pub fn prove(
    plan: &Plan,
    witness: &impl Witness,
    transcript: &mut ProverTranscript,
) -> Result<Vec<Claim>, GkrError> {
    let leaves = Leaves::new(plan)?;
    let point = prove_sums(plan, witness, &leaves, transcript)?;
    info_span!("evaluations")
        .in_scope(|| evaluations::send(plan, witness, &leaves, &point, transcript))
}

/// Number of slots that the prover keeps and visits, those of the units that hold a real cell.
pub(crate) fn visited_slots(plan: &Plan) -> usize {
    let sites = plan.sites.iter().map(|site| used::slots(&site.shape));
    let tables = plan.tables.iter().map(|table| used::slots(&[table.rows]));
    sites.chain(tables).fold(0, usize::saturating_add)
}

/// Proves that the fractions of all lookups and tables cancel; the last point.
fn prove_sums(
    plan: &Plan,
    witness: &impl Witness,
    leaves: &Leaves,
    transcript: &mut ProverTranscript,
) -> Result<Vec<EF>, GkrError> {
    let challenges = transcript.challenges(labels::LOOKUP, 2);
    let [alpha, beta] = challenges[..] else {
        return Err(GkrError::ZeroChallenge);
    };
    let table =
        info_span!("leaves").in_scope(|| LeafTable::new(plan, witness, leaves, alpha, beta))?;
    prove_table(&table, transcript)
}

/// Proves that the fractions of a table cancel.
fn prove_table(table: &LeafTable, transcript: &mut ProverTranscript) -> Result<Vec<EF>, GkrError> {
    let is_wide = table.variables > LANE_BITS + 1;
    let building = info_span!("tree").entered();
    let mut tree = if is_wide {
        Tree::above(table)
    } else {
        Tree::from_cells(table.narrow())
    };
    drop(building);
    let root = tree.narrow.last().and_then(|layer| layer.first());
    let (numerator, denominator) = sum(root.unwrap_or(&UNUSED));
    if numerator != EF::ZERO && !persists(transcript) {
        return Err(GkrError::Unbalanced);
    }
    if denominator == EF::ZERO {
        return Err(GkrError::ZeroDenominator);
    }
    transcript.send(labels::LOOKUP_ROOT, &[denominator]);
    let mut walk = Walk {
        claim: (numerator, denominator),
        at_zero: (numerator, denominator),
        point: Vec::new(),
        transcript,
    };
    let layers = info_span!("layers").entered();
    while let Some(layer) = tree.narrow.pop() {
        walk.descend(|point, lambda, _, rounds| prove_narrow(&layer, point, lambda, rounds))?;
    }
    if is_wide {
        let (usage, mut space) = (&table.usage, Workspace::default());
        while let Some(layer) = tree.wide.pop() {
            walk.descend(|point, lambda, first, rounds| {
                prove_wide(&layer, point, lambda, first, usage, rounds, &mut space)
            })?;
            space.descend(layer.into_space());
        }
        drop(layers);
        let _last = info_span!("layer of leaves").entered();
        walk.descend(|point, lambda, first, rounds| {
            prove_wide(table, point, lambda, first, usage, rounds, &mut space)
        })?;
    }
    Ok(walk.point)
}

/// Whether the prover cheats and leaves it to the verifier to find fractions that do not cancel.
const fn persists(transcript: &ProverTranscript) -> bool {
    #[cfg(feature = "cheating")]
    return transcript.persists();
    #[cfg(not(feature = "cheating"))]
    {
        let _: &ProverTranscript = transcript;
        false
    }
}

/// Where the argument is between two layers.
struct Walk<'t> {
    /// Numerator and denominator at the point.
    claim: (EF, EF),
    /// Both with the lowest variable of the point at 0.
    at_zero: (EF, EF),
    point: Vec<EF>,
    transcript: &'t mut ProverTranscript,
}

impl Walk<'_> {
    /// Goes on to the next layer by a sumcheck, which gives the quad at the new point.
    fn descend(
        &mut self,
        sumcheck: impl FnOnce(&[EF], EF, EF, &mut Rounds<'_>) -> Quad<EF>,
    ) -> Result<(), GkrError> {
        if self.point.contains(&EF::ZERO) {
            return Err(GkrError::ZeroChallenge);
        }
        let lambda = self.transcript.challenge(labels::LAYER);
        let folded = |(numerator, denominator): (EF, EF)| numerator + lambda * denominator;
        let claim = folded(self.claim);
        let mut rounds = Rounds::new(self.transcript, &self.point, claim);
        let [n0, d0, n1, d1] = sumcheck(&self.point, lambda, folded(self.at_zero), &mut rounds);
        self.point = rounds.point();
        self.transcript
            .send(labels::LAYER_VALUES, &[n0, n1, d0, d1]);
        let branch = self.transcript.challenge(labels::BRANCH);
        self.at_zero = (n0, d0);
        self.claim = (n0 + branch * (n1 - n0), d0 + branch * (d1 - d0));
        self.point.push(branch);
        Ok(())
    }
}
