//! Class `Trace`.

use crate::arrays::to_array;
use crate::error::CoreError;
use crate::program::Program;
use numpy::PyArrayDyn;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::OnceLock;

/// Every integer of one run.
#[pyclass(frozen, module = "veridical._core")]
pub(crate) struct Trace {
    program: Program,
    inner: veridical_executor::Trace,
    root: OnceLock<[u8; 32]>,
}

impl Trace {
    pub(crate) const fn new(program: Program, inner: veridical_executor::Trace) -> Self {
        Self {
            program,
            inner,
            root: OnceLock::new(),
        }
    }
}

#[pymethods]
impl Trace {
    /// The 32-byte trace root; made when it is first asked for.
    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let root = py.detach(|| *self.root.get_or_init(|| self.inner.root()));
        PyBytes::new(py, &root)
    }

    /// A copy of a tensor, `[batch, *shape]`.
    #[pyo3(signature = (tensor, /))]
    fn tensor<'py>(
        &self,
        py: Python<'py>,
        tensor: usize,
    ) -> Result<Bound<'py, PyArrayDyn<i32>>, CoreError> {
        let values = self.inner.tensor(tensor)?.to_vec();
        let info = self.program.0.graph().tensors.get(tensor);
        let shape = info.map_or(&[][..], |info| &info.shape);
        to_array(py, values, self.inner.batch(), shape)
    }

    /// The 32-byte root of one tensor.
    #[pyo3(signature = (tensor, /))]
    fn tensor_root<'py>(
        &self,
        py: Python<'py>,
        tensor: usize,
    ) -> Result<Bound<'py, PyBytes>, CoreError> {
        let root = py.detach(|| self.inner.tensor_root(tensor))?;
        Ok(PyBytes::new(py, &root))
    }

    /// Element `element` of a tensor, computed again from its operands alone.
    #[pyo3(signature = (tensor, element, /))]
    fn step(&self, py: Python<'_>, tensor: usize, element: usize) -> Result<i32, CoreError> {
        Ok(py.detach(|| self.inner.step(tensor, element))?)
    }

    /// Number of tensors: inputs, then one per node.
    fn __len__(&self) -> usize {
        self.inner.len()
    }
}
