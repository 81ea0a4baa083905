//! The plan under construction: wires, sites, identities, and the limits of all of them.

use std::collections::BTreeMap;

use veridical_program::{Graph, Node};

use crate::plan::build::exact::coefficient;
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;
use crate::plan::shape::{broadcasts, cells, slots};
use crate::plan::{
    Combination, Definition, Fill, Identity, Labels, Pairs, Plan, Published, Role, Scaled, Site,
    Table, TableUse, Term, View, Wire, WireId,
};

/// Most wires, sites and identities together.
const MAX_PARTS: usize = 1 << 19;
/// Most slots of the lookup argument: beyond it a multiplicity could be 0 modulo the field.
const MAX_SLOTS: usize = 1 << 30;
/// Most committed integers.
const MAX_WITNESS: usize = 1 << 30;
/// Most cells of a wire that is never held as a whole.
const MAX_CELLS: usize = 1 << 48;
/// Most public integers, which the verifier holds.
const MAX_PUBLIC: usize = 1 << 30;
/// Layouts of public tensors that are public themselves: cells of all of them.
const MAX_LAYOUT: usize = 1 << 24;
/// Most pairs of cells that the verifier enumerates.
const MAX_PAIRS: usize = 1 << 28;

/// An operand of the current node.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) wire: WireId,
    /// Batch first.
    pub(super) shape: Vec<usize>,
    /// Declared range.
    pub(super) lo: i64,
    pub(super) hi: i64,
}

impl Operand {
    /// Largest difference of two values.
    pub(super) fn spread(&self) -> i128 {
        i128::from(self.hi).saturating_sub(self.lo.into())
    }

    /// The position of the last axis, and its size.
    pub(super) fn last(&self) -> (usize, usize) {
        let size = self.shape.last().copied().unwrap_or(1);
        (self.shape.len().saturating_sub(1), size)
    }
}

/// A plan under construction.
pub(super) struct Builder<'a> {
    graph: &'a Graph,
    batch: usize,
    /// Limb width `B` of section 3.
    limb: u32,
    /// Current node.
    node: usize,
    /// Wires of the tensors so far.
    tensors: Vec<WireId>,
    wires: Vec<Wire>,
    tables: Vec<(Table, usize)>,
    sites: Vec<Site>,
    identities: Vec<Identity>,
    weights: BTreeMap<(usize, Vec<usize>), WireId>,
    ones: BTreeMap<usize, WireId>,
    iotas: BTreeMap<(usize, usize, usize), WireId>,
    used: Used,
}

/// What counts against the limits.
#[derive(Default)]
struct Used {
    slots: usize,
    witness: usize,
    public: usize,
    layout: usize,
    pairs: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(graph: &'a Graph, batch: usize, limb: u32) -> Self {
        Self {
            graph,
            batch,
            limb,
            node: graph.nodes.len(),
            tensors: Vec::new(),
            wires: Vec::new(),
            tables: Vec::new(),
            sites: Vec::new(),
            identities: Vec::new(),
            weights: BTreeMap::new(),
            ones: BTreeMap::new(),
            iotas: BTreeMap::new(),
            used: Used::default(),
        }
    }

    // The graph.

    /// Makes `node` the current node.
    pub(super) fn enter(&mut self, node: usize) {
        self.node = node;
    }

    /// Adds the inputs of the program.
    pub(super) fn inputs(&mut self) -> Result<(), PlanError> {
        for tensor in 0..self.graph.inputs.len() {
            let shape = self.shape_of(tensor)?;
            let wire = self.wire(shape, Definition::Public { tensor }, "input")?;
            self.bind(tensor, wire)?;
        }
        Ok(())
    }

