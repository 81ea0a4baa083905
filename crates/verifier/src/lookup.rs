//! The lookup argument.
//!
//! Spec: spec/v1/zk.md, section 6.

use std::collections::BTreeMap;

use veridical_argument::claims::Claim;
use veridical_argument::field::EF;
use veridical_argument::formulas::expression::{Evaluations, Sent};
use veridical_argument::formulas::table::{compressed, constant_column};
use veridical_argument::labels;
use veridical_argument::leaves::{Of, site_wires, table_wires};
use veridical_argument::multilinear::{Coordinates, chi_space, eq};
use veridical_argument::plan::Table;
use veridical_argument::transcript::Transcript;

use p3_field::PrimeCharacteristicRing;

use crate::VerifyError;
use crate::session::Session;

/// A fraction, or the extension of a vector of them.
#[derive(Clone, Copy)]
struct Fraction {
    numerator: EF,
    denominator: EF,
}

/// Verifies the lookup argument and adds the claims on the wires of sites and tables.
pub fn verify(session: &mut Session<'_>) -> Result<(), VerifyError> {
    let drawn = session.transcript.challenges(labels::LOOKUP, 2);
    let &[alpha, beta] = drawn.as_slice() else {
        return Err(VerifyError::Inconsistent {
            what: "number of challenges",
        });
    };
    let (claimed, rho) = fractional_sums(session)?;

    let sites = site_wires(session.plan, &session.leaves);
    let site_values = session
        .transcript
        .receive(labels::SITE_VALUES, sites.len())?;
    let tables = table_wires(session.plan, &session.leaves);
    let table_values = session
        .transcript
        .receive(labels::TABLE_VALUES, tables.len())?;
    let evaluations = Evaluations::new(session.plan, &rho, &sites, &site_values);

    let leaves = leaf_values(session, &evaluations, &table_values, alpha, beta, &rho)?;
    if leaves.numerator != claimed.numerator {
        return Err(VerifyError::LeafNumerator);
    }
    if leaves.denominator != claimed.denominator {
        return Err(VerifyError::LeafDenominator);
    }
    for site in &session.plan.sites {
        for expression in &site.vanishing {
            let value = evaluations.scaled(&site.shape, expression);
            if value.ok_or(UNSENT)? != EF::ZERO {
                return Err(VerifyError::VanishingExpression { role: site.role });
            }
        }
    }
    add_claims(session, &sites, &site_values, &rho)?;
    add_claims(session, &tables, &table_values, &rho)
}

/// An expression of the plan asks for a wire that its own schedule does not send.
pub const UNSENT: VerifyError = VerifyError::Inconsistent {
    what: "evaluation of a wire",
};

/// Each evaluation that was sent becomes a claim.
pub fn add_claims(
    session: &mut Session<'_>,
    sent: &[Sent],
    values: &[EF],
    point: &[EF],
) -> Result<(), VerifyError> {
    for (sent, &value) in sent.iter().zip(values) {
        session.ledger.add(Claim {
            wire: sent.wire,
            point: sent.point(point),
            value,
        })?;
    }
    Ok(())
}

