//! The commitment to the weights of a model.
//!
//! Spec: spec/v1/zk.md, section 12.

use p3_field::PrimeCharacteristicRing;
use tracing::info_span;
use veridical_argument::field::F;
use veridical_argument::pcs::{Committed, MIN_VARIABLES};
use veridical_argument::profile::{Profile, Stack as Kind};
use veridical_argument::stack::{Stack, weight_stack};
use veridical_argument::statement::Registration;
use veridical_program::{ConstData, Program};

use crate::error::ProveError;

/// Committed once for each program and profile; serves any number of proofs.
#[derive(Debug, Clone)]
pub struct WeightCommitment {
    registration: Registration,
    committed: Option<(Committed, Stack, Vec<usize>)>,
}

impl WeightCommitment {
    /// Commits to the weights of a program.
    ///
    /// # Errors
    /// The program is a verification key, or its weights are more than a stack holds.
    pub fn new(program: &Program, profile: Profile) -> Result<Self, ProveError> {
        let _span = info_span!("weight commitment").entered();
        let too_large = ProveError::TooLarge { what: "weights" };
        let (stack, consts) = weight_stack(program.graph(), MIN_VARIABLES).ok_or(too_large)?;
        let committed = if consts.is_empty() {
            None
        } else {
            let scattering = info_span!("scatter").entered();
            let mut values = F::zero_vec(1 << stack.variables());
            for (tensor, &constant) in consts.iter().enumerate() {
                let data = program
                    .constant(constant)
                    .ok_or(ProveError::MissingConstant { constant })?;
                scatter(&stack, tensor, data, &mut values);
            }
            drop(scattering);
            Some((
                Committed::new(profile, Kind::Weights, values)?,
                stack,
                consts,
            ))
        };
        Ok(Self::with(program, profile, committed))
    }

    /// Commits to other integers than the program holds, under its name: what a liar does.
    ///
    /// # Errors
    /// As for [`WeightCommitment::new`].
    #[cfg(feature = "cheating")]
    pub fn of_other(
        program: &Program,
        profile: Profile,
        change: &mut dyn FnMut(usize, &mut Vec<i32>),
    ) -> Result<Self, ProveError> {
        let too_large = ProveError::TooLarge { what: "weights" };
        let (stack, consts) = weight_stack(program.graph(), MIN_VARIABLES).ok_or(too_large)?;
        let mut values = F::zero_vec(1 << stack.variables());
        for (tensor, &constant) in consts.iter().enumerate() {
            let data = program
                .constant(constant)
                .ok_or(ProveError::MissingConstant { constant })?;
            let mut integers: Vec<i32> = (0..data.len()).filter_map(|i| data.get(i)).collect();
            change(constant, &mut integers);
            stack.scatter(tensor, &integers, &mut values);
        }
        let committed = Committed::new(profile, Kind::Weights, values)?;
        Ok(Self::with(
            program,
            profile,
            Some((committed, stack, consts)),
        ))
    }

    /// The same tree under another record.
    #[cfg(feature = "cheating")]
    #[must_use]
    pub fn posing_as(&self, registration: Registration) -> Self {
        Self {
            registration,
            committed: self.committed.clone(),
        }
    }

    fn with(
        program: &Program,
        profile: Profile,
        committed: Option<(Committed, Stack, Vec<usize>)>,
    ) -> Self {
        Self {
            registration: Registration {
                model_digest: *program.digest(),
                profile,
                weight_root: committed.as_ref().map(|(committed, ..)| committed.root()),
            },
            committed,
        }
    }

    /// What every proof absorbs, and a verifier holds in place of the weights.
    pub const fn registration(&self) -> &Registration {
        &self.registration
    }

    /// The committed stack with its cells and the const of each tensor, if there is a weight.
    pub(crate) fn committed(&self) -> Option<(&Committed, &Stack, &[usize])> {
        let (committed, stack, consts) = self.committed.as_ref()?;
        Some((committed, stack, consts))
    }
}

fn scatter(stack: &Stack, tensor: usize, data: &ConstData, values: &mut [F]) {
    match data {
        ConstData::I8(data) => {
            let wide: Vec<i32> = data.iter().map(|&w| w.into()).collect();
            stack.scatter(tensor, &wide, values);
        }
        ConstData::I16(data) => {
            let wide: Vec<i32> = data.iter().map(|&w| w.into()).collect();
            stack.scatter(tensor, &wide, values);
        }
        ConstData::I32(data) => stack.scatter(tensor, data, values),
    }
}
