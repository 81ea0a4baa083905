//! From runs to a proof: the steps of the protocol in order.
//!
//! Spec: spec/v1/zk.md, section 5.

use tracing::info_span;
use veridical_argument::claims::{Claim, Ledger};
use veridical_argument::field::F;
use veridical_argument::labels;
use veridical_argument::multilinear::{evaluate_integers, shape_variables};
use veridical_argument::pcs::{Committed, MIN_VARIABLES};
use veridical_argument::plan::{Definition, Plan, WireId};
use veridical_argument::profile::{PROTOCOL, Stack as Kind};
use veridical_argument::stack::{Stack, witness_stack};
use veridical_argument::statement::{Statement, Subject, Tensors};
use veridical_argument::transcript::{ProverTranscript, Transcript};
use veridical_executor::{Executor, Trace};
use veridical_program::Program;

use crate::error::ProveError;
use crate::gkr::Execution;
use crate::values::Values;
use crate::weights::WeightCommitment;
use crate::{gkr, opening, reduce, zero_check};

/// What is to be proven: runs of one program, each with the digest of its statement.
#[derive(Debug, Clone, Copy)]
pub struct Runs<'a> {
    /// Statement digests.
    pub digests: &'a [[u8; 32]],
    /// Integer inputs of every run, row-major, in the order of the program.
    pub inputs: &'a [Tensors],
}

/// A proof with the outputs that it is about.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The proof.
    pub bytes: Vec<u8>,
    /// Integer outputs of every run, row-major, in the order in which they are published.
    pub outputs: Vec<Tensors>,
}

