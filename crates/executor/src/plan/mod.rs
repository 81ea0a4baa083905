//! Turns a program into prepared steps over shared buffers, once per executor.
//!
//! | Module    | Purpose                              |
//! |-----------|--------------------------------------|
//! | `fusion`  | which nodes are computed together    |
//! | `prepare` | the step of a node                   |
//! | `storage` | which tensors share a buffer         |
//! | `view`    | transposes that need no copy         |

pub(crate) mod fusion;
mod prepare;
mod storage;
mod view;

use std::sync::Arc;

use veridical_program::{Op, Program};

use crate::kernels::epilogue::{Cells, CellsMut, Map};
use crate::steps::{Buffer, EmptyRow, Operands, Run, Scratch, Step, Units};
use fusion::Readers;
use storage::{Life, Slot};

/// Bytes of all buffers together that a chunk of a batch should stay below: half of a common L2 cache.
const CHUNK_BYTES: usize = 1 << 20;
/// Most items of a chunk.
const CHUNK_ITEMS: usize = 256;

/// Work below which threads cost more than they save: some microseconds.
pub(crate) const MIN_PARALLEL_WORK: usize = 1 << 20;

/// Whether tensors that nobody asks for are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Only outputs can be read after a run.
    Outputs,
    /// Every tensor can be read right after its step.
    Everything,
}

/// A step with the buffers it works on.
#[derive(Debug)]
struct Placed {
    /// Node whose error the step reports.
    node: usize,
    /// Tensor that it writes.
    tensor: usize,
    operands: Vec<usize>,
    result: usize,
    step: Box<dyn Step>,
}

/// Prepared steps and the buffers that they need.
#[derive(Debug)]
pub(crate) struct Plan {
    steps: Vec<Placed>,
    slots: Vec<Slot>,
    /// Slot of a tensor, or of the tensor that it renames; `None` for those that are left out.
    slot_of: Vec<Option<usize>>,
    /// Items of an item's tensors, by tensor.
    lens: Vec<usize>,
    chunk: usize,
}

/// Buffers of one run.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    buffers: Vec<Buffer>,
    /// One for every thread.
    scratch: Vec<Scratch>,
}

impl Plan {
    pub(crate) fn new(program: &Arc<Program>, keep: Keep) -> Self {
        let graph = program.graph();
        let readers = Readers::new(graph);
        let drafts = prepare::drafts(program, &readers, keep);
        let root = roots(program);
        let count = graph.inputs.len();

        // Step `s` happens at time `s + 1`; inputs are written at time 0, outputs are read at the end.
        let mut last_read = vec![0; graph.tensors.len()];
        for (s, draft) in drafts.iter().enumerate() {
            last_read[root[draft.tensor]] = s + 1;
            for &t in &draft.operands {
                last_read[root[t]] = s + 1;
            }
        }
        for output in &graph.outputs {
            last_read[root[output.tensor]] = drafts.len() + 1;
        }
        let inputs = (0..count).map(|tensor| Life {
            tensor,
            from: 0,
            to: last_read[tensor],
        });
        let results = drafts.iter().enumerate().map(|(s, draft)| Life {
            tensor: draft.tensor,
            from: s + 1,
            to: last_read[draft.tensor],
        });
        let lives: Vec<Life> = inputs.chain(results).collect();
        let (slots, assigned) = storage::assign(&graph.tensors, &lives);
        let slot_of: Vec<Option<usize>> = root.iter().map(|&t| assigned[t]).collect();

        let steps = drafts
            .into_iter()
            .filter_map(|draft| {
                let operands = draft
                    .operands
                    .iter()
                    .map(|&t| slot_of[t])
                    .collect::<Option<_>>()?;
                let result = slot_of[draft.tensor]?;
                Some(Placed {
                    node: draft.node,
                    tensor: draft.tensor,
                    operands,
                    result,
                    step: draft.step,
                })
            })
            .collect();
        let bytes: usize = slots
            .iter()
            .fold(1, |sum, slot| slot.bytes().saturating_add(sum));
        let lens = graph
            .tensors
            .iter()
            .map(veridical_program::TensorInfo::len)
            .collect();
        let chunk = (CHUNK_BYTES / bytes).clamp(1, CHUNK_ITEMS);
        Self {
            steps,
            slots,
            slot_of,
            lens,
            chunk,
        }
    }

    /// Products or similar of one item, roughly.
    pub(crate) fn item_work(&self) -> usize {
        self.steps.iter().fold(0, |sum, placed| {
            let units = placed.step.units(1);
            units.count.saturating_mul(units.work).saturating_add(sum)
        })
    }

