//! What is shown of the elements of a const, once however many nodes use it.
//!
//! Spec: spec/v1/zk.md, section 12.3.

use std::collections::{BTreeMap, BTreeSet};

use veridical_program::{ConstKind, Dtype, Graph};

use crate::plan::build::builder::Builder;
use crate::plan::build::exact::power;
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;
use crate::plan::{Fill, Formula, Table, WireId};

/// Consts whose elements have been looked up.
#[derive(Default)]
pub(super) struct Consts {
    images: BTreeMap<(usize, Formula), WireId>,
    /// Consts whose elements are known to be of their element type.
    typed: BTreeSet<usize>,
}

/// Bits of the elements of a const of 8 or 16 bits.
pub(super) fn narrow_bits(b: &Builder<'_>, constant: usize) -> Result<Option<u32>, PlanError> {
    Ok(match b.dtype(constant)? {
        Dtype::I8 => Some(8),
        Dtype::I16 => Some(16),
        Dtype::I32 => None,
    })
}

impl Consts {
    /// A function of every element of a const of 8 or 16 bits; the elements are then of their type.
    pub(super) fn image(
        &mut self,
        b: &mut Builder<'_>,
        (constant, shape): (usize, &[usize]),
        bits: u32,
        formula: Formula,
    ) -> Result<WireId, PlanError> {
        let key = (constant, formula);
        if let Some(&wire) = self.images.get(&key) {
            return Ok(wire);
        }
        let what = match formula {
            Formula::Positive => "positive part",
            Formula::Square => "square",
        };
        let weight = b.weight(constant, shape)?;
        let fill = Fill::Formula {
            of: weight,
            formula,
        };
        let wire = b.witness(shape, fill, what)?;
        let rows = usize::try_from(power(bits)).unwrap_or(usize::MAX);
        let table = Expression::constant(b.table(Table::Formula { formula, bits }, rows));
        let tuple = vec![
            table.scaled(0),
            Expression::of(weight).offset(half(bits)).scaled(0),
            Expression::of(wire).scaled(0),
        ];
        b.site(shape, tuple, Vec::new(), what)?;
        self.images.insert(key, wire);
        self.typed.insert(constant);
        Ok(wire)
    }

    /// Says that something else shows the elements of a const to be of their type.
    pub(super) fn is_typed(&mut self, constant: usize) {
        self.typed.insert(constant);
    }

    /// Shows it of all consts of 8 and 16 bits of which nothing else does.
    pub(super) fn element_types(
        &self,
        b: &mut Builder<'_>,
        graph: &Graph,
    ) -> Result<(), PlanError> {
        b.enter(graph.nodes.len());
        for (constant, info) in graph.consts.iter().enumerate() {
            if info.kind != ConstKind::Weight || self.typed.contains(&constant) {
                continue;
            }
            if let Some(bits) = narrow_bits(b, constant)? {
                let weight = b.weight(constant, &info.shape)?;
                let expression = Expression::of(weight).offset(half(bits));
                b.range(&info.shape, expression, bits, "element type")?;
            }
        }
        Ok(())
    }
}

/// What makes the least integer of `bits` signed bits 0.
const fn half(bits: u32) -> i64 {
    power(bits.saturating_sub(1))
}
