//! Products of wires.
//!
//! Spec: spec/v1/zk.md, section 8.6.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::claims::Claim;
use veridical_argument::field::{EF, F};
use veridical_argument::formulas::einsum::{EinsumVariables, Operand};
use veridical_argument::labels::EINSUM;
use veridical_argument::plan::{Labels, Wire, WireId};

use super::domain::{Domain, Factor, table};
use super::{ReduceError, Reducer, Source};
use crate::contract::{Axis, Contracted, Layout};
use crate::sumcheck::{Group, Part, Sumcheck, Table, Term};

impl<S: Source> Reducer<'_, S> {
    /// Evaluates both operands at the result's point over labels of one operand, and sums over
    /// the others.
    pub(super) fn einsum(
        &mut self,
        wire: &Wire,
        [a, b]: [WireId; 2],
        labels: &Labels,
        claim: &Claim,
    ) -> Result<(), ReduceError> {
        let variables = EinsumVariables::new(
            labels,
            &self.wire(a)?.shape,
            &self.wire(b)?.shape,
            &wire.shape,
        );
        let sizes: Vec<usize> = variables.labels().iter().map(|label| label.size).collect();
        // Weights on some of the variables only do not vanish in the padding of the others.
        let shared = variables.labels().iter().filter(|label| label.shared);
        let is_mixed = (1..sizes.len()).contains(&shared.count());
        let domain = if is_mixed {
            Domain::dense(&sizes)
        } else {
            Domain::new(&sizes)
        };
        let is_square = a == b && labels.a == labels.b;
        let first = self.operand(a, &labels.a, &variables, &domain, claim)?;
        let second = if is_square {
            None
        } else {
            Some(self.operand(b, &labels.b, &variables, &domain, claim)?)
        };
        let mut tables = vec![first];
        tables.extend(second);
        let right = tables.len() - 1;
        let (challenges, values) = if variables.summed() == 0 {
            (Vec::new(), tables.iter().map(first_cell).collect())
        } else {
            let sumcheck = product(&variables, &domain, tables, claim);
            let outcome = sumcheck.prove(claim.value, self.transcript)?;
            (outcome.point, outcome.values)
        };
        let value = |position: usize| values.get(position).copied().unwrap_or_default();
        let values = [value(0), value(right)];
        self.transcript.send(EINSUM, &values);
        for ((id, operand), value) in [(a, Operand::A), (b, Operand::B)].into_iter().zip(values) {
            let point = variables.operand_point(operand, &claim.point, &challenges);
            self.add(id, point, value)?;
        }
        Ok(())
    }

    /// An operand over the labels of the sumcheck.
    fn operand(
        &self,
        id: WireId,
        labels: &[u8],
        variables: &EinsumVariables,
        domain: &Domain,
        claim: &Claim,
    ) -> Result<Table<'static>, ReduceError> {
        let shape = &self.wire(id)?.shape;
        let summed = variables.labels();
        let axes: Vec<Axis<'_>> = shape
            .iter()
            .zip(labels)
            .map(|(&size, &label)| {
                if size == 1 || summed.iter().any(|summed| summed.label == label) {
                    return Axis::Kept(size);
                }
                let segment = variables.result_segment(label, &claim.point);
                Axis::Summed(size, segment.unwrap_or(&[]))
            })
            .collect();
        let order: Vec<usize> = summed
            .iter()
            .filter_map(|summed| labels.iter().position(|label| *label == summed.label))
            .collect();
        let layout = Layout {
            order: &order,
            stride: domain.stride,
        };
        Ok(table(self.contract(id, &axes, &layout)?))
    }
}

/// `sum eq(r_s, s) a(s, c) b(s, c)`; a square has one table.
fn product<'t>(
    variables: &EinsumVariables,
    domain: &Domain,
    mut tables: Vec<Table<'t>>,
    claim: &Claim,
) -> Sumcheck<'t> {
    let mut factors = vec![0, tables.len() - 1];
    let labels = variables.labels();
    let result = |label: u8| variables.result_segment(label, &claim.point).unwrap_or(&[]);
    let mut equality = None;
    if labels.iter().all(|summed| summed.shared) {
        let point = labels.iter().flat_map(|summed| result(summed.label));
        equality = Some(point.copied().collect());
    } else if labels.iter().any(|summed| summed.shared) {
        let equalities: Vec<Factor<'_>> = labels
            .iter()
            .map(|summed| {
                if summed.shared {
                    Factor::Equality(result(summed.label))
                } else {
                    Factor::One(summed.variables)
                }
            })
            .collect();
        let last = labels.last().map_or(0, |summed| summed.variables);
        factors.push(tables.len());
        let weights = domain.product(&equalities, last);
        tables.push(table(Contracted::Extension(weights)));
    }
    Sumcheck {
        equality,
        parts: vec![Part {
            shape: domain.shape,
            tables,
            groups: vec![Group {
                weight: EF::ONE,
                terms: vec![Term {
                    coeff: F::ONE,
                    factors,
                }],
            }],
        }],
    }
}

/// The only cell of a table without variables.
pub(super) fn first_cell(table: &Table<'_>) -> EF {
    match table {
        Table::Base(cells) => cells.first().copied().unwrap_or_default().into(),
        Table::Extension(cells) => cells.first().copied().unwrap_or_default(),
        Table::Packed(_) => EF::ZERO,
    }
}
