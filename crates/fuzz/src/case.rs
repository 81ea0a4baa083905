//! Small programs with an honest proof each, made once per process.

use std::sync::{Arc, LazyLock};

use veridical_argument::plan::Plan;
use veridical_argument::profile::Profile;
use veridical_argument::statement::{Statement, Tensors};
use veridical_executor::{Executor, Options, Trace};
use veridical_program::{Op, Program, Window};
use veridical_prover::{Runs, WeightCommitment, prove};
use veridical_verifier::{Request, VerifyError, verify};
use veridical_wasm::StatementBytes;

use crate::support::{self, Builder};

/// A program, runs of it, and their honest proof.
pub struct Case {
    /// Program with weights.
    pub program: Arc<Program>,
    /// Its plan.
    pub plan: Plan,
    /// What the runs computed.
    pub trace: Trace,
    /// Commitment to the weights.
    pub weights: WeightCommitment,
    /// What is proven.
    pub statement: StatementBytes,
    /// The proof.
    pub proof: Vec<u8>,
}

/// All cases.
pub static CASES: LazyLock<Vec<Case>> =
    LazyLock::new(|| vec![dense(), attention(), picture(), layouts()]);

impl Case {
    fn new(mut b: Builder, batch: usize) -> Self {
        let last = b.tensors() - 1;
        b.output(last);
        let program = b.build();
        let stacked = support::inputs(&program, batch, 5);
        let part = |tensor: &Vec<i32>, run: usize| {
            let item = tensor.len() / batch;
            tensor[run * item..][..item].to_vec()
        };
        let run = |run| stacked.iter().map(|tensor| part(tensor, run)).collect();
        let inputs: Vec<Tensors> = (0..batch).map(run).collect();
        let weights = WeightCommitment::new(&program, Profile::STANDARD).unwrap();
        let executor = Executor::new(Arc::clone(&program), Options::default()).unwrap();
        let digests: Vec<[u8; 32]> = (1..).take(batch).map(|run| [run; 32]).collect();
        let given = Runs {
            digests: &digests,
            inputs: &inputs,
        };
        let honest = prove(&executor, &weights, given, &mut |_| {}).unwrap();
        let slices: Vec<&[i32]> = stacked.iter().map(Vec::as_slice).collect();
        Self {
            plan: Plan::build(&program, batch).unwrap(),
            trace: executor.trace(&slices, batch).unwrap(),
            program,
            statement: StatementBytes {
                registration: *weights.registration(),
                digests,
                inputs,
                outputs: honest.outputs,
            },
            weights,
            proof: honest.bytes,
        }
    }

    /// What a verifier says.
    ///
    /// # Errors
    /// The check that failed.
    pub fn judge(&self, statement: &StatementBytes, proof: &[u8]) -> Result<(), VerifyError> {
        let request = Request {
            program: &self.program,
            statement: borrowed(statement),
        };
        verify(&request, proof).map(|_| ())
    }
}

/// A statement as the verifier takes it.
pub fn borrowed(statement: &StatementBytes) -> Statement<'_> {
    Statement {
        profile: statement.registration.profile,
        registration: &statement.registration,
        digests: &statement.digests,
        inputs: &statement.inputs,
        outputs: &statement.outputs,
    }
}

/// A layer, a table, a layer; two runs.
fn dense() -> Case {
    let mut b = Builder::new(101);
    let x = b.input(&[2, 4], -90, 100);
    let hidden = b.linear(x, 6);
    let narrow = b.requantise(hidden, 0, 120);
    b.linear(narrow, 3);
    Case::new(b, 2)
}

/// A softmax, a mean, a normalised row, a position; no weights but of the norm.
fn attention() -> Case {
    let mut b = Builder::new(102);
    let x = b.input(&[2, 3, 4], -9, 9);
    let mask = b.input(&[1, 1, 3], 0, 1);
    let scores = b.matmul(x, x, true);
    let e = b.softmax_numerator(scores, Some(mask), 500);
    let y = b.weighted_mean(e, x);
    let z = b.layernorm(y, 16, 8, true);
    b.node(Op::Argmax, &[z], &[], &[2, 3, 1], (0, 3));
    Case::new(b, 1)
}

/// A convolution, a pool of maxima, a pool of sums.
fn picture() -> Case {
    let mut b = Builder::new(103);
    let window = |kernel, stride, pad| Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        pad: [pad; 4],
        dilation: [1, 1],
    };
    let x = b.input(&[2, 6, 5], -60, 60);
    let y = b.conv(x, 3, window(3, 1, 1), 1);
    let y = b.requantise(y, -100, 100);
    let y = b.pool(y, window(2, 2, 0), false);
    b.pool(y, window(2, 1, 0), true);
    Case::new(b, 1)
}

/// Layouts of inputs and of results, a shift, a product.
fn layouts() -> Case {
    let mut b = Builder::new(104);
    let x = b.input(&[3, 4], -60, 60);
    let turned = b.transpose(x, &[1, 0]);
    let flat = b.reshape(turned, &[2, 6]);
    let square = b.mul(flat, flat);
    let less = b.shift(square, 3);
    let less = b.reshape(less, &[4, 3]);
    b.add(&[less, turned], &[2, -3]);
    Case::new(b, 3)
}
