//! Every operation straight from the specification, one element or one row at a time.
//!
//! Spec: spec/v1/program.md, section 4. Nothing here is fast; it is the oracle that the planned
//! executor is tested against, and what recomputes a single element of a trace.
//!
//! | Module      | Purpose                                                      |
//! |-------------|--------------------------------------------------------------|
//! | `index`     | flat positions, axes and broadcast                           |
//! | `pointwise` | operations whose elements depend on few operand elements     |
//! | `product`   | `linear`, `conv`, `matmul`, `weighted_mean`, pools           |
//! | `row`       | operations on whole rows                                     |

mod index;
mod pointwise;
mod product;
mod row;

use crate::error::ExecutorError;
use veridical_program::{ConstData, Graph, Node, Op, Program, TensorInfo};

/// One node with the operands of one run.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    node_id: usize,
    node: &'a Node,
    graph: &'a Graph,
    program: &'a Program,
    operands: &'a [&'a [i32]],
    batch: usize,
}

/// A value, or the only thing that can fail in an operation: an empty row, by its index.
type Value = Result<i64, usize>;

impl<'a> Site<'a> {
    /// `operands` are the tensors of `node.inputs`, each of shape `[batch, *shape]`.
    pub(crate) fn new(
        program: &'a Program,
        node_id: usize,
        operands: &'a [&'a [i32]],
        batch: usize,
    ) -> Self {
        let graph = program.graph();
        Self {
            node_id,
            node: &graph.nodes[node_id],
            graph,
            program,
            operands,
            batch,
        }
    }

    /// All elements of the result.
    pub(crate) fn evaluate(&self) -> Result<Vec<i32>, ExecutorError> {
        let count = self.batch * self.result().len();
        let mut values = Vec::with_capacity(count);
        if self.works_on_rows() {
            for row in 0..count / self.result_width() {
                let row = self.row(row).map_err(|row| self.empty_row(row))?;
                values.extend(row.into_iter().map(narrow));
            }
        } else {
            for k in 0..count {
                values.push(narrow(self.cell(k).map_err(|row| self.empty_row(row))?));
            }
        }
        Ok(values)
    }

    /// Element `k` of the result; `k` is inside.
    pub(crate) fn element(&self, k: usize) -> Result<i32, ExecutorError> {
        let value = if self.works_on_rows() {
            let width = self.result_width();
            self.row(k / width).map(|row| row[k % width])
        } else {
            self.cell(k)
        };
        value.map(narrow).map_err(|row| self.empty_row(row))
    }

    fn works_on_rows(&self) -> bool {
        matches!(
            self.node.op,
            Op::SoftmaxNumerator { .. }
                | Op::LayerNorm { .. }
                | Op::Normalize { .. }
                | Op::Argmax
                | Op::TopK { .. }
        )
    }

    fn cell(&self, k: usize) -> Value {
        match &self.node.op {
            Op::Linear => Ok(self.linear(k)),
            Op::Conv { window, groups } => Ok(self.conv(k, window, *groups)),
            Op::Matmul { transpose_b } => Ok(self.matmul(k, *transpose_b)),
            Op::WeightedMean => self.weighted_mean(k),
            Op::MaxPool(window) => Ok(self.max_pool(k, window)),
            Op::SumPool(window) => Ok(self.sum_pool(k, window)),
            op => Ok(self.pointwise(op, k)),
        }
    }

    fn row(&self, row: usize) -> Result<Vec<i64>, usize> {
        match &self.node.op {
            Op::SoftmaxNumerator { shift } => self.softmax_numerator(row, *shift),
            Op::LayerNorm {
                shift,
                u,
                fx,
                epsilon,
                centered,
            } => Ok(self.layernorm(row, *shift, *u, *fx, *epsilon, *centered)),
            Op::Normalize { digits } => self.normalize(row, *digits),
            Op::TopK { k, values } => Ok(self.topk(row, *k, *values)),
            _ => Ok(vec![self.argmax(row)]),
        }
    }

    fn empty_row(&self, row: usize) -> ExecutorError {
        ExecutorError::EmptyRow {
            node: self.node_id,
            row,
        }
    }

    fn result(&self) -> &'a TensorInfo {
        &self.graph.tensors[self.graph.tensor_of_node(self.node_id)]
    }

    fn result_width(&self) -> usize {
        last(&self.result().shape)
    }

    /// Shape of operand `i`, batch axis included.
    fn shape(&self, i: usize) -> Vec<usize> {
        self.with_batch(&self.graph.tensors[self.node.inputs[i]].shape)
    }

    /// Shape of the result, batch axis included.
    fn result_shape(&self) -> Vec<usize> {
        self.with_batch(&self.result().shape)
    }

    fn with_batch(&self, shape: &[usize]) -> Vec<usize> {
        std::iter::once(self.batch)
            .chain(shape.iter().copied())
            .collect()
    }

    fn at(&self, operand: usize, position: usize) -> i64 {
        self.operands[operand][position].into()
    }

    /// Element of constant operand `c`.
    fn constant(&self, c: usize, position: usize) -> i64 {
        match self.program.constant(self.node.consts[c]) {
            Some(ConstData::I8(data)) => data[position].into(),
            Some(ConstData::I16(data)) => data[position].into(),
            Some(ConstData::I32(data)) => data[position].into(),
            // Executors and traces exist only for programs that hold all constants.
            None => 0,
        }
    }

    fn constant_shape(&self, c: usize) -> &'a [usize] {
        &self.graph.consts[self.node.consts[c]].shape
    }
}

/// Half a step of `2^shift`, which `>>` then turns into rounding to nearest.
fn half(shift: u32) -> i64 {
    if shift == 0 { 0 } else { 1 << (shift - 1) }
}

/// Length of the last axis.
fn last(shape: &[usize]) -> usize {
    shape.last().copied().unwrap_or(1)
}

/// The loader has shown that every value of a tensor fits; a cast which loses bits is a defect of it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "ranges are within 31 bits, checked at load"
)]
fn narrow(value: i64) -> i32 {
    debug_assert!(i32::try_from(value).is_ok());
    value as i32
}
