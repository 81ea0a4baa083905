//! A loaded program: everything that section 5 asks for has been checked.

use crate::constant::ConstData;
use crate::graph::Graph;
use std::collections::BTreeMap;

/// A program, or a verification key, whose conditions hold.
///
/// There is no way to make one that skips the checks, so holding a `Program` is the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub(crate) graph: Graph,
    pub(crate) graph_bytes: Vec<u8>,
    /// `None` for a weight that a verification key does not hold.
    pub(crate) data: Vec<Option<ConstData>>,
    pub(crate) salt: Option<[u8; 32]>,
    pub(crate) weight_root: [u8; 32],
    pub(crate) digest: [u8; 32],
    pub(crate) aliases: BTreeMap<String, String>,
}

impl Program {
    /// The graph.
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The canonical JSON of the graph.
    pub fn graph_bytes(&self) -> &[u8] {
        &self.graph_bytes
    }

    /// Elements of constant `id`; `None` if there is no such constant or the key does not hold it.
    pub fn constant(&self, id: usize) -> Option<&ConstData> {
        self.data.get(id)?.as_ref()
    }

    /// Whether weights are absent: such a program can be referred to but not run.
    pub fn is_vkey(&self) -> bool {
        self.data.iter().any(Option::is_none)
    }

    /// Salt of the weight leaves.
    pub const fn salt(&self) -> Option<&[u8; 32]> {
        self.salt.as_ref()
    }

    /// Merkle root of the weights.
    pub const fn weight_root(&self) -> &[u8; 32] {
        &self.weight_root
    }

    /// The model identity.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Digests of the source model by other names; outside the model identity.
    pub const fn aliases(&self) -> &BTreeMap<String, String> {
        &self.aliases
    }
}
