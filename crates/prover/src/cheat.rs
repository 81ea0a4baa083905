//! A prover that lies and goes on: it changes what it likes and finishes the proof honestly from there.
//!
//! For tests of the verifier, which alone has to notice. Behind the feature `cheating`, never in a default build.

use veridical_argument::claims::Ledger;
use veridical_argument::plan::{Plan, WireId};
use veridical_argument::profile::PROTOCOL;
use veridical_argument::statement::{Statement, Subject, Tensors};
use veridical_argument::transcript::ProverTranscript;
use veridical_argument::transcript::cheating::{Edit, Sent};
use veridical_executor::Trace;
use veridical_program::Program;

use crate::error::ProveError;
use crate::prove::{Job, outputs};
use crate::values::Values;
use crate::weights::WeightCommitment;

/// May change the integers of a wire; everything behind it is then computed from the changed ones.
pub type Override<'a> = &'a mut dyn FnMut(WireId, &mut Vec<i32>);

/// Everything that a prover can choose. What it chooses need not belong together.
#[derive(Debug, Clone, Copy)]
pub struct Cheat<'a> {
    /// The program whose weights and tables the prover computes with.
    pub program: &'a Program,
    /// The run that gives the tensors.
    pub trace: &'a Trace,
    /// The plan that is followed.
    pub plan: &'a Plan,
    /// The commitment that is opened.
    pub weights: &'a WeightCommitment,
    /// The statement that is absorbed.
    pub statement: Statement<'a>,
    /// What is claimed of the output wires.
    pub claimed: Claimed<'a>,
    /// Whether every challenge is the same, whatever was absorbed.
    pub frozen: bool,
    /// Changed messages.
    pub edits: &'a [Edit],
}

/// What is claimed of the output wires.
#[derive(Debug, Clone, Copy)]
pub enum Claimed<'a> {
    /// The outputs that are absorbed.
    Absorbed,
    /// These, while others are absorbed.
    Given(&'a [Tensors]),
    /// What the wires hold; it is absorbed too.
    Wires,
}

/// What came of it.
#[derive(Debug)]
pub struct Forged {
    /// The proof, up to where the prover stopped.
    pub bytes: Vec<u8>,
    /// The outputs that were absorbed.
    pub outputs: Vec<Tensors>,
    /// Messages of extension elements.
    pub messages: Vec<Sent>,
    /// Why the prover could not go on, if so.
    pub stopped: Option<ProveError>,
}

impl<'a> Cheat<'a> {
    /// A prover that is honest so far.
    pub const fn new(
        program: &'a Program,
        trace: &'a Trace,
        plan: &'a Plan,
        weights: &'a WeightCommitment,
        statement: Statement<'a>,
    ) -> Self {
        Self {
            program,
            trace,
            plan,
            weights,
            statement,
            claimed: Claimed::Absorbed,
            frozen: false,
            edits: &[],
        }
    }

    /// Proves with the wires that `overrides` leaves.
    ///
    /// # Errors
    /// Program, plan and trace do not even have the same shapes.
    pub fn prove(&self, overrides: Override<'_>) -> Result<Forged, ProveError> {
        let values = Values::compute_with(self.plan, self.program, self.trace, overrides)?;
        self.finish(&values, &values)
    }

    /// Commits to the wires that `committed` leaves, and argues about those that `used` leaves.
    ///
    /// # Errors
    /// As for [`Cheat::prove`].
    pub fn prove_other(
        &self,
        committed: Override<'_>,
        used: Override<'_>,
    ) -> Result<Forged, ProveError> {
        let committed = Values::compute_with(self.plan, self.program, self.trace, committed)?;
        let used = Values::compute_with(self.plan, self.program, self.trace, used)?;
        self.finish(&committed, &used)
    }

    fn finish(&self, committed: &Values<'_>, used: &Values<'_>) -> Result<Forged, ProveError> {
        let mut statement = self.statement;
        let held;
        if matches!(self.claimed, Claimed::Wires) {
            held = self.held(used)?;
            statement.outputs = &held;
        }
        let job = Job {
            program: self.program,
            plan: self.plan,
            values: used,
            committed,
            weights: self.weights,
            subject: Subject::Runs(statement),
            outputs: match self.claimed {
                Claimed::Given(outputs) => outputs,
                Claimed::Absorbed | Claimed::Wires => statement.outputs,
            },
        };
        let mut transcript = ProverTranscript::new(PROTOCOL);
        transcript.persist();
        transcript.edit(self.edits.to_vec());
        if self.frozen {
            transcript.freeze();
        }
        let stopped = job
            .prove(Ledger::credulous(), &mut transcript, &mut |_| {})
            .err();
        Ok(Forged {
            outputs: statement.outputs.to_vec(),
            messages: transcript.sent().to_vec(),
            bytes: transcript.finish(),
            stopped,
        })
    }

    /// The outputs that the wires hold.
    fn held(&self, values: &Values<'_>) -> Result<Vec<Tensors>, ProveError> {
        let batch = self.plan.batch;
        let mut held = outputs(self.program, self.trace, batch)?;
        for published in &self.plan.outputs {
            let wire = published.wire;
            let missing = ProveError::MissingWire { wire: wire.0 };
            let integers = values.wire(wire).ok_or(missing)?;
            let length = (integers.len() / batch.max(1)).max(1);
            for (run, integers) in held.iter_mut().zip(integers.chunks(length)) {
                if let Some(tensor) = run.get_mut(published.output) {
                    *tensor = integers.to_vec();
                }
            }
        }
        Ok(held)
    }
}

/// A registration of whatever `overrides` leaves of the weights and of what is computed from them. The weights that
/// are committed to are those of `weights`.
///
/// # Errors
/// Program and plan do not even have the same shapes.
pub fn register(
    program: &Program,
    plan: &Plan,
    weights: &WeightCommitment,
    overrides: Override<'_>,
) -> Result<Forged, ProveError> {
    let values = Values::of_weights_with(plan, program, overrides)?;
    let job = Job {
        program,
        plan,
        values: &values,
        committed: &values,
        weights,
        subject: Subject::Weights(weights.registration()),
        outputs: &[],
    };
    let mut transcript = ProverTranscript::new(PROTOCOL);
    transcript.persist();
    let stopped = job
        .prove(Ledger::credulous(), &mut transcript, &mut |_| {})
        .err();
    Ok(Forged {
        outputs: Vec::new(),
        messages: transcript.sent().to_vec(),
        bytes: transcript.finish(),
        stopped,
    })
}
