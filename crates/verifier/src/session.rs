//! What all steps share: plan, transcript, ledger, public integers.
//!
//! Spec: spec/v1/zk.md, section 5.

use veridical_argument::claims::{Claim, Ledger};
use veridical_argument::field::EF;
use veridical_argument::labels;
use veridical_argument::leaves::Leaves;
use veridical_argument::multilinear::{evaluate_integers, shape_variables};
use veridical_argument::pcs::{MAX_VARIABLES, MIN_VARIABLES};
use veridical_argument::plan::{Definition, Factor, Plan, Wire, WireId};
use veridical_argument::rounds::next_claim;
use veridical_argument::stack::{Stack, weight_stack, witness_stack};
use veridical_argument::statement::Subject;
use veridical_argument::transcript::{Root, Transcript, VerifierTranscript};
use veridical_program::{Graph, Program};

use crate::VerifyError;
use crate::layout::PublicTensors;

/// Most pairs of one factor of a map, and of all maps together.
const MAX_PAIRS: usize = 1 << 24;
const MAX_ALL_PAIRS: usize = 1 << 27;

/// Most rows of all tables of consts together.
const MAX_ROWS: usize = 1 << 26;

/// Most integers of public wires that are summed over, once for each claim.
const MAX_PUBLIC_WORK: usize = 1 << 28;

/// How much was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Runs.
    pub batch: usize,
    /// Bytes of the proof.
    pub proof_bytes: usize,
    /// Variables of the lookup argument.
    pub lookup_variables: usize,
    /// Variables of the stack of witness wires.
    pub witness_variables: usize,
    /// Variables of the stack of weights, 0 without one.
    pub weight_variables: usize,
    /// Sumcheck rounds.
    pub rounds: usize,
    /// Claims that the stacks were opened for.
    pub openings: usize,
}

/// A stack with what its tensors are.
pub struct StackOf<T> {
    /// Cells.
    pub stack: Stack,
    /// The wire or const of every tensor, ascending.
    pub tensors: Vec<T>,
}

/// The state of a verification.
pub struct Session<'a> {
    pub plan: &'a Plan,
    pub program: &'a Program,
    pub subject: Subject<'a>,
    pub transcript: VerifierTranscript<'a>,
    pub ledger: Ledger,
    pub public: PublicTensors<'a>,
    pub leaves: Leaves,
    pub counts: Counts,
    /// Public integers summed over so far.
    public_work: usize,
}

/// The stacks of a verification.
pub struct Stacks {
    /// The stack of weights, if the program has any.
    pub weights: Option<StackOf<usize>>,
    /// The stack of witness wires.
    pub witness: StackOf<WireId>,
}

impl<'a> Session<'a> {
    /// A session whose cost is bounded; nothing of the proof is read.
    pub fn new(
        plan: &'a Plan,
        program: &'a Program,
        subject: Subject<'a>,
        transcript: VerifierTranscript<'a>,
    ) -> Result<(Self, Stacks), VerifyError> {
        if plan.batch != subject.batch() {
            return Err(VerifyError::Inconsistent { what: "batch size" });
        }
        bound_cost(plan)?;
        let graph = program.graph();
        for wire in &plan.wires {
            if !is_weight_of(graph, wire) {
                return Err(VerifyError::Inconsistent {
                    what: "shape of a weight",
                });
            }
        }
        let leaves = Leaves::new(plan)?;
        let (stack, tensors) =
            witness_stack(plan, MIN_VARIABLES).ok_or_else(|| too_large("witness", usize::MAX))?;
        let witness = bounded("witness", stack, tensors)?;
        let weights = if subject.registration().weight_root.is_some() {
            let (stack, tensors) = weight_stack(graph, MIN_VARIABLES)
                .ok_or_else(|| too_large("weights", usize::MAX))?;
            Some(bounded("weights", stack, tensors)?)
        } else {
            None
        };
        let counts = Counts {
            batch: plan.batch,
            lookup_variables: leaves.variables,
            witness_variables: witness.stack.variables(),
            weight_variables: weights.as_ref().map_or(0, |w| w.stack.variables()),
            ..Counts::default()
        };
        let session = Self {
            plan,
            program,
            subject,
            transcript,
            ledger: Ledger::new(),
            public: PublicTensors::new(graph, subject.inputs()),
            leaves,
            counts,
            public_work: 0,
        };
        Ok((session, Stacks { weights, witness }))
    }

    /// Step 2, and the proof of work of step 3.
    pub fn receive_witness_root(&mut self) -> Result<Root, VerifyError> {
        let root = self.transcript.receive_root(labels::WITNESS_ROOT)?;
        let work = usize::from(self.subject.profile().lookup_work);
        self.transcript.receive_work(labels::LOOKUP_WORK, work)?;
        Ok(root)
    }