    fn current(&self) -> Result<&'a Node, PlanError> {
        let node = self.graph.nodes.get(self.node);
        node.ok_or_else(|| self.inconsistent("no such node"))
    }

    /// Operand `position` of the current node.
    pub(super) fn operand(&self, position: usize) -> Result<Operand, PlanError> {
        let missing = || self.inconsistent("an operand is missing");
        let id = *self.current()?.inputs.get(position).ok_or_else(missing)?;
        let info = self.graph.tensors.get(id).ok_or_else(missing)?;
        Ok(Operand {
            wire: *self.tensors.get(id).ok_or_else(missing)?,
            shape: self.shape_of(id)?,
            lo: info.lo.into(),
            hi: info.hi.into(),
        })
    }

    /// All operands of the current node.
    pub(super) fn operands(&self) -> Result<Vec<Operand>, PlanError> {
        let count = self.current()?.inputs.len();
        (0..count).map(|position| self.operand(position)).collect()
    }

    /// Const id and shape of const `position` of the current node.
    pub(super) fn constant(&self, position: usize) -> Result<(usize, Vec<usize>), PlanError> {
        let missing = || self.inconsistent("a const is missing");
        let id = *self.current()?.consts.get(position).ok_or_else(missing)?;
        let info = self.graph.consts.get(id).ok_or_else(missing)?;
        Ok((id, info.shape.clone()))
    }

    /// Tensor that the current node defines.
    pub(super) fn result(&self) -> usize {
        self.graph.tensor_of_node(self.node)
    }

    /// Its shape, batch first.
    pub(super) fn result_shape(&self) -> Result<Vec<usize>, PlanError> {
        self.shape_of(self.result())
    }

    fn shape_of(&self, tensor: usize) -> Result<Vec<usize>, PlanError> {
        let info = self.graph.tensors.get(tensor);
        let info = info.ok_or_else(|| self.inconsistent("no such tensor"))?;
        let mut shape = vec![self.batch];
        shape.extend_from_slice(&info.shape);
        Ok(shape)
    }

    /// Says which wire holds a tensor; tensors are bound in order.
    pub(super) fn bind(&mut self, tensor: usize, wire: WireId) -> Result<(), PlanError> {
        let shape = self.shape_of(tensor)?;
        if self.tensors.len() != tensor || self.shape(wire) != shape {
            return Err(self.inconsistent("the result has another shape than declared"));
        }
        self.tensors.push(wire);
        if let Some(wire) = self.wires.get_mut(wire.0) {
            wire.tensor.get_or_insert(tensor);
        }
        Ok(())
    }

    // Errors.

    pub(super) fn inconsistent(&self, what: &'static str) -> PlanError {
        PlanError::Inconsistent {
            node: self.node,
            what,
        }
    }

    /// A condition without which a relation would have several solutions.
    pub(super) fn require(
        &self,
        condition: &'static str,
        actual: i128,
        limit: i128,
    ) -> Result<(), PlanError> {
        if actual <= limit {
            return Ok(());
        }
        let node = self.graph.nodes.get(self.node);
        Err(PlanError::NotInjective {
            node: self.node,
            op: node.map_or("program", |n| n.op.name()),
            condition,
            actual,
            limit,
        })
    }

    pub(super) fn at_most(
        &self,
        what: &'static str,
        actual: usize,
        limit: usize,
    ) -> Result<(), PlanError> {
        if actual <= limit {
            return Ok(());
        }
        Err(PlanError::TooLarge {
            node: self.node,
            what,
            actual,
            limit,
        })
    }

    // Wires.

    const fn role(&self, what: &'static str) -> Role {
        Role {
            node: self.node,
            what,
        }
    }

    /// Shape of a wire; empty if there is none, which no caller has.
    pub(super) fn shape(&self, wire: WireId) -> &[usize] {
        self.wires.get(wire.0).map_or(&[], |w| &w.shape)
    }

    pub(super) fn definition(&self, wire: WireId) -> Option<&Definition> {
        self.wires.get(wire.0).map(|w| &w.definition)
    }

    /// Appends a wire.
    pub(super) fn wire(
        &mut self,
        shape: Vec<usize>,
        definition: Definition,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let size = cells(&shape);
        if shape.is_empty() || size == 0 {
            return Err(self.inconsistent("a wire has no cell"));
        }
        self.at_most("cells of a wire", size, MAX_CELLS)?;
        match definition {
            Definition::Witness { .. } => {
                self.used.witness = self.used.witness.saturating_add(size);
                self.at_most("committed integers", self.used.witness, MAX_WITNESS)?;
            }
            Definition::Public { .. } => {
                self.used.public = self.used.public.saturating_add(size);
                self.at_most("public integers", self.used.public, MAX_PUBLIC)?;
            }
            Definition::One
            | Definition::Iota
            | Definition::Weight { .. }
            | Definition::Combination(_)
            | Definition::Sum { .. }
            | Definition::View(_)
            | Definition::Map { .. }
            | Definition::Einsum { .. } => {}
        }
        let id = WireId(self.wires.len());
        self.wires.push(Wire {
            shape,
            definition,
            tensor: None,
            role: self.role(what),
        });
        self.check_parts()?;
        Ok(id)
    }

    fn check_parts(&self) -> Result<(), PlanError> {
        let parts = self.wires.len().saturating_add(self.sites.len());
        let parts = parts.saturating_add(self.identities.len());
        self.at_most("wires, sites and identities", parts, MAX_PARTS)
    }

    /// A committed wire.
    pub(super) fn witness(
        &mut self,
        shape: &[usize],
        fill: Fill,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        self.wire(shape.to_vec(), Definition::Witness { fill }, what)
    }

    /// A committed wire that holds the result of the current node.
    pub(super) fn witness_result(&mut self, what: &'static str) -> Result<WireId, PlanError> {
        let shape = self.result_shape()?;
        self.witness(&shape, Fill::Tensor(self.result()), what)
    }

    /// The const with the given axes, which differ from its own by axes of size 1.
    pub(super) fn weight(&mut self, constant: usize, shape: &[usize]) -> Result<WireId, PlanError> {
        let key = (constant, shape.to_vec());
        if let Some(&wire) = self.weights.get(&key) {
            return Ok(wire);
        }
        let definition = Definition::Weight { constant };
        let wire = self.wire(shape.to_vec(), definition, "weight")?;
        self.weights.insert(key, wire);
        Ok(wire)
    }

    /// The integer 1 in a space of `rank` axes.
    pub(super) fn one(&mut self, rank: usize) -> Result<WireId, PlanError> {
        if let Some(&wire) = self.ones.get(&rank) {
            return Ok(wire);
        }
        let wire = self.wire(vec![1; rank], Definition::One, "one")?;
        self.ones.insert(rank, wire);
        Ok(wire)
    }

    /// `0 .. n - 1` along axis `axis` of `rank`.
    pub(super) fn iota(&mut self, rank: usize, axis: usize, n: usize) -> Result<WireId, PlanError> {
        let key = (rank, axis, n);
        if let Some(&wire) = self.iotas.get(&key) {
            return Ok(wire);
        }
        let shape = (0..rank).map(|i| if i == axis { n } else { 1 }).collect();
        let wire = self.wire(shape, Definition::Iota, "positions")?;
        self.iotas.insert(key, wire);
        Ok(wire)
    }

    /// An integer combination in the given space; a single wire of that space stays what it is.
    pub(super) fn combination(
        &mut self,
        shape: &[usize],
        expression: Expression,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let combination = expression.combination();
        self.check_combination(&combination, shape)?;
        if let ([(1, wire)], 0) = (combination.terms.as_slice(), combination.constant)
            && self.shape(*wire) == shape
        {
            return Ok(*wire);
        }
        self.wire(shape.to_vec(), Definition::Combination(combination), what)
    }

    fn check_combination(
        &self,
        combination: &Combination,
        space: &[usize],
    ) -> Result<(), PlanError> {
        for &(coeff, wire) in &combination.terms {
            if coeff.unsigned_abs() >= 1 << 31 {
                return Err(self.inconsistent("a coefficient has more than 31 bits"));
            }
            if !broadcasts(self.shape(wire), space) {
                return Err(self.inconsistent("a wire does not fit its space"));
            }
        }
        if combination.constant.unsigned_abs() >= 1 << 40 {
            return Err(self.inconsistent("a constant has more than 40 bits"));
        }
        Ok(())
    }

    /// Sum over axes, which keep size 1.
    pub(super) fn sum(
        &mut self,
        of: WireId,
        axes: &[usize],
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let mut shape = self.shape(of).to_vec();
        for &axis in axes {
            if let Some(n) = shape.get_mut(axis) {
                *n = 1;
            }
        }
        if shape == self.shape(of) {
            return Ok(of);
        }
        let axes = axes.to_vec();
        self.wire(shape, Definition::Sum { of, axes }, what)
    }

    /// The same cells under other axes. A view of a view reads the first operand; a view that changes nothing is it.
    pub(super) fn view(
        &mut self,
        of: WireId,
        shape: Vec<usize>,
        bits: Vec<usize>,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let (of, bits) = match self.definition(of) {
            Some(Definition::View(inner)) => {
                let composed = inner.bits.iter().map(|&bit| bits.get(bit).copied());
                let composed: Option<Vec<usize>> = composed.collect();
                let composed =
                    composed.ok_or_else(|| self.inconsistent("a view drops a variable"))?;
                (inner.of, composed)
            }
            _ => (of, bits),
        };
        if self.shape(of) == shape && bits.iter().copied().eq(0..bits.len()) {
            return Ok(of);
        }
        self.wire(shape, Definition::View(View { of, bits }), what)
    }

    /// The same variables in the same order: axes of size 1 come and go, powers of two are split and joined.
    pub(super) fn view_in_order(
        &mut self,
        of: WireId,
        shape: Vec<usize>,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let variables = crate::plan::shape::all_variables(&shape);
        let variables = usize::try_from(variables).unwrap_or(usize::MAX);
        self.view(of, shape, (0..variables).collect(), what)
    }

    /// `sum over pairs`.
    pub(super) fn map(
        &mut self,
        of: WireId,
        shape: Vec<usize>,
        factors: Vec<crate::plan::Factor>,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        for factor in &factors {
            if let crate::plan::Factor::Related(pairs) = factor {
                self.used.pairs = self.used.pairs.saturating_add(count(pairs));
            }
        }
        self.at_most("pairs of cells", self.used.pairs, MAX_PAIRS)?;
        self.wire(shape, Definition::Map { of, factors }, what)
    }

    /// Sum of products. Labels are given for every axis; those of axes of size 1 are replaced here.
    pub(super) fn einsum(
        &mut self,
        (a, a_labels): (WireId, &[u8]),
        (b, b_labels): (WireId, &[u8]),
        out: &[u8],
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let (a_shape, b_shape) = (self.shape(a).to_vec(), self.shape(b).to_vec());
        let axes = || {
            a_labels
                .iter()
                .zip(&a_shape)
                .chain(b_labels.iter().zip(&b_shape))
        };
        let size = |label: u8| axes().filter(|(l, _)| **l == label).map(|(_, n)| *n).max();
        let fits = a_labels.len() == a_shape.len() && b_labels.len() == b_shape.len();
        let agrees = |(label, n): (&u8, &usize)| {
            // A contracted axis of one operand alone would be summed over nothing.
            Some(*n) == size(*label) || (*n == 1 && out.contains(label))
        };
        let shape: Option<Vec<usize>> = out.iter().map(|&label| size(label)).collect();
        let (true, true, Some(shape)) = (fits, axes().all(agrees), shape) else {
            return Err(self.inconsistent("operands of a product do not fit"));
        };
        let unit = |labels: &[u8], shape: &[usize]| -> Vec<u8> {
            let replace = |(&l, &n): (&u8, &usize)| if n == 1 { Labels::UNIT } else { l };
            labels.iter().zip(shape).map(replace).collect()
        };
        let labels = Labels {
            a: unit(a_labels, &a_shape),
            b: unit(b_labels, &b_shape),
            out: unit(out, &shape),
        };
        self.wire(shape, Definition::Einsum { a, b, labels }, what)
    }

    /// Whether the integers of a wire are the verifier's.
    pub(super) fn is_public(&self, wire: WireId) -> bool {
        matches!(self.definition(wire), Some(Definition::Public { .. }))
    }

    /// The result of the current node as a public wire, if its operands are and there is room.
    pub(super) fn public_layout(&mut self) -> Result<Option<WireId>, PlanError> {
        let operands = self.operands()?;
        let shape = self.result_shape()?;
        let total = self.used.layout.saturating_add(cells(&shape));
        if !operands.iter().all(|x| self.is_public(x.wire)) || total > MAX_LAYOUT {
            return Ok(None);
        }
        self.used.layout = total;
        let tensor = self.result();
        let definition = Definition::Public { tensor };
        self.wire(shape, definition, "layout of inputs").map(Some)
    }

    // Lookups and identities.

    /// Id of a table in tuples.
    pub(super) fn table(&mut self, table: Table, rows: usize) -> i64 {
        let position = self.tables.iter().position(|(t, _)| *t == table);
        let position = position.unwrap_or_else(|| {
            self.tables.push((table, rows));
            self.used.slots = self.used.slots.saturating_add(slots(&[rows]));
            self.tables.len().saturating_sub(1)
        });
        coefficient(position.saturating_add(1))
    }

    /// The wire of a weight that is a table already.
    pub(super) fn weight_table(&self, constant: usize) -> Option<WireId> {
        self.tables.iter().find_map(|(table, _)| match table {
            Table::Weight { constant: id, wire } if *id == constant => Some(*wire),
            Table::Weight { .. } | Table::Range { .. } | Table::Constant { .. } | Table::Zero => {
                None
            }
        })
    }

    /// One lookup per cell of the space.
    pub(super) fn site(
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
    pub(super) fn identity(
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

    /// Limb width of the plan.
    pub(super) const fn limb(&self) -> u32 {
        self.limb
    }

    /// Adds the columns of multiplicities and the outputs.
    pub(super) fn finish(mut self) -> Result<Plan, PlanError> {
        self.node = self.graph.nodes.len();
        let mut tables = Vec::new();
        for (position, (table, rows)) in std::mem::take(&mut self.tables).into_iter().enumerate() {
            let fill = Fill::Multiplicity { table: position };
            let multiplicity = self.witness(&[rows], fill, "multiplicities")?;
            tables.push(TableUse {
                table,
                rows,
                multiplicity,
            });
        }
        let mut outputs = Vec::new();
        for (output, published) in self.graph.outputs.iter().enumerate() {
            let wire = self.tensors.get(published.tensor).copied();
            let wire = wire.ok_or_else(|| self.inconsistent("no such output"))?;
            outputs.push(Published { output, wire });
        }
        Ok(Plan {
            batch: self.batch,
            wires: self.wires,
            tables,
            sites: self.sites,
            identities: self.identities,
            outputs,
        })
    }
}

/// Number of pairs that a verifier enumerates for one evaluation; saturated.
fn count(pairs: &Pairs) -> usize {
    match pairs {
        Pairs::Reshape { from, .. } => cells(from),
        Pairs::Place { from, .. } => *from,
        Pairs::Slice { to, .. } => *to,
        Pairs::Window(w) | Pairs::WindowSum(w) | Pairs::WindowReal(w) | Pairs::WindowMask(w) => {
            w.windows.saturating_mul(w.taps)
        }
        Pairs::Rows { shape, .. } => cells(shape),
    }
}
