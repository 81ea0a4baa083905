//! A loaded program: everything that section 5 asks for has been checked.

use crate::check::{check_nodes, check_structure};
use crate::codec;
use crate::constant::ConstData;
use crate::container::{self, Container, Content};
use crate::digest::{model_digest, weight_root};
use crate::error::{ContainerError, GraphError, ProgramError};
use crate::graph::{ConstKind, Graph};
use crate::merkle::{self, Hash};
use std::collections::BTreeMap;

/// A program, or a verification key, whose conditions hold.
///
/// There is no way to make one that skips the checks, so holding a `Program` is the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    graph: Graph,
    graph_bytes: Vec<u8>,
    /// `None` for a weight that a verification key does not hold.
    constants: Vec<Option<ConstData>>,
    salt: Option<Hash>,
    is_vkey: bool,
    weight_root: Hash,
    digest: Hash,
    aliases: BTreeMap<String, String>,
    /// By tensor id.
    row_norms: Vec<Option<i128>>,
}

impl Program {
    /// Makes a program from the canonical JSON of its graph and the elements of its constants.
    ///
    /// # Errors
    /// The first rule of the spec that is broken; see [`ProgramError`].
    pub fn new(
        graph_bytes: &[u8],
        constants: Vec<ConstData>,
        salt: Option<Hash>,
        aliases: BTreeMap<String, String>,
    ) -> Result<Self, ProgramError> {
        let graph = decode(graph_bytes)?;
        let (expected, actual) = (graph.consts.len(), constants.len());
        if expected != actual {
            return Err(GraphError::ConstCount { expected, actual }.into());
        }
        for (id, (info, given)) in graph.consts.iter().zip(&constants).enumerate() {
            let (expected, actual) = (info.dtype.name(), given.dtype().name());
            if expected != actual {
                return Err(GraphError::ConstDtype {
                    id,
                    expected,
                    actual,
                }
                .into());
            }
            let (expected, actual) = (info.len(), given.len());
            if expected != actual {
                return Err(GraphError::ConstLength {
                    id,
                    expected,
                    actual,
                }
                .into());
            }
        }
        let (salted, given) = (graph.salted, salt.is_some());
        if salted != given {
            return Err(GraphError::Salt { salted, given }.into());
        }
        // Written and read once, so that a string without canonical form is found now.
        let text = container::encode_aliases(&aliases);
        container::parse_aliases(&String::from_utf8_lossy(&text)).and_then(|read| {
            let plain = read == aliases;
            let form =
                || ContainerError::Aliases(crate::json::JsonError::NotCanonical { offset: 0 });
            plain.then_some(()).ok_or_else(form)
        })?;
        let constants = constants.into_iter().map(Some).collect();
        Self::check(graph, graph_bytes, constants, salt, None, aliases)
    }

    /// Reads a program or a verification key.
    ///
    /// # Errors
    /// The first rule of the spec that is broken; see [`ProgramError`].
    pub fn from_bytes(file: &[u8]) -> Result<Self, ProgramError> {
        let mut container = Container::parse(file)?;
        let graph = decode(container.graph.as_bytes())?;
        let constants = container.constants(&graph)?;
        let salt = container.salt(&graph)?;
        let graph_bytes = std::mem::take(&mut container.graph);
        let aliases = std::mem::take(&mut container.aliases);
        let root = container.weight_root;
        container.end()?;
        Self::check(
            graph,
            graph_bytes.as_bytes(),
            constants,
            salt,
            root,
            aliases,
        )
    }

    fn check(
        graph: Graph,
        graph_bytes: &[u8],
        constants: Vec<Option<ConstData>>,
        salt: Option<Hash>,
        vkey_root: Option<Hash>,
        aliases: BTreeMap<String, String>,
    ) -> Result<Self, ProgramError> {
        let row_norms = check_nodes(&graph, &constants)?;
        let has_weights = graph.consts.iter().any(|c| c.kind == ConstKind::Weight);
        let weight_root = match vkey_root {
            Some(root) if !has_weights && root != merkle::tree(&[]) => {
                return Err(ContainerError::WeightRoot.into());
            }
            Some(root) => root,
            // Every weight is held here, so there is a root; the empty tree is never reached.
            None => {
                weight_root(&graph, &constants, salt.as_ref()).unwrap_or_else(|| merkle::tree(&[]))
            }
        };
        let digest = model_digest(&graph, graph_bytes, &constants, &weight_root);
        Ok(Self {
            graph,
            graph_bytes: graph_bytes.to_vec(),
            constants,
            salt,
            is_vkey: vkey_root.is_some(),
            weight_root,
            digest,
            aliases,
            row_norms,
        })
    }

    /// Writes the file, or, of a verification key, the key.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.write(self.is_vkey)
    }

    /// Writes the verification key: no weights and no salt, but the root that stands for them.
    pub fn to_vkey_bytes(&self) -> Vec<u8> {
        self.write(true)
    }

    fn write(&self, is_vkey: bool) -> Vec<u8> {
        container::write(&Content {
            graph: &self.graph,
            graph_bytes: &self.graph_bytes,
            constants: &self.constants,
            salt: self.salt.as_ref(),
            aliases: &self.aliases,
            weight_root: is_vkey.then_some(&self.weight_root),
        })
    }

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
        self.constants.get(id)?.as_ref()
    }

    /// Whether this is a verification key, which names a model but cannot run it.
    ///
    /// For the ranges of what depends on weights a key relies on the declared ones, which the
    /// digest covers.
    pub const fn is_vkey(&self) -> bool {
        self.is_vkey
    }

    /// Salt of the weight leaves; a key has none.
    pub const fn salt(&self) -> Option<&Hash> {
        self.salt.as_ref()
    }

    /// The row-norm fact of a tensor (section 4.10): `Q` with `|w . y| <= sqrt(Q sum w^2) + sum |w| / 2` for every
    /// integer row `w` and every row `y` of the tensor.
    pub fn row_norm(&self, tensor: usize) -> Option<i128> {
        self.row_norms.get(tensor).copied().flatten()
    }

    /// Merkle root of the weights.
    pub const fn weight_root(&self) -> &Hash {
        &self.weight_root
    }

    /// The model identity.
    pub const fn digest(&self) -> &Hash {
        &self.digest
    }

    /// Digests of the source model by other names; outside the model identity.
    pub const fn aliases(&self) -> &BTreeMap<String, String> {
        &self.aliases
    }
}

fn decode(graph_bytes: &[u8]) -> Result<Graph, ProgramError> {
    let graph = codec::decode(graph_bytes)?;
    check_structure(&graph)?;
    Ok(graph)
}
