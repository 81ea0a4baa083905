//! Public tensors: inputs and what layout operations make of them.
//!
//! Spec: spec/v1/zk.md, section 2.3, and spec/v1/program.md, section 4, for the operations.

use std::collections::BTreeMap;

use veridical_argument::plan::Layout;
use veridical_argument::statement::Tensors;
use veridical_program::{Graph, Node, Op};

use crate::VerifyError;
use crate::session::cells;

/// Most integers of one public tensor over the whole batch.
const MAX_INTEGERS: usize = 1 << 26;

/// Public tensors of a batch, each computed when it is first asked for.
pub struct PublicTensors<'a> {
    graph: &'a Graph,
    inputs: &'a [Tensors],
    /// By tensor id, the tensor whose integers it has: an operation that moves none is no tensor of its own.
    sources: Vec<usize>,
    /// By tensor id, the runs one after another.
    known: BTreeMap<usize, Vec<i32>>,
    /// Integers of all of them.
    held: usize,
}

impl<'a> PublicTensors<'a> {
    pub fn new(graph: &'a Graph, inputs: &'a [Tensors]) -> Self {
        Self {
            graph,
            inputs,
            sources: Layout::sources(graph),
            known: BTreeMap::new(),
            held: 0,
        }
    }

    /// The integers of a public tensor, the runs one after another, row-major.
    pub fn integers(&mut self, tensor: usize) -> Result<&[i32], VerifyError> {
        let tensor = self.source(tensor)?;
        // Operands have smaller ids, so tensors are computed from the last one that is missing.
        let mut wanted = vec![tensor];
        while let Some(&next) = wanted.last() {
            if self.known.contains_key(&next) {
                wanted.pop();
                continue;
            }
            let missing = self.missing(next)?;
            if missing.is_empty() {
                let integers = self.compute(next)?;
                self.held = self.held.saturating_add(integers.len());
                if self.held > MAX_INTEGERS {
                    return Err(VerifyError::TooLarge {
                        what: "all public tensors",
                        found: self.held,
                        most: MAX_INTEGERS,
                    });
                }
                self.known.insert(next, integers);
            } else {
                wanted.extend(missing);
            }
        }
        let known = self.known.get(&tensor).map(Vec::as_slice);
        known.ok_or(NOT_PUBLIC)
    }

    fn source(&self, tensor: usize) -> Result<usize, VerifyError> {
        self.sources.get(tensor).copied().ok_or(NOT_PUBLIC)
    }

    /// The node that defines a tensor, unless it is an input.
    fn node(&self, tensor: usize) -> Result<Option<&'a Node>, VerifyError> {
        match tensor.checked_sub(self.graph.inputs.len()) {
            None => Ok(None),
            Some(node) => self.graph.nodes.get(node).map(Some).ok_or(NOT_PUBLIC),
        }
    }

    /// Operands that are not known yet.
    fn missing(&self, tensor: usize) -> Result<Vec<usize>, VerifyError> {
        let Some(node) = self.node(tensor)? else {
            return Ok(Vec::new());
        };
        if node.inputs.iter().any(|&operand| operand >= tensor) {
            return Err(NOT_PUBLIC);
        }
        let operands = node.inputs.iter().map(|&operand| self.source(operand));
        let operands: Vec<usize> = operands.collect::<Result<_, VerifyError>>()?;
        let missing = operands.into_iter();
        Ok(missing
            .filter(|operand| !self.known.contains_key(operand))
            .collect())
    }

    fn compute(&self, tensor: usize) -> Result<Vec<i32>, VerifyError> {
        let shape = self.shape(tensor)?;
        let item = cells(shape);
        let found = item.saturating_mul(self.inputs.len());
        if found > MAX_INTEGERS {
            return Err(VerifyError::TooLarge {
                what: "a public tensor",
                found,
                most: MAX_INTEGERS,
            });
        }
        let mut integers = Vec::with_capacity(found);
        let Some(node) = self.node(tensor)? else {
            let runs = self.inputs.iter().filter_map(|run| run.get(tensor));
            runs.for_each(|run| integers.extend_from_slice(run));
            return Ok(integers);
        };
        for run in 0..self.inputs.len() {
            let operands = node.inputs.iter().map(|&operand| {
                let shape = self.shape(operand)?;
                let item = cells(shape);
                let start = item.checked_mul(run).ok_or(NOT_PUBLIC)?;
                let all = self.known.get(&self.source(operand)?).ok_or(NOT_PUBLIC)?;
                let this = all.get(start..).and_then(|rest| rest.get(..item));
                Ok((shape, this.ok_or(NOT_PUBLIC)?))
            });
            let operands: Vec<(&[usize], &[i32])> = operands.collect::<Result<_, VerifyError>>()?;
            integers.extend(layout(&node.op, &operands, shape).ok_or(NOT_PUBLIC)?);
        }
        Ok(integers)
    }

    fn shape(&self, tensor: usize) -> Result<&'a [usize], VerifyError> {
        let info = self.graph.tensors.get(tensor).ok_or(NOT_PUBLIC)?;
        Ok(&info.shape)
    }
}

