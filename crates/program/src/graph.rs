//! Plain data of a program: tensors, constants, nodes. Nothing here is checked by itself.
//!
//! Spec: spec/v1/program.md, sections 3 and 4. The types hold what the canonical JSON holds; only
//! [`crate::Program`] says that the conditions of section 5 are met.

use crate::constant::Dtype;

/// Field modulus of the proof tiers, `2^31 - 2^24 + 1`.
pub const P: i64 = 2_130_706_433;

/// Largest magnitude of any value, `(P - 1) / 2`; beyond it the field could not tell signs apart.
pub const M: i64 = 1_065_353_216;

/// A whole program without the integers of its constants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Whether the weight leaves of the digest are salted.
    pub salted: bool,
    /// Constants by const id.
    pub consts: Vec<ConstInfo>,
    /// Inputs; input `i` is tensor `i`.
    pub inputs: Vec<Input>,
    /// Nodes in topological order; node `j` defines tensor `inputs.len() + j`.
    pub nodes: Vec<Node>,
    /// Outputs in the order in which they are published.
    pub outputs: Vec<Output>,
    /// Tensors by tensor id, inputs first.
    pub tensors: Vec<TensorInfo>,
}

/// Shape per item (without the batch axis) and inclusive range of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Row-major shape of one item.
    pub shape: Vec<usize>,
    /// Least value.
    pub lo: i32,
    /// Greatest value.
    pub hi: i32,
}

/// Shape, element type and visibility of a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstInfo {
    /// Element type.
    pub dtype: Dtype,
    /// Whether a closed model may hide it.
    pub kind: ConstKind,
    /// Row-major shape.
    pub shape: Vec<usize>,
}

/// Whether a constant is hideable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstKind {
    /// Weights, biases, gains and embeddings; absent from a verification key.
    Weight,
    /// Lookup tables; always public.
    Table,
}

/// A named input with the rule that turns what was received into integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Unique name.
    pub name: String,
    /// Encoding rule.
    pub encode: Encode,
}

/// How received values become integers (section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encode {
    /// `floor(x * mul / 2^shift + 1/2)`, clamped to the range of the tensor.
    Real {
        /// Multiplier.
        mul: u32,
        /// Binary scale.
        shift: i32,
    },
    /// The integer itself; outside the range is an error.
    Integer,
}

/// A named output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Unique name.
    pub name: String,
    /// Tensor that is published.
    pub tensor: usize,
    /// How its integers read as real numbers.
    pub decode: Decode,
}

/// `y = q * mul / 2^shift`, exact in binary64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decode {
    /// Multiplier.
    pub mul: u32,
    /// Binary scale.
    pub shift: i32,
}

/// One operation with its operands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Operation and attributes.
    pub op: Op,
    /// Tensor ids, each smaller than the id this node defines.
    pub inputs: Vec<usize>,
    /// Const ids.
    pub consts: Vec<usize>,
}

/// Geometry of `conv` and of the pools; `[height, width]`, pads `[top, left, bottom, right]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Kernel size; of a `conv` it is that of the weight and not written in the file.
    pub kernel: [usize; 2],
    /// Step between neighbouring windows.
    pub stride: [usize; 2],
    /// Padding.
    pub pad: [usize; 4],
    /// Step between neighbouring taps.
    pub dilation: [usize; 2],
}

