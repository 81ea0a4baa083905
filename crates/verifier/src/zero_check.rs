//! The identities.
//!
//! Spec: spec/v1/zk.md, section 7.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::EF;
use veridical_argument::formulas::expression::Evaluations;
use veridical_argument::formulas::zero_check::groups;
use veridical_argument::labels;
use veridical_argument::multilinear::eq;
use veridical_argument::rounds::MAX_DEGREE;
use veridical_argument::transcript::Transcript;

use crate::VerifyError;
use crate::lookup::{UNSENT, add_claims};
use crate::session::Session;

/// Verifies the identities, group by group, and adds the claims on their wires.
pub fn verify(session: &mut Session<'_>) -> Result<(), VerifyError> {
    for group in groups(session.plan) {
        let variables = group.variables;
        if group.degree > MAX_DEGREE {
            return Err(VerifyError::Inconsistent {
                what: "degree of an identity",
            });
        }
        let tau = session.transcript.challenges(labels::ZERO_POINT, variables);
        let lambda = session.transcript.challenge(labels::ZERO_FOLD);
        let (last, point) = session.sumcheck(EF::ZERO, variables, group.degree)?;
        let values = session
            .transcript
            .receive(labels::ZERO_VALUES, group.sent.len())?;
        let evaluations = Evaluations::new(session.plan, &point, &group.sent, &values);
        let mut folded = EF::ZERO;
        for position in group.identities.iter().rev() {
            let identity = session.plan.identities.get(*position).ok_or(UNSENT)?;
            let value = evaluations.terms(&identity.shape, &identity.terms);
            folded = folded * lambda + value.ok_or(UNSENT)?;
        }
        if last != eq(&tau, &point) * folded {
            return Err(VerifyError::ZeroCheckFinal { variables });
        }
        add_claims(session, &group.sent, &values, &point)?;
    }
    Ok(())
}
