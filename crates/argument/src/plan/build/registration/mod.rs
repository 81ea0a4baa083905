//! The registration plan: hidden weights keep what a loader of the program has checked with the true ones.
//!
//! Spec: spec/v1/zk.md, section 12.
//!
//! | Module    | Section      | Purpose                                          |
//! |-----------|--------------|--------------------------------------------------|
//! | `consts`  | 12.3         | positive parts, squares, element types           |
//! | `between` | 12.4         | an element of the field between two bounds       |
//! | `rows`    | 12.5, 12.7   | `linear`, `conv`, `affine`, by intervals         |
//! | `norm`    | 12.6         | `linear` behind a normalised row                 |
//! | `gather`  | 12.7         | `gather`                                         |

mod between;
mod consts;
mod gather;
mod norm;
mod rows;

use veridical_program::{Op, Program};

use crate::plan::build::builder::Builder;
use crate::plan::{Plan, PlanError};
use consts::Consts;

/// Limb width of section 3.
const LIMB: u32 = 16;

/// The plan for a program, or for the program that a verification key names.
pub(super) fn build(program: &Program) -> Result<Plan, PlanError> {
    let graph = program.graph();
    let mut b = Builder::new(graph, 0, LIMB);
    let mut consts = Consts::default();
    for (node, n) in graph.nodes.iter().enumerate() {
        b.enter(node);
        match &n.op {
            Op::Linear => {
                let (x, _) = b.declared(0)?;
                match program.row_norm(x) {
                    Some(q) => norm::linear(&mut b, &mut consts, q)?,
                    None => rows::linear(&mut b, &mut consts)?,
                }
            }
            Op::Conv { window, .. } => rows::conv(&mut b, &mut consts, window.pad != [0; 4])?,
            Op::Affine => rows::affine(&mut b, &mut consts)?,
            Op::Gather => gather::gather(&mut b, &mut consts)?,
            Op::Matmul { .. }
            | Op::Table { .. }
            | Op::Shift { .. }
            | Op::Clamp { .. }
            | Op::Add { .. }
            | Op::Mul
            | Op::SoftmaxNumerator { .. }
            | Op::LayerNorm { .. }
            | Op::WeightedMean
            | Op::Normalize { .. }
            | Op::MaxPool(_)
            | Op::SumPool(_)
            | Op::ReduceSum { .. }
            | Op::ReduceMax { .. }
            | Op::Argmax
            | Op::TopK { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Expand { .. }
            | Op::Concat { .. }
            | Op::Slice { .. }
            | Op::Pad { .. } => {}
        }
    }
    consts.element_types(&mut b, graph)?;
    b.finish_with(Vec::new())
}
