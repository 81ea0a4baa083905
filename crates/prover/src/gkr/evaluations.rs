//! The evaluations at the last point, and the claims that they become.
//!
//! Spec: spec/v1/zk.md, section 6.4.

use rayon::prelude::*;
use veridical_argument::claims::Claim;
use veridical_argument::field::EF;
use veridical_argument::formulas::expression::Sent;
use veridical_argument::labels;
use veridical_argument::leaves::{Leaves, site_wires, table_wires};
use veridical_argument::plan::Plan;
use veridical_argument::transcript::ProverTranscript;

use super::Witness;
use super::error::GkrError;
use crate::contract::Contractor;
use crate::values::Integers;

/// Sends the evaluations for all sites, then those for all tables; the claims in this order.
pub(super) fn send(
    plan: &Plan,
    witness: &impl Witness,
    leaves: &Leaves,
    point: &[EF],
    transcript: &mut ProverTranscript,
) -> Result<Vec<Claim>, GkrError> {
    let mut claims = Vec::new();
    for (label, sent) in [
        (labels::SITE_VALUES, site_wires(plan, leaves)),
        (labels::TABLE_VALUES, table_wires(plan, leaves)),
    ] {
        let evaluated = sent
            .par_iter()
            .map(|sent| claim(plan, witness, sent, point));
        let evaluated = evaluated.collect::<Result<Vec<_>, _>>()?;
        let values: Vec<EF> = evaluated.iter().map(|claim| claim.value).collect();
        transcript.send(label, &values);
        claims.extend(evaluated);
    }
    Ok(claims)
}

fn claim(
    plan: &Plan,
    witness: &impl Witness,
    sent: &Sent,
    point: &[EF],
) -> Result<Claim, GkrError> {
    let missing = GkrError::Missing { wire: sent.wire };
    let (Some(wire), Some(integers)) = (plan.wire(sent.wire), witness.integers(sent.wire)) else {
        return Err(missing);
    };
    let point = sent.point(point);
    let contractor = Contractor::default();
    let value = match integers {
        Integers::I8(cells) => contractor.evaluate(cells, &wire.shape, &point),
        Integers::I16(cells) => contractor.evaluate(cells, &wire.shape, &point),
        Integers::I32(cells) => contractor.evaluate(cells, &wire.shape, &point),
    };
    Ok(Claim {
        wire: sent.wire,
        point,
        value: value.map_err(|_| missing)?,
    })
}
