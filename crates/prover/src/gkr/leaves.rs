//! The leaves: numerators and denominators from columns of base elements.
//!
//! Spec: spec/v1/zk.md, section 6.2. Nothing of the leaves is stored in the extension: a denominator
//! is `constant + sum of coefficient * column`.

use p3_field::{
    Algebra, BasedVectorSpace, PackedFieldExtension, PackedValue, PrimeCharacteristicRing,
};
use veridical_argument::field::{DEGREE, EF, F};
use veridical_argument::formulas::table::table_id;
use veridical_argument::leaves::{Block, Leaves, Of};
use veridical_argument::multilinear::variables;
use veridical_argument::plan::{Plan, Site, Table, TableUse};

use super::Witness;
use super::columns::{Column, column, elements, integers_column, positions, selector};
use super::error::GkrError;
use super::lanes::{IN_ORDER, LANE_BITS, LANES, P, V, next_turn, split_base, vector};
use super::tree::{Narrow, Quad};

/// Most columns of a block: selector, id of the table, two columns of a tuple.
pub(super) const MAX_COLUMNS: usize = 4;

/// Turn of the quads of the leaves.
pub(super) const LEAF_TURN: usize = next_turn(IN_ORDER);

/// Numerators of a block.
#[derive(Debug)]
pub(super) enum Numerators {
    /// 1 everywhere: a site without padding.
    One,
    /// The first column of the block, a selector.
    Selector,
    /// These: a table.
    Cells(Vec<F>),
}

/// The leaves of a site or a table.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Number of the first slot, in quads of vectors.
    pub(super) start: usize,
    /// Quads of vectors.
    pub(super) quads: usize,
    pub(super) numerators: Numerators,
    constant: EF,
    coefficients: Vec<EF>,
    columns: Vec<Vec<F>>,
}

/// All leaves.
#[derive(Debug)]
pub(super) struct LeafTable {
    /// Variables of the slots.
    pub(super) variables: usize,
    /// Blocks that fill whole quads.
    pub(super) blocks: Vec<Leaf>,
    /// Quads that are shared by smaller blocks, behind all others.
    pub(super) shared: Vec<Quad<V>>,
}

/// Slots of a quad of vectors.
const QUAD_SLOTS: usize = 2 * LANES;

impl LeafTable {
    /// Computes the columns.
    pub(super) fn new(
        plan: &Plan,
        witness: &impl Witness,
        leaves: &Leaves,
        alpha: EF,
        beta: EF,
    ) -> Result<Self, GkrError> {
        let mut blocks = Vec::new();
        let mut cells: Vec<(EF, EF)> = Vec::new();
        for block in &leaves.blocks {
            let leaf = match block.of {
                Of::Site(at) => plan
                    .sites
                    .get(at)
                    .map(|site| Leaf::site(plan, witness, site, block, alpha, beta)),
                Of::Table(at) => plan
                    .tables
                    .get(at)
                    .map(|table| Leaf::table(witness, table, at, block, alpha, beta)),
            };
            let Some(leaf) = leaf.transpose()? else {
                continue;
            };
            if block.variables > LANE_BITS {
                blocks.push(leaf);
            } else {
                cells.extend((0..1 << block.variables).map(|slot| leaf.cell(slot)));
            }
        }
        Ok(Self {
            variables: leaves.variables,
            blocks,
            shared: cells.chunks(QUAD_SLOTS).map(pack).collect(),
        })
    }

    /// The layer of the leaves, when it has no more than [`LANE_BITS`] variables.
    pub(super) fn narrow(&self) -> Narrow {
        let count = 1 << (self.variables - 1);
        let mut quads: Vec<Quad<EF>> = Vec::with_capacity(count);
        let shared = self.shared.iter().copied();
        let blocks = self
            .blocks
            .iter()
            .flat_map(|leaf| (0..leaf.quads).map(|index| leaf.quad(index)));
        for quad in blocks.chain(shared) {
            quads.extend(super::tree::unpack(&quad, LEAF_TURN));
        }
        quads.resize(count, Quad::UNUSED);
        Narrow { quads }
    }

    /// Number of quads that are used.
    pub(super) fn quads(&self) -> usize {
        self.blocks.iter().map(|leaf| leaf.quads).sum::<usize>() + self.shared.len()
    }
}

/// A quad of vectors of slots in order.
fn pack(cells: &[(EF, EF)]) -> Quad<V> {
    let lane_cells: Vec<usize> = super::lanes::cells(LEAF_TURN).collect();
    let cell = |lane: usize, branch: usize| {
        cells
            .get(2 * lane_cells[lane] + branch)
            .copied()
            .unwrap_or((EF::ZERO, EF::ONE))
    };
    Quad {
        n0: PackedFieldExtension::<F, EF>::from_ext_fn(|lane| cell(lane, 0).0),
        d0: PackedFieldExtension::<F, EF>::from_ext_fn(|lane| cell(lane, 0).1),
        n1: PackedFieldExtension::<F, EF>::from_ext_fn(|lane| cell(lane, 1).0),
        d1: PackedFieldExtension::<F, EF>::from_ext_fn(|lane| cell(lane, 1).1),
    }
}