    /// Items that are computed together.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk
    }

    /// Bytes of the buffers of one item.
    pub(crate) fn item_bytes(&self) -> usize {
        self.slots
            .iter()
            .fold(0, |sum, slot| slot.bytes().saturating_add(sum))
    }

    /// Sizes the buffers of a workspace for a chunk.
    pub(crate) fn prepare(&self, work: &mut Workspace, batch: usize, threads: usize) {
        work.buffers.resize_with(self.slots.len(), Buffer::default);
        work.scratch.resize_with(threads.max(1), Scratch::default);
        for (buffer, slot) in work.buffers.iter_mut().zip(&self.slots) {
            slot.prepare(buffer, batch);
        }
    }

    /// Writes an input of a chunk.
    pub(crate) fn write(&self, work: &mut Workspace, tensor: usize, values: &[i32], run: Run) {
        if let Some(slot) = self.slot_of[tensor] {
            let mut cells = work.buffers[slot].cells_mut();
            run.kernels.map(
                &Map::Identity,
                Cells::Wide(values),
                &mut cells.first(values.len()),
            );
        }
    }

    /// Reads a tensor of a chunk that is still there.
    pub(crate) fn read(&self, work: &Workspace, tensor: usize, values: &mut [i32], run: Run) {
        if let Some(slot) = self.slot_of[tensor] {
            let cells = work.buffers[slot].cells().part(0..values.len());
            run.kernels
                .map(&Map::Identity, cells, &mut CellsMut::Wide(values));
        }
    }

    /// Elements of one item of a tensor.
    pub(crate) fn len(&self, tensor: usize) -> usize {
        self.lens[tensor]
    }

    /// Runs all steps on a chunk; `after` sees each result. An error names the node and its row.
    pub(crate) fn run(
        &self,
        work: &mut Workspace,
        run: Run,
        mut after: impl FnMut(&Workspace, usize),
    ) -> Result<(), (usize, usize)> {
        for placed in &self.steps {
            // Taken out while it is written: operands are other buffers, by the assignment of slots.
            let mut result = std::mem::take(&mut work.buffers[placed.result]);
            let operands = Operands {
                buffers: &work.buffers,
                ids: &placed.operands,
            };
            let units = placed.step.units(run.batch);
            let cells = result
                .cells_mut()
                .into_first(self.lens[placed.tensor] * run.batch);
            let done = if work.scratch.len() > 1 && units.count * units.work >= MIN_PARALLEL_WORK {
                parallel(
                    &*placed.step,
                    operands,
                    cells,
                    units,
                    &mut work.scratch,
                    run,
                )
            } else {
                match work.scratch.first_mut() {
                    Some(scratch) => placed
                        .step
                        .run(operands, cells, 0..units.count, scratch, run),
                    None => Ok(()),
                }
            };
            work.buffers[placed.result] = result;
            done.map_err(|EmptyRow(row)| (placed.node, row))?;
            after(work, placed.tensor);
        }
        Ok(())
    }
}

/// Divides the units of a step among as many threads as there are scratch buffers.
///
/// Every unit is computed as if it were alone, so the division changes nothing; of several empty rows the
/// first is reported.
fn parallel(
    step: &dyn Step,
    operands: Operands<'_>,
    mut result: CellsMut<'_>,
    units: Units,
    scratch: &mut [Scratch],
    run: Run,
) -> Result<(), EmptyRow> {
    let share = units.count.div_ceil(scratch.len());
    let mut done = vec![Ok(()); scratch.len()];
    rayon::scope(|scope| {
        let mut start = 0;
        for (scratch, done) in scratch.iter_mut().zip(&mut done) {
            let end = units.count.min(start + share);
            let len = result.len().min((end - start) * units.len);
            let (part, rest) = result.split_at(len);
            result = rest;
            if start < end {
                scope.spawn(move |_| *done = step.run(operands, part, start..end, scratch, run));
            }
            start = end;
        }
    });
    done.into_iter()
        .filter_map(Result::err)
        .min()
        .map_or(Ok(()), Err)
}

/// For every tensor the one whose storage it uses: a `reshape` renames, it moves nothing.
fn roots(program: &Program) -> Vec<usize> {
    let graph = program.graph();
    let mut root: Vec<usize> = (0..graph.tensors.len()).collect();
    for (id, node) in graph.nodes.iter().enumerate() {
        let tensor = graph.tensor_of_node(id);
        // A reshape may declare a wider range, so its element width may differ from the operand's.
        if renames(program, id) {
            root[tensor] = root[node.inputs[0]];
        }
    }
    root
}

/// Whether a node is a `reshape` that needs no copy.
fn renames(program: &Program, id: usize) -> bool {
    let graph = program.graph();
    let node = &graph.nodes[id];
    matches!(node.op, Op::Reshape { .. })
        && graph.tensors[node.inputs[0]].is_narrow()
            == graph.tensors[graph.tensor_of_node(id)].is_narrow()
}