/// An operation of section 4 with all its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// `y = x w^T + b`; operands `[x]`, consts `[w, b]`.
    Linear,
    /// Cross-correlation; operands `[x]`, consts `[w, b]`.
    Conv {
        /// Geometry; its kernel is that of `w`.
        window: Window,
        /// Channel groups.
        groups: usize,
    },
    /// Product of two activations; operands `[a, b]`.
    Matmul {
        /// Whether `b` is `[.., n, K]`.
        transpose_b: bool,
    },
    /// `y = t[((x + r) >> shift) - first]`; operands `[x]`, consts `[t]`.
    Table {
        /// Dropped bits.
        shift: u32,
        /// Index of the first entry.
        first: i64,
        /// Whether half a step is added first.
        round: bool,
    },
    /// `y = (x + half(shift)) >> shift`; operands `[x]`.
    Shift {
        /// Dropped bits.
        shift: u32,
    },
    /// `y = min(max(x, lo), hi)`; operands `[x]`.
    Clamp {
        /// Least result.
        lo: i32,
        /// Greatest result.
        hi: i32,
    },
    /// Integer combination of operands with broadcast.
    Add {
        /// One coefficient per operand.
        coeff: Vec<i32>,
    },
    /// `y = g x + b`; operands `[x]`, consts `[g, b]`.
    Affine,
    /// `y = a b` with broadcast; operands `[a, b]`.
    Mul,
    /// `y = t[(max - x) >> shift]` per row; operands `[x]` or `[x, mask]`, consts `[t]`.
    SoftmaxNumerator {
        /// Dropped bits, rounding down.
        shift: u32,
    },
    /// Normalisation of each row; operands `[x]`.
    LayerNorm {
        /// Bits dropped from the input.
        shift: u32,
        /// Binary scale of the reciprocal root.
        u: u32,
        /// Fraction bits of the result.
        fx: u32,
        /// Added to the sum of squares.
        epsilon: i64,
        /// Whether the mean is subtracted.
        centered: bool,
    },
    /// Rounded quotient of `sum e v` by `sum e`; operands `[e, v]`.
    WeightedMean,
    /// `e` over its row sum, in fixed point; operands `[e]`.
    Normalize {
        /// Bits of the two digits of the quotient.
        digits: [u32; 2],
    },
    /// Greatest value of a window; operands `[x]`.
    MaxPool(Window),
    /// Sum of a window; operands `[x]`.
    SumPool(Window),
    /// Sum over axes, which keep size 1; operands `[x]`.
    ReduceSum {
        /// Ascending.
        axes: Vec<usize>,
    },
    /// Maximum over axes, which keep size 1; operands `[x]`.
    ReduceMax {
        /// Ascending.
        axes: Vec<usize>,
    },
    /// Lowest index of the maximum of a row; operands `[x]`.
    Argmax,
    /// The `k` largest of a row, equal ones by lowest index; operands `[x]`.
    TopK {
        /// How many.
        k: usize,
        /// Values instead of indices.
        values: bool,
    },
    /// Rows of a constant by index; operands `[ids]`, consts `[w]`.
    Gather,
    /// New shape, same order; operands `[x]`.
    Reshape {
        /// New shape of an item.
        shape: Vec<usize>,
    },
    /// Result axis `i` is operand axis `perm[i]`; operands `[x]`.
    Transpose {
        /// Permutation of the axes of an item.
        perm: Vec<usize>,
    },
    /// Axes of size 1 are repeated; operands `[x]`.
    Expand {
        /// New shape of an item.
        shape: Vec<usize>,
    },
    /// Operands one after another.
    Concat {
        /// Axis that grows.
        axis: usize,
    },
    /// Every `step`-th index in `start..stop` of one axis; operands `[x]`.
    Slice {
        /// Axis.
        axis: usize,
        /// First index.
        start: usize,
        /// One past the last index.
        stop: usize,
        /// Distance.
        step: usize,
    },
    /// Surrounds an item with a value; operands `[x]`.
    Pad {
        /// Added before, per axis.
        before: Vec<usize>,
        /// Added after, per axis.
        after: Vec<usize>,
        /// Value of the added positions.
        value: i32,
    },
}

impl Op {
    /// Returns the name of the operation in the canonical JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Conv { .. } => "conv",
            Self::Matmul { .. } => "matmul",
            Self::Table { .. } => "table",
            Self::Shift { .. } => "shift",
            Self::Clamp { .. } => "clamp",
            Self::Add { .. } => "add",
            Self::Affine => "affine",
            Self::Mul => "mul",
            Self::SoftmaxNumerator { .. } => "softmax_numerator",
            Self::LayerNorm { .. } => "layernorm",
            Self::WeightedMean => "weighted_mean",
            Self::Normalize { .. } => "normalize",
            Self::MaxPool(_) => "max_pool",
            Self::SumPool(_) => "sum_pool",
            Self::ReduceSum { .. } => "reduce_sum",
            Self::ReduceMax { .. } => "reduce_max",
            Self::Argmax => "argmax",
            Self::TopK { .. } => "topk",
            Self::Gather => "gather",
            Self::Reshape { .. } => "reshape",
            Self::Transpose { .. } => "transpose",
            Self::Expand { .. } => "expand",
            Self::Concat { .. } => "concat",
            Self::Slice { .. } => "slice",
            Self::Pad { .. } => "pad",
        }
    }
}

impl TensorInfo {
    /// Number of elements of one item; the loader bounds it by `2^28`.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |n, &d| n.saturating_mul(d))
    }

    /// Whether an item has no element, which no loaded program has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every value fits 16 signed bits.
    pub fn is_narrow(&self) -> bool {
        self.lo >= i32::from(i16::MIN) && self.hi <= i32::from(i16::MAX)
    }
}

impl ConstInfo {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |n, &d| n.saturating_mul(d))
    }

    /// Whether it has no element, which no loaded constant has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Graph {
    /// Tensor id that node `node` defines.
    pub fn tensor_of_node(&self, node: usize) -> usize {
        self.inputs.len().saturating_add(node)
    }
}
