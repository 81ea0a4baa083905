//! Every tensor of a run, with Merkle roots and single-element re-execution.
//!
//! Spec: spec/v1/program.md, section 8.

use std::sync::Arc;

use veridical_program::Program;
use veridical_program::merkle::{Hash, Hasher, tree};

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
        Self {
            program,
            batch,
            tensors,
        }
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
            .ok_or(ExecutorError::NoSuchTensor {
                tensor: t,
                count: self.tensors.len(),
            })
    }

    /// Merkle root of the chunks of tensor `t`.
    ///
    /// # Errors
    /// [`ExecutorError::NoSuchTensor`].
    pub fn tensor_root(&self, t: usize) -> Result<Hash, ExecutorError> {
        Ok(tensor_root(t, self.tensor(t)?))
    }

    /// Merkle root of the whole trace.
    pub fn root(&self) -> Hash {
        let leaves = self.tensors.iter().enumerate().map(|(t, elements)| {
            Hasher::leaf(b"veridical.trace.tensor.v1")
                .u32(id(t))
                .u64(count(elements.len()))
                .raw(&tensor_root(t, elements))
                .finish()
        });
        tree(&leaves.collect::<Vec<Hash>>())
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
        let missing = ExecutorError::NoSuchElement {
            tensor: t,
            element: k,
            count: elements.len(),
        };
        let element = elements.get(k).copied().ok_or(missing)?;
        let graph = self.program.graph();
        let Some(node) = t.checked_sub(graph.inputs.len()) else {
            return Ok(element);
        };
        let operands: Vec<&[i32]> = graph.nodes[node]
            .inputs
            .iter()
            .map(|&i| self.tensors[i].as_slice())
            .collect();
        Site::new(&self.program, node, &operands, self.batch).element(k)
    }
}

fn tensor_root(t: usize, elements: &[i32]) -> Hash {
    let mut bytes = [0; 4 * CHUNK];
    let leaves = elements.chunks(CHUNK).enumerate().map(|(k, chunk)| {
        for (bytes, element) in bytes.chunks_exact_mut(4).zip(chunk) {
            bytes.copy_from_slice(&element.to_le_bytes());
        }
        Hasher::leaf(b"veridical.trace.chunk.v1")
            .u32(id(t))
            .u64(count(k))
            .frame(&bytes[..4 * chunk.len()])
            .finish()
    });
    tree(&leaves.collect::<Vec<Hash>>())
}

/// A tensor id: the loader caps nodes and inputs far below `2^32`.
fn id(t: usize) -> u32 {
    u32::try_from(t).unwrap_or(u32::MAX)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
