//! Every tensor of a run, with Merkle roots and single-element re-execution.
//!
//! Spec: spec/v1/program.md, section 8.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use veridical_program::Program;

use crate::error::ExecutorError;
use crate::interpreter::Site;

/// Elements of one chunk leaf.
const CHUNK: usize = 32;

/// All tensors of one run as `int32`, in shape `[batch, *shape]`.
#[derive(Debug, Clone)]
pub struct Trace {
    program: Arc<Program>,
    batch: usize,
    tensors: Vec<Vec<i32>>,
}

impl Trace {
    pub(crate) fn new(program: Arc<Program>, batch: usize, tensors: Vec<Vec<i32>>) -> Self {
        Self { program, batch, tensors }
    }

    /// Items of the run.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Number of tensors: inputs, then one for each node.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor, which no trace of a program is.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Elements of tensor `t` in row-major order, batch axis first.
    ///
    /// # Errors
    /// [`ExecutorError::NoSuchTensor`].
    pub fn tensor(&self, t: usize) -> Result<&[i32], ExecutorError> {
        self.tensors
            .get(t)
            .map(Vec::as_slice)
            .ok_or(ExecutorError::NoSuchTensor { tensor: t, count: self.tensors.len() })
    }

    /// Merkle root of the chunks of tensor `t`.
    ///
    /// # Errors
    /// [`ExecutorError::NoSuchTensor`].
    pub fn tensor_root(&self, t: usize) -> Result<[u8; 32], ExecutorError> {
        Ok(tensor_root(t, self.tensor(t)?))
    }

    /// Merkle root of the whole trace.
    pub fn root(&self) -> [u8; 32] {
        let leaves = self.tensors.iter().enumerate().map(|(t, elements)| {
            leaf(b"veridical.trace.tensor.v1")
                .chain_update(id(t))
                .chain_update(count(elements.len()))
                .chain_update(tensor_root(t, elements))
                .finalize()
                .into()
        });
        tree(leaves.collect())
    }

    /// Recomputes element `k` of tensor `t` from its operands in the trace alone.
    ///
    /// The tensor itself is not read, unless it is an input: nothing recomputes that.
    ///
    /// # Errors
    /// [`ExecutorError::NoSuchTensor`], [`ExecutorError::NoSuchElement`]; [`ExecutorError::EmptyRow`] only
    /// for a trace that no run made.
    pub fn step(&self, t: usize, k: usize) -> Result<i32, ExecutorError> {
        let elements = self.tensor(t)?;
        let missing =
            ExecutorError::NoSuchElement { tensor: t, element: k, count: elements.len() };
        let element = elements.get(k).copied().ok_or(missing)?;
        let graph = self.program.graph();
        let Some(node) = t.checked_sub(graph.inputs.len()) else { return Ok(element) };
        let operands: Vec<&[i32]> =
            graph.nodes[node].inputs.iter().map(|&i| self.tensors[i].as_slice()).collect();
        Site::new(&self.program, node, &operands, self.batch).element(k)
    }
}

fn tensor_root(t: usize, elements: &[i32]) -> [u8; 32] {
    let leaves = elements.chunks(CHUNK).enumerate().map(|(k, chunk)| {
        let bytes: Vec<u8> = chunk.iter().flat_map(|x| x.to_le_bytes()).collect();
        leaf(b"veridical.trace.chunk.v1")
            .chain_update(id(t))
            .chain_update(count(k))
            .chain_update(count(bytes.len()))
            .chain_update(bytes)
            .finalize()
            .into()
    });
    tree(leaves.collect())
}

/// Start of a leaf hash: `0x00 || frame(domain)`.
fn leaf(domain: &[u8]) -> Sha256 {
    Sha256::new().chain_update([0]).chain_update(count(domain.len())).chain_update(domain)
}

/// Merkle tree hash of RFC 9162, section 2.1.1, over hashed leaves.
fn tree(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    if level.is_empty() {
        return Sha256::digest(b"").into();
    }
    // Pairing neighbours level by level, an odd last node moving up unchanged, splits every subtree at
    // the largest power of two below its size.
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => Sha256::new()
                    .chain_update([1])
                    .chain_update(left)
                    .chain_update(right)
                    .finalize()
                    .into(),
                [single, ..] => *single,
                [] => [0; 32],
            })
            .collect();
    }
    level[0]
}

/// A tensor id: the loader caps nodes and inputs far below `2^32`.
fn id(t: usize) -> [u8; 4] {
    u32::try_from(t).unwrap_or(u32::MAX).to_le_bytes()
}

fn count(n: usize) -> [u8; 8] {
    u64::try_from(n).unwrap_or(u64::MAX).to_le_bytes()
}
