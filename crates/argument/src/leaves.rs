//! The leaves of the lookup argument: where each site and each table stands.
//!
//! Spec: spec/v1/zk.md, sections 6.2 and 6.4.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use thiserror::Error;

use crate::field::EF;
use crate::formulas::expression::{Sent, schedule};
use crate::multilinear::{eq_index, shape_variables, variables};
use crate::plan::{Combination, Plan, Site};

/// Bound on the number of lookups: a value outside the tables must not occur `p` times.
pub const MAX_SITE_CELLS: usize = 1 << 30;

/// What a block belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Position in [`Plan::sites`].
    Site(usize),
    /// Position in [`Plan::tables`].
    Table(usize),
}

/// `2^variables` slots from `start` on, a multiple of their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// First slot.
    pub start: usize,
    /// Binary logarithm of the number of slots.
    pub variables: usize,
    /// Site or table.
    pub of: Of,
}

/// All slots of the lookup argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaves {
    /// Binary logarithm of the number of slots, at least 1.
    pub variables: usize,
    /// Blocks in order of `start`.
    pub blocks: Vec<Block>,
}

/// Why a plan has no lookup argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LeavesError {
    /// A wrong value might be looked up `p` times.
    #[error("{cells} cells are looked up, at most {MAX_SITE_CELLS} are possible")]
    TooManyCells {
        /// Number of cells of all sites.
        cells: usize,
    },
}

impl Leaves {
    /// The slots of a plan.
    ///
    /// # Errors
    /// The plan looks up too many cells.
    pub fn new(plan: &Plan) -> Result<Self, LeavesError> {
        let cells = plan.sites.iter().fold(0_usize, |sum, site| {
            let cells = site.shape.iter().fold(1_usize, |n, &d| n.saturating_mul(d));
            sum.saturating_add(cells)
        });
        let rows = plan.tables.iter().map(|table| table.rows);
        if rows.fold(cells, usize::saturating_add) >= MAX_SITE_CELLS {
            return Err(LeavesError::TooManyCells { cells });
        }
        let sites = plan.sites.iter().enumerate();
        let sites = sites.map(|(at, site)| (shape_variables(&site.shape), Of::Site(at)));
        let tables = plan.tables.iter().enumerate();
        let tables = tables.map(|(at, table)| (variables(table.rows), Of::Table(at)));
        let mut order: Vec<(usize, Of)> = sites.chain(tables).collect();
        // Stable: sites stay before tables, and both in order of the plan.
        order.sort_by_key(|(variables, _)| std::cmp::Reverse(*variables));
        let mut next = 0_usize;
        let mut blocks = Vec::with_capacity(order.len());
        for (variables, of) in order {
            blocks.push(Block {
                start: next,
                variables,
                of,
            });
            let slots = u32::try_from(variables)
                .ok()
                .and_then(|bits| 1_usize.checked_shl(bits));
            next = slots
                .and_then(|slots| next.checked_add(slots))
                .ok_or(LeavesError::TooManyCells { cells })?;
        }
        Ok(Self {
            variables: variables(next).max(1),
            blocks,
        })
    }

    /// `eq(address of the block, high variables of the point)`, and the low variables.
    pub fn locate<'p>(&self, block: &Block, point: &'p [EF]) -> (EF, &'p [EF]) {
        let at = self.variables.saturating_sub(block.variables);
        let (high, low) = point.split_at_checked(at).unwrap_or((point, &[]));
        (eq_index(block.start >> block.variables, high), low)
    }
}

/// Evaluations of the sites' wires that the prover sends at the last point, in order.
pub fn site_wires(plan: &Plan, leaves: &Leaves) -> Vec<Sent> {
    let wires = plan.sites.iter().flat_map(|site| {
        site_expressions(site)
            .flat_map(|combination| &combination.terms)
            .map(|&(_, wire)| (site.shape.as_slice(), wire))
    });
    schedule(plan, leaves.variables, wires)
}

/// The expressions of a site: its tuple, then what vanishes.
pub fn site_expressions(site: &Site) -> impl Iterator<Item = &Combination> {
    let scaled = site.tuple.iter().chain(&site.vanishing);
    scaled.map(|scaled| &scaled.combination)
}

/// Evaluations for the tables that the prover sends at the last point, in order: of every table
/// the multiplicities, then, of a table of weights, the weights.
pub fn table_wires(plan: &Plan, leaves: &Leaves) -> Vec<Sent> {
    let mut sent = Vec::new();
    for table in &plan.tables {
        let start = leaves.variables.saturating_sub(variables(table.rows));
        let variables: Vec<usize> = (start..leaves.variables).collect();
        for wire in std::iter::once(table.multiplicity).chain(table.weights()) {
            sent.push(Sent {
                wire,
                variables: variables.clone(),
            });
        }
    }
    sent
}
