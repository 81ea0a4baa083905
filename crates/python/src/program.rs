//! Class `Program`.

use crate::arrays::{
    Expected, constant_from_array, constant_to_array, lookup, no_others, same_batch, to_array,
    with_elements,
};
use crate::error::{ArgumentError, CoreError};
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use veridical_program::boundary;
use veridical_program::container::MAX_FILE_BYTES;

/// A checked program or verification key.
#[pyclass(frozen, module = "veridical._core")]
#[derive(Clone)]
pub(crate) struct Program(pub(crate) Arc<veridical_program::Program>);

#[pymethods]
impl Program {
    /// Read and check a program or a verification key.
    #[staticmethod]
    #[pyo3(signature = (untrusted_file, /))]
    fn from_bytes(py: Python<'_>, untrusted_file: &[u8]) -> Result<Self, CoreError> {
        py.detach(|| {
            Ok(Self(Arc::new(veridical_program::Program::from_bytes(
                untrusted_file,
            )?)))
        })
    }

    /// The same from a regular file, whose size is looked at before it is read.
    #[staticmethod]
    #[pyo3(signature = (path, /))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an argument from Python is owned"
    )]
    fn from_file(py: Python<'_>, path: PathBuf) -> Result<Self, CoreError> {
        py.detach(|| {
            let file = read_file(&path)?;
            Ok(Self(Arc::new(veridical_program::Program::from_bytes(
                &file,
            )?)))
        })
    }

    /// Make a program of a graph in canonical JSON and its constants; everything is checked.
    #[staticmethod]
    #[pyo3(signature = (graph_json, consts, *, salt=None, aliases=None))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an argument from Python is owned"
    )]
    fn build(
        py: Python<'_>,
        graph_json: &[u8],
        consts: Vec<Bound<'_, PyUntypedArray>>,
        salt: Option<&[u8]>,
        aliases: Option<BTreeMap<String, String>>,
    ) -> Result<Self, CoreError> {
        let constants: Result<Vec<_>, _> = consts
            .iter()
            .enumerate()
            .map(|(id, c)| constant_from_array(c, id))
            .collect();
        let constants = constants?;
        let to_salt =
            |s: &[u8]| <[u8; 32]>::try_from(s).map_err(|_| ArgumentError::Salt { actual: s.len() });
        let salt = salt.map(to_salt).transpose()?;
        let aliases = aliases.unwrap_or_default();
        py.detach(|| {
            let program = veridical_program::Program::new(graph_json, constants, salt, aliases)?;
            Ok(Self(Arc::new(program)))
        })
    }

    /// The file, or the verification key.
    #[pyo3(signature = (*, vkey=false))]
    fn to_bytes<'py>(&self, py: Python<'py>, vkey: bool) -> Bound<'py, PyBytes> {
        let program = &self.0;
        let file = py.detach(|| {
            if vkey {
                program.to_vkey_bytes()
            } else {
                program.to_bytes()
            }
        });
        PyBytes::new(py, &file)
    }

    /// The 32-byte model digest.
    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.digest())
    }

    /// The 32-byte Merkle root of the weights.
    #[getter]
    fn weight_root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.weight_root())
    }

    /// The graph in canonical JSON.
    #[getter]
    fn graph<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.graph_bytes())
    }

    /// Whether this is a verification key, which cannot be run.
    #[getter]
    fn is_vkey(&self) -> bool {
        self.0.is_vkey()
    }

    /// Digests of the source model by other names.
    #[getter]
    fn aliases(&self) -> BTreeMap<String, String> {
        self.0.aliases().clone()
    }

    /// A copy of constant `index`.
    #[pyo3(signature = (index, /))]
    fn r#const<'py>(&self, py: Python<'py>, index: usize) -> Result<Bound<'py, PyAny>, CoreError> {
        let info = self.0.graph().consts.get(index);
        match info.zip(self.0.constant(index)) {
            Some((info, elements)) => constant_to_array(py, elements, &info.shape),
            None => Err(ArgumentError::Const { id: index }.into()),
        }
    }

    /// Integers of real inputs, and how many elements were clamped.
    #[pyo3(signature = (inputs, /))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyDict>,
    ) -> Result<(Bound<'py, PyDict>, u64), CoreError> {
        let (encoded, batch, saturated) = self.encode_inputs(inputs)?;
        let graph = self.0.graph();
        let tensors = PyDict::new(py);
        for ((input, tensor), values) in graph.inputs.iter().zip(&graph.tensors).zip(encoded) {
            tensors.set_item(&input.name, to_array(py, values, batch, &tensor.shape)?)?;
        }
        Ok((tensors, saturated))
    }

    /// Real values of integer outputs.
    #[pyo3(signature = (integer_outputs, /))]
    fn decode<'py>(
        &self,
        py: Python<'py>,
        integer_outputs: &Bound<'py, PyDict>,
    ) -> Result<Bound<'py, PyDict>, CoreError> {
        let graph = self.0.graph();
        no_others(
            integer_outputs,
            "output",
            graph.outputs.iter().map(|o| o.name.as_str()),
        )?;
        let decoded = PyDict::new(py);
        for output in &graph.outputs {
            let Some(tensor) = graph.tensors.get(output.tensor) else {
                continue;
            };
            let expected = Expected {
                what: "output",
                name: &output.name,
                tensor,
            };
            let (array, batch) = lookup(integer_outputs, expected)?;
            let values: Vec<f64> = integers(&array, expected)?
                .into_iter()
                .map(|q| boundary::decode(q, output.decode))
                .collect();
            decoded.set_item(&output.name, to_array(py, values, batch, &tensor.shape)?)?;
        }
        Ok(decoded)
    }
}

