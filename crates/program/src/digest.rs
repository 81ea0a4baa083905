//! The model digest and the weight root beneath it.
//!
//! Spec: spec/v1/program.md, section 6. Leaves are aligned to rows so that a dispute can show one
//! row of a weight without the rest, and salted in closed models so that a row cannot be guessed.

use crate::constant::ConstData;
use crate::graph::{ConstInfo, ConstKind, Graph};
use crate::merkle::{Hash, Hasher, tree};

/// Elements per leaf of a 1-D weight.
const FLAT_ROW: usize = 32;

/// Root over the rows of all weights; `None` if one is not held.
pub(crate) fn weight_root(
    graph: &Graph,
    constants: &[Option<ConstData>],
    salt: Option<&Hash>,
) -> Option<Hash> {
    let mut leaves = Vec::new();
    let mut buffer = Vec::new();
    for (id, (info, elements)) in graph.consts.iter().zip(constants).enumerate() {
        if info.kind == ConstKind::Weight {
            let row = Row {
                id: u32::try_from(id).ok()?,
                salt,
                buffer: &mut buffer,
            };
            row.push_leaves(info, elements.as_ref()?, &mut leaves);
        }
    }
    Some(tree(&leaves))
}

struct Row<'a> {
    id: u32,
    salt: Option<&'a Hash>,
    buffer: &'a mut Vec<u8>,
}

impl Row<'_> {
    fn push_leaves(self, info: &ConstInfo, elements: &ConstData, leaves: &mut Vec<Hash>) {
        let length = row_length(info);
        let mut index = 0_u32;
        for start in (0..elements.len()).step_by(length) {
            self.buffer.clear();
            elements.write_le(start, length, self.buffer);
            let leaf = Hasher::leaf(b"veridical.weight.row.v1");
            let mut leaf = leaf.u32(self.id).u32(index).frame(self.buffer);
            if let Some(salt) = self.salt {
                let salted = Hasher::new().frame(b"veridical.weight.salt.v1").raw(salt);
                leaf = leaf.raw(&salted.u32(self.id).u32(index).finish());
            }
            leaves.push(leaf.finish());
            index = index.saturating_add(1);
        }
    }
}

/// Elements per leaf: a slice of the first axis, or 32 elements of a 1-D weight.
fn row_length(info: &ConstInfo) -> usize {
    match info.shape.as_slice() {
        [] | [_] => FLAT_ROW,
        [_, rest @ ..] => rest
            .iter()
            .fold(1_usize, |n, &d| n.saturating_mul(d))
            .max(1),
    }
}

/// The model digest; tables that are not held are an empty frame, which no loaded program has.
pub(crate) fn model_digest(
    graph: &Graph,
    graph_bytes: &[u8],
    constants: &[Option<ConstData>],
    weight_root: &Hash,
) -> Hash {
    let mut digest = Hasher::new()
        .frame(b"veridical.program.v1")
        .frame(&1_u32.to_le_bytes())
        .frame(graph_bytes)
        .frame(weight_root);
    for (info, elements) in graph.consts.iter().zip(constants) {
        if info.kind == ConstKind::Table {
            let mut rows = Vec::new();
            if let Some(elements) = elements {
                elements.write_le(0, elements.len(), &mut rows);
            }
            let table = Hasher::new().frame(b"veridical.table.v1");
            let table = table.frame(info.dtype.name().as_bytes()).frame(&rows);
            digest = digest.frame(&table.finish());
        }
    }
    digest.finish()
}
