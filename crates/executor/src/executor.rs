//! Runs programs.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use veridical_program::{Op, Program};

use crate::Isa;
use crate::error::ExecutorError;
use crate::interpreter::Site;
use crate::kernels::Kernels;
use crate::plan::{Keep, MIN_PARALLEL_WORK, Plan, Workspace};
use crate::steps::Run;
use crate::trace::Trace;

/// Most elements of all outputs of a run together: 16 GiB.
const MAX_OUTPUT_ELEMENTS: usize = at_most(32);
/// Most elements of a trace: 32 GiB.
const MAX_TRACE_ELEMENTS: usize = at_most(33);
/// Most bytes of the buffers of one item.
const MAX_ITEM_BYTES: usize = at_most(35);
/// Workspaces that are kept between runs.
const MAX_IDLE: usize = 64;

/// `2^bits`, or what a machine of 32 bits can address.
const fn at_most(bits: u32) -> usize {
    match 1_usize.checked_shl(bits) {
        Some(limit) => limit,
        None => usize::MAX,
    }
}

/// How to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Threads of a run, at least 1; with 1 no pool exists.
    pub threads: usize,
    /// Instruction set, or `None` for the fastest of this machine.
    pub isa: Option<Isa>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 1,
            isa: None,
        }
    }
}

/// A program, planned and packed for this machine. Runs may be concurrent.
#[derive(Debug)]
pub struct Executor {
    program: Arc<Program>,
    kernels: Kernels,
    threads: usize,
    pool: Option<rayon::ThreadPool>,
    /// Work of one item.
    work: usize,
    plan: Plan,
    /// Plan of traces, made when the first one is asked for.
    full_plan: OnceLock<Plan>,
    idle: Mutex<Vec<Workspace>>,
}

