//! The conditions of section 4, recomputed from the graph and the constants.
//!
//! Spec: spec/v1/program.md, sections 4 and 5. Whoever made the program is not trusted for them: a
//! condition that fails would let two different integers satisfy the same identity in the field.
//!
//! | Module      | Operations                                          |
//! |-------------|-----------------------------------------------------|
//! | `structure` | what section 3 asks of the graph as a whole         |
//! | `linear`    | `linear`, `matmul`, `gather`                        |
//! | `conv`      | `conv`, `max_pool`, `sum_pool`                      |
//! | `table`     | `table`, `shift`, `clamp`                           |
//! | `arithmetic`| `add`, `affine`, `mul`, reductions, `argmax`, `topk`|
//! | `norm`      | `layernorm`                                         |
//! | `attention` | `softmax_numerator`, `weighted_mean`, `normalize`   |
//! | `layout`    | what only moves integers                            |

mod arithmetic;
mod attention;
mod conv;
mod layout;
mod linear;
mod norm;
mod rows;
mod site;
mod structure;
mod table;

pub(crate) use structure::check as check_structure;

use crate::constant::ConstData;
use crate::error::{NodeError, ProgramError};
use crate::exact::Interval;
use crate::graph::{Graph, Op};
use rows::RowSums;
use site::{Derived, Site};

/// Checks every node; a constant that is `None` makes the ranges that need it declared ones. Returns the row-norm
/// facts of all tensors.
///
/// # Errors
/// [`ProgramError::Node`] with the first condition that fails.
pub(crate) fn check_nodes(
    graph: &Graph,
    constants: &[Option<ConstData>],
) -> Result<Vec<Option<i128>>, ProgramError> {
    let mut facts: Vec<Option<i128>> = vec![None; graph.inputs.len()];
    let mut rows = RowSums::default();
    for (index, node) in graph.nodes.iter().enumerate() {
        let site = Site::new(graph, constants, node, &facts);
        let fact = derive(&site, &mut rows)
            .and_then(|derived| accept(graph, index, derived))
            .map_err(|check| ProgramError::Node {
                node: index,
                op: node.op.name(),
                check,
            })?;
        facts.push(fact);
    }
    Ok(facts)
}

fn derive(site: &Site<'_>, rows: &mut RowSums) -> Result<Derived, NodeError> {
    match &site.node.op {
        Op::Linear => linear::linear(site, rows),
        Op::Conv { window, groups } => conv::conv(site, rows, window, *groups),
        Op::Matmul { transpose_b } => linear::matmul(site, *transpose_b),
        Op::Table {
            shift,
            first,
            round,
        } => table::table(site, *shift, *first, *round),
        Op::Shift { shift } => table::shift(site, *shift),
        Op::Clamp { lo, hi } => table::clamp(site, *lo, *hi),
        Op::Add { coeff } => arithmetic::add(site, coeff),
        Op::Affine => arithmetic::affine(site),
        Op::Mul => arithmetic::mul(site),
        Op::SoftmaxNumerator { shift } => attention::softmax_numerator(site, rows, *shift),
        Op::LayerNorm {
            shift,
            u,
            fx,
            epsilon,
            centered,
        } => norm::layernorm(
            site,
            &norm::Parameters {
                shift: *shift,
                u: *u,
                fx: *fx,
                epsilon: (*epsilon).into(),
                is_centered: *centered,
            },
        ),
        Op::WeightedMean => attention::weighted_mean(site),
        Op::Normalize { digits } => attention::normalize(site, *digits),
        Op::MaxPool(window) => conv::max_pool(site, window),
        Op::SumPool(window) => conv::sum_pool(site, window),
        Op::ReduceSum { axes } => arithmetic::reduce_sum(site, axes),
        Op::ReduceMax { axes } => arithmetic::reduce_max(site, axes),
        Op::Argmax => arithmetic::argmax(site),
        Op::TopK { k, values } => arithmetic::topk(site, *k, *values),
        Op::Gather => linear::gather(site, rows),
        Op::Reshape { shape } => layout::reshape(site, shape),
        Op::Transpose { perm } => layout::transpose(site, perm),
        Op::Expand { shape } => layout::expand(site, shape),
        Op::Concat { axis } => layout::concat(site, *axis),
        Op::Slice {
            axis,
            start,
            stop,
            step,
        } => layout::slice(site, *axis, *start, *stop, *step),
        Op::Pad {
            before,
            after,
            value,
        } => layout::pad(site, before, after, *value),
    }
}

/// Compares what was derived with what is declared; returns the row-norm fact.
fn accept(graph: &Graph, node: usize, derived: Derived) -> Result<Option<i128>, NodeError> {
    let tensor = graph.tensors.get(graph.tensor_of_node(node));
    let Some(declared) = tensor else {
        return Ok(None);
    };
    if derived.shape != declared.shape {
        let declared = declared.shape.clone();
        return Err(NodeError::ResultShape {
            derived: derived.shape,
            declared,
        });
    }
    let bounds = Interval::new(declared.lo, declared.hi);
    match derived.range {
        Some(range) if !bounds.contains(range) => Err(NodeError::ResultRange {
            lo: range.lo,
            hi: range.hi,
            declared_lo: declared.lo,
            declared_hi: declared.hi,
        }),
        _ => Ok(derived.fact),
    }
}
