//! What section 3 asks of the graph as a whole.

use crate::constant::Dtype;
use crate::error::GraphError;
use crate::graph::{ConstInfo, ConstKind, Graph};
use std::collections::BTreeSet;

/// Most elements of a tensor, and of a constant.
const MAX_ELEMENTS: usize = 1 << 28;
/// Most rows of a table: an index has at most 16 bits in a proof.
const MAX_TABLE_ROWS: usize = 65_536;

/// Uses of an average constant.
const MAX_USES: usize = 64;
/// Elements that may be used beyond that: small programs share small tables often.
const FREE_USES: usize = 1 << 24;

/// Checks names, counts, ids and sizes.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn check(graph: &Graph) -> Result<(), GraphError> {
    unique("inputs", graph.inputs.iter().map(|i| i.name.as_str()))?;
    unique("outputs", graph.outputs.iter().map(|o| o.name.as_str()))?;
    let expected = graph.tensor_of_node(graph.nodes.len());
    let actual = graph.tensors.len();
    if expected != actual {
        return Err(GraphError::TensorCount { expected, actual });
    }
    for (tensor, info) in graph.tensors.iter().enumerate() {
        elements(|| format!("tensor {tensor}"), &info.shape)?;
        let (lo, hi) = (info.lo, info.hi);
        if lo > hi {
            return Err(GraphError::EmptyRange { tensor, lo, hi });
        }
    }
    check_consts(graph)?;
    check_nodes(graph)?;
    for (output, o) in graph.outputs.iter().enumerate() {
        if o.tensor >= actual {
            return Err(GraphError::OutputTensor {
                output,
                tensor: o.tensor,
                count: actual,
            });
        }
    }
    Ok(())
}

fn check_consts(graph: &Graph) -> Result<(), GraphError> {
    for (id, c) in graph.consts.iter().enumerate() {
        elements(|| format!("const {id}"), &c.shape)?;
        let fits = c.shape.len() == 1 && c.dtype != Dtype::I8 && c.len() <= MAX_TABLE_ROWS;
        if c.kind == ConstKind::Table && !fits {
            return Err(GraphError::TableForm { id });
        }
    }
    Ok(())
}

fn check_nodes(graph: &Graph) -> Result<(), GraphError> {
    let count = graph.consts.len();
    let mut used: BTreeSet<usize> = BTreeSet::new();
    for (node, n) in graph.nodes.iter().enumerate() {
        let limit = graph.tensor_of_node(node);
        if let Some(&tensor) = n.inputs.iter().find(|&&t| t >= limit) {
            return Err(GraphError::OperandOrder {
                node,
                tensor,
                limit,
            });
        }
        if let Some(&id) = n.consts.iter().find(|&&c| c >= count) {
            return Err(GraphError::ConstId { node, id, count });
        }
        used.extend(&n.consts);
    }
    if let Some(id) = (0..count).find(|id| !used.contains(id)) {
        return Err(GraphError::UnusedConst { id });
    }
    check_uses(graph)
}

/// A shared constant is prepared for every node that uses it.
fn check_uses(graph: &Graph) -> Result<(), GraphError> {
    let once = graph.consts.iter().map(ConstInfo::len);
    let limit = once
        .fold(0_usize, usize::saturating_add)
        .saturating_mul(MAX_USES)
        .saturating_add(FREE_USES);
    let used = graph.nodes.iter().flat_map(|n| &n.consts);
    let actual = used
        .filter_map(|&id| graph.consts.get(id))
        .map(ConstInfo::len)
        .fold(0_usize, usize::saturating_add);
    if actual > limit {
        return Err(GraphError::ConstUses { actual, limit });
    }
    Ok(())
}

fn unique<'a>(path: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), GraphError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(GraphError::DuplicateName {
                path,
                name: name.to_owned(),
            });
        }
    }
    Ok(())
}

fn elements(path: impl Fn() -> String, shape: &[usize]) -> Result<(), GraphError> {
    let count = shape.iter().fold(1_usize, |n, &d| n.saturating_mul(d));
    if count <= MAX_ELEMENTS {
        return Ok(());
    }
    Err(GraphError::Elements {
        path: path(),
        limit: MAX_ELEMENTS,
    })
}
