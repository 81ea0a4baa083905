//! Verifying an opening.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use p3_multilinear_util::point::Point;
use p3_sumcheck::PrescribedPointPcs;
use p3_symmetric::MerkleCap;

use super::merkle::SharedTree;
use super::schedule::Schedule;
use super::{Domain, LABEL, PcsError, Scheme, codec, config, protocol};
use crate::field::EF;
use crate::profile::{Profile, Stack};
use crate::transcript::{Root, VerifierTranscript};

/// Verifies that the stack behind `root` has `value` at `point`, high bit first.
///
/// The transcript has absorbed the root before it drew the challenges that `point` is made of.
///
/// # Errors
/// The opening is not valid; the bytes are read up to the message that was refused.
pub fn verify(
    profile: Profile,
    stack: Stack,
    variables: usize,
    root: &Root,
    transcript: &mut VerifierTranscript<'_>,
    point: &[EF],
    value: EF,
) -> Result<(), PcsError> {
    let schedule = Schedule::new(profile, stack, variables)?;
    if point.len() != variables {
        return Err(PcsError::Point {
            variables,
            found: point.len(),
        });
    }
    let config = config(&schedule)?;
    let (challenger, reader) = transcript.opening(LABEL, variables);
    let opening = codec::read(reader, &schedule, value)?;
    let root = MerkleCap::new(vec![root.0]);
    let points = [Point::new(point.to_vec())];
    // Every shape has been fixed by the codec; the scheme may still panic, which is a refusal.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        Scheme::new(config, Domain::default(), SharedTree::default()).verify_at(
            &root,
            &opening,
            &protocol(variables),
            &points,
            challenger,
        )
    }));
    match outcome {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(PcsError::Refused {
            reason: error.to_string(),
        }),
        Err(_) => Err(PcsError::Panicked),
    }
}