/// Runs the program on every input and proves the outputs. `enter` is told the name of each stage.
///
/// Threads are those of the current pool.
///
/// # Errors
/// An input that the program does not take, a program or batch that cannot be proven.
pub fn prove(
    executor: &Executor,
    weights: &WeightCommitment,
    runs: Runs<'_>,
    enter: &mut (dyn FnMut(&'static str) + Send),
) -> Result<Proof, ProveError> {
    enter("inference");
    let batch = runs.digests.len();
    let trace = info_span!("inference").in_scope(|| trace(executor, runs))?;
    enter("witness");
    let stage = info_span!("witness").entered();
    let plan = info_span!("plan").in_scope(|| Plan::build(executor.program(), batch))?;
    let values = Values::compute(&plan, executor.program(), &trace)?;
    let outputs = outputs(executor.program(), &trace, batch)?;
    drop(stage);
    let registration = weights.registration();
    if registration.model_digest != *executor.program().digest() {
        return Err(ProveError::OtherModel);
    }
    let job = Job {
        program: executor.program(),
        plan: &plan,
        values: &values,
        committed: &values,
        weights,
        subject: Subject::Runs(Statement {
            profile: registration.profile,
            registration,
            digests: runs.digests,
            inputs: runs.inputs,
            outputs: &outputs,
        }),
        outputs: &outputs,
    };
    let mut transcript = ProverTranscript::new(PROTOCOL);
    job.prove(Ledger::new(), &mut transcript, enter)?;
    Ok(Proof {
        bytes: transcript.finish(),
        outputs,
    })
}

/// Proves that the weights behind a commitment keep what the loader of the program has checked with them: once for
/// each program and profile, for whoever holds only the verification key (section 12).
///
/// # Errors
/// The program has no weights, is a verification key, or some condition of section 12 does not hold for it.
pub fn register(
    program: &Program,
    weights: &WeightCommitment,
    enter: &mut (dyn FnMut(&'static str) + Send),
) -> Result<Vec<u8>, ProveError> {
    enter("witness");
    let registration = weights.registration();
    if registration.model_digest != *program.digest() {
        return Err(ProveError::OtherModel);
    }
    if registration.weight_root.is_none() {
        return Err(ProveError::NoWeights);
    }
    let plan = Plan::registration(program)?;
    let values = Values::of_weights(&plan, program)?;
    let job = Job {
        program,
        plan: &plan,
        values: &values,
        committed: &values,
        weights,
        subject: Subject::Weights(registration),
        outputs: &[],
    };
    let mut transcript = ProverTranscript::new(PROTOCOL);
    job.prove(Ledger::new(), &mut transcript, enter)?;
    Ok(transcript.finish())
}

/// The witness of a proof with what it is proven about.
pub(crate) struct Job<'a> {
    pub(crate) program: &'a Program,
    pub(crate) plan: &'a Plan,
    pub(crate) values: &'a Values<'a>,
    /// Integers of the witness wires that are committed.
    pub(crate) committed: &'a Values<'a>,
    pub(crate) weights: &'a WeightCommitment,
    /// What is absorbed.
    pub(crate) subject: Subject<'a>,
    /// What is claimed of the output wires.
    pub(crate) outputs: &'a [Tensors],
}

impl Job<'_> {
    /// Section 5, from the statement to the openings.
    pub(crate) fn prove(
        &self,
        mut ledger: Ledger,
        transcript: &mut ProverTranscript,
        enter: &mut (dyn FnMut(&'static str) + Send),
    ) -> Result<(), ProveError> {
        let Self { plan, values, .. } = *self;
        self.subject.absorb(transcript);

        enter("witness commitment");
        let (stack, wires) =
            witness_stack(plan, MIN_VARIABLES).ok_or(ProveError::TooLarge { what: "witness" })?;
        let committed =
            info_span!("witness commitment").in_scope(|| self.commit(&stack, &wires))?;
        transcript.send_root(labels::WITNESS_ROOT, &committed.root());
        let work = usize::from(self.subject.profile().lookup_work);
        transcript.send_work(labels::LOOKUP_WORK, work);

        enter("lookups");
        let execution = Execution {
            values,
            program: self.program,
        };
        let claims = info_span!("lookups").in_scope(|| gkr::prove(plan, &execution, transcript))?;
        add_all(&mut ledger, claims)?;
        enter("identities");
        let claims =
            info_span!("identities").in_scope(|| zero_check::prove(plan, values, transcript))?;
        add_all(&mut ledger, claims)?;
        info_span!("outputs").in_scope(|| self.claim_outputs(&mut ledger, transcript))?;
        enter("reductions");
        info_span!("reductions").in_scope(|| reduce::run(plan, values, &mut ledger, transcript))?;

        enter("weight opening");
        let constant = |wire: WireId| match plan.wire(wire)?.definition {
            Definition::Weight { constant } => Some(constant),
            _ => None,
        };
        let claims = ledger.take_all(|wire| constant(wire).is_some());
        if let Some((committed, stack, consts)) = self.weights.committed() {
            let tensor = |wire| consts.binary_search(&constant(wire)?).ok();
            info_span!("weight opening")
                .in_scope(|| opening::open(stack, committed, claims, tensor, transcript))?;
        }
        enter("witness opening");
        let tensor = |wire: WireId| wires.binary_search(&wire).ok();
        let claims = ledger.take_all(|wire| tensor(wire).is_some());
        info_span!("witness opening")
            .in_scope(|| opening::open(&stack, &committed, claims, tensor, transcript))?;
        ledger.assert_empty()?;
        Ok(())
    }

    /// Commits to all witness wires.
    fn commit(&self, stack: &Stack, wires: &[WireId]) -> Result<Committed, ProveError> {
        let scatter = info_span!("scatter").entered();
        let mut elements = vec![F::default(); 1 << stack.variables()];
        for (tensor, &wire) in wires.iter().enumerate() {
            let integers = self
                .committed
                .wire(wire)
                .ok_or(ProveError::MissingWire { wire: wire.0 })?;
            stack.scatter(tensor, integers, &mut elements);
        }
        drop(scatter);
        let profile = self.subject.profile();
        Ok(Committed::new(profile, Kind::Witness, elements)?)
    }

    /// Step 5: every output at a random point.
    fn claim_outputs(
        &self,
        ledger: &mut Ledger,
        transcript: &mut ProverTranscript,
    ) -> Result<(), ProveError> {
        for published in &self.plan.outputs {
            let missing = ProveError::MissingWire {
                wire: published.wire.0,
            };
            let shape = &self.plan.wire(published.wire).ok_or(missing)?.shape;
            let point = transcript.challenges(labels::OUTPUT_POINT, shape_variables(shape));
            let integers: Vec<i32> = self
                .outputs
                .iter()
                .filter_map(|run| run.get(published.output))
                .flatten()
                .copied()
                .collect();
            let value = evaluate_integers(&integers, shape, &point);
            let wire = published.wire;
            ledger.add(Claim { wire, point, value })?;
        }
        Ok(())
    }
}

/// Runs all inputs as one batch and keeps every integer.
pub(crate) fn trace(executor: &Executor, runs: Runs<'_>) -> Result<Trace, ProveError> {
    let num_inputs = executor.program().graph().inputs.len();
    let (digests, inputs) = (runs.digests.len(), runs.inputs.len());
    if digests != inputs {
        return Err(ProveError::Runs { digests, inputs });
    }
    let stacked: Vec<Vec<i32>> = (0..num_inputs)
        .map(|input| {
            let tensors = runs.inputs.iter().filter_map(|run| run.get(input));
            tensors.flatten().copied().collect()
        })
        .collect();
    let slices: Vec<&[i32]> = stacked.iter().map(Vec::as_slice).collect();
    Ok(executor.trace(&slices, digests)?)
}

/// The outputs of every run.
pub(crate) fn outputs(
    program: &Program,
    trace: &Trace,
    batch: usize,
) -> Result<Vec<Tensors>, ProveError> {
    let graph = program.graph();
    let mut outputs = vec![Tensors::new(); batch];
    for output in &graph.outputs {
        let elements = trace.tensor(output.tensor)?;
        let length = (elements.len() / batch.max(1)).max(1);
        for (run, elements) in outputs.iter_mut().zip(elements.chunks(length)) {
            run.push(elements.to_vec());
        }
    }
    Ok(outputs)
}

fn add_all(ledger: &mut Ledger, claims: Vec<Claim>) -> Result<(), ProveError> {
    for claim in claims {
        ledger.add(claim)?;
    }
    Ok(())
}
