//! Programs with their runs, ready to be proven.

use std::sync::Arc;

use veridical_argument::field::EF;
use veridical_argument::plan::{Plan, WireId};
use veridical_argument::profile::Profile;
use veridical_argument::statement::{Registration, Statement, Tensors};
use veridical_executor::{Executor, Options, Trace};
use veridical_program::{ConstData, ConstKind, Encode, Op, Program};
use veridical_prover::values::Values;
use veridical_verifier::Request;

use crate::support::{self, Builder};
use crate::word::{Forger, Integers, Step, prove, registration};

/// Everything that a proof is about.
pub struct Case {
    pub program: Arc<Program>,
    pub plan: Plan,
    pub trace: Trace,
    pub registration: Registration,
    pub digests: Vec<[u8; 32]>,
    pub inputs: Vec<Tensors>,
    pub outputs: Vec<Tensors>,
}

/// The integers of the true witness, some changed.
pub struct Witness<'a> {
    pub case: &'a Case,
    pub values: Values<'a>,
    /// Wire, cell and what is added to it.
    pub changed: Vec<(WireId, usize, i32)>,
}

impl Integers for Witness<'_> {
    fn witness(&self, wire: WireId) -> Vec<i32> {
        let mut integers = self.values.wire(wire).expect("a witness wire").to_vec();
        for &(_, cell, add) in self.changed.iter().filter(|change| change.0 == wire) {
            integers[cell] += add;
        }
        integers
    }

    fn weight(&self, constant: usize) -> Vec<i32> {
        let elements = self.case.program.constant(constant).expect("a weight");
        let elements = (0..elements.len()).map(|i| elements.get(i));
        elements.flatten().collect()
    }

    fn public(&self, tensor: usize) -> Vec<i32> {
        self.case.trace.tensor(tensor).expect("a tensor").to_vec()
    }
}

impl Case {
    /// `None` if the program overflows on these inputs, or cannot be proven.
    pub fn new(program: Arc<Program>, batch: usize, seed: u64) -> Option<Self> {
        let flat = support::inputs(&program, batch, seed);
        let slices: Vec<&[i32]> = flat.iter().map(Vec::as_slice).collect();
        let executor = Executor::new(Arc::clone(&program), Options::default()).ok()?;
        let trace = executor.trace(&slices, batch).ok()?;
        let plan = Plan::build(&program, batch).ok()?;
        let outputs = program.graph().outputs.iter();
        let outputs: Vec<&[i32]> = outputs
            .map(|output| trace.tensor(output.tensor).expect("an output"))
            .collect();
        Some(Self {
            inputs: runs(&slices, batch),
            outputs: runs(&outputs, batch),
            digests: (0..batch).map(|run| [run.to_le_bytes()[0]; 32]).collect(),
            registration: registration(&program, Profile::STANDARD),
            program,
            plan,
            trace,
        })
    }

    pub fn statement(&self) -> Statement<'_> {
        Statement {
            profile: Profile::STANDARD,
            registration: &self.registration,
            digests: &self.digests,
            inputs: &self.inputs,
            outputs: &self.outputs,
        }
    }

    pub fn request(&self) -> Request<'_> {
        Request {
            program: &self.program,
            statement: self.statement(),
        }
    }

    /// A proof that a forger had its hands on, of a witness that is changed in some cells.
    pub fn prove(&self, forger: &mut impl Forger, changed: &[(WireId, usize, i32)]) -> Vec<u8> {
        let values = Values::compute(&self.plan, &self.program, &self.trace).expect("values");
        let witness = Witness {
            case: self,
            values,
            changed: changed.to_vec(),
        };
        let statement = self.statement();
        prove(&self.plan, &self.program, &statement, &witness, forger)
    }

    /// An honest proof, and the offset of its first opening.
    pub fn prove_until_opening(&self) -> (Vec<u8>, usize) {
        let mut first = FirstOpening::default();
        let proof = self.prove(&mut first, &[]);
        (proof, first.0.expect("an opening"))
    }

    /// Cells of all wires: what a proof of these tests costs.
    pub fn cells(&self) -> usize {
        let wires = self.plan.wires.iter();
        wires.map(|wire| wire.shape.iter().product::<usize>()).sum()
    }
}

/// Notes where the first opening begins.
#[derive(Default)]
struct FirstOpening(Option<usize>);

impl Forger for FirstOpening {
    fn change(&mut self, _: Step, _: &mut [EF]) {}

    fn opening(&mut self, at: usize) {
        self.0.get_or_insert(at);
    }
}

