//! Claims on wires become claims on what defines them.
//!
//! Spec: spec/v1/zk.md, section 8.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::claims::Claim;
use veridical_argument::field::{EF, F};
use veridical_argument::formulas::einsum::{EinsumVariables, Operand};
use veridical_argument::formulas::map::MapVariables;
use veridical_argument::formulas::pairs;
use veridical_argument::formulas::view::{sum_point, view_point};
use veridical_argument::labels;
use veridical_argument::multilinear::{
    chi_space, eq, evaluate_integers, iota, restrict, shape_variables,
};
use veridical_argument::plan::{Combination, Definition, Factor, Labels, Pairs, Wire, WireId};
use veridical_argument::transcript::Transcript;

use crate::VerifyError;
use crate::session::{Session, cells};

/// Visits all wires in descending order; claims on committed wires are left for the openings.
pub fn verify(session: &mut Session<'_>) -> Result<(), VerifyError> {
    for id in (0..session.plan.wires.len()).rev() {
        let id = WireId(id);
        let wire = session.wire(id)?;
        let operands: &[WireId] = match &wire.definition {
            Definition::Witness { .. } | Definition::Weight { .. } => continue,
            Definition::Public { .. } | Definition::One | Definition::Iota => {
                public(session, id, wire)?;
                continue;
            }
            Definition::Combination(_) => &[],
            Definition::Sum { of, .. } | Definition::Map { of, .. } => &[*of],
            Definition::View(view) => &[view.of],
            Definition::Einsum { a, b, .. } => &[*a, *b],
        };
        if operands.iter().any(|operand| *operand >= id) {
            return Err(VerifyError::Inconsistent {
                what: "order of wires",
            });
        }
        let claims = session.ledger.take(id);
        if let Some(claim) = merge(session, wire, claims)? {
            reduce(session, wire, &claim)?;
        }
    }
    Ok(())
}

/// Claims on public integers are compared with their own extensions.
fn public(session: &mut Session<'_>, id: WireId, wire: &Wire) -> Result<(), VerifyError> {
    for claim in session.ledger.take(id) {
        session.count_public(cells(&wire.shape))?;
        let value = match &wire.definition {
            Definition::Public { tensor } => {
                let integers = session.public.integers(*tensor)?;
                if integers.len() != cells(&wire.shape) {
                    return Err(VerifyError::Inconsistent {
                        what: "shape of a public wire",
                    });
                }
                evaluate_integers(integers, &wire.shape, &claim.point)
            }
            Definition::Iota => iota(cells(&wire.shape), &claim.point),
            Definition::One
            | Definition::Witness { .. }
            | Definition::Weight { .. }
            | Definition::Combination(_)
            | Definition::Sum { .. }
            | Definition::View(_)
            | Definition::Map { .. }
            | Definition::Einsum { .. } => chi_space(&wire.shape, &claim.point),
        };
        if value != claim.value {
            return Err(VerifyError::PublicClaim { role: wire.role });
        }
    }
    Ok(())
}

/// Section 8.1: several claims become one.
fn merge(
    session: &mut Session<'_>,
    wire: &Wire,
    claims: Vec<Claim>,
) -> Result<Option<Claim>, VerifyError> {
    if claims.len() < 2 {
        return Ok(claims.into_iter().next());
    }
    let gamma = session.transcript.challenge(labels::MERGE);
    let folded = claims
        .iter()
        .rev()
        .fold(EF::ZERO, |sum, claim| sum * gamma + claim.value);
    let variables = shape_variables(&wire.shape);
    let (last, point) = session.sumcheck(folded, variables, 2)?;
    let [value] = session.receive(labels::MERGED)?;
    let weight = claims.iter().rev().fold(EF::ZERO, |sum, claim| {
        sum * gamma + eq(&claim.point, &point)
    });
    if last != value * weight {
        return Err(VerifyError::MergeFinal { role: wire.role });
    }
    Ok(claims.into_iter().next().map(|claim| Claim {
        wire: claim.wire,
        point,
        value,
    }))
}

/// A claim on a wire becomes claims on its operands.
fn reduce(session: &mut Session<'_>, wire: &Wire, claim: &Claim) -> Result<(), VerifyError> {
    match &wire.definition {
        Definition::Combination(sum) => combination(session, wire, sum, claim),
        Definition::Sum { of, axes } => {
            let (point, halves) = sum_point(&session.wire(*of)?.shape, axes, &claim.point);
            let halves = u64::try_from(halves).unwrap_or(u64::MAX);
            add(session, *of, point, claim.value.div_2exp_u64(halves))
        }
        Definition::View(view) => {
            let point = view_point(view, &claim.point);
            add(session, view.of, point, claim.value)
        }
        Definition::Map { of, factors } => map(session, wire, *of, factors, claim),
        Definition::Einsum { a, b, labels } => einsum(session, wire, [*a, *b], labels, claim),
        Definition::Public { .. }
        | Definition::One
        | Definition::Iota
        | Definition::Witness { .. }
        | Definition::Weight { .. } => Err(VerifyError::Inconsistent {
            what: "claim on a committed wire",
        }),
    }
}

