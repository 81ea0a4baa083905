//! Attributes of each operation, with the limits that hold for one attribute by itself.

use super::fields::Fields;
use super::{MAX_DIMENSION, MAX_OPERANDS, MAX_RANK, MAX_WINDOW};
use crate::error::GraphError;
use crate::graph::{M, Op, Window};
use crate::json::INT_LIMIT;

const AXIS: (i64, i64) = (0, MAX_RANK - 1);
const DIMENSION: (i64, i64) = (1, MAX_DIMENSION);
const RANK: (i64, i64) = (1, MAX_RANK);
/// Coefficients keep 64 products of 30 bits inside 64 bits.
const MAX_COEFFICIENT: i64 = 1 << 24;

/// Reads the attributes of the operation `name`; `None` if there is no such operation.
pub(super) fn decode(name: &str, f: &mut Fields) -> Result<Option<Op>, GraphError> {
    let op = match name {
        "linear" => Op::Linear,
        "conv" => Op::Conv {
            // The kernel is that of the weight; `decode` fills it in once the constants are known.
            window: window(f, false)?,
            groups: f.take("groups")?.int(1, MAX_DIMENSION)?,
        },
        "matmul" => Op::Matmul {
            transpose_b: f.take("transpose_b")?.flag()?,
        },
        "table" => Op::Table {
            shift: f.take("shift")?.int(0, 16)?,
            first: f
                .take("first")?
                .int(INT_LIMIT.saturating_neg(), INT_LIMIT)?,
            round: f.take("round")?.flag()?,
        },
        "shift" => Op::Shift {
            shift: f.take("shift")?.int(1, 16)?,
        },
        "clamp" => Op::Clamp {
            lo: f.take("lo")?.int(M.saturating_neg(), M)?,
            hi: f.take("hi")?.int(M.saturating_neg(), M)?,
        },
        "add" => {
            let limits = (MAX_COEFFICIENT.saturating_neg(), MAX_COEFFICIENT);
            Op::Add {
                coeff: f.take("coeff")?.ints((0, MAX_OPERANDS), limits)?,
            }
        }
        "affine" => Op::Affine,
        "mul" => Op::Mul,
        "softmax_numerator" => Op::SoftmaxNumerator {
            shift: f.take("shift")?.int(0, 16)?,
        },
        "layernorm" => Op::LayerNorm {
            shift: f.take("shift")?.int(0, 11)?,
            u: f.take("u")?.int(1, 23)?,
            fx: f.take("fx")?.int(0, 23)?,
            epsilon: f.take("epsilon")?.int(1, 1 << 20)?,
            centered: f.take("centered")?.flag()?,
        },
        "weighted_mean" => Op::WeightedMean,
        "normalize" => {
            let path = f.take("digits")?;
            let [k1, k2] = path.array(0, 29)?;
            Op::Normalize {
                digits: [small(k1), small(k2)],
            }
        }
        "max_pool" => Op::MaxPool(window(f, true)?),
        "sum_pool" => Op::SumPool(window(f, true)?),
        "reduce_sum" => Op::ReduceSum {
            axes: f.take("axes")?.ints(RANK, AXIS)?,
        },
        "reduce_max" => Op::ReduceMax {
            axes: f.take("axes")?.ints(RANK, AXIS)?,
        },
        "argmax" => Op::Argmax,
        "topk" => {
            let k = f.take("k")?.int(1, MAX_DIMENSION)?;
            Op::TopK {
                k,
                values: f.take("values")?.flag()?,
            }
        }
        "gather" => Op::Gather,
        "reshape" => Op::Reshape {
            shape: f.take("shape")?.ints(RANK, DIMENSION)?,
        },
        "transpose" => Op::Transpose {
            perm: f.take("perm")?.ints(RANK, AXIS)?,
        },
        "expand" => Op::Expand {
            shape: f.take("shape")?.ints(RANK, DIMENSION)?,
        },
        "concat" => Op::Concat {
            axis: f.take("axis")?.int(AXIS.0, AXIS.1)?,
        },
        "slice" => Op::Slice {
            axis: f.take("axis")?.int(AXIS.0, AXIS.1)?,
            start: f.take("start")?.int(0, MAX_DIMENSION)?,
            stop: f.take("stop")?.int(0, MAX_DIMENSION)?,
            step: f.take("step")?.int(1, MAX_DIMENSION)?,
        },
        "pad" => Op::Pad {
            before: f.take("before")?.ints(RANK, (0, MAX_DIMENSION))?,
            after: f.take("after")?.ints(RANK, (0, MAX_DIMENSION))?,
            value: f.take("value")?.int(M.saturating_neg(), M)?,
        },
        _ => return Ok(None),
    };
    Ok(Some(op))
}

fn window(f: &mut Fields, has_kernel: bool) -> Result<Window, GraphError> {
    Ok(Window {
        kernel: if has_kernel {
            f.take("kernel")?.array(1, MAX_WINDOW)?
        } else {
            [0, 0]
        },
        stride: f.take("stride")?.array(1, MAX_WINDOW)?,
        pad: f.take("pad")?.array(0, MAX_WINDOW)?,
        dilation: f.take("dilation")?.array(1, MAX_WINDOW)?,
    })
}

/// A value that its limits keep below 30.
fn small(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