/// Section 6.3: from the root, whose numerator is 0, to the leaves at a random point.
fn fractional_sums(session: &mut Session<'_>) -> Result<(Fraction, Vec<EF>), VerifyError> {
    let [root] = session.receive(labels::LOOKUP_ROOT)?;
    if root == EF::ZERO {
        return Err(VerifyError::LookupRootZero);
    }
    let mut claim = Fraction {
        numerator: EF::ZERO,
        denominator: root,
    };
    let mut point: Vec<EF> = Vec::with_capacity(session.leaves.variables);
    for layer in 0..session.leaves.variables {
        let lambda = session.transcript.challenge(labels::LAYER);
        let folded = claim.numerator + lambda * claim.denominator;
        let (last, mut at) = session.sumcheck(folded, layer, 3)?;
        // These rounds bind the lowest variable first.
        at.reverse();
        let [n0, n1, d0, d1] = session.receive(labels::LAYER_VALUES)?;
        let numerator = n0 * d1 + n1 * d0;
        // The layer below the root has one cell: what the root says of its numerator is plain.
        if layer == 0 && numerator != EF::ZERO {
            return Err(VerifyError::LookupSum);
        }
        if last != eq(&point, &at) * (numerator + lambda * d0 * d1) {
            return Err(VerifyError::LookupLayer { layer });
        }
        let branch = session.transcript.challenge(labels::BRANCH);
        claim = Fraction {
            numerator: n0 + branch * (n1 - n0),
            denominator: d0 + branch * (d1 - d0),
        };
        point = at;
        point.push(branch);
    }
    Ok((claim, point))
}

/// Section 6.4: the extensions of all numerators and denominators at `rho`.
fn leaf_values(
    session: &Session<'_>,
    evaluations: &Evaluations<'_>,
    table_values: &[EF],
    alpha: EF,
    beta: EF,
    rho: &[EF],
) -> Result<Fraction, VerifyError> {
    let plan = session.plan;
    // Per table its multiplicities, and the weights of a table of weights.
    let mut rest = table_values.iter().copied();
    let mut columns = Vec::with_capacity(plan.tables.len());
    for table in &plan.tables {
        let multiplicity = rest.next().ok_or(UNSENT)?;
        let weights = match table.weights() {
            Some(_) => Some(rest.next().ok_or(UNSENT)?),
            None => None,
        };
        columns.push((multiplicity, weights));
    }
    let mut eq_tables: BTreeMap<usize, Coordinates> = BTreeMap::new();
    let mut numerator = EF::ZERO;
    // Slots of no block are 0/1, so the sum starts at 1 and a block adds what it has beyond 1.
    let mut denominator = EF::ONE;
    for block in &session.leaves.blocks {
        let (address, local) = session.leaves.locate(block, rho);
        let (selector, tuple) = match block.of {
            Of::Site(position) => {
                let site = plan.sites.get(position).ok_or(UNSENT)?;
                let mut tuple = EF::ZERO;
                for column in site.tuple.iter().rev() {
                    let value = evaluations.scaled(&site.shape, column).ok_or(UNSENT)?;
                    tuple = tuple * beta + value;
                }
                let selector = chi_space(&site.shape, local);
                numerator += address * selector;
                (selector, tuple)
            }
            Of::Table(position) => {
                let table = plan.tables.get(position).ok_or(UNSENT)?;
                let &(multiplicity, weights) = columns.get(position).ok_or(UNSENT)?;
                let second = match table.table {
                    Table::Range { .. } | Table::Zero | Table::Below { .. } => EF::ZERO,
                    Table::Formula { formula, bits } => {
                        let column = formula.column(bits);
                        if column.len() != table.rows {
                            return Err(VerifyError::Inconsistent {
                                what: "rows of a table",
                            });
                        }
                        let eq = eq_tables
                            .entry(local.len())
                            .or_insert_with(|| Coordinates::eq(local));
                        eq.dot(&column)
                    }
                    Table::Weight { .. } => weights.ok_or(UNSENT)?,
                    Table::Constant { constant } => {
                        let elements = session.program.constant(constant);
                        let elements = elements
                            .filter(|elements| elements.len() == table.rows)
                            .ok_or(VerifyError::Inconsistent {
                                what: "rows of a table",
                            })?;
                        let eq = eq_tables
                            .entry(local.len())
                            .or_insert_with(|| Coordinates::eq(local));
                        constant_column(elements, eq)
                    }
                };
                numerator -= address * multiplicity;
                compressed(table, position, second, beta, local)
            }
        };
        denominator += address * (selector * (alpha - EF::ONE) - tuple);
    }
    Ok(Fraction {
        numerator,
        denominator,
    })
}
