//! Transposes around products of activations: read and written in place, never copied.

use veridical_program::{Graph, Op};

use super::fusion::Readers;
use super::prepare::strides;

/// A tensor read from the storage of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) source: usize,
    /// Elements from one index to the next in the source, for every axis of the view.
    pub(super) strides: Vec<usize>,
}

/// Views by tensor id; `None` for tensors that are computed.
pub(super) fn operands(graph: &Graph, readers: &Readers) -> Vec<Option<View>> {
    let mut views = vec![None; graph.tensors.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        let tensor = graph.tensor_of_node(id);
        if let (Op::Transpose { perm }, &[source]) = (&node.op, &node.inputs[..])
            && graph.tensors[source].is_narrow()
        {
            let from = strides(&graph.tensors[source].shape);
            let strides: Vec<usize> = perm.iter().map(|&axis| from[axis]).collect();
            let usable = |&reader: &usize| can_read(graph, reader, tensor, &strides);
            if readers
                .unpublished(tensor)
                .is_some_and(|nodes| nodes.iter().all(usable))
            {
                views[tensor] = Some(View { source, strides });
            }
        }
    }
    views
}

/// Whether a node can read an operand by these strides.
fn can_read(graph: &Graph, node: usize, tensor: usize, strides: &[usize]) -> bool {
    let node = &graph.nodes[node];
    let (&[.., row, column], [left, right]) = (strides, &node.inputs[..]) else {
        return false;
    };
    matches!(node.op, Op::Matmul { .. } | Op::WeightedMean)
        && (*left != tensor || column == 1)
        && (*right != tensor || column == 1 || row == 1)
}

/// Strides with which a product writes straight into its transpose, if that alone reads `tensor`.
pub(super) fn result(
    graph: &Graph,
    readers: &Readers,
    tensor: usize,
) -> Option<(usize, Vec<usize>)> {
    let reader = readers.only(tensor)?;
    let Op::Transpose { perm } = &graph.nodes[reader].op else {
        return None;
    };
    let to = strides(&graph.tensors[graph.tensor_of_node(reader)].shape);
    let mut by_axis = vec![0; perm.len()];
    for (&axis, stride) in perm.iter().zip(to) {
        by_axis[axis] = stride;
    }
    (by_axis.last() == Some(&1)).then_some((reader, by_axis))
}
