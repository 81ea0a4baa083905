//! Builds the plan of a program.
//!
//! Spec: spec/v1/zk.md, sections 3 and 4.
//!
//! | Module       | Section    | Purpose                                               |
//! |--------------|------------|-------------------------------------------------------|
//! | `builder`    | 3          | the plan under construction, and its limits           |
//! | `range`      | 3, 4.9     | range checks, one-hot columns, attained maxima        |
//! | `products`   | 4.1 to 4.7 | `linear`, `matmul`, `affine`, `mul`, `add`            |
//! | `conv`       | 4.2, 4.14  | `conv`, `sum_pool`                                    |
//! | `table`      | 4.4 to 4.8 | `table`, `shift`, `clamp`                             |
//! | `layout`     | 4.6        | what only moves integers                              |
//! | `maxima`     | 4.9        | `max_pool`, `reduce_max`                              |
//! | `attention`  | 4.10 to 12 | `softmax_numerator`, `weighted_mean`, `normalize`     |
//! | `norm`       | 4.13       | `layernorm`                                           |
//! | `ranks`      | 4.15       | `argmax`, `topk`                                      |
//! | `gather`     | 4.16       | `gather`                                              |
//! | `registration` | 12       | what hidden weights keep                              |
//!
//! A verifier builds the plan of whatever program it is asked about: nothing here may panic, and every
//! condition without which a relation had several solutions is checked, though a loaded program keeps it.

mod attention;
mod builder;
mod conv;
mod exact;
mod expression;
mod gather;
mod layout;
mod maxima;
mod norm;
mod products;
mod range;
mod ranks;
mod registration;
mod table;
#[cfg(test)]
mod tests;

use veridical_program::{Graph, Op, Program};

use crate::plan::build::builder::Builder;
use crate::plan::{Plan, PlanError, WireId};

/// Limb widths of range checks; the first wins a tie.
const LIMBS: [u32; 2] = [16, 8];

impl Plan {
    /// The plan for a batch of `batch` runs of a program, or of the program that a verification key names.
    ///
    /// # Errors
    /// [`PlanError`]: the program cannot be proven, or not for so many runs.
    pub fn build(program: &Program, batch: usize) -> Result<Self, PlanError> {
        if batch == 0 {
            return Err(PlanError::EmptyBatch);
        }
        let [wide, narrow] = LIMBS.map(|limb| build(program.graph(), batch, limb));
        match (wide, narrow) {
            (Ok(wide), Ok(narrow)) => {
                let is_narrow_cheaper = narrow.costs().weight() < wide.costs().weight();
                Ok(if is_narrow_cheaper { narrow } else { wide })
            }
            // A plan that is too large for one width is left to the other.
            (wide, narrow) => wide.or(narrow),
        }
    }
}

impl Plan {
    /// The registration plan: what shows that hidden weights keep the declared ranges (section 12).
    ///
    /// # Errors
    /// [`PlanError`]: the condition without which a range could not be shown.
    pub fn registration(program: &Program) -> Result<Self, PlanError> {
        registration::build(program)
    }
}

fn build(graph: &Graph, batch: usize, limb: u32) -> Result<Plan, PlanError> {
    let mut builder = Builder::new(graph, batch, limb);
    builder.inputs()?;
    for (node, n) in graph.nodes.iter().enumerate() {
        builder.enter(node);
        let wire = result(&mut builder, &n.op)?;
        builder.bind(graph.tensor_of_node(node), wire)?;
    }
    builder.finish()
}

/// The wire of the current node's result.
fn result(b: &mut Builder<'_>, op: &Op) -> Result<WireId, PlanError> {
    if let Some(wire) = layout::without_relation(b)? {
        return Ok(wire);
    }
    match op {
        Op::Linear => products::linear(b),
        Op::Conv { window, groups } => conv::conv(b, window, *groups),
        Op::Matmul { transpose_b } => products::matmul(b, *transpose_b),
        Op::Table {
            shift,
            first,
            round,
        } => table::table(b, *shift, *first, *round),
        Op::Shift { shift } => table::shift(b, *shift),
        Op::Clamp { lo, hi } => table::clamp(b, (*lo).into(), (*hi).into()),
        Op::Add { coeff } => products::add(b, coeff),
        Op::Affine => products::affine(b),
        Op::Mul => products::mul(b),
        Op::SoftmaxNumerator { shift } => attention::softmax_numerator(b, *shift),
        Op::LayerNorm {
            shift,
            u,
            fx,
            epsilon,
            centered,
        } => {
            let parameters = norm::Parameters {
                shift: *shift,
                u: *u,
                fx: *fx,
                epsilon: *epsilon,
                is_centered: *centered,
            };
            norm::layernorm(b, &parameters)
        }
        Op::WeightedMean => attention::weighted_mean(b),
        Op::Normalize { digits } => attention::normalize(b, *digits),
        Op::MaxPool(window) => maxima::max_pool(b, window),
        Op::SumPool(window) => conv::sum_pool(b, window),
        Op::ReduceSum { axes } => products::reduce_sum(b, axes),
        Op::ReduceMax { axes } => maxima::reduce_max(b, axes),
        Op::Argmax => ranks::argmax(b),
        Op::TopK { k, values } => ranks::topk(b, *k, *values),
        Op::Gather => gather::gather(b),
        Op::Reshape { .. } => layout::reshape(b),
        Op::Transpose { perm } => layout::transpose(b, perm),
        Op::Expand { .. } => layout::expand(b),
        Op::Concat { axis } => layout::concat(b, *axis),
        Op::Slice {
            axis, start, step, ..
        } => layout::slice(b, *axis, *start, *step),
        Op::Pad { before, value, .. } => layout::pad(b, before, (*value).into()),
    }
}