impl Leaf {
    fn new(block: &Block, numerators: Numerators, constant: EF) -> Self {
        Self {
            start: block.start / QUAD_SLOTS,
            quads: (1 << block.variables) / QUAD_SLOTS,
            numerators,
            constant,
            coefficients: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// Adds `coefficient * column` to the denominators.
    fn subtract(&mut self, coefficient: EF, column: Column) {
        match column {
            Column::Cells(cells) => {
                self.coefficients.push(-coefficient);
                self.columns.push(cells);
            }
            Column::Constant(value) => {
                // A constant is one where the selector is.
                let whole = match self.numerators {
                    Numerators::Selector => self.coefficients.first_mut(),
                    Numerators::One | Numerators::Cells(_) => Some(&mut self.constant),
                };
                if let Some(whole) = whole {
                    *whole -= coefficient * value;
                }
            }
        }
    }

    fn site(
        plan: &Plan,
        witness: &impl Witness,
        site: &Site,
        block: &Block,
        alpha: EF,
        beta: EF,
    ) -> Result<Self, GkrError> {
        let whole = site.shape.iter().all(|size| size.is_power_of_two());
        let mut leaf = if whole {
            Self::new(block, Numerators::One, alpha)
        } else {
            let mut leaf = Self::new(block, Numerators::Selector, EF::ONE);
            leaf.coefficients.push(alpha - EF::ONE);
            leaf.columns.push(selector(&site.shape));
            leaf
        };
        let mut power = EF::ONE;
        for scaled in &site.tuple {
            leaf.subtract(power, column(plan, witness, &site.shape, scaled)?);
            power *= beta;
        }
        Ok(leaf)
    }

    fn table(
        witness: &impl Witness,
        table: &TableUse,
        position: usize,
        block: &Block,
        alpha: EF,
        beta: EF,
    ) -> Result<Self, GkrError> {
        let wire = table.multiplicity;
        let integers = |wire| witness.integers(wire).filter(|i| i.len() == table.rows);
        let multiplicities = integers(wire).ok_or(GkrError::Missing { wire })?;
        let numerators = integers_column(multiplicities, F::NEG_ONE, table.rows);
        let mut leaf = Self::new(block, Numerators::Cells(numerators), alpha);
        let inside = alpha - EF::from(table_id(position));
        if table.rows.is_power_of_two() {
            leaf.constant = inside;
        } else {
            leaf.constant = EF::ONE;
            leaf.coefficients.push(inside - EF::ONE);
            leaf.columns.push(selector(&[table.rows]));
        }
        leaf.subtract(beta, Column::Cells(positions(table.rows)));
        let second = match table.table {
            Table::Range { .. } | Table::Zero => None,
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
        debug_assert_eq!(1 << variables(table.rows), leaf.columns[0].len());
        Ok(leaf)
    }

    /// The fraction of one slot.
    fn cell(&self, slot: usize) -> (EF, EF) {
        let at = |column: &Vec<F>| column.get(slot).copied().unwrap_or_default();
        let numerator = match &self.numerators {
            Numerators::One => F::ONE,
            Numerators::Selector => self.columns.first().map(at).unwrap_or_default(),
            Numerators::Cells(cells) => at(cells),
        };
        let terms = self.coefficients.iter().zip(&self.columns);
        let denominator = terms.fold(self.constant, |sum, (&c, column)| sum + c * at(column));
        (numerator.into(), denominator)
    }

    /// The quad of vectors `index` of the block.
    pub(super) fn quad(&self, index: usize) -> Quad<V> {
        match self.columns.len() {
            0 => self.quad_of::<0>(index),
            1 => self.quad_of::<1>(index),
            2 => self.quad_of::<2>(index),
            3 => self.quad_of::<3>(index),
            _ => self.quad_of::<MAX_COLUMNS>(index),
        }
    }

    fn quad_of<const C: usize>(&self, index: usize) -> Quad<V> {
        let columns: [&[P]; C] = core::array::from_fn(|i| P::pack_slice(&self.columns[i]));
        let coefficients: [[F; C]; DEGREE] = core::array::from_fn(|k| {
            core::array::from_fn(|i| self.coefficients[i].as_basis_coefficients_slice()[k])
        });
        let pairs: [(P, P); C] = core::array::from_fn(|i| {
            split_base(columns[i][2 * index], columns[i][2 * index + 1], IN_ORDER)
        });
        let denominator = |cells: [P; C]| {
            vector(core::array::from_fn(|k| {
                let constant: &[F] = self.constant.as_basis_coefficients_slice();
                P::mixed_dot_product(&cells, &coefficients[k]) + constant[k]
            }))
        };
        let (n0, n1) = match &self.numerators {
            Numerators::One => (P::ONE, P::ONE),
            Numerators::Selector => pairs.first().copied().unwrap_or((P::ONE, P::ONE)),
            Numerators::Cells(cells) => {
                let cells = P::pack_slice(cells);
                split_base(cells[2 * index], cells[2 * index + 1], IN_ORDER)
            }
        };
        Quad {
            n0: n0.into(),
            d0: denominator(pairs.map(|pair| pair.0)),
            n1: n1.into(),
            d1: denominator(pairs.map(|pair| pair.1)),
        }
    }
}