impl Executor {
    /// Plans the program and packs its weights.
    ///
    /// # Errors
    /// [`ExecutorError::MissingConstant`] for a verification key, [`ExecutorError::IsaUnavailable`],
    /// [`ExecutorError::NoThreads`], [`ExecutorError::ThreadPool`].
    pub fn new(program: Arc<Program>, options: Options) -> Result<Self, ExecutorError> {
        let kernels = Kernels::new(options.isa.unwrap_or_else(Isa::detect))?;
        if options.threads == 0 {
            return Err(ExecutorError::NoThreads);
        }
        if let Some(constant) =
            (0..program.graph().consts.len()).find(|&id| program.constant(id).is_none())
        {
            return Err(ExecutorError::MissingConstant { constant });
        }
        let plan = Plan::new(&program, Keep::Outputs);
        if plan.item_bytes() > MAX_ITEM_BYTES {
            let what = "buffers";
            return Err(ExecutorError::TooLarge {
                batch: 1,
                what,
                limit: MAX_ITEM_BYTES,
            });
        }
        let pool = (options.threads > 1).then(|| {
            let builder = rayon::ThreadPoolBuilder::new().num_threads(options.threads);
            builder.build().map_err(|error| ExecutorError::ThreadPool {
                threads: options.threads,
                reason: error.to_string(),
            })
        });
        Ok(Self {
            program,
            pool: pool.transpose()?,
            kernels,
            threads: options.threads,
            work: plan.item_work(),
            plan,
            full_plan: OnceLock::new(),
            idle: Mutex::default(),
        })
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Instruction set in use.
    pub fn isa(&self) -> Isa {
        self.kernels.isa()
    }

    /// Threads of a run.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs a batch and returns the outputs in the order of the program.
    ///
    /// Shapes: input `i` is `[batch, *shape]` in row-major order, so is every output.
    ///
    /// # Errors
    /// An input of the wrong length or outside its declared range; [`ExecutorError::EmptyRow`];
    /// [`ExecutorError::TooLarge`].
    pub fn run(&self, inputs: &[&[i32]], batch: usize) -> Result<Vec<Vec<i32>>, ExecutorError> {
        self.check_inputs(inputs, batch)?;
        let graph = self.program.graph();
        let published = graph.outputs.iter().map(|output| output.tensor);
        self.check_size(batch, published, MAX_OUTPUT_ELEMENTS, "outputs")?;
        // Waking threads takes longer than a small run.
        let outputs = if self.work.saturating_mul(batch) < MIN_PARALLEL_WORK {
            self.run_chunks(inputs, batch, 1)
        } else {
            self.in_pool(|| self.run_chunks(inputs, batch, self.threads))
        };
        outputs.map_err(|(node, row)| ExecutorError::EmptyRow { node, row })
    }

    /// Runs a checked batch chunk by chunk, the chunks in parallel if there are several.
    fn run_chunks(
        &self,
        inputs: &[&[i32]],
        batch: usize,
        threads: usize,
    ) -> Result<Vec<Vec<i32>>, (usize, usize)> {
        let plan = &self.plan;
        let graph = self.program.graph();
        let mut outputs: Vec<Vec<i32>> = graph
            .outputs
            .iter()
            .map(|o| vec![0; plan.len(o.tensor) * batch])
            .collect();
        // Smaller chunks, if that gives every thread one.
        let chunk = plan.chunk().min(batch.div_ceil(threads));
        let mut rest: Vec<&mut [i32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        let mut chunks = Vec::with_capacity(batch.div_ceil(chunk));
        for start in (0..batch).step_by(chunk) {
            let items = start..batch.min(start + chunk);
            let lens = graph
                .outputs
                .iter()
                .map(|o| plan.len(o.tensor) * items.len());
            let parts = rest.iter_mut().zip(lens);
            let parts: Vec<&mut [i32]> = parts
                .map(|(rest, len)| rest.split_off_mut(..len).unwrap_or_default())
                .collect();
            chunks.push((items, parts));
        }
        let empty: Vec<(usize, usize)> = if threads > 1 && chunks.len() > 1 {
            let chunks = chunks.into_par_iter();
            chunks
                .filter_map(|(items, parts)| self.run_chunk(inputs, items, parts, 1).err())
                .collect()
        } else {
            let chunks = chunks.into_iter();
            chunks
                .filter_map(|(items, parts)| self.run_chunk(inputs, items, parts, threads).err())
                .collect()
        };
        // The first node and its first row, as if all items had been computed together.
        empty.into_iter().min().map_or(Ok(outputs), Err)
    }

    /// Runs some items and fills their parts of the outputs.
    fn run_chunk(
        &self,
        inputs: &[&[i32]],
        items: Range<usize>,
        outputs: Vec<&mut [i32]>,
        threads: usize,
    ) -> Result<(), (usize, usize)> {
        let plan = &self.plan;
        let run = Run {
            kernels: self.kernels,
            batch: items.len(),
        };
        let mut work = self.workspace();
        plan.prepare(&mut work, run.batch, threads);
        for (tensor, values) in inputs.iter().enumerate() {
            let len = plan.len(tensor);
            plan.write(
                &mut work,
                tensor,
                &values[items.start * len..items.end * len],
                run,
            );
        }
        let done = plan.run(&mut work, run, |_, _| ());
        if done.is_ok() {
            for (output, values) in self.program.graph().outputs.iter().zip(outputs) {
                plan.read(&work, output.tensor, values, run);
            }
        }
        self.give_back(work);
        done.map_err(|empty| self.in_batch(empty, items.start))
    }

    /// Runs a batch and keeps every tensor.
    ///
    /// # Errors
    /// As for [`Executor::run`].
    pub fn trace(&self, inputs: &[&[i32]], batch: usize) -> Result<Trace, ExecutorError> {
        self.check_inputs(inputs, batch)?;
        let graph = self.program.graph();
        self.check_size(batch, 0..graph.tensors.len(), MAX_TRACE_ELEMENTS, "a trace")?;
        let plan = self
            .full_plan
            .get_or_init(|| Plan::new(&self.program, Keep::Everything));
        let lens = (0..graph.tensors.len()).map(|t| plan.len(t));
        let mut tensors: Vec<Vec<i32>> = lens.map(|len| vec![0; len * batch]).collect();
        let mut work = Workspace::default();
        let mut empty = Vec::new();
        for start in (0..batch).step_by(plan.chunk()) {
            let items = start..batch.min(start + plan.chunk());
            let run = Run {
                kernels: self.kernels,
                batch: items.len(),
            };
            let part = |t: usize| items.start * plan.len(t)..items.end * plan.len(t);
            plan.prepare(&mut work, run.batch, self.threads);
            for (tensor, values) in inputs.iter().enumerate() {
                tensors[tensor][part(tensor)].copy_from_slice(&values[part(tensor)]);
                plan.write(&mut work, tensor, &values[part(tensor)], run);
            }
            let keep = |work: &Workspace, tensor: usize| {
                plan.read(work, tensor, &mut tensors[tensor][part(tensor)], run);
            };
            let done = self.in_pool(|| plan.run(&mut work, run, keep));
            empty.extend(done.err().map(|empty| self.in_batch(empty, start)));
        }
        if let Some((node, row)) = empty.into_iter().min() {
            return Err(ExecutorError::EmptyRow { node, row });
        }
        // A reshape has no step: same elements, other shape.
        for (id, node) in graph.nodes.iter().enumerate() {
            if matches!(node.op, Op::Reshape { .. }) {
                let values = tensors[node.inputs[0]].clone();
                tensors[graph.tensor_of_node(id)] = values;
            }
        }
        Ok(Trace::new(Arc::clone(&self.program), batch, tensors))
    }

    /// The same as [`Executor::trace`] by the interpreter alone; slow, for comparison.
    ///
    /// # Errors
    /// As for [`Executor::run`].
    pub fn interpret(&self, inputs: &[&[i32]], batch: usize) -> Result<Trace, ExecutorError> {
        self.check_inputs(inputs, batch)?;
        let graph = self.program.graph();
        self.check_size(batch, 0..graph.tensors.len(), MAX_TRACE_ELEMENTS, "a trace")?;
        let mut tensors: Vec<Vec<i32>> = inputs.iter().map(|input| input.to_vec()).collect();
        for (node_id, node) in graph.nodes.iter().enumerate() {
            let operands: Vec<&[i32]> =
                node.inputs.iter().map(|&t| tensors[t].as_slice()).collect();
            let result = Site::new(&self.program, node_id, &operands, batch).evaluate()?;
            tensors.push(result);
        }
        Ok(Trace::new(Arc::clone(&self.program), batch, tensors))
    }

    /// A workspace of an earlier run, or a new one.
    fn workspace(&self) -> Workspace {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default()
    }

    /// Keeps a workspace for the next run.
    fn give_back(&self, work: Workspace) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(work);
        }
    }

