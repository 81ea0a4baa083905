//! Why a program is not accepted: one variant per check, with where, what was expected and found.

mod container;
mod graph;
mod node;

pub use container::ContainerError;
pub use graph::GraphError;
pub use node::NodeError;

use thiserror::Error;

/// Declares an error enum and `name`, the stable name of the check that failed.
macro_rules! checks {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$doc:meta])* $variant:ident $({ $($fields:tt)* })? $(($($tuple:tt)*))?),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant $({ $($fields)* })? $(($($tuple)*))?),*
        }

        impl $name {
            /// Stable name of the check that failed.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($variant)),*
                }
            }
        }
    };
}
pub(crate) use checks;

/// Why bytes, or a graph with its constants, are no program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The safetensors container is malformed (section 2).
    #[error("{0}")]
    Container(ContainerError),
    /// The graph does not have the form of section 3.
    #[error("{0}")]
    Graph(GraphError),
    /// A node breaks a rule of section 4.
    #[error("node {node} ({op}): {check}")]
    Node {
        /// Index in `nodes`.
        node: usize,
        /// Name of its operation.
        op: &'static str,
        /// The rule.
        check: NodeError,
    },
}

impl ProgramError {
    /// Stable name of the check that failed.
    pub const fn check(&self) -> &'static str {
        match self {
            Self::Container(e) => e.name(),
            Self::Graph(e) => e.name(),
            Self::Node { check, .. } => check.name(),
        }
    }

    /// Where it failed, for a person.
    pub fn location(&self) -> String {
        match self {
            Self::Container(_) => "container".to_owned(),
            Self::Graph(_) => "graph".to_owned(),
            Self::Node { node, op, .. } => format!("node {node} ({op})"),
        }
    }
}

impl From<ContainerError> for ProgramError {
    fn from(e: ContainerError) -> Self {
        Self::Container(e)
    }
}

impl From<GraphError> for ProgramError {
    fn from(e: GraphError) -> Self {
        Self::Graph(e)
    }
}
