//! What a proof is about, and how the transcript takes it in.
//!
//! Spec: spec/v1/zk.md, section 5, step 1, and section 12.2.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use crate::profile::Profile;
use crate::transcript::{Root, Transcript};

/// The commitment to the weights of a model, made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// Model digest of the program.
    pub model_digest: [u8; 32],
    /// Profile under which the weights were committed.
    pub profile: Profile,
    /// Root of the stack of weights; `None` if the program has no const of kind `weight`.
    pub weight_root: Option<Root>,
}

impl Registration {
    /// Canonical encoding: digest, profile with its length, then 1 and the root, or 0.
    pub fn encode(&self) -> Vec<u8> {
        let profile = self.profile.encode();
        let mut bytes = self.model_digest.to_vec();
        bytes.extend(count(profile.len()));
        bytes.extend(profile);
        match &self.weight_root {
            Some(root) => {
                bytes.push(1);
                bytes.extend(root.0);
            }
            None => bytes.push(0),
        }
        bytes
    }
}

/// Integer tensors of one run, in the order of the program.
pub type Tensors = Vec<Vec<i32>>;

/// A batch of runs of one program.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// Profile of the proof.
    pub profile: Profile,
    /// Commitment to the weights.
    pub registration: &'a Registration,
    /// Statement digest of every run.
    pub digests: &'a [[u8; 32]],
    /// Inputs of every run, row-major.
    pub inputs: &'a [Tensors],
    /// Outputs of every run, row-major, in the order in which they are published.
    pub outputs: &'a [Tensors],
}

impl Statement<'_> {
    /// Number of runs.
    pub fn batch(&self) -> usize {
        self.digests.len()
    }

    /// Absorbs the statement: the first thing both sides do with a transcript.
    pub fn absorb(&self, transcript: &mut impl Transcript) {
        absorb_registration(self.profile, self.registration, transcript);
        transcript.absorb_bytes("batch", &count(self.batch()));
        transcript.absorb_bytes("statements", self.digests.as_flattened());
        transcript.absorb_bytes("inputs", &integers(self.inputs));
        transcript.absorb_bytes("outputs", &integers(self.outputs));
    }
}

/// What a proof is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// Runs of a program.
    Runs(Statement<'a>),
    /// Its weights alone.
    Weights(&'a Registration),
}

impl<'a> Subject<'a> {
    /// The commitment to the weights.
    pub const fn registration(&self) -> &'a Registration {
        match self {
            Self::Runs(statement) => statement.registration,
            Self::Weights(registration) => registration,
        }
    }

    /// Profile of the proof.
    pub const fn profile(&self) -> Profile {
        match self {
            Self::Runs(statement) => statement.profile,
            Self::Weights(registration) => registration.profile,
        }
    }

    /// Number of runs.
    pub fn batch(&self) -> usize {
        match self {
            Self::Runs(statement) => statement.batch(),
            Self::Weights(_) => 0,
        }
    }

    /// Inputs of every run.
    pub const fn inputs(&self) -> &'a [Tensors] {
        match self {
            Self::Runs(statement) => statement.inputs,
            Self::Weights(_) => &[],
        }
    }

    /// Outputs of every run; `None` if the proof is about none.
    pub const fn outputs(&self) -> Option<&'a [Tensors]> {
        match self {
            Self::Runs(statement) => Some(statement.outputs),
            Self::Weights(_) => None,
        }
    }

    /// Absorbs the subject: the first thing both sides do with a transcript.
    pub fn absorb(&self, transcript: &mut impl Transcript) {
        match self {
            Self::Runs(statement) => statement.absorb(transcript),
            Self::Weights(registration) => {
                absorb_registration(registration.profile, registration, transcript);
                transcript.absorb_bytes("weights", WEIGHTS.as_bytes());
            }
        }
    }
}

/// Says that a proof is about weights alone.
const WEIGHTS: &str = "veridical-registration/1";

fn absorb_registration(
    profile: Profile,
    registration: &Registration,
    transcript: &mut impl Transcript,
) {
    transcript.absorb_bytes("profile", &profile.encode());
    transcript.absorb_bytes("model digest", &registration.model_digest);
    transcript.absorb_bytes("registration", &registration.encode());
}

/// A number in eight bytes, little-endian.
fn count(number: usize) -> [u8; 8] {
    u64::try_from(number).unwrap_or(u64::MAX).to_le_bytes()
}

/// All integers of all runs, little-endian. Their numbers are those of the program's shapes.
fn integers(runs: &[Tensors]) -> Vec<u8> {
    let tensors = runs.iter().flatten();
    tensors
        .flatten()
        .flat_map(|integer| integer.to_le_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::ProverTranscript;

    fn first_challenge(statement: &Statement<'_>) -> crate::field::EF {
        let mut transcript = ProverTranscript::new("test");
        statement.absorb(&mut transcript);
        transcript.challenge("c")
    }

    fn tensors(value: i32) -> [Tensors; 2] {
        [vec![vec![value, 7]], vec![vec![-value, 8]]]
    }

    #[test]
    fn every_part_of_the_statement_is_absorbed() {
        let registration = Registration {
            model_digest: [1; 32],
            profile: Profile::STANDARD,
            weight_root: Some(Root([2; 32])),
        };
        let (digests, inputs, outputs) = ([[3; 32], [4; 32]], tensors(5), tensors(6));
        let statement = Statement {
            profile: Profile::STANDARD,
            registration: &registration,
            digests: &digests,
            inputs: &inputs,
            outputs: &outputs,
        };
        let other = Registration {
            weight_root: None,
            ..registration
        };
        let other_model = Registration {
            model_digest: [9; 32],
            ..registration
        };
        let (swapped, fewer) = ([[4; 32], [3; 32]], [[3; 32]]);
        let (other_inputs, other_outputs) = (tensors(15), tensors(16));
        let changed = [
            Statement {
                profile: Profile::STRONG,
                ..statement
            },
            Statement {
                registration: &other,
                ..statement
            },
            Statement {
                registration: &other_model,
                ..statement
            },
            Statement {
                digests: &swapped,
                ..statement
            },
            Statement {
                digests: &fewer,
                ..statement
            },
            Statement {
                inputs: &other_inputs,
                ..statement
            },
            Statement {
                outputs: &other_outputs,
                ..statement
            },
        ];
        let same = first_challenge(&statement);
        assert_eq!(same, first_challenge(&statement));
        for statement in &changed {
            assert_ne!(first_challenge(statement), same);
        }
    }
}
