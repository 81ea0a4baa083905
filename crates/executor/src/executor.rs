//! Runs programs.

use std::sync::Arc;

use veridical_program::Program;

use crate::Isa;
use crate::error::ExecutorError;
use crate::interpreter::Site;
use crate::kernels::Kernels;
use crate::trace::Trace;

/// Largest number of elements of one tensor of a run, batch axis included.
const MAX_TENSOR_ELEMENTS: usize = 1 << 31;
/// Largest number of elements that a trace holds in all.
const MAX_TRACE_ELEMENTS: usize = 1 << 33;

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
        Self { threads: 1, isa: None }
    }
}

/// A program, planned and packed for this machine. Runs may be concurrent.
#[derive(Debug)]
pub struct Executor {
    program: Arc<Program>,
    kernels: Kernels,
    threads: usize,
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
        Ok(Self { program, kernels, threads: options.threads })
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
        let trace = self.trace(inputs, batch)?;
        let outputs = &self.program.graph().outputs;
        outputs.iter().map(|output| trace.tensor(output.tensor).map(<[i32]>::to_vec)).collect()
    }

    /// Runs a batch and keeps every tensor.
    ///
    /// # Errors
    /// As for [`Executor::run`].
    pub fn trace(&self, inputs: &[&[i32]], batch: usize) -> Result<Trace, ExecutorError> {
        self.check_inputs(inputs, batch)?;
        self.check_size(batch)?;
        let graph = self.program.graph();
        let mut tensors: Vec<Vec<i32>> = inputs.iter().map(|input| input.to_vec()).collect();
        for (node_id, node) in graph.nodes.iter().enumerate() {
            let operands: Vec<&[i32]> =
                node.inputs.iter().map(|&t| tensors[t].as_slice()).collect();
            let result = Site::new(&self.program, node_id, &operands, batch).evaluate()?;
            tensors.push(result);
        }
        Ok(Trace::new(Arc::clone(&self.program), batch, tensors))
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
            // Without branches first: the position is looked for only when there is one.
            let outside = |&x: &i32| (x < info.lo) | (x > info.hi);
            if values.iter().fold(false, |found, x| found | outside(x)) {
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
    fn check_size(&self, batch: usize) -> Result<(), ExecutorError> {
        let mut total = 0_usize;
        for info in &self.program.graph().tensors {
            let elements = info.len().saturating_mul(batch);
            if elements > MAX_TENSOR_ELEMENTS {
                let what = "a tensor";
                return Err(ExecutorError::TooLarge { batch, what, limit: MAX_TENSOR_ELEMENTS });
            }
            total = total.saturating_add(elements);
        }
        if total > MAX_TRACE_ELEMENTS {
            let what = "a trace";
            return Err(ExecutorError::TooLarge { batch, what, limit: MAX_TRACE_ELEMENTS });
        }
        Ok(())
    }
}
