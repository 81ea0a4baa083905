//! The bytes of a statement.

use thiserror::Error;
use veridical_argument::profile::Profile;
use veridical_argument::statement::{Registration, Tensors};
use veridical_argument::transcript::Root;
use veridical_program::{Graph, Program};

/// Why bytes are no statement about a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The statement ends too early.
    #[error("the statement ends inside {what}: {needed} bytes needed, {left} left")]
    Truncated {
        /// Which part.
        what: &'static str,
        /// Bytes that the part takes; saturated.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// No profile has this name.
    #[error("the statement names a profile that does not exist")]
    Profile,
    /// The weights are neither committed nor absent.
    #[error("the statement says {found} of the commitment to weights, neither 0 nor 1")]
    Root {
        /// The byte.
        found: u8,
    },
    /// Bytes are left.
    #[error("{left} bytes follow the statement")]
    Trailing {
        /// Number of such bytes.
        left: usize,
    },
}

/// A statement about a batch of runs, as it is read from bytes.
///
/// | Part    | Bytes                                                                         |
/// |---------|-------------------------------------------------------------------------------|
/// | profile | length in one byte, name                                                      |
/// | weights | 1 and the root of their commitment in 32 bytes, or 0                          |
/// | batch   | number of runs, 4                                                             |
/// | run     | statement digest, 32; then inputs and outputs in the order of the program,    |
/// |         | row-major, each integer in 4                                                  |
///
/// Numbers are little-endian. Numbers of tensors and integers are those of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementBytes {
    /// What the weights were committed as.
    pub registration: Registration,
    /// Statement digest of every run.
    pub digests: Vec<[u8; 32]>,
    /// Inputs of every run.
    pub inputs: Vec<Tensors>,
    /// Outputs of every run.
    pub outputs: Vec<Tensors>,
}

impl StatementBytes {
    /// Reads a statement about `program`. No more is allocated than a small multiple of the bytes.
    ///
    /// # Errors
    /// The bytes are no statement about it.
    pub fn read(program: &Program, bytes: &[u8]) -> Result<Self, StatementError> {
        let mut reader = Reader { bytes };
        let [length] = reader.array("profile")?;
        let name = reader.take("profile", length.into())?;
        let name = core::str::from_utf8(name).ok();
        let profile = name.and_then(Profile::from_name);
        let profile = profile.ok_or(StatementError::Profile)?;
        let weight_root = match reader.array("weights")? {
            [0] => None,
            [1] => Some(Root(reader.array("weights")?)),
            [found] => return Err(StatementError::Root { found }),
        };
        let batch = u32::from_le_bytes(reader.array("batch")?);
        let graph = program.graph();
        let (inputs, outputs) = (inputs(graph), outputs(graph));
        let mut statement = Self {
            registration: Registration {
                model_digest: *program.digest(),
                profile,
                weight_root,
            },
            digests: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        for _ in 0..batch {
            statement.digests.push(reader.array("digest")?);
            statement.inputs.push(reader.tensors("inputs", &inputs)?);
            statement.outputs.push(reader.tensors("outputs", &outputs)?);
        }
        match reader.bytes.len() {
            0 => Ok(statement),
            left => Err(StatementError::Trailing { left }),
        }
    }

    /// The bytes of this statement.
    pub fn to_bytes(&self) -> Vec<u8> {
        let registration = &self.registration;
        let name = registration.profile.name.as_bytes();
        let mut bytes = vec![u8::try_from(name.len()).unwrap_or(u8::MAX)];
        bytes.extend_from_slice(name);
        match &registration.weight_root {
            Some(root) => {
                bytes.push(1);
                bytes.extend_from_slice(&root.0);
            }
            None => bytes.push(0),
        }
        let batch = u32::try_from(self.digests.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&batch.to_le_bytes());
        let runs = self.digests.iter().zip(&self.inputs).zip(&self.outputs);
        for ((digest, inputs), outputs) in runs {
            bytes.extend_from_slice(digest);
            let integers = inputs.iter().chain(outputs).flatten();
            bytes.extend(integers.flat_map(|integer| integer.to_le_bytes()));
        }
        bytes
    }
}

/// Number of integers of every input.
fn inputs(graph: &Graph) -> Vec<usize> {
    let tensors = graph.tensors.iter().take(graph.inputs.len());
    tensors.map(veridical_program::TensorInfo::len).collect()
}

/// Number of integers of every output.
fn outputs(graph: &Graph) -> Vec<usize> {
    let tensors = graph.outputs.iter();
    let tensors = tensors.filter_map(|output| graph.tensors.get(output.tensor));
    tensors.map(veridical_program::TensorInfo::len).collect()
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, what: &'static str, needed: usize) -> Result<&'a [u8], StatementError> {
        let left = self.bytes.len();
        let split = self.bytes.split_at_checked(needed);
        let (taken, rest) = split.ok_or(StatementError::Truncated { what, needed, left })?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], StatementError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(what, N)?);
        Ok(array)
    }

    fn tensors(
        &mut self,
        what: &'static str,
        lengths: &[usize],
    ) -> Result<Tensors, StatementError> {
        let tensor = |&length: &usize| {
            let taken = self.take(what, length.saturating_mul(4))?;
            let integers = taken.as_chunks::<4>().0.iter();
            Ok(integers.map(|bytes| i32::from_le_bytes(*bytes)).collect())
        };
        lengths.iter().map(tensor).collect()
    }
}
