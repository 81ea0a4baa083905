//! Weight commitments, proofs and their verification.

use crate::arrays::{Expected, lookup, no_others, same_batch};
use crate::error::{ArgumentError, CoreError};
use crate::executor::Executor;
use crate::program::{Program, integers};
use crate::timeline::{Timeline, recorded};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use veridical_argument::profile::Profile;
use veridical_argument::statement::{Registration, Statement, Tensors};
use veridical_argument::transcript::Root;
use veridical_program::ConstKind;
use veridical_prover::ProveError;
use veridical_verifier::Request;

/// The committed weights of a program.
#[pyclass(frozen, module = "veridical._core")]
pub(crate) struct WeightCommitment(veridical_prover::WeightCommitment);

#[pymethods]
impl WeightCommitment {
    #[new]
    #[pyo3(signature = (program, /, *, profile, threads=0, timeline=None))]
    fn new(
        py: Python<'_>,
        program: &Program,
        profile: &str,
        threads: usize,
        timeline: Option<&Timeline>,
    ) -> Result<Self, CoreError> {
        let profile = profile_named(profile)?;
        let inner = py.detach(|| {
            in_pool(threads, || {
                recorded(timeline, || {
                    veridical_prover::WeightCommitment::new(&program.0, profile)
                })
            })
        })??;
        Ok(Self(inner))
    }

    /// The 32 bytes that stand for the weights; zeros for a program without any.
    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let root = self.0.registration().weight_root;
        PyBytes::new(py, &root.unwrap_or(Root([0; 32])).0)
    }
}

/// A proof of runs of one program, in the order of their statements.
#[pyfunction]
#[pyo3(signature = (executor, weights, inputs, statements, /, *, progress=None, timeline=None))]
#[expect(
    clippy::needless_pass_by_value,
    reason = "an argument from Python is owned"
)]
pub(crate) fn prove<'py>(
    py: Python<'py>,
    executor: &Executor,
    weights: &WeightCommitment,
    inputs: Vec<Bound<'py, PyDict>>,
    statements: Vec<[u8; 32]>,
    progress: Option<Py<PyAny>>,
    timeline: Option<&Timeline>,
) -> Result<Bound<'py, PyBytes>, CoreError> {
    let program = executor.program();
    let runs = Runs::of_inputs(program, &inputs, &statements)?;
    let threads = executor.engine().threads();
    let bytes = staged(py, threads, progress.as_ref(), |enter| {
        let runs = veridical_prover::Runs {
            digests: &runs.digests,
            inputs: &runs.tensors,
        };
        let proof = recorded(timeline, || {
            veridical_prover::prove(executor.engine(), &weights.0, runs, enter)
        })?;
        Ok(proof.bytes)
    })?;
    Ok(PyBytes::new(py, &bytes))
}

/// The proof that the committed weights keep what the program declares.
#[pyfunction]
#[pyo3(signature = (program, weights, /, *, threads=0, progress=None))]
#[expect(
    clippy::needless_pass_by_value,
    reason = "an argument from Python is owned"
)]
pub(crate) fn register<'py>(
    py: Python<'py>,
    program: &Program,
    weights: &WeightCommitment,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> Result<Bound<'py, PyBytes>, CoreError> {
    let bytes = staged(py, threads, progress.as_ref(), |enter| {
        veridical_prover::register(&program.0, &weights.0, enter)
    })?;
    Ok(PyBytes::new(py, &bytes))
}

/// Makes a proof on so many threads and tells `progress` each stage.
fn staged(
    py: Python<'_>,
    threads: usize,
    progress: Option<&Py<PyAny>>,
    make: impl FnOnce(&mut (dyn FnMut(&'static str) + Send)) -> Result<Vec<u8>, ProveError> + Send,
) -> Result<Vec<u8>, CoreError> {
    py.detach(|| {
        let mut raised = None;
        let mut enter = |stage: &'static str| {
            let Some(callable) = progress else { return };
            let called = Python::attach(|py| callable.call1(py, (stage,)).map(drop));
            raised = raised.take().or(called.err());
        };
        let proof = in_pool(threads, || make(&mut enter));
        match raised {
            Some(error) => Err(CoreError::Python(error)),
            None => Ok(proof??),
        }
    })
}

/// Checks the proof that the weights behind a root keep what the program declares; whole bits of its soundness.
#[pyfunction]
#[pyo3(signature = (program, profile, weight_root, proof, /))]
pub(crate) fn verify_registration(
    py: Python<'_>,
    program: &Program,
    profile: &str,
    weight_root: [u8; 32],
    proof: &[u8],
) -> Result<u32, CoreError> {
    let registration = Registration {
        model_digest: *program.0.digest(),
        profile: profile_named(profile)?,
        weight_root: Some(Root(weight_root)),
    };
    py.detach(|| {
        let verdict = veridical_verifier::verify_registration(&program.0, &registration, proof)?;
        Ok(verdict.soundness.whole())
    })
}

/// What a registration proof takes.
#[pyfunction]
#[pyo3(signature = (program, /, *, profile))]
pub(crate) fn registration_costs<'py>(
    py: Python<'py>,
    program: &Program,
    profile: &str,
) -> Result<Bound<'py, PyDict>, CoreError> {
    let profile = profile_named(profile)?;
    let costs = py.detach(|| veridical_prover::registration_costs(&program.0, profile))?;
    described(py, &costs)
}

