//! Class `Executor`, and what this machine can run.

use crate::arrays::to_array;
use crate::error::{ArgumentError, CoreError};
use crate::program::Program;
use crate::trace::Trace;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use veridical_executor::{Isa, Options};
use veridical_program::boundary;

const ISAS: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

/// A program, planned for this machine.
#[pyclass(frozen, module = "veridical._core")]
pub(crate) struct Executor {
    inner: veridical_executor::Executor,
    program: Program,
}

#[pymethods]
impl Executor {
    #[new]
    #[pyo3(signature = (program, /, *, threads=0, isa="auto"))]
    fn new(
        py: Python<'_>,
        program: &Program,
        threads: usize,
        isa: &str,
    ) -> Result<Self, CoreError> {
        let isa = match isa {
            "auto" => None,
            name => {
                let unknown = || ArgumentError::Isa {
                    name: name.to_owned(),
                };
                Some(
                    ISAS.into_iter()
                        .find(|i| i.name() == name)
                        .ok_or_else(unknown)?,
                )
            }
        };
        let all = || available_parallelism().map_or(1, NonZero::get);
        let threads = if threads == 0 { all() } else { threads };
        let inner = py.detach(|| {
            let program = Arc::clone(&program.0);
            veridical_executor::Executor::new(program, Options { threads, isa })
        })?;
        Ok(Self {
            inner,
            program: program.clone(),
        })
    }

    /// Integer outputs of integer inputs.
    #[pyo3(signature = (inputs, /))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyDict>,
    ) -> Result<Bound<'py, PyDict>, CoreError> {
        let (values, batch) = self.program.integer_inputs(inputs)?;
        let outputs = self.run_values(py, &values, batch)?;
        let result = PyDict::new(py);
        let graph = self.program.0.graph();
        for (output, values) in graph.outputs.iter().zip(outputs) {
            let Some(tensor) = graph.tensors.get(output.tensor) else {
                continue;
            };
            result.set_item(&output.name, to_array(py, values, batch, &tensor.shape)?)?;
        }
        Ok(result)
    }

    /// Real outputs of real inputs: encode, run and decode in one call.
    #[pyo3(signature = (inputs, /))]
    fn infer<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyDict>,
    ) -> Result<Bound<'py, PyDict>, CoreError> {
        let (values, batch, _) = self.program.encode_inputs(inputs)?;
        let outputs = self.run_values(py, &values, batch)?;
        let result = PyDict::new(py);
        let graph = self.program.0.graph();
        for (output, values) in graph.outputs.iter().zip(outputs) {
            let Some(tensor) = graph.tensors.get(output.tensor) else {
                continue;
            };
            let reals: Vec<f64> = values
                .into_iter()
                .map(|q| boundary::decode(q, output.decode))
                .collect();
            result.set_item(&output.name, to_array(py, reals, batch, &tensor.shape)?)?;
        }
        Ok(result)
    }

    /// Run on integer inputs and keep every tensor.
    #[pyo3(signature = (inputs, /))]
    fn trace(&self, py: Python<'_>, inputs: &Bound<'_, PyDict>) -> Result<Trace, CoreError> {
        let (values, batch) = self.program.integer_inputs(inputs)?;
        let slices: Vec<&[i32]> = values.iter().map(Vec::as_slice).collect();
        let trace = py.detach(|| self.inner.trace(&slices, batch))?;
        Ok(Trace::new(self.program.clone(), trace))
    }

    /// Instruction set in use.
    #[getter]
    fn isa(&self) -> &'static str {
        self.inner.isa().name()
    }

    /// Threads of a run.
    #[getter]
    fn threads(&self) -> usize {
        self.inner.threads()
    }
}

impl Executor {
    /// The program that is executed.
    pub(crate) const fn program(&self) -> &Program {
        &self.program
    }

    /// The engine itself.
    pub(crate) const fn engine(&self) -> &veridical_executor::Executor {
        &self.inner
    }

    fn run_values(
        &self,
        py: Python<'_>,
        values: &[Vec<i32>],
        batch: usize,
    ) -> Result<Vec<Vec<i32>>, CoreError> {
        let slices: Vec<&[i32]> = values.iter().map(Vec::as_slice).collect();
        Ok(py.detach(|| self.inner.run(&slices, batch))?)
    }
}

/// Names of the instruction sets that this machine can run, slowest first.
#[pyfunction]
pub(crate) fn available_isas() -> Vec<&'static str> {
    ISAS.into_iter()
        .filter(|isa| isa.is_available())
        .map(Isa::name)
        .collect()
}

/// Features of this processor that matter to the kernels and to SHA-256.
#[pyfunction]
pub(crate) fn cpu_features() -> Vec<&'static str> {
    features()
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let known = [
        ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("bmi1", std::arch::is_x86_feature_detected!("bmi1")),
        ("bmi2", std::arch::is_x86_feature_detected!("bmi2")),
        ("f16c", std::arch::is_x86_feature_detected!("f16c")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("lzcnt", std::arch::is_x86_feature_detected!("lzcnt")),
        ("movbe", std::arch::is_x86_feature_detected!("movbe")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512bw", std::arch::is_x86_feature_detected!("avx512bw")),
        ("avx512cd", std::arch::is_x86_feature_detected!("avx512cd")),
        ("avx512dq", std::arch::is_x86_feature_detected!("avx512dq")),
        ("avx512vl", std::arch::is_x86_feature_detected!("avx512vl")),
        (
            "avx512vnni",
            std::arch::is_x86_feature_detected!("avx512vnni"),
        ),
        ("sha", std::arch::is_x86_feature_detected!("sha")),
    ];
    known
        .into_iter()
        .filter_map(|(name, is_there)| is_there.then_some(name))
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}