    /// Node and row of an empty row, counted in the whole batch, for a chunk that starts at item `start`.
    fn in_batch(&self, (node, row): (usize, usize), start: usize) -> (usize, usize) {
        let graph = self.program.graph();
        let shape = &graph.tensors[graph.tensor_of_node(node)].shape;
        let rows: usize = shape.iter().rev().skip(1).product();
        (node, row + start * rows)
    }

    /// Runs in the pool of this executor; without one, right here.
    fn in_pool<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    fn check_inputs(&self, inputs: &[&[i32]], batch: usize) -> Result<(), ExecutorError> {
        let graph = self.program.graph();
        if batch == 0 {
            return Err(ExecutorError::EmptyBatch);
        }
        if inputs.len() != graph.inputs.len() {
            let (expected, actual) = (graph.inputs.len(), inputs.len());
            return Err(ExecutorError::InputCount { expected, actual });
        }
        for (i, (&values, input)) in inputs.iter().zip(&graph.inputs).enumerate() {
            let info = &graph.tensors[i];
            let expected = info.len().saturating_mul(batch);
            if values.len() != expected {
                return Err(ExecutorError::InputLength {
                    input: i,
                    name: input.name.clone(),
                    expected,
                    actual: values.len(),
                });
            }
            // The least and the greatest first, without branches; the position only when there is one.
            let (lo, hi) = values
                .iter()
                .fold((info.lo, info.hi), |(lo, hi), &x| (lo.min(x), hi.max(x)));
            if (lo, hi) != (info.lo, info.hi) {
                let outside = |x: &i32| *x < info.lo || *x > info.hi;
                let position = values.iter().position(outside).unwrap_or(0);
                return Err(ExecutorError::InputRange {
                    input: i,
                    name: input.name.clone(),
                    position,
                    value: values[position],
                    lo: info.lo,
                    hi: info.hi,
                });
            }
        }
        Ok(())
    }

    /// Caps the memory of a run before anything is allocated.
    fn check_size(
        &self,
        batch: usize,
        tensors: impl Iterator<Item = usize>,
        limit: usize,
        what: &'static str,
    ) -> Result<(), ExecutorError> {
        let graph = self.program.graph();
        let elements = tensors.fold(0_usize, |sum, t| {
            sum.saturating_add(graph.tensors[t].len().saturating_mul(batch))
        });
        if elements > limit {
            return Err(ExecutorError::TooLarge { batch, what, limit });
        }
        Ok(())
    }
}
