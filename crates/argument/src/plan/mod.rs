//! The plan of an argument: what is committed, looked up, and reduced for one program and batch size.
//!
//! Spec: spec/v1/zk.md, sections 2 to 4. A plan is a function of the program and the batch size; prover and
//! verifier build it with the same code and nothing of it is ever sent.

// A verifier builds plans of programs that others made: no panic, no overflow, no rounding.
#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_types,
    clippy::float_arithmetic,
    clippy::host_endian_bytes,
    clippy::indexing_slicing,
    clippy::integer_division,
    clippy::let_underscore_must_use,
    clippy::panic_in_result_fn,
    clippy::unreachable,
    clippy::wildcard_enum_match_arm
)]

mod build;
mod check;
mod costs;
mod error;
mod formula;
mod layout;
mod pairs;
mod shape;
mod wire;

pub use check::Defect;
pub use costs::Costs;
pub use error::PlanError;
pub use formula::Formula;
pub use layout::Layout;
pub use pairs::{Factor, Pairs, Window};
pub use wire::{
    Combination, Definition, Fill, Labels, NormLimb, NormPart, Scaled, View, WideLimb, WidePart,
    Wire, WireId,
};

/// One lookup per cell of a space: the tuple must be a row of the table that its first entry names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Axes of the space, batch first.
    pub shape: Vec<usize>,
    /// Tuple: table id, then the columns; a range table has one column, others two.
    pub tuple: Vec<Scaled>,
    /// Expressions over the same space that vanish; tested at the point of the lookup (section 6.5).
    pub vanishing: Vec<Scaled>,
    /// What the lookup is for, for errors and profiles: node id and a short name.
    pub role: Role,
}

/// Names a part of the argument: a node of the program and what is shown about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Role {
    /// Node id, or the number of nodes for what belongs to no node.
    pub node: usize,
    /// Short fixed name, for example `table output` or `remainder below divisor`.
    pub what: &'static str,
}

/// A lookup table. Its id in tuples is its position in [`Plan::tables`] plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Exactly the integers `0 .. 2^bits - 1`, one column.
    Range {
        /// Width, 1 to 16.
        bits: u32,
    },
    /// Rows `(i, t[i])` of a const of kind `table`.
    Constant {
        /// Const id.
        constant: usize,
    },
    /// The single row `(0, 0)`.
    Zero,
    /// Exactly the integers `0 .. rows - 1`, one column; no power of two.
    Below {
        /// Number of rows, at most `2^16`.
        rows: usize,
    },
    /// Rows `(i, f(i - 2^(bits - 1)))`, two columns (section 12.3).
    Formula {
        /// `f`.
        formula: Formula,
        /// Binary logarithm of the number of rows, 8 or 16.
        bits: u32,
    },
    /// Rows `(i, w[i])` of a const of kind `weight` in row-major order, opened in the weight commitment.
    Weight {
        /// Const id.
        constant: usize,
        /// The elements as a wire of shape `[rows]`.
        wire: WireId,
    },
}

/// A table with its column of multiplicities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableUse {
    /// Rows.
    pub table: Table,
    /// Number of rows.
    pub rows: usize,
    /// Witness wire of shape `[rows]`.
    pub multiplicity: WireId,
}

/// `sum coeff * product of wires = 0` at every cell of a space. Wires with an axis of size 1 are broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Axes of the space, batch first.
    pub shape: Vec<usize>,
    /// Terms of at most three factors.
    pub terms: Vec<Term>,
    /// What the identity is for.
    pub role: Role,
}

/// One term of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Integer coefficient; its magnitude is below `2^31`.
    pub coeff: i64,
    /// One to three wires.
    pub factors: Vec<WireId>,
}

/// A published tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Position among the outputs of the program.
    pub output: usize,
    /// Wire that holds it.
    pub wire: WireId,
}

/// Everything that is proven about a batch of runs of a program, or about its weights, in the order of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Number of runs; 0 of a registration.
    pub batch: usize,
    /// Wires; a definition refers to smaller ids only.
    pub wires: Vec<Wire>,
    /// Lookup tables.
    pub tables: Vec<TableUse>,
    /// Lookups.
    pub sites: Vec<Site>,
    /// Identities of degree two and three.
    pub identities: Vec<Identity>,
    /// Published tensors.
    pub outputs: Vec<Published>,
}

impl Plan {
    /// The wire `id`; ids of a plan are always inside.
    pub fn wire(&self, id: WireId) -> Option<&Wire> {
        self.wires.get(id.0)
    }
}