/// Checks a proof; returns the whole bits of its soundness.
#[pyfunction]
#[pyo3(signature = (program, profile, weight_root, statements, inputs, outputs, proof, /))]
#[expect(
    clippy::needless_pass_by_value,
    clippy::too_many_arguments,
    reason = "an argument from Python is owned; a statement has this many parts"
)]
pub(crate) fn verify_proof(
    py: Python<'_>,
    program: &Program,
    profile: &str,
    weight_root: [u8; 32],
    statements: Vec<[u8; 32]>,
    inputs: Vec<Bound<'_, PyDict>>,
    outputs: Vec<Bound<'_, PyDict>>,
    proof: &[u8],
) -> Result<u32, CoreError> {
    let profile = profile_named(profile)?;
    let given = Runs::of_inputs(program, &inputs, &statements)?;
    let answered = Runs::of_outputs(program, &outputs, &statements)?;
    let consts = &program.0.graph().consts;
    let has_weights = consts.iter().any(|info| info.kind == ConstKind::Weight);
    let registration = Registration {
        model_digest: *program.0.digest(),
        profile,
        weight_root: has_weights.then_some(Root(weight_root)),
    };
    if given.digests != answered.digests || (!has_weights && weight_root != [0; 32]) {
        return Err(ArgumentError::Runs.into());
    }
    py.detach(|| {
        let request = Request {
            program: &program.0,
            statement: Statement {
                profile,
                registration: &registration,
                digests: &given.digests,
                inputs: &given.tensors,
                outputs: &answered.tensors,
            },
        };
        let verdict = veridical_verifier::verify(&request, proof)?;
        Ok(verdict.soundness.whole())
    })
}

/// What a proof of `batch` runs takes, before anything is run.
#[pyfunction]
#[pyo3(signature = (program, /, *, batch, profile))]
pub(crate) fn proof_costs<'py>(
    py: Python<'py>,
    program: &Program,
    batch: usize,
    profile: &str,
) -> Result<Bound<'py, PyDict>, CoreError> {
    let profile = profile_named(profile)?;
    let costs = py.detach(|| veridical_prover::costs(&program.0, batch, profile))?;
    described(py, &costs)
}

fn described<'py>(
    py: Python<'py>,
    costs: &veridical_prover::Costs,
) -> Result<Bound<'py, PyDict>, CoreError> {
    let result = PyDict::new(py);
    result.set_item("witness_cells", costs.witness_cells)?;
    result.set_item("lookup_slots", costs.lookup_slots)?;
    result.set_item("weight_cells", costs.weight_cells)?;
    result.set_item("memory", costs.memory)?;
    result.set_item("weight_memory", costs.weight_memory)?;
    let components = PyDict::new(py);
    for (name, bits) in &costs.components {
        components.set_item(name, f64::from(bits.0) / 100.0)?;
    }
    result.set_item("components", components)?;
    result.set_item("soundness_bits", costs.soundness_bits)?;
    Ok(result)
}

/// Statements and tensors, one of each for every item: a run of a batch is as many equal digests.
struct Runs {
    digests: Vec<[u8; 32]>,
    tensors: Vec<Tensors>,
}

impl Runs {
    fn of_inputs(
        program: &Program,
        inputs: &[Bound<'_, PyDict>],
        statements: &[[u8; 32]],
    ) -> Result<Self, CoreError> {
        Self::collect(statements, inputs, |run| program.integer_inputs(run))
    }

    fn of_outputs(
        program: &Program,
        outputs: &[Bound<'_, PyDict>],
        statements: &[[u8; 32]],
    ) -> Result<Self, CoreError> {
        let graph = program.0.graph();
        Self::collect(statements, outputs, |run| {
            no_others(run, "output", graph.outputs.iter().map(|o| o.name.as_str()))?;
            let mut batch = None;
            let mut values = Vec::with_capacity(graph.outputs.len());
            for output in &graph.outputs {
                let Some(tensor) = graph.tensors.get(output.tensor) else {
                    continue;
                };
                let expected = Expected {
                    what: "output",
                    name: &output.name,
                    tensor,
                };
                let (array, actual) = lookup(run, expected)?;
                same_batch(&mut batch, actual, expected)?;
                values.push(integers(&array, expected)?);
            }
            Ok((values, batch.unwrap_or(1)))
        })
    }

    fn collect<'a, 'py: 'a>(
        statements: &[[u8; 32]],
        runs: &'a [Bound<'py, PyDict>],
        mut read: impl FnMut(&'a Bound<'py, PyDict>) -> Result<(Vec<Vec<i32>>, usize), CoreError>,
    ) -> Result<Self, CoreError> {
        if statements.len() != runs.len() || runs.is_empty() {
            return Err(ArgumentError::Runs.into());
        }
        let mut collected = Self {
            digests: Vec::new(),
            tensors: Vec::new(),
        };
        for (digest, run) in statements.iter().zip(runs) {
            let (values, batch) = read(run)?;
            for item in 0..batch {
                let part = |tensor: &Vec<i32>| {
                    let length = tensor.len() / batch;
                    tensor
                        .iter()
                        .copied()
                        .skip(item * length)
                        .take(length)
                        .collect()
                };
                collected.digests.push(*digest);
                collected.tensors.push(values.iter().map(part).collect());
            }
        }
        Ok(collected)
    }
}

fn profile_named(name: &str) -> Result<Profile, ArgumentError> {
    Profile::from_name(name).ok_or_else(|| ArgumentError::Profile {
        name: name.to_owned(),
    })
}

/// Runs `work` on so many threads; 0 stands for all processors.
fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T, CoreError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    Ok(pool
        .map_err(|error| CoreError::ThreadPool {
            reason: error.to_string(),
        })?
        .install(work))
}
