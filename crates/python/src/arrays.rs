//! NumPy arrays to slices and back.

use crate::error::{ArgumentError, CoreError};
use numpy::ndarray::{ArrayD, IxDyn};
use numpy::{
    Element, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use veridical_program::boundary::Received;
use veridical_program::{ConstData, TensorInfo};

/// A named tensor of an argument, and what it should be.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// `input` or `output`, for errors.
    pub(crate) what: &'static str,
    pub(crate) name: &'a str,
    pub(crate) tensor: &'a TensorInfo,
}

/// Runs `body` on the elements if the dtype is that of `T`.
macro_rules! with_dtype {
    ($array:expr, $body:expr, $($dtype:ty => $variant:path),*) => {
        $(if let Ok(array) = $array.cast::<PyArrayDyn<$dtype>>() {
            let array: PyReadonlyArrayDyn<'_, $dtype> = array.readonly();
            if let Ok(slice) = array.as_slice() {
                return Some($body($variant(slice)));
            }
        })*
    };
}

/// Calls `body` with the elements of a C-contiguous array in native byte order.
fn with_native<R>(
    array: &Bound<'_, PyUntypedArray>,
    mut body: impl FnMut(Received<'_>) -> R,
) -> Option<R> {
    if !array.is_c_contiguous() {
        return None;
    }
    with_dtype!(
        array, body,
        f32 => Received::F32, f64 => Received::F64, i32 => Received::I32, i64 => Received::I64,
        u8 => Received::U8, i8 => Received::I8, i16 => Received::I16, u16 => Received::U16,
        u32 => Received::U32, u64 => Received::U64
    );
    None
}

/// The same for every layout and byte order; booleans become bytes.
pub(crate) fn with_elements<R>(
    array: &Bound<'_, PyUntypedArray>,
    expected: Expected<'_>,
    mut body: impl FnMut(Received<'_>) -> R,
) -> Result<R, CoreError> {
    if let Some(result) = with_native(array, &mut body) {
        return Ok(result);
    }
    let numpy = array.py().import("numpy")?;
    let dtype = array.dtype();
    let is_boolean = dtype.kind() == b'b';
    let plain = if is_boolean {
        // A byte of a boolean array can hold more than 0 and 1.
        numpy
            .call_method1("not_equal", (array, 0))?
            .call_method1("view", ("u1",))?
    } else {
        let native = dtype.call_method1("newbyteorder", ("=",))?;
        numpy.call_method1("asarray", (array, native))?
    };
    let layout = ("C_CONTIGUOUS", "ALIGNED");
    let plain = numpy.call_method1("require", (plain, array.py().None(), layout))?;
    let plain = plain.cast_into::<PyUntypedArray>().map_err(PyErr::from)?;
    with_native(&plain, body).ok_or_else(|| {
        CoreError::from(ArgumentError::Dtype {
            what: expected.what,
            name: expected.name.to_owned(),
            actual: dtype.to_string(),
            expected: "float32, float64, and integers and booleans of at most 64 bits",
        })
    })
}

/// Looks up a tensor of an argument and checks its shape; returns its batch size.
pub(crate) fn lookup<'py>(
    tensors: &Bound<'py, PyDict>,
    expected: Expected<'_>,
) -> Result<(Bound<'py, PyUntypedArray>, usize), CoreError> {
    let Expected { what, name, tensor } = expected;
    let Some(value) = tensors.get_item(name)? else {
        return Err(ArgumentError::MissingTensor {
            what,
            name: name.to_owned(),
        }
        .into());
    };
    let no_array = || ArgumentError::NoArray {
        what,
        name: name.to_owned(),
    };
    let array = value
        .cast_into::<PyUntypedArray>()
        .ok()
        .ok_or_else(no_array)?;
    match array.shape().split_first() {
        Some((&batch, shape)) if batch > 0 && shape == tensor.shape => Ok((array, batch)),
        _ => Err(CoreError::from(ArgumentError::Shape {
            what,
            name: name.to_owned(),
            expected: tensor.shape.clone(),
            actual: array.shape().to_vec(),
        })),
    }
}

/// Fails if two tensors differ in their batch.
pub(crate) fn same_batch(
    batch: &mut Option<usize>,
    actual: usize,
    expected: Expected<'_>,
) -> Result<(), CoreError> {
    match *batch.get_or_insert(actual) {
        first if first == actual => Ok(()),
        first => Err(CoreError::from(ArgumentError::Batch {
            what: expected.what,
            name: expected.name.to_owned(),
            expected: first,
            actual,
        })),
    }
}

/// Fails if the argument has a tensor that nobody asked for.
pub(crate) fn no_others<'a>(
    tensors: &Bound<'_, PyDict>,
    what: &'static str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), CoreError> {
    for key in tensors.keys() {
        let name: String = key.extract()?;
        if !known.clone().any(|k| k == name) {
            let known = known.map(str::to_owned).collect();
            return Err(ArgumentError::UnknownTensor { what, name, known }.into());
        }
    }
    Ok(())
}

/// Makes an array `[batch, *shape]` of a vector.
pub(crate) fn to_array<'py, T: Element>(
    py: Python<'py>,
    values: Vec<T>,
    batch: usize,
    shape: &[usize],
) -> Result<Bound<'py, PyArrayDyn<T>>, CoreError> {
    let dimensions: Vec<usize> = std::iter::once(batch)
        .chain(shape.iter().copied())
        .collect();
    shaped(py, values, &dimensions)
}

fn shaped<'py, T: Element>(
    py: Python<'py>,
    values: Vec<T>,
    dimensions: &[usize],
) -> Result<Bound<'py, PyArrayDyn<T>>, CoreError> {
    let array = ArrayD::from_shape_vec(IxDyn(dimensions), values);
    let array = array.map_err(|e| pyo3::exceptions::PyValueError::new_err(e.to_string()))?;
    Ok(PyArrayDyn::from_owned_array(py, array))
}

/// Copies the elements of a constant into an array.
pub(crate) fn constant_to_array<'py>(
    py: Python<'py>,
    elements: &ConstData,
    shape: &[usize],
) -> Result<Bound<'py, PyAny>, CoreError> {
    Ok(match elements {
        ConstData::I8(x) => shaped(py, x.to_vec(), shape)?.into_any(),
        ConstData::I16(x) => shaped(py, x.to_vec(), shape)?.into_any(),
        ConstData::I32(x) => shaped(py, x.to_vec(), shape)?.into_any(),
    })
}

/// Copies an array of 8, 16 or 32-bit integers; the graph says its shape.
pub(crate) fn constant_from_array(
    array: &Bound<'_, PyUntypedArray>,
    id: usize,
) -> Result<ConstData, CoreError> {
    let name = format!("c{id}");
    let tensor = TensorInfo {
        shape: Vec::new(),
        lo: 0,
        hi: 0,
    };
    let expected = Expected {
        what: "const",
        name: &name,
        tensor: &tensor,
    };
    let copied = with_elements(array, expected, |elements| match elements {
        Received::I8(x) => Some(ConstData::I8(x.into())),
        Received::I16(x) => Some(ConstData::I16(x.into())),
        Received::I32(x) => Some(ConstData::I32(x.into())),
        _ => None,
    })?;
    copied.ok_or_else(|| {
        let actual = array.dtype().to_string();
        ArgumentError::Dtype {
            what: "const",
            name,
            actual,
            expected: "int8, int16 and int32",
        }
        .into()
    })
}
