//! Public pairs of cells.
//!
//! Spec: spec/v1/zk.md, section 8.5.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::claims::Claim;
use veridical_argument::field::{EF, F};
use veridical_argument::formulas::map::MapVariables;
use veridical_argument::formulas::pairs;
use veridical_argument::labels::MAPPED;
use veridical_argument::multilinear::{segments, variables};
use veridical_argument::plan::{Factor as MapFactor, Pairs, WireId};

use super::domain::{Domain, Factor, table};
use super::einsum::first_cell;
use super::{ReduceError, Reducer, Source};
use crate::contract::{Axis, Contracted, Layout};
use crate::sumcheck::{Group, Part, Sumcheck, Term};
use crate::values::Integers;

impl<'a, S: Source> Reducer<'a, S> {
    /// Evaluates the operand at the result's point over axes that stay, and sums over the others.
    pub(super) fn map(
        &mut self,
        of: WireId,
        factors: &[MapFactor],
        claim: &Claim,
    ) -> Result<(), ReduceError> {
        let shape = &self.wire(of)?.shape;
        let map = MapVariables::new(shape, factors);
        let is_related = related_axes(factors);
        // The challenges are not drawn yet: only segments of axes that stay are looked at.
        let same = map.operand_point(&claim.point, &vec![EF::ZERO; map.summed()]);
        let axes: Vec<Axis<'_>> = shape
            .iter()
            .zip(segments(shape, &same))
            .enumerate()
            .map(|(axis, (&size, segment))| {
                if is_related.get(axis).copied().unwrap_or(false) {
                    Axis::Kept(size)
                } else {
                    Axis::Summed(size, segment)
                }
            })
            .collect();
        let order: Vec<usize> = (0..axes.len())
            .filter(|&axis| matches!(axes.get(axis), Some(Axis::Kept(2..))))
            .collect();
        let sizes: Vec<usize> = order
            .iter()
            .filter_map(|&axis| shape.get(axis).copied())
            .collect();
        let domain = Domain::new(&sizes);
        let layout = Layout {
            order: &order,
            stride: domain.stride,
        };
        let operand = table(self.contract(of, &axes, &layout)?);
        let (challenges, value) = if map.summed() == 0 {
            (Vec::new(), first_cell(&operand))
        } else {
            let last = sizes.last().map_or(0, |&size| variables(size));
            let weights = domain.product(&self.columns(&map, claim)?, last);
            let tables = vec![operand, table(Contracted::Extension(weights))];
            let sumcheck = Sumcheck {
                equality: None,
                parts: vec![Part {
                    shape: domain.shape,
                    tables,
                    groups: vec![Group {
                        weight: EF::ONE,
                        terms: vec![Term {
                            coeff: F::ONE,
                            factors: vec![0, 1],
                        }],
                    }],
                }],
            };
            let outcome = sumcheck.prove(claim.value, self.transcript)?;
            let value = outcome.values.first().copied().unwrap_or_default();
            (outcome.point, value)
        };
        self.transcript.send(MAPPED, &[value]);
        let point = map.operand_point(&claim.point, &challenges);
        self.add(of, point, value)
    }

    /// `S_f` of every related group; those without variables are multiplied into the first other.
    fn columns(
        &self,
        map: &MapVariables<'_>,
        claim: &Claim,
    ) -> Result<Vec<Factor<'static>>, ReduceError> {
        let mut scale = EF::ONE;
        let mut columns: Vec<Vec<EF>> = Vec::new();
        for (pairs, result) in map.related(&claim.point) {
            let column = pairs::column(pairs, result, self.row_ids(pairs)?);
            match *column.as_slice() {
                [only] => scale *= only,
                _ => columns.push(column),
            }
        }
        if scale != EF::ONE
            && let Some(first) = columns.first_mut()
        {
            for weight in first {
                *weight *= scale;
            }
        }
        Ok(columns.into_iter().map(Factor::Table).collect())
    }

    /// The public indices of a factor `Rows`.
    fn row_ids(&self, pairs: &Pairs) -> Result<&'a [i32], ReduceError> {
        let Pairs::Rows { ids, .. } = pairs else {
            return Ok(&[]);
        };
        match self.integers(*ids)? {
            Integers::I32(ids) => Ok(ids),
            Integers::I8(_) | Integers::I16(_) => Err(ReduceError::RowIndices { wire: ids.0 }),
        }
    }
}

/// For every axis of the operand, whether it is in a related group.
fn related_axes(factors: &[MapFactor]) -> Vec<bool> {
    factors
        .iter()
        .flat_map(|factor| match factor {
            MapFactor::Same { axes } => std::iter::repeat_n(false, *axes),
            MapFactor::Related(pairs) => std::iter::repeat_n(true, pairs.from_shape().len()),
        })
        .collect()
}
