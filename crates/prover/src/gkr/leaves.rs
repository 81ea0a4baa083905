//! The leaves: numerators and denominators from columns of base elements.
//!
//! Spec: spec/v1/zk.md, section 6.2. Nothing of the leaves is stored in the extension: a denominator
//! is `constant + sum of coefficient * column`.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::{EF, F};
use veridical_argument::formulas::table::table_id;
use veridical_argument::leaves::{Leaves, Of};
use veridical_argument::plan::{Plan, Site, Table, TableUse};

use super::Witness;
use super::columns::{Column, column, elements, integers_column, positions, selector};
use super::error::GkrError;
use super::lanes::{self, IN_ORDER, LANES, P, V, gather, next_turn};
use super::tree::{Narrow, Quad, UNUSED, quads, unpack};
use super::used::{UNIT_BITS, Units, Usage, Used, slots};
use crate::values::Integers;

/// Most columns of a block: numerators or selector, selector or id of the table, two of a tuple.
pub(super) const MAX_COLUMNS: usize = 4;

/// Least variables of a block whose leaves are computed from columns, more than one unit.
const COLUMN_VARIABLES: usize = UNIT_BITS + 1;

/// Slots of a quad of vectors.
const QUAD_SLOTS: usize = 2 * LANES;

/// The leaves of a site or a table.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Number of used units.
    units: usize,
    /// Whether all numerators in these are 1; else they are the first column.
    pub(super) whole: bool,
    /// Summand of the denominators.
    pub(super) constant: EF,
    /// Factors of the columns in the denominators.
    pub(super) coefficients: Vec<EF>,
    /// One to [`MAX_COLUMNS`] columns by slot of the used units.
    pub(super) columns: Vec<Vec<F>>,
}

/// All leaves.
#[derive(Debug)]
pub(super) struct LeafTable {
    /// Variables of the slots.
    pub(super) variables: usize,
    /// Blocks that are computed from columns.
    blocks: Vec<Leaf>,
    /// Number of used units up to the end of each block.
    ends: Vec<usize>,
    /// Pairs of quads of smaller blocks, behind all others.
    shared: Vec<P>,
    /// The units that are used, and what is used above them.
    pub(super) usage: Usage,
}

/// A part of a run of used units.
pub(super) enum Part<'t> {
    /// Units of a block from a number on.
    Block(&'t Leaf, usize),
    /// These.
    Pairs(&'t [[Quad<V>; 2]]),
}

impl LeafTable {
    /// Order of the cells of the quads.
    pub(super) const TURN: usize = next_turn(IN_ORDER);

    /// Computes the columns.
    pub(super) fn new(
        plan: &Plan,
        witness: &impl Witness,
        leaves: &Leaves,
        alpha: EF,
        beta: EF,
    ) -> Result<Self, GkrError> {
        let (mut blocks, mut ends) = (Vec::new(), Vec::new());
        let mut count = 0;
        let mut units = Units::new(leaves.variables);
        let mut cells: Vec<(EF, EF)> = Vec::new();
        for block in &leaves.blocks {
            let leaf = match block.of {
                Of::Site(at) => plan.sites.get(at).map(|site| {
                    units.add_space(block.start, &site.shape);
                    Leaf::site(plan, witness, site, alpha, beta)
                }),
                Of::Table(at) => plan.tables.get(at).map(|table| {
                    units.add_space(block.start, &[table.rows]);
                    Leaf::table(witness, table, at, alpha, beta)
                }),
            };
            let Some(leaf) = leaf.transpose()? else {
                continue;
            };
            if block.variables < COLUMN_VARIABLES {
                cells.extend((0..1 << block.variables).map(|slot| leaf.cell(slot)));
            } else {
                count += leaf.units;
                ends.push(count);
                blocks.push(leaf);
            }
        }
        let shared = cells.chunks(1 << UNIT_BITS).flat_map(|unit| {
            let (first, second) = unit.split_at(unit.len().min(QUAD_SLOTS));
            [pack(first), pack(second)].into_iter().flatten()
        });
        Ok(Self {
            variables: leaves.variables,
            blocks,
            ends,
            shared: shared.flatten().collect(),
            usage: units.usage(leaves.variables),
        })
    }

    /// The used units.
    pub(super) fn used(&self) -> &Used {
        self.usage.of(self.variables.saturating_sub(2))
    }

    /// The layer of the leaves, when it has no more than [`LANE_BITS`] variables.
    pub(super) fn narrow(&self) -> Narrow {
        let quads = quads(&self.shared).iter();
        let mut cells: Narrow = quads.flat_map(|quad| unpack(quad, Self::TURN)).collect();
        cells.resize(1 << (self.variables - 1), UNUSED);
        cells
    }

    /// The parts of `count` used units from number `start` on, each with its number of units.
    pub(super) fn parts(
        &self,
        start: usize,
        count: usize,
    ) -> impl Iterator<Item = (Part<'_>, usize)> {
        let end = start + count;
        let mut next = start;
        let mut block = self.ends.partition_point(|&end| end <= start);
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let from = next;
            if let (Some(leaf), Some(&behind)) = (self.blocks.get(block), self.ends.get(block)) {
                block += 1;
                next = behind.min(end);
                let within = from + leaf.units - behind;
                Some((Part::Block(leaf, within), next - from))
            } else {
                next = end;
                let start = from - self.ends.last().copied().unwrap_or(0);
                let pairs = quads(&self.shared).as_chunks().0;
                Some((Part::Pairs(&pairs[start..start + end - from]), end - from))
            }
        })
    }
}

