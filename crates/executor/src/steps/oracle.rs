//! Any operation by the interpreter; for those that no model needs fast.

use std::sync::Arc;

use veridical_program::Program;

use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::error::ExecutorError;
use crate::interpreter::Site;
use crate::kernels::epilogue::{Cells, CellsMut, Map};

/// A node as the specification describes it.
#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) program: Arc<Program>,
    pub(crate) node: usize,
}

impl Step for Oracle {
    fn units(&self, batch: usize) -> Units {
        let graph = self.program.graph();
        let len = graph.tensors[graph.tensor_of_node(self.node)].len();
        Units {
            count: 1,
            len: batch * len,
            work: batch * len,
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        _units: Range<usize>,
        _scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        let graph = self.program.graph();
        let ids = &graph.nodes[self.node].inputs;
        let tensors: Vec<Vec<i32>> = ids
            .iter()
            .enumerate()
            .map(|(i, &t)| widen(operands.get(i), run.batch * graph.tensors[t].len()))
            .collect();
        let tensors: Vec<&[i32]> = tensors.iter().map(Vec::as_slice).collect();
        match Site::new(&self.program, self.node, &tensors, run.batch).evaluate() {
            Ok(values) => {
                let values = Cells::Wide(&values);
                run.kernels
                    .map(&Map::Identity, values, &mut result.first(values.len()));
                Ok(())
            }
            Err(ExecutorError::EmptyRow { row, .. }) => Err(EmptyRow(row)),
            // An evaluation fails in no other way.
            Err(_) => Err(EmptyRow(0)),
        }
    }
}

/// The first `len` elements as 32-bit integers.
pub(crate) fn widen(cells: Cells<'_>, len: usize) -> Vec<i32> {
    match cells {
        Cells::Narrow(cells) => cells[..len].iter().map(|&x| x.into()).collect(),
        Cells::Wide(cells) => cells[..len].to_vec(),
    }
}
