//! The plan under construction: wires, sites, identities, and the limits of all of them.

mod lookups;
mod wires;

use std::collections::BTreeMap;

use veridical_program::{Dtype, Graph, Node};

use crate::plan::error::PlanError;
use crate::plan::{
    Definition, Fill, Identity, Layout, Plan, Published, Role, Site, Table, TableUse, Wire, WireId,
};

/// Most wires, sites and identities together.
const MAX_PARTS: usize = 1 << 19;

/// An operand of the current node.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) wire: WireId,
    /// Whether it is an input or a layout of inputs; a node of another kind that changes nothing is not.
    pub(super) is_public: bool,
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
    /// Wires of the tensors so far, and whether a verifier computes them from inputs by layouts alone.
    tensors: Vec<(WireId, bool)>,
    wires: Vec<Wire>,
    tables: Vec<(Table, usize)>,
    table_ids: BTreeMap<Table, usize>,
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
            table_ids: BTreeMap::new(),
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
        let (wire, is_public) = *self.tensors.get(id).ok_or_else(missing)?;
        Ok(Operand {
            wire,
            is_public,
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

    /// What the current node does, if it only moves integers.
    pub(super) fn layout(&self) -> Option<Layout> {
        Layout::of(self.graph, self.node)
    }

    /// Element type of const `constant`.
    pub(super) fn dtype(&self, constant: usize) -> Result<Dtype, PlanError> {
        let info = self.graph.consts.get(constant);
        let info = info.ok_or_else(|| self.inconsistent("a const is missing"))?;
        Ok(info.dtype)
    }

    /// Tensor id and declared range of operand `position` of the current node.
    pub(super) fn declared(&self, position: usize) -> Result<(usize, [i128; 2]), PlanError> {
        let missing = || self.inconsistent("an operand is missing");
        let id = *self.current()?.inputs.get(position).ok_or_else(missing)?;
        let info = self.graph.tensors.get(id).ok_or_else(missing)?;
        Ok((id, [info.lo.into(), info.hi.into()]))
    }

    /// Declared range of the current node's result.
    pub(super) fn declared_result(&self) -> Result<[i128; 2], PlanError> {
        let info = self.graph.tensors.get(self.result());
        let info = info.ok_or_else(|| self.inconsistent("no such tensor"))?;
        Ok([info.lo.into(), info.hi.into()])
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
        // A layout that moves nothing has its operand's wire, which alone does not say how it came about.
        let is_layout = tensor < self.graph.inputs.len()
            || (self.layout().is_some() && self.operands()?.iter().all(|x| x.is_public));
        self.tensors.push((wire, is_layout && self.is_public(wire)));
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

    const fn role(&self, what: &'static str) -> Role {
        Role {
            node: self.node,
            what,
        }
    }

    fn check_parts(&self) -> Result<(), PlanError> {
        let parts = self.wires.len().saturating_add(self.sites.len());
        let parts = parts.saturating_add(self.identities.len());
        self.at_most("wires, sites and identities", parts, MAX_PARTS)
    }

    /// Limb width of the plan.
    pub(super) const fn limb(&self) -> u32 {
        self.limb
    }

    /// Adds the columns of multiplicities and the outputs.
    pub(super) fn finish(mut self) -> Result<Plan, PlanError> {
        self.node = self.graph.nodes.len();
        let mut outputs = Vec::new();
        for (output, published) in self.graph.outputs.iter().enumerate() {
            let found = self.tensors.get(published.tensor).copied();
            let (wire, _) = found.ok_or_else(|| self.inconsistent("no such output"))?;
            outputs.push(Published { output, wire });
        }
        self.finish_with(outputs)
    }

    /// Adds the columns of multiplicities.
    pub(super) fn finish_with(mut self, outputs: Vec<Published>) -> Result<Plan, PlanError> {
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