/// Tensors of a batch by run.
fn runs(tensors: &[&[i32]], batch: usize) -> Vec<Tensors> {
    let part = |tensor: &[i32], run: usize| {
        let item = tensor.len() / batch;
        tensor[run * item..][..item].to_vec()
    };
    (0..batch)
        .map(|run| tensors.iter().map(|tensor| part(tensor, run)).collect())
        .collect()
}

/// A small classifier: two linears, a table, a shift, a product, a maximum.
pub fn small(batch: usize) -> Case {
    let mut b = Builder::new(7);
    let x = b.input(&[3, 5], -100, 100);
    let hidden = b.linear(x, 6);
    let narrow = b.requantise(hidden, -100, 100);
    let product = b.mul(narrow, narrow);
    let shifted = b.shift(product, 3);
    let sum = b.add(&[shifted, narrow], &[2, -3]);
    let again = b.narrow(sum, -200, 200);
    let logits = b.linear(again, 4);
    b.output(logits);
    let shape = b.shape(logits);
    let rows: usize = shape[..shape.len() - 1].iter().product();
    assert_eq!(rows, 3);
    let best = b.node(Op::Argmax, &[logits], &[], &[3, 1], (0, 3));
    b.output(best);
    // A gather by an index that is not public: its weight is a lookup table.
    let table: Vec<i16> = (0..4 * 3).map(|k| 5 * k - 30).collect();
    let table = b.constant(ConstKind::Weight, &[4, 3], ConstData::I16(table.into()));
    let row = b.node(Op::Gather, &[best], &[table], &[3, 1, 3], (-30, 25));
    b.output(row);
    Case::new(b.build(), batch, 11).expect("a small program")
}

/// Layouts of inputs, indices among them, that end in a gather and a product.
pub fn layouts(batch: usize) -> Case {
    let mut b = Builder::new(9);
    let x = b.input(&[2, 3, 4], -50, 60);
    let ids = b.input(&[3, 1], 0, 4);
    let t = b.transpose(x, &[2, 0, 1]);
    let slice = Op::Slice {
        axis: 0,
        start: 1,
        stop: 4,
        step: 2,
    };
    let s = b.node(slice, &[t], &[], &[2, 2, 3], (-50, 60));
    let pad = Op::Pad {
        before: vec![1, 0, 0],
        after: vec![0, 0, 2],
        value: -7,
    };
    let p = b.node(pad, &[s], &[], &[3, 2, 5], (-50, 60));
    let c = b.node(Op::Concat { axis: 1 }, &[p, p], &[], &[3, 4, 5], (-50, 60));
    let r = b.reshape(c, &[3, 20]);
    b.output(r);
    let i = b.reshape(ids, &[1, 3]);
    let wide = Op::Expand { shape: vec![2, 3] };
    let i = b.node(wide, &[i], &[], &[2, 3], (0, 4));
    let table: Vec<i16> = (0..5 * 6).map(|k| 3 * k - 40).collect();
    let table = b.constant(ConstKind::Weight, &[5, 6], ConstData::I16(table.into()));
    let rows = b.node(Op::Gather, &[i], &[table], &[2, 3, 6], (-40, 47));
    let rows = b.reshape(rows, &[3, 12]);
    b.output(rows);
    let left = b.linear(r, 4);
    b.output(left);
    let case = Case::new(b.build(), batch, 13).expect("a program of layouts");
    let inputs = &case.program.graph().inputs;
    assert!(inputs.iter().all(|input| input.encode == Encode::Integer));
    case
}

/// Rows whose length is no power of two, longer than a vector of any machine.
pub fn wide(rows: usize, width: usize, columns: usize) -> Case {
    let mut b = Builder::new(21);
    let x = b.input(&[rows, width], -30000, 30000);
    let norm = b.layernorm(x, 15, 6, true);
    let norm = b.narrow(norm, -128, 127);
    let first = b.linear(norm, columns);
    let narrow = b.requantise(first, -60, 60);
    let shifted = b.shift(first, 7);
    let sum = b.add(&[shifted, narrow], &[3, 1]);
    let square = b.mul(narrow, narrow);
    let scores = b.matmul(narrow, narrow, true);
    let numerators = b.softmax_numerator(scores, None, 100);
    let mean = b.weighted_mean(numerators, narrow);
    for y in [sum, square, mean] {
        b.output(y);
    }
    Case::new(b.build(), 2, 5).expect("a program of wide rows")
}

/// One input that is an output: no weight, no lookup, no witness.
pub fn trivial() -> Case {
    let mut b = Builder::new(1);
    let x = b.input(&[2, 3], -5, 5);
    let y = b.reshape(x, &[6]);
    b.output(y);
    let case = Case::new(b.build(), 1, 3).expect("a program without operations");
    assert!(case.plan.sites.is_empty() && case.plan.identities.is_empty());
    assert_eq!(case.registration.weight_root, None);
    case
}