impl Program {
    /// Encodes every input; returns them in order, the batch size and the saturation count.
    pub(crate) fn encode_inputs(
        &self,
        inputs: &Bound<'_, PyDict>,
    ) -> Result<(Vec<Vec<i32>>, usize, u64), CoreError> {
        let graph = self.0.graph();
        let mut saturated = 0;
        let (encoded, batch) = self.each_input(inputs, |index, array, expected| {
            let mut values = Vec::new();
            if let Some(input) = graph.inputs.get(index) {
                saturated += with_elements(array, expected, |elements| {
                    boundary::encode(input, expected.tensor, elements, &mut values)
                })??;
            }
            Ok(values)
        })?;
        Ok((encoded, batch, saturated))
    }

    /// Copies integer inputs; returns them in order and the batch size.
    pub(crate) fn integer_inputs(
        &self,
        inputs: &Bound<'_, PyDict>,
    ) -> Result<(Vec<Vec<i32>>, usize), CoreError> {
        self.each_input(inputs, |_, array, expected| integers(array, expected))
    }

    fn each_input<'py>(
        &self,
        inputs: &Bound<'py, PyDict>,
        mut read: impl FnMut(
            usize,
            &Bound<'py, PyUntypedArray>,
            Expected<'_>,
        ) -> Result<Vec<i32>, CoreError>,
    ) -> Result<(Vec<Vec<i32>>, usize), CoreError> {
        let graph = self.0.graph();
        if inputs.len() != graph.inputs.len() {
            no_others(
                inputs,
                "input",
                graph.inputs.iter().map(|i| i.name.as_str()),
            )?;
        }
        let mut batch = None;
        let mut values = Vec::with_capacity(graph.inputs.len());
        for (index, (input, tensor)) in graph.inputs.iter().zip(&graph.tensors).enumerate() {
            let expected = Expected {
                what: "input",
                name: &input.name,
                tensor,
            };
            let (array, actual) = lookup(inputs, expected)?;
            same_batch(&mut batch, actual, expected)?;
            values.push(read(index, &array, expected)?);
        }
        Ok((values, batch.unwrap_or(1)))
    }
}

/// Copies the elements of an array of int32.
pub(crate) fn integers(
    array: &Bound<'_, PyUntypedArray>,
    expected: Expected<'_>,
) -> Result<Vec<i32>, CoreError> {
    let copied = with_elements(array, expected, |elements| match elements {
        boundary::Received::I32(x) => Some(x.to_vec()),
        _ => None,
    })?;
    copied.ok_or_else(|| {
        CoreError::from(ArgumentError::Dtype {
            what: expected.what,
            name: expected.name.to_owned(),
            actual: numpy::PyUntypedArrayMethods::dtype(array).to_string(),
            expected: "int32",
        })
    })
}

fn read_file(path: &PathBuf) -> Result<Vec<u8>, CoreError> {
    let failed = |source| CoreError::File {
        path: path.display().to_string(),
        source,
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let limit = MAX_FILE_BYTES;
    if !metadata.is_file() {
        return Err(ArgumentError::FileType {
            path: path.display().to_string(),
        }
        .into());
    }
    let too_large = |actual| {
        CoreError::from(ArgumentError::FileSize {
            path: path.display().to_string(),
            actual,
            limit,
        })
    };
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // The file may grow while it is read.
    let file = File::open(path).map_err(failed)?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    match u64::try_from(bytes.len()) {
        Ok(actual) if actual > limit => Err(too_large(actual)),
        _ => Ok(bytes),
    }
}
