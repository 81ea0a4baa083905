//! Wires of every definition.

use crate::plan::build::builder::Builder;
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;
use crate::plan::shape::{all_variables, broadcasts, cells};
use crate::plan::{Combination, Definition, Factor, Fill, Labels, View, Wire, WireId};

/// Most committed integers.
const MAX_WITNESS: usize = 1 << 30;
/// Most cells of a wire that is never held as a whole; a machine of 32 bits counts, and takes, fewer.
const MAX_CELLS: usize = match 1_usize.checked_shl(48) {
    Some(cells) => cells,
    None => usize::MAX >> 1,
};
/// Most public integers, which the verifier holds.
const MAX_PUBLIC: usize = 1 << 30;
/// Layouts of public tensors that are public themselves: cells of all of them.
const MAX_LAYOUT: usize = 1 << 24;
/// Most pairs of cells that the verifier enumerates.
const MAX_PAIRS: usize = 1 << 28;

impl Builder<'_> {
    /// Shape of a wire; empty if there is none, which no caller has.
    pub(in crate::plan::build) fn shape(&self, wire: WireId) -> &[usize] {
        self.wires.get(wire.0).map_or(&[], |w| &w.shape)
    }

    pub(in crate::plan::build) fn definition(&self, wire: WireId) -> Option<&Definition> {
        self.wires.get(wire.0).map(|w| &w.definition)
    }

    /// Appends a wire.
    pub(in crate::plan::build) fn wire(
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

    /// A committed wire.
    pub(in crate::plan::build) fn witness(
        &mut self,
        shape: &[usize],
        fill: Fill,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        self.wire(shape.to_vec(), Definition::Witness { fill }, what)
    }

    /// A committed wire that holds the result of the current node.
    pub(in crate::plan::build) fn witness_result(
        &mut self,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let shape = self.result_shape()?;
        self.witness(&shape, Fill::Tensor(self.result()), what)
    }

    /// The const with the given axes, which differ from its own by axes of size 1.
    pub(in crate::plan::build) fn weight(
        &mut self,
        constant: usize,
        shape: &[usize],
    ) -> Result<WireId, PlanError> {
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
    pub(in crate::plan::build) fn one(&mut self, rank: usize) -> Result<WireId, PlanError> {
        if let Some(&wire) = self.ones.get(&rank) {
            return Ok(wire);
        }
        let wire = self.wire(vec![1; rank], Definition::One, "one")?;
        self.ones.insert(rank, wire);
        Ok(wire)
    }

    /// `0 .. n - 1` along axis `axis` of `rank`.
    pub(in crate::plan::build) fn iota(
        &mut self,
        rank: usize,
        axis: usize,
        n: usize,
    ) -> Result<WireId, PlanError> {
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
    pub(in crate::plan::build) fn combination(
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

    pub(in crate::plan::build) fn check_combination(
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
    pub(in crate::plan::build) fn sum(
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
    pub(in crate::plan::build) fn view(
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
    pub(in crate::plan::build) fn view_in_order(
        &mut self,
        of: WireId,
        shape: Vec<usize>,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        let variables = all_variables(&shape);
        let variables = usize::try_from(variables).unwrap_or(usize::MAX);
        self.view(of, shape, (0..variables).collect(), what)
    }

    /// `sum over pairs`.
    pub(in crate::plan::build) fn map(
        &mut self,
        of: WireId,
        shape: Vec<usize>,
        factors: Vec<Factor>,
        what: &'static str,
    ) -> Result<WireId, PlanError> {
        for factor in &factors {
            if let Factor::Related(pairs) = factor {
                self.used.pairs = self.used.pairs.saturating_add(pairs.most());
            }
        }
        self.at_most("pairs of cells", self.used.pairs, MAX_PAIRS)?;
        self.wire(shape, Definition::Map { of, factors }, what)
    }

    /// Sum of products. Labels are given for every axis; those of axes of size 1 are replaced here.
    pub(in crate::plan::build) fn einsum(
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
    pub(in crate::plan::build) fn is_public(&self, wire: WireId) -> bool {
        matches!(self.definition(wire), Some(Definition::Public { .. }))
    }

    /// The result of the current node as a public wire, if its operands are and there is room.
    pub(in crate::plan::build) fn public_layout(&mut self) -> Result<Option<WireId>, PlanError> {
        let operands = self.operands()?;
        let shape = self.result_shape()?;
        let total = self.used.layout.saturating_add(cells(&shape));
        if !operands.iter().all(|x| x.is_public) || total > MAX_LAYOUT {
            return Ok(None);
        }
        self.used.layout = total;
        let tensor = self.result();
        let definition = Definition::Public { tensor };
        self.wire(shape, definition, "layout of inputs").map(Some)
    }
}