/// The plan calls a tensor public that is no layout of inputs.
const NOT_PUBLIC: VerifyError = VerifyError::Inconsistent {
    what: "public tensor",
};

/// The result of a layout operation on one item; `None` for any other operation.
fn layout(op: &Op, operands: &[(&[usize], &[i32])], shape: &[usize]) -> Option<Vec<i32>> {
    let &(from, integers) = operands.first()?;
    let read = |steps: &[usize], start: usize| {
        let offsets = offsets(shape, steps);
        let cells = offsets.map(|offset| integers.get(offset?.checked_add(start)?).copied());
        cells.collect::<Option<Vec<i32>>>()
    };
    match op {
        Op::Reshape { .. } => Some(integers.to_vec()),
        Op::Transpose { perm } => {
            let strides = strides(from);
            let steps = perm.iter().map(|&axis| strides.get(axis).copied());
            read(&steps.collect::<Option<Vec<usize>>>()?, 0)
        }
        Op::Expand { .. } => {
            let strides = strides(from);
            let axes = strides.iter().zip(from);
            let steps: Vec<usize> = axes.map(|(&s, &n)| if n == 1 { 0 } else { s }).collect();
            read(&steps, 0)
        }
        Op::Slice {
            axis, start, step, ..
        } => {
            let mut steps = strides(from);
            let along = steps.get_mut(*axis)?;
            let start = along.checked_mul(*start)?;
            *along = along.checked_mul(*step)?;
            read(&steps, start)
        }
        Op::Concat { axis } => {
            let steps = strides(shape);
            let along = steps.get(*axis)?;
            let mut result = vec![0; cells(shape)];
            let mut at = 0_usize;
            for (part, integers) in operands {
                place(&mut result, &steps, at.checked_mul(*along)?, part, integers)?;
                at = at.checked_add(*part.get(*axis)?)?;
            }
            Some(result)
        }
        Op::Pad { before, value, .. } => {
            let steps = strides(shape);
            let mut result = vec![*value; cells(shape)];
            let start = before.iter().zip(&steps).try_fold(0_usize, |sum, (n, s)| {
                n.checked_mul(*s).and_then(|offset| sum.checked_add(offset))
            })?;
            place(&mut result, &steps, start, from, integers)?;
            Some(result)
        }
        Op::Linear
        | Op::Conv { .. }
        | Op::Matmul { .. }
        | Op::Table { .. }
        | Op::Shift { .. }
        | Op::Clamp { .. }
        | Op::Add { .. }
        | Op::Affine
        | Op::Mul
        | Op::SoftmaxNumerator { .. }
        | Op::LayerNorm { .. }
        | Op::WeightedMean
        | Op::Normalize { .. }
        | Op::MaxPool(_)
        | Op::SumPool(_)
        | Op::ReduceSum { .. }
        | Op::ReduceMax { .. }
        | Op::Argmax
        | Op::TopK { .. }
        | Op::Gather => None,
    }
}

/// Writes a tensor into a larger one.
fn place(
    result: &mut [i32],
    steps: &[usize],
    start: usize,
    shape: &[usize],
    integers: &[i32],
) -> Option<()> {
    for (offset, &integer) in offsets(shape, steps).zip(integers) {
        *result.get_mut(offset?.checked_add(start)?)? = integer;
    }
    Some(())
}

/// Distance of neighbours along each axis.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    let mut product = 1_usize;
    for (stride, &n) in strides.iter_mut().zip(shape).rev() {
        *stride = product;
        product = product.saturating_mul(n);
    }
    strides
}

/// `sum position * step` for every cell of a shape, in row-major order.
fn offsets(shape: &[usize], steps: &[usize]) -> impl Iterator<Item = Option<usize>> {
    let axes: Vec<(usize, usize)> = shape.iter().copied().zip(steps.iter().copied()).collect();
    let mut position = vec![0_usize; axes.len()];
    (0..cells(shape)).map(move |_| {
        let mut terms = position.iter().zip(&axes);
        let offset = terms.try_fold(0_usize, |sum, (&at, &(_, step))| {
            sum.checked_add(at.checked_mul(step)?)
        });
        for (at, &(n, _)) in position.iter_mut().zip(&axes).rev() {
            *at = at.saturating_add(1);
            if *at < n {
                break;
            }
            *at = 0;
        }
        offset
    })
}
