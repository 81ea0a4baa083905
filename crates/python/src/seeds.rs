//! Verifiable random function, beacon rounds, noise and sampling.

use crate::error::{ArgumentError, CoreError};
use numpy::{PyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use veridical_seeds::beacon::{ChainKey, KEY_BYTES, SIGNATURE_BYTES};
use veridical_seeds::noise::{Draw, Row};
use veridical_seeds::sample::{Weight, sample};
use veridical_seeds::vrf::{PROOF_BYTES, PublicKey, SecretKey};

/// The public key of 32 secret bytes.
#[pyfunction]
#[pyo3(signature = (secret, /))]
pub(crate) fn vrf_public_key<'py>(
    py: Python<'py>,
    secret: &[u8],
) -> Result<Bound<'py, PyBytes>, CoreError> {
    let secret = SecretKey::from_bytes(&fixed("a secret key", secret)?)?;
    Ok(PyBytes::new(py, &secret.public_key().to_bytes()))
}

/// The proof for an input, and its output.
#[pyfunction]
#[pyo3(signature = (secret, alpha, /))]
pub(crate) fn vrf_prove<'py>(
    py: Python<'py>,
    secret: &[u8],
    alpha: &[u8],
) -> Result<(Bound<'py, PyBytes>, Bound<'py, PyBytes>), CoreError> {
    let secret = SecretKey::from_bytes(&fixed("a secret key", secret)?)?;
    let (proof, beta) = secret.prove(alpha)?;
    Ok((PyBytes::new(py, &proof), PyBytes::new(py, &beta)))
}

/// The output that a proof shows to belong to an input.
#[pyfunction]
#[pyo3(signature = (public, alpha, proof, /))]
pub(crate) fn vrf_verify<'py>(
    py: Python<'py>,
    public: &[u8],
    alpha: &[u8],
    proof: &[u8],
) -> Result<Bound<'py, PyBytes>, CoreError> {
    let public = PublicKey::from_bytes(fixed("a VRF key", public)?)?;
    let proof: [u8; PROOF_BYTES] = fixed("a VRF proof", proof)?;
    Ok(PyBytes::new(py, &public.verify(alpha, &proof)?))
}

/// The randomness of a round whose signature verifies.
#[pyfunction]
#[pyo3(signature = (key, number, signature, /))]
pub(crate) fn beacon_verify<'py>(
    py: Python<'py>,
    key: &[u8],
    number: u64,
    signature: &[u8],
) -> Result<Bound<'py, PyBytes>, CoreError> {
    let key: [u8; KEY_BYTES] = fixed("a beacon's key", key)?;
    let signature: [u8; SIGNATURE_BYTES] = fixed("a round's signature", signature)?;
    let randomness = py.detach(|| ChainKey::from_bytes(&key)?.verify(number, &signature))?;
    Ok(PyBytes::new(py, &randomness))
}

/// The noise of one row, in units of `2^-24`.
#[pyfunction]
#[pyo3(signature = (seed, row, count, /))]
pub(crate) fn gumbel_noise<'py>(
    py: Python<'py>,
    seed: &[u8],
    row: u64,
    count: usize,
) -> Result<Bound<'py, PyArray1<i32>>, CoreError> {
    let seed: [u8; 32] = fixed("a seed", seed)?;
    let noise: Vec<i32> = py.detach(|| Row::new(&seed, row).take(count).map(Draw::noise).collect());
    Ok(PyArray1::from_vec(py, noise))
}

/// The index that noise and logits choose in each row; rows are counted from 0.
#[pyfunction]
#[pyo3(signature = (seed, logits, /, *, mul, shift, temperature))]
#[expect(
    clippy::needless_pass_by_value,
    reason = "an argument from Python is owned"
)]
pub(crate) fn gumbel_sample<'py>(
    py: Python<'py>,
    seed: &[u8],
    logits: PyReadonlyArray2<'py, i32>,
    mul: u32,
    shift: i32,
    temperature: (u32, u32),
) -> Result<Bound<'py, PyArray1<i64>>, CoreError> {
    let seed: [u8; 32] = fixed("a seed", seed)?;
    let weight = Weight::new(mul, shift, temperature)?;
    let width = logits.shape().get(1).copied().unwrap_or(0);
    let elements = logits.as_slice().map_err(|_| ArgumentError::Layout)?;
    let chosen = py.detach(|| {
        (0_u64..)
            .zip(elements.chunks_exact(width.max(1)))
            .map(|(row, logits)| sample(&seed, row, logits, weight).map(i64::from))
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(PyArray1::from_vec(py, chosen))
}

/// An argument of a fixed length.
fn fixed<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], CoreError> {
    let actual = bytes.len();
    bytes.try_into().map_err(|_| {
        let expected = N;
        CoreError::from(ArgumentError::Length {
            what,
            expected,
            actual,
        })
    })
}
