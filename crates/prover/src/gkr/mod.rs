//! The lookup argument: sums of fractions, layer by layer, and the evaluations at their last point.
//!
//! Spec: spec/v1/zk.md, section 6.
//!
//! | Module     | Purpose                                                              |
//! |------------|----------------------------------------------------------------------|
//! | `columns`  | expressions of sites as columns of base elements                     |
//! | `equality` | sums weighted by `eq`                                                |
//! | `evaluations` | evaluations at the last point                                  |
//! | `lanes`    | vectors of extension elements and the order of cells in them         |
//! | `layer`    | the sumcheck of a layer                                              |
//! | `leaves`   | numerators and denominators of the leaves                            |
//! | `rounds`   | messages of the rounds                                               |
//! | `tree`     | the layers of sums                                                   |

mod columns;
mod equality;
mod error;
mod evaluations;
mod lanes;
mod layer;
mod leaves;
mod rounds;
#[cfg(test)]
mod tests;
mod tree;

pub use error::GkrError;

use p3_field::PrimeCharacteristicRing;
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
use leaves::{LEAF_TURN, LeafTable};
use rounds::Rounds;
use tree::{Quad, Tree, Wide};

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
    evaluations::send(plan, witness, &leaves, &point, transcript)
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
    let table = LeafTable::new(plan, witness, leaves, alpha, beta)?;
    prove_table(table, transcript)
}

/// Proves that the fractions of a table cancel.
fn prove_table(table: LeafTable, transcript: &mut ProverTranscript) -> Result<Vec<EF>, GkrError> {
    let mut tree = if table.variables > LANE_BITS + 1 {
        let blocks = table.blocks.iter();
        let quads = blocks.flat_map(|leaf| (0..leaf.quads).map(|index| leaf.quad(index)));
        Tree::above_wide(Wide {
            variables: table.variables - 1,
            turn: LEAF_TURN,
            quads: quads.chain(table.shared.iter().copied()).collect(),
        })
    } else {
        Tree::above_narrow(table.narrow())
    };
    let root = tree.narrow.last().and_then(|layer| layer.quads.first());
    let (numerator, denominator) = root.unwrap_or(&Quad::UNUSED).sum();
    if numerator != EF::ZERO {
        return Err(GkrError::Unbalanced);
    }
    if denominator == EF::ZERO {
        return Err(GkrError::ZeroDenominator);
    }
    transcript.send(labels::LOOKUP_ROOT, &[denominator]);
    let mut claim = (numerator, denominator);
    let mut at_zero = claim;
    let mut point: Vec<EF> = Vec::new();
    let mut space = Workspace::default();
    loop {
        if point.contains(&EF::ZERO) {
            return Err(GkrError::ZeroChallenge);
        }
        let narrow = tree.narrow.pop();
        let wide = if narrow.is_none() {
            tree.wide.pop()
        } else {
            None
        };
        if narrow.is_none() && wide.is_none() {
            return Ok(point);
        }
        let lambda = transcript.challenge(labels::LAYER);
        let mut rounds = Rounds::new(transcript, &point, claim.0 + lambda * claim.1);
        let first = at_zero.0 + lambda * at_zero.1;
        let quad = if let Some(layer) = narrow {
            prove_narrow(&layer, &point, lambda, &mut rounds)
        } else if let Some(layer) = wide {
            prove_wide(&layer, &point, lambda, first, &mut rounds, &mut space)
        } else {
            Quad::UNUSED
        };
        let next = rounds.point();
        transcript.send(labels::LAYER_VALUES, &[quad.n0, quad.n1, quad.d0, quad.d1]);
        let branch = transcript.challenge(labels::BRANCH);
        at_zero = (quad.n0, quad.d0);
        claim = (
            quad.n0 + branch * (quad.n1 - quad.n0),
            quad.d0 + branch * (quad.d1 - quad.d0),
        );
        point = next;
        point.push(branch);
    }
}
