//! Operations that only move integers.
//!
//! Spec: spec/v1/zk.md, section 2.3. The builder and the verifier ask here which of them move none, so that
//! neither makes a tensor for an operation that changes nothing.

use veridical_program::{Graph, Op};

/// What a layout operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Nothing: the result is the first operand.
    Still,
    /// The result has its integers in other places.
    Moves,
}

impl Layout {
    /// What the operation of a node does; `None` if there is no such node, or it is another kind of operation.
    pub fn of(graph: &Graph, node: usize) -> Option<Self> {
        let n = graph.nodes.get(node)?;
        let shape = |tensor: usize| graph.tensors.get(tensor).map(|info| &info.shape);
        let is_still = match &n.op {
            Op::Reshape { .. } | Op::Expand { .. } | Op::Slice { .. } | Op::Pad { .. } => {
                shape(*n.inputs.first()?) == shape(graph.tensor_of_node(node))
            }
            Op::Transpose { perm } => perm.iter().copied().eq(0..perm.len()),
            Op::Concat { .. } => n.inputs.len() == 1,
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
            | Op::Gather => return None,
        };
        Some(if is_still { Self::Still } else { Self::Moves })
    }

    /// For every tensor the one whose integers it has: itself, or what it is made of by operations that move nothing.
    pub fn sources(graph: &Graph) -> Vec<usize> {
        let mut sources: Vec<usize> = (0..graph.inputs.len()).collect();
        for (node, n) in graph.nodes.iter().enumerate() {
            let of = n.inputs.first().and_then(|&operand| sources.get(operand));
            let source = match (Self::of(graph, node), of) {
                (Some(Self::Still), Some(&source)) => source,
                _ => graph.tensor_of_node(node),
            };
            sources.push(source);
        }
        sources
    }
}
