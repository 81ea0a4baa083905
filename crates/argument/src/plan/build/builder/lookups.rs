//! Tables, sites and identities.

use crate::plan::build::builder::Builder;
use crate::plan::build::exact::coefficient;
use crate::plan::error::PlanError;
use crate::plan::shape::{broadcasts, slots};
use crate::plan::{Identity, Scaled, Site, Table, Term, WireId};

/// Most slots of the lookup argument: beyond it a multiplicity could be 0 modulo the field.
const MAX_SLOTS: usize = 1 << 30;

impl Builder<'_> {
    /// Id of a table in tuples.
    pub(in crate::plan::build) fn table(&mut self, table: Table, rows: usize) -> i64 {
        let next = self.tables.len();
        let position = *self.table_ids.entry(table).or_insert(next);
        if position == next {
            self.tables.push((table, rows));
            self.used.slots = self.used.slots.saturating_add(slots(&[rows]));
        }
        coefficient(position.saturating_add(1))
    }

    /// The wire of a weight that is a table already.
    pub(in crate::plan::build) fn weight_table(&self, constant: usize) -> Option<WireId> {
        // Range tables come first in the order of tables, weights last, by const id.
        let least = Table::Weight {
            constant,
            wire: WireId(0),
        };
        match self.table_ids.range(least..).next() {
            Some((&Table::Weight { constant: id, wire }, _)) if id == constant => Some(wire),
            _ => None,
        }
    }

    /// One lookup per cell of the space.
    pub(in crate::plan::build) fn site(
        &mut self,
        space: &[usize],
        tuple: Vec<Scaled>,
        vanishing: Vec<Scaled>,
        what: &'static str,
    ) -> Result<(), PlanError> {
        for scaled in tuple.iter().chain(&vanishing) {
            self.check_combination(&scaled.combination, space)?;
        }
        self.used.slots = self.used.slots.saturating_add(slots(space));
        self.at_most("slots of the lookup argument", self.used.slots, MAX_SLOTS)?;
        self.sites.push(Site {
            shape: space.to_vec(),
            tuple,
            vanishing,
            role: self.role(what),
        });
        self.check_parts()
    }

    /// `sum coeff * product = 0` at every cell of the space.
    pub(in crate::plan::build) fn identity(
        &mut self,
        space: &[usize],
        terms: &[(i64, &[WireId])],
        what: &'static str,
    ) -> Result<(), PlanError> {
        let mut kept = Vec::new();
        for &(coeff, factors) in terms {
            if coeff == 0 {
                continue;
            }
            if coeff.unsigned_abs() >= 1 << 31 {
                return Err(self.inconsistent("a coefficient has more than 31 bits"));
            }
            if !factors.iter().all(|&w| broadcasts(self.shape(w), space)) {
                return Err(self.inconsistent("a wire does not fit its space"));
            }
            let factors = factors.to_vec();
            kept.push(Term { coeff, factors });
        }
        if kept.is_empty() {
            return Ok(());
        }
        self.identities.push(Identity {
            shape: space.to_vec(),
            terms: kept,
            role: self.role(what),
        });
        self.check_parts()
    }
}