/// A quad of vectors of slots in order.
fn pack(cells: &[(EF, EF)]) -> Quad<V> {
    let lanes: Vec<usize> = lanes::cells(LeafTable::TURN).collect();
    let cell = |lane: usize, branch: usize| {
        let cell = lanes
            .get(lane)
            .and_then(|cell| cells.get(2 * cell + branch));
        cell.copied().unwrap_or((EF::ZERO, EF::ONE))
    };
    let vector = |branch: usize| -> (V, V) {
        (
            gather(|lane| cell(lane, branch).0),
            gather(|lane| cell(lane, branch).1),
        )
    };
    let ((n0, d0), (n1, d1)) = (vector(0), vector(1));
    [n0, d0, n1, d1]
}

impl Leaf {
    fn new(whole: bool, slots: usize, constant: EF) -> Self {
        Self {
            units: slots >> UNIT_BITS,
            whole,
            constant,
            coefficients: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// Subtracts `coefficient * column` from the denominators of a site.
    fn subtract(&mut self, coefficient: EF, column: Column) {
        match column {
            Column::Cells(cells) => {
                self.coefficients.push(-coefficient);
                self.columns.push(cells);
            }
            Column::Constant(value) => {
                // It stands where the selector is 1, which is the first column.
                let summand = if self.whole {
                    Some(&mut self.constant)
                } else {
                    self.coefficients.first_mut()
                };
                if let Some(summand) = summand {
                    *summand -= coefficient * value;
                }
            }
        }
    }

    fn site(
        plan: &Plan,
        witness: &impl Witness,
        site: &Site,
        alpha: EF,
        beta: EF,
    ) -> Result<Self, GkrError> {
        let slots = slots(&site.shape);
        let whole = slots == site.shape.iter().product();
        let mut leaf = if whole {
            Self::new(true, slots, alpha)
        } else {
            let mut leaf = Self::new(false, slots, EF::ONE);
            leaf.coefficients.push(alpha - EF::ONE);
            leaf.columns.push(selector(&site.shape));
            leaf
        };
        let mut power = EF::ONE;
        for scaled in &site.tuple {
            leaf.subtract(power, column(plan, witness, &site.shape, scaled)?);
            power *= beta;
        }
        if leaf.columns.is_empty() {
            // The same tuple everywhere: kernels want a column.
            leaf.subtract(EF::ZERO, Column::Cells(F::zero_vec(slots)));
        }
        Ok(leaf)
    }

    fn table(
        witness: &impl Witness,
        table: &TableUse,
        position: usize,
        alpha: EF,
        beta: EF,
    ) -> Result<Self, GkrError> {
        let wire = table.multiplicity;
        let integers = |wire| witness.integers(wire).filter(|i| i.len() == table.rows);
        let multiplicities = integers(wire).ok_or(GkrError::Missing { wire })?;
        let numerators = integers_column(multiplicities, F::NEG_ONE, table.rows);
        let inside = alpha - EF::from(table_id(position));
        let slots = slots(&[table.rows]);
        let mut leaf = Self::new(false, slots, inside);
        leaf.coefficients.push(EF::ZERO);
        leaf.columns.push(numerators);
        if slots != table.rows {
            leaf.constant = EF::ONE;
            leaf.coefficients.push(inside - EF::ONE);
            leaf.columns.push(selector(&[table.rows]));
        }
        leaf.subtract(beta, Column::Cells(positions(table.rows)));
        let second = match table.table {
            Table::Range { .. } | Table::Zero | Table::Below { .. } => None,
            Table::Formula { formula, bits } => {
                let rows = table.rows;
                let column = formula.column(bits);
                if column.len() != rows {
                    return Err(GkrError::Missing { wire });
                }
                Some(integers_column(Integers::I32(&column), F::ONE, rows))
            }
            Table::Constant { constant } => {
                let rows = table.rows;
                let data = witness.constant(constant).filter(|data| data.len() == rows);
                let data = data.ok_or(GkrError::Table { constant, rows })?;
                Some(elements(data, rows))
            }
            Table::Weight { wire, .. } => {
                let weights = integers(wire).ok_or(GkrError::Missing { wire })?;
                Some(integers_column(weights, F::ONE, table.rows))
            }
        };
        if let Some(second) = second {
            leaf.subtract(beta.square(), Column::Cells(second));
        }
        Ok(leaf)
    }

    /// The fraction of one slot.
    fn cell(&self, slot: usize) -> (EF, EF) {
        let at = |column: &Vec<F>| column.get(slot).copied().unwrap_or_default();
        let numerator = if self.whole {
            F::ONE
        } else {
            self.columns.first().map(at).unwrap_or_default()
        };
        let terms = self.coefficients.iter().zip(&self.columns);
        let denominator = terms.fold(self.constant, |sum, (&c, column)| sum + c * at(column));
        (numerator.into(), denominator)
    }
}
