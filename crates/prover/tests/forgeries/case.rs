//! A program with a run that is proven honestly first, and then not.

use std::collections::BTreeMap;
use std::sync::Arc;

use veridical_argument::plan::{Definition, Plan, WireId};
use veridical_argument::profile::Profile;
use veridical_argument::statement::{Registration, Statement, Tensors};
use veridical_executor::{Executor, Options, Trace};
use veridical_program::{ConstData, Program, codec};
use veridical_prover::cheat::{Cheat, Claimed, Forged};
use veridical_prover::values::{Integers, Values};
use veridical_prover::{Runs, WeightCommitment, prove};
use veridical_verifier::{Request, verify};

use crate::support::{self, Builder};

/// The field's modulus.
pub const P: i64 = 2_130_706_433;

/// What a verifier that was deceived would say.
pub const ACCEPTED: &str = "accepted";

/// A cell of a wire is set to an integer, modulo the field.
pub type Change = (WireId, usize, i64);

pub struct Case {
    pub program: Arc<Program>,
    pub plan: Plan,
    pub trace: Trace,
    pub weights: WeightCommitment,
    pub digests: Vec<[u8; 32]>,
    pub inputs: Vec<Tensors>,
    pub outputs: Vec<Tensors>,
    pub proof: Vec<u8>,
}

impl Case {
    /// Publishes the last tensor of `b` and proves it, which must be accepted.
    pub fn new(mut b: Builder, inputs: Vec<Tensors>) -> Self {
        let last = b.tensors() - 1;
        b.output(last);
        Self::of(b.build(), inputs)
    }

    /// As [`Case::new`], on random inputs.
    pub fn random(mut b: Builder, batch: usize, seed: u64) -> Self {
        let last = b.tensors() - 1;
        b.output(last);
        let program = b.build();
        let inputs = runs(&support::inputs(&program, batch, seed), batch);
        Self::of(program, inputs)
    }

    pub fn of(program: Arc<Program>, inputs: Vec<Tensors>) -> Self {
        let batch = inputs.len();
        let weights = WeightCommitment::new(&program, Profile::STANDARD).unwrap();
        let executor = Executor::new(Arc::clone(&program), Options::default()).unwrap();
        let digests: Vec<[u8; 32]> = (0..batch).map(|b| [b.to_le_bytes()[0] + 1; 32]).collect();
        let given = Runs {
            digests: &digests,
            inputs: &inputs,
        };
        let honest = prove(&executor, &weights, given, &mut |_| {}).unwrap();
        let case = Self {
            plan: Plan::build(&program, batch).unwrap(),
            trace: trace(&executor, &inputs),
            program,
            weights,
            digests,
            inputs,
            outputs: honest.outputs,
            proof: honest.bytes,
        };
        assert_eq!(case.judge(&case.proof), ACCEPTED, "an honest proof");
        case
    }