    /// Step 5: the claimed outputs at a random point become claims on their wires.
    pub fn claim_outputs(&mut self) -> Result<(), VerifyError> {
        let Some(runs) = self.subject.outputs() else {
            return match self.plan.outputs.as_slice() {
                [] => Ok(()),
                [..] => Err(VerifyError::Inconsistent { what: "outputs" }),
            };
        };
        let graph = self.program.graph();
        // An output that the plan does not name would not be proven.
        let named = self.plan.outputs.iter().map(|published| published.output);
        if !named.eq(0..graph.outputs.len()) {
            return Err(VerifyError::Inconsistent { what: "outputs" });
        }
        for published in &self.plan.outputs {
            let wire = self.wire(published.wire)?;
            let integers: Vec<i32> = runs
                .iter()
                .filter_map(|run| run.get(published.output))
                .flatten()
                .copied()
                .collect();
            if cells(&wire.shape) != integers.len() {
                return Err(VerifyError::Inconsistent {
                    what: "shape of an output",
                });
            }
            let variables = shape_variables(&wire.shape);
            let point = self.transcript.challenges(labels::OUTPUT_POINT, variables);
            let value = evaluate_integers(&integers, &wire.shape, &point);
            self.ledger.add(Claim {
                wire: published.wire,
                point,
                value,
            })?;
        }
        Ok(())
    }

    /// Counts a sum over public integers; an honest program has few claims on them.
    pub fn count_public(&mut self, integers: usize) -> Result<(), VerifyError> {
        self.public_work = self.public_work.saturating_add(integers);
        if self.public_work > MAX_PUBLIC_WORK {
            return Err(VerifyError::TooLarge {
                what: "public integers of all claims",
                found: self.public_work,
                most: MAX_PUBLIC_WORK,
            });
        }
        Ok(())
    }

    /// A wire of the plan.
    pub fn wire(&self, id: WireId) -> Result<&'a Wire, VerifyError> {
        self.plan
            .wire(id)
            .ok_or(VerifyError::Inconsistent { what: "wire id" })
    }

    /// Runs the rounds of a sumcheck: the final claim, and the challenges in order.
    pub fn sumcheck(
        &mut self,
        claim: EF,
        variables: usize,
        degree: usize,
    ) -> Result<(EF, Vec<EF>), VerifyError> {
        let mut claim = claim;
        let mut challenges = Vec::with_capacity(variables);
        for _ in 0..variables {
            let message = self.transcript.receive(labels::ROUND, degree)?;
            let challenge = self.transcript.challenge(labels::ROUND);
            claim = next_claim(claim, &message, challenge);
            challenges.push(challenge);
        }
        self.counts.rounds = self.counts.rounds.saturating_add(variables);
        Ok((claim, challenges))
    }

    /// Receives `N` evaluations.
    pub fn receive<const N: usize>(&mut self, label: &'static str) -> Result<[EF; N], VerifyError> {
        let values = self.transcript.receive(label, N)?;
        values.try_into().map_err(|_| VerifyError::Inconsistent {
            what: "length of a message",
        })
    }

    /// Step 8: every claim is discharged, and the proof is read to its end.
    pub fn finish(self, proof_bytes: usize) -> Result<Counts, VerifyError> {
        self.ledger.assert_empty()?;
        self.transcript.finish()?;
        Ok(Counts {
            proof_bytes,
            ..self.counts
        })
    }
}

/// Whether a wire is no weight, or has the axes of its const but for those of size 1: only then is
/// a claim on it one on the const.
fn is_weight_of(graph: &Graph, wire: &Wire) -> bool {
    let Definition::Weight { constant } = wire.definition else {
        return true;
    };
    let axes = |shape: &[usize]| -> Vec<usize> {
        let axes = shape.iter().copied();
        axes.filter(|&n| n != 1).collect()
    };
    let info = graph.consts.get(constant);
    info.is_some_and(|info| axes(&info.shape) == axes(&wire.shape))
}

/// Number of cells of a shape whose axes are padded to powers of two.
fn slots(shape: &[usize]) -> usize {
    let bits = u32::try_from(shape_variables(shape)).unwrap_or(u32::MAX);
    1_usize.checked_shl(bits).unwrap_or(usize::MAX)
}

/// Number of cells of a shape.
pub fn cells(shape: &[usize]) -> usize {
    shape.iter().fold(1, |n, &d| n.saturating_mul(d))
}

fn too_large(what: &'static str, found: usize) -> VerifyError {
    VerifyError::TooLarge {
        what,
        found,
        most: 1 << MAX_VARIABLES,
    }
}

fn bounded<T>(
    what: &'static str,
    stack: Stack,
    tensors: Vec<T>,
) -> Result<StackOf<T>, VerifyError> {
    if stack.variables() > MAX_VARIABLES {
        return Err(too_large(what, stack.used()));
    }
    Ok(StackOf { stack, tensors })
}

/// Refuses a plan whose public parts are larger than any verifier should sum over.
fn bound_cost(plan: &Plan) -> Result<(), VerifyError> {
    let bound = |what, found, most| {
        if found > most {
            return Err(VerifyError::TooLarge { what, found, most });
        }
        Ok(())
    };
    let mut all = 0_usize;
    for wire in &plan.wires {
        let Definition::Map { factors, .. } = &wire.definition else {
            continue;
        };
        for factor in factors {
            let Factor::Related(pairs) = factor else {
                continue;
            };
            // Their tables are as large as the padded groups of axes, not as the pairs are many.
            let slots = slots(&pairs.from_shape()).max(slots(&pairs.to_shape()));
            let pairs = pairs.most().max(slots);
            bound("a map", pairs, MAX_PAIRS)?;
            all = all.saturating_add(pairs);
        }
    }
    bound("all maps", all, MAX_ALL_PAIRS)?;
    let rows = plan.tables.iter().map(|table| table.rows);
    bound("all tables", rows.fold(0, usize::saturating_add), MAX_ROWS)
}
