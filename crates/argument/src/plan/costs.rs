//! How large the argument for a plan is, without making it.

use crate::plan::shape::{cells, slots};
use crate::plan::{Definition, Plan};

/// Sizes of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Costs {
    /// Wires.
    pub wires: usize,
    /// Lookup sites.
    pub sites: usize,
    /// Identities.
    pub identities: usize,
    /// Integers that are committed with the proof, multiplicities included.
    pub witness_cells: usize,
    /// Integers of inputs and their layouts.
    pub public_cells: usize,
    /// Cells of all sites: how many lookups are made.
    pub site_cells: usize,
    /// Slots of all blocks of the lookup argument, padding of blocks included.
    pub lookup_slots: usize,
    /// Slots of the spaces of all identities.
    pub identity_slots: usize,
}

impl Costs {
    /// The figure by which the builder compares limb widths: a slot of the lookup argument costs about three commitments.
    pub fn weight(&self) -> usize {
        self.lookup_slots
            .saturating_mul(3)
            .saturating_add(self.witness_cells)
    }
}

impl Plan {
    /// Sizes of this plan.
    pub fn costs(&self) -> Costs {
        let mut costs = Costs {
            wires: self.wires.len(),
            sites: self.sites.len(),
            identities: self.identities.len(),
            ..Costs::default()
        };
        for wire in &self.wires {
            let counted = match wire.definition {
                Definition::Witness { .. } => &mut costs.witness_cells,
                Definition::Public { .. } => &mut costs.public_cells,
                Definition::One
                | Definition::Iota
                | Definition::Weight { .. }
                | Definition::Combination(_)
                | Definition::Sum { .. }
                | Definition::View(_)
                | Definition::Map { .. }
                | Definition::Einsum { .. } => continue,
            };
            *counted = counted.saturating_add(cells(&wire.shape));
        }
        for site in &self.sites {
            costs.site_cells = costs.site_cells.saturating_add(cells(&site.shape));
            costs.lookup_slots = costs.lookup_slots.saturating_add(slots(&site.shape));
        }
        for table in &self.tables {
            costs.lookup_slots = costs.lookup_slots.saturating_add(slots(&[table.rows]));
        }
        for identity in &self.identities {
            costs.identity_slots = costs.identity_slots.saturating_add(slots(&identity.shape));
        }
        costs
    }
}
