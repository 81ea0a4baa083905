//! Wires: the tensors that an argument speaks of.
//!
//! Spec: spec/v1/zk.md, section 2.

use crate::plan::pairs::Factor;
use crate::plan::{Formula, Role};

/// Position of a wire in [`crate::plan::Plan::wires`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireId(pub usize);

/// A tensor over the field. Axis 0 of a wire of a run is the batch axis; wires of constants have none, or size 1 there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// Axes, slowest first; at least one, none of size 0.
    pub shape: Vec<usize>,
    /// What the wire is.
    pub definition: Definition,
    /// Tensor of the program whose integers the wire holds, if there is one.
    pub tensor: Option<usize>,
    /// What the wire is for.
    pub role: Role,
}

/// What a wire is. Only `Witness` and `Weight` are committed; all others are a function of smaller wires or public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// Integers that the verifier holds: tensor `tensor` of the program, an input or a layout of inputs.
    Public {
        /// Tensor id.
        tensor: usize,
    },
    /// The single integer 1; every axis has size 1.
    One,
    /// `0, 1, .., n - 1` along the only axis that may be larger than 1.
    Iota,
    /// Committed with the proof.
    Witness {
        /// How an honest prover finds the integers.
        fill: Fill,
    },
    /// Committed with the model: const `constant`, axes of size 1 added or not.
    Weight {
        /// Const id, of kind `weight`.
        constant: usize,
    },
    /// `sum coeff * wire + constant`, operands broadcast to the shape.
    Combination(Combination),
    /// Sum over axes, which keep size 1.
    Sum {
        /// Operand.
        of: WireId,
        /// Ascending.
        axes: Vec<usize>,
    },
    /// The same cells under other axes: bit `i` of the operand's point is bit `bits[i]` of this wire's point.
    View(View),
    /// `y[o] = sum of x[i] over the pairs (i, o)`, factor by factor.
    Map {
        /// Operand.
        of: WireId,
        /// Factors; they cover the axes of the operand and of the result in order.
        factors: Vec<Factor>,
    },
    /// `y = sum over contracted labels of a * b`.
    Einsum {
        /// First operand.
        a: WireId,
        /// Second operand; may be the first.
        b: WireId,
        /// Axes by label.
        labels: Labels,
    },
}

/// Rearranged bits of a point (section 8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Operand.
    pub of: WireId,
    /// For every variable of the operand, highest first: the variable of the result.
    pub bits: Vec<usize>,
}

/// An integer combination of wires.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Combination {
    /// Coefficient and wire; coefficients are non-zero and below `2^31` in magnitude, wires are distinct.
    pub terms: Vec<(i64, WireId)>,
    /// Added at every cell of the space (and nowhere else).
    pub constant: i64,
}

/// `(combination) / 2^shift`, exact for an honest prover: a column of a lookup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scaled {
    /// Numerator.
    pub combination: Combination,
    /// Binary logarithm of the divisor, 0 to 31.
    pub shift: u32,
}

/// Axes of an einsum. A label is a small number; an axis of size 1 has label [`Labels::UNIT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Label of each axis of the first operand.
    pub a: Vec<u8>,
    /// Label of each axis of the second operand.
    pub b: Vec<u8>,
    /// Label of each axis of the result. Labels of both operands that are missing here are contracted;
    /// a label of one operand only is never missing here.
    pub out: Vec<u8>,
}

impl Labels {
    /// Label of axes of size 1, which have no variable.
    pub const UNIT: u8 = u8::MAX;
}

/// How an honest prover finds the integers of a witness wire. The verifier never reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fill {
    /// Tensor of the program.
    Tensor(usize),
    /// `floor(x) mod 2^bits`, from 0 up.
    Low {
        /// Operand.
        of: Scaled,
        /// Kept bits.
        bits: u32,
    },
    /// `floor(x)`.
    Floor {
        /// Operand.
        of: Scaled,
    },
    /// Product of two wires, broadcast.
    Product(WireId, WireId),
    /// `max(x, bound)`.
    AtLeast {
        /// Operand.
        of: WireId,
        /// Least value.
        bound: i64,
    },
    /// Maximum over axes (kept with size 1) of the cells where the mask, broadcast, is 1.
    Max {
        /// Operand.
        of: WireId,
        /// Ascending.
        axes: Vec<usize>,
        /// 0 or 1.
        mask: Option<WireId>,
    },
    /// 1 at the first cell over `axes`, in row-major order, where the mask is 1 and `x` equals `max`; else 0.
    First {
        /// Operand.
        of: WireId,
        /// Value, broadcast.
        max: WireId,
        /// Ascending.
        axes: Vec<usize>,
        /// 0 or 1.
        mask: Option<WireId>,
    },
    /// `floor(num / den)`, broadcast.
    Quotient(WireId, WireId),
    /// `num mod den`, broadcast.
    Remainder(WireId, WireId),
    /// A limb of an integer that is wider than the field (section 4.13).
    Wide {
        /// Which row quantity.
        limb: WideLimb,
    },
    /// A function of an integer of at most 16 bits.
    Formula {
        /// Operand.
        of: WireId,
        /// Function.
        formula: Formula,
    },
    /// A limb of the bound of a row by its norm (section 12.6).
    Norm {
        /// Which row quantity.
        limb: NormLimb,
    },
    /// Ranks of top-k: for rank `t` (last axis but one) and position `j` (last axis) 1 if `j` is at or behind the position of rank `t`.
    Ranks {
        /// Operand of shape `[.., n]`.
        of: WireId,
    },
    /// 1 if `x` is positive, else 0.
    Positive(WireId),
    /// How often each row of the table is looked up.
    Multiplicity {
        /// Position in [`crate::plan::Plan::tables`].
        table: usize,
    },
}

/// Limbs of the reciprocal root of a normalised row (section 4.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WideLimb {
    /// The limbs `v0, v1, v2, v3` (14 bits each) of the sum of squares with epsilon, low first.
    pub variance: [WireId; 4],
    /// Limbs of `D = d 2^(2u)`, low first, 14 bits each, the last wider.
    pub target: [i64; 4],
    /// Which quantity.
    pub part: WidePart,
}

/// Quantities of section 4.13.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WidePart {
    /// Limb `i` of `r`.
    Root(usize),
    /// Limb `i` of `t = r V`.
    Product(usize),
    /// Limb `i` of `D - r t`.
    Slack(usize),
    /// Limb `i` of `2 t + V - 1 - (D - r t)`.
    Gap(usize),
    /// Carry `i` of `r V = t`.
    ProductCarry(usize),
    /// Carry `i` of `r t + slack = D`.
    TargetCarry(usize),
    /// The carry of the sum of slack and gap.
    GapCarry,
}

/// Limbs of 10 bits of the root of `Q S`, the bound of a row by its norm (section 12.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormLimb {
    /// The limbs of the sum of squares `S`, low first.
    pub squares: [WireId; 4],
    /// Limbs of `Q`, low first.
    pub factor: [i64; 3],
    /// The sum of magnitudes of the row.
    pub magnitude: WireId,
    /// Greatest magnitude of the operand.
    pub reach: i64,
    /// Which quantity.
    pub part: NormPart,
}

/// Quantities of section 12.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormPart {
    /// 1 if the bound by the operand's range is the smaller one; root, slack and carries are 0 then.
    Choice,
    /// Limb `i` of the root `r`.
    Root(usize),
    /// Limb `i` of `r^2 - Q S`.
    Slack(usize),
    /// Carry `i`.
    Carry(usize),
}