    pub fn statement(&self) -> Statement<'_> {
        Statement {
            profile: self.weights.registration().profile,
            registration: self.weights.registration(),
            digests: &self.digests,
            inputs: &self.inputs,
            outputs: &self.outputs,
        }
    }

    /// A prover that is honest so far.
    pub fn cheat(&self) -> Cheat<'_> {
        let statement = self.statement();
        Cheat::new(
            &self.program,
            &self.trace,
            &self.plan,
            &self.weights,
            statement,
        )
    }

    /// What a verifier of this statement says to a proof.
    pub fn judge(&self, proof: &[u8]) -> &'static str {
        self.judge_as(&self.statement(), proof)
    }

    pub fn judge_as(&self, statement: &Statement<'_>, proof: &[u8]) -> &'static str {
        let request = Request {
            program: &self.program,
            statement: *statement,
        };
        match verify(&request, proof) {
            Ok(_) => ACCEPTED,
            Err(error) => error.name(),
        }
    }

    /// What a verifier says to a forgery, with the outputs that the forger published.
    pub fn judge_forged(&self, forged: &Forged) -> &'static str {
        assert!(forged.stopped.is_none(), "{:?}", forged.stopped);
        let statement = Statement {
            outputs: &forged.outputs,
            ..self.statement()
        };
        self.judge_as(&statement, &forged.bytes)
    }

    /// Changes wires, publishes what then is in the outputs, proves, and asks a verifier.
    pub fn overridden(&self, mut change: impl FnMut(WireId, &mut Vec<i32>)) -> &'static str {
        let cheat = Cheat {
            claimed: Claimed::Wires,
            ..self.cheat()
        };
        self.judge_forged(&cheat.prove(&mut change).unwrap())
    }

    /// Changes cells and publishes what then is in the outputs.
    pub fn forged(&self, changes: &[Change]) -> Forged {
        let cheat = Cheat {
            claimed: Claimed::Wires,
            ..self.cheat()
        };
        let change = &mut |wire, integers: &mut Vec<i32>| apply(changes, wire, integers);
        cheat.prove(change).unwrap()
    }

    /// As [`Case::overridden`], cell by cell.
    pub fn changed(&self, changes: &[Change]) -> &'static str {
        self.judge_forged(&self.forged(changes))
    }

    /// As [`Case::changed`], while the true outputs are published.
    pub fn changed_inside(&self, changes: &[Change]) -> &'static str {
        let change = &mut |wire, integers: &mut Vec<i32>| apply(changes, wire, integers);
        self.judge_forged(&self.cheat().prove(change).unwrap())
    }

    /// Follows another plan to its outputs, with what the true run has in committed tensors.
    pub fn replanned(&self, edit: impl FnOnce(&mut Plan)) -> &'static str {
        let mut plan = self.plan.clone();
        edit(&mut plan);
        for wire in &mut plan.wires {
            if !matches!(wire.definition, Definition::Witness { .. }) {
                // To be computed by definition.
                wire.tensor = None;
            }
        }
        let cheat = Cheat {
            plan: &plan,
            claimed: Claimed::Wires,
            ..self.cheat()
        };
        self.judge_forged(&cheat.prove(&mut |_, _| {}).unwrap())
    }

    /// The program with other constants.
    pub fn with_constants(&self, edit: impl FnOnce(&mut Vec<ConstData>)) -> Program {
        let graph = self.program.graph();
        let consts = 0..graph.consts.len();
        let mut consts = consts
            .map(|i| self.program.constant(i).unwrap().clone())
            .collect();
        edit(&mut consts);
        Program::new(&codec::encode(graph), consts, None, BTreeMap::new()).unwrap()
    }

    /// The wires for this purpose.
    pub fn wires(&self, what: &str) -> Vec<WireId> {
        let wires = self.plan.wires.iter().enumerate();
        let found = wires.filter(|(_, wire)| wire.role.what == what);
        found.map(|(id, _)| WireId(id)).collect()
    }

    /// The first wire for this purpose.
    pub fn wire(&self, what: &str) -> WireId {
        let wires = self.wires(what);
        *wires.first().unwrap_or_else(|| {
            let all = self.plan.wires.iter().map(|wire| wire.role.what);
            panic!("no {what} in {:?}", all.collect::<Vec<_>>())
        })
    }

    /// The true integers of a wire.
    pub fn integers(&self, wire: WireId) -> Vec<i64> {
        let none = &mut |_, _: &mut Vec<i32>| {};
        let values = Values::compute_with(&self.plan, &self.program, &self.trace, none).unwrap();
        match values.integers(wire).unwrap() {
            Integers::I8(x) => x.iter().map(|&x| x.into()).collect(),
            Integers::I16(x) => x.iter().map(|&x| x.into()).collect(),
            Integers::I32(x) => x.iter().map(|&x| x.into()).collect(),
        }
    }

    /// A change of one cell by an integer.
    pub fn moved(&self, wire: WireId, cell: usize, by: i64) -> Change {
        (wire, cell, self.integers(wire)[cell] + by)
    }

    pub fn registration(&self) -> Registration {
        *self.weights.registration()
    }
}

pub fn apply(changes: &[Change], wire: WireId, integers: &mut [i32]) {
    for &(_, cell, value) in changes.iter().filter(|change| change.0 == wire) {
        integers[cell] = residue(value);
    }
}

/// The representative of least magnitude.
pub fn residue(value: i64) -> i32 {
    let value = value.rem_euclid(P);
    let balanced = if value > P / 2 { value - P } else { value };
    i32::try_from(balanced).unwrap()
}

/// `value / 2^bits` in the field.
pub fn divided(value: i64, bits: u32) -> i64 {
    let half = |x: i64| (if x % 2 == 0 { x } else { x + P }) / 2;
    (0..bits).fold(value.rem_euclid(P), |x, _| half(x))
}

pub fn trace(executor: &Executor, inputs: &[Tensors]) -> Trace {
    let count = inputs.first().map_or(0, Vec::len);
    let stacked: Vec<Vec<i32>> = (0..count)
        .map(|i| inputs.iter().flat_map(|run| run[i].clone()).collect())
        .collect();
    let slices: Vec<&[i32]> = stacked.iter().map(Vec::as_slice).collect();
    executor.trace(&slices, inputs.len()).unwrap()
}

/// Tensors of a batch by run.
pub fn runs(tensors: &[Vec<i32>], batch: usize) -> Vec<Tensors> {
    let part = |tensor: &Vec<i32>, run: usize| {
        let item = tensor.len() / batch;
        tensor[run * item..][..item].to_vec()
    };
    let run = |run| tensors.iter().map(|tensor| part(tensor, run)).collect();
    (0..batch).map(run).collect()
}