/// Adds a claim on an operand; its point fits, or the plan is none of the program.
fn add(
    session: &mut Session<'_>,
    wire: WireId,
    point: Vec<EF>,
    value: EF,
) -> Result<(), VerifyError> {
    if shape_variables(&session.wire(wire)?.shape) != point.len() {
        return Err(VerifyError::Inconsistent {
            what: "variables of an operand",
        });
    }
    Ok(session.ledger.add(Claim { wire, point, value })?)
}

/// Section 8.2.
fn combination(
    session: &mut Session<'_>,
    wire: &Wire,
    combination: &Combination,
    claim: &Claim,
) -> Result<(), VerifyError> {
    let values = session
        .transcript
        .receive(labels::COMBINATION, combination.terms.len())?;
    let mut sum = chi_space(&wire.shape, &claim.point) * F::from_i64(combination.constant);
    let mut points = Vec::with_capacity(values.len());
    for (&(coeff, operand), &value) in combination.terms.iter().zip(&values) {
        if operand >= claim.wire {
            return Err(VerifyError::Inconsistent {
                what: "order of wires",
            });
        }
        let shape = &session.wire(operand)?.shape;
        let (point, factor) = restrict(&wire.shape, shape, &claim.point);
        sum += factor * value * F::from_i64(coeff);
        points.push(point);
    }
    if sum != claim.value {
        return Err(VerifyError::CombinationSum { role: wire.role });
    }
    for ((&(_, operand), value), point) in combination.terms.iter().zip(values).zip(points) {
        add(session, operand, point, value)?;
    }
    Ok(())
}

/// Section 8.5.
fn map(
    session: &mut Session<'_>,
    wire: &Wire,
    of: WireId,
    factors: &[Factor],
    claim: &Claim,
) -> Result<(), VerifyError> {
    let variables = MapVariables::new(&session.wire(of)?.shape, factors);
    let (last, challenges) = session.sumcheck(claim.value, variables.summed(), 2)?;
    let [value] = session.receive(labels::MAPPED)?;
    let mut product = value;
    let related = variables.related(&claim.point);
    for ((pairs, out), operand) in related
        .into_iter()
        .zip(variables.challenge_segments(&challenges))
    {
        let ids = row_ids(session, wire, pairs)?;
        product *= pairs::evaluate(pairs, operand, out, ids);
    }
    if last != product {
        return Err(VerifyError::MapFinal { role: wire.role });
    }
    let point = variables.operand_point(&claim.point, &challenges);
    add(session, of, point, value)
}

/// The public indices of a factor `Rows`, each of them a row.
fn row_ids<'s>(
    session: &'s mut Session<'_>,
    wire: &Wire,
    pairs: &Pairs,
) -> Result<&'s [i32], VerifyError> {
    let Pairs::Rows { ids, shape, rows } = pairs else {
        return Ok(&[]);
    };
    let inconsistent = VerifyError::Inconsistent {
        what: "indices of rows",
    };
    let Definition::Public { tensor } = &session.wire(*ids)?.definition else {
        return Err(inconsistent);
    };
    let integers = session.public.integers(*tensor)?;
    if integers.len() != cells(shape) {
        return Err(inconsistent);
    }
    let is_row = |id: &i32| usize::try_from(*id).is_ok_and(|id| id < *rows);
    if !integers.iter().all(is_row) {
        return Err(VerifyError::RowIndex {
            role: wire.role,
            rows: *rows,
        });
    }
    Ok(integers)
}

/// Section 8.6.
fn einsum(
    session: &mut Session<'_>,
    wire: &Wire,
    [a, b]: [WireId; 2],
    labels: &Labels,
    claim: &Claim,
) -> Result<(), VerifyError> {
    let (a_shape, b_shape) = (&session.wire(a)?.shape, &session.wire(b)?.shape);
    let variables = EinsumVariables::new(labels, a_shape, b_shape, &wire.shape);
    let (last, challenges) =
        session.sumcheck(claim.value, variables.summed(), variables.degree())?;
    let [a_value, b_value] = session.receive(veridical_argument::labels::EINSUM)?;
    if last != variables.shared_eq(&claim.point, &challenges) * a_value * b_value {
        return Err(VerifyError::EinsumFinal { role: wire.role });
    }
    let a_point = variables.operand_point(Operand::A, &claim.point, &challenges);
    let b_point = variables.operand_point(Operand::B, &claim.point, &challenges);
    add(session, a, a_point, a_value)?;
    add(session, b, b_point, b_value)
}
