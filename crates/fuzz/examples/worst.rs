//! What programs of a megabyte cost a verifier at most: before a proof is read, and by the largest public parts.
//!
//! Run with `cargo run --release -p veridical-fuzz --example worst`.

#![expect(
    clippy::disallowed_types,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "figures for a person"
)]

use std::sync::Arc;
use std::time::Instant;

use veridical_argument::field::{EF, F};
use veridical_argument::formulas::pairs;
use veridical_argument::multilinear::evaluate_integers;
use veridical_argument::plan::{Pairs, Plan};
use veridical_argument::profile::Profile;
use veridical_argument::statement::{Registration, Statement, Tensors};
use veridical_argument::transcript::Root;
use veridical_program::{ConstKind, Op, Program};
use veridical_verifier::{Request, verify};

#[path = "../../executor/tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with tests that build more")]
mod support;

use support::Builder;

const BYTES: usize = 1_000_000;

fn main() {
    programs();
    let point = |count: usize| -> Vec<EF> {
        let number = |i: usize| EF::from(F::new(u32::try_from(i).unwrap() * 7919 + 13));
        (0..count).map(number).collect()
    };
    let (from, to) = (4, 1 << 24);
    let place = Pairs::Place {
        from,
        to,
        offset: 9,
    };
    let begin = Instant::now();
    let value = pairs::evaluate(&place, &point(2), &point(24), &[]);
    println!(
        "a map of 2^24 slots: {:?}, 8 are admitted {value}",
        begin.elapsed()
    );
    let reshape = Pairs::Reshape {
        from: vec![4095, 4096],
        to: vec![4096, 4095],
    };
    let begin = Instant::now();
    let value = pairs::evaluate(&reshape, &point(24), &point(24), &[]);
    println!(
        "a map of 2^24 slots on both sides: {:?} {value}",
        begin.elapsed()
    );
    let integers = vec![i32::MAX; 1 << 24];
    let begin = Instant::now();
    let value = evaluate_integers(&integers, &[1 << 24], &point(24));
    println!(
        "a claim on 2^24 public integers: {:?}, 16 are admitted {value}",
        begin.elapsed()
    );
}

fn programs() {
    let layernorms = |count: usize| {
        let mut b = Builder::new(1);
        let first = b.input(&[2, 4], -100, 100);
        for _ in 0..count {
            b.layernorm(first, 16, 8, true);
        }
        b
    };
    measure("independent normalised rows", layernorms);
    measure("positions of maxima", |count| {
        let mut b = Builder::new(2);
        let x = b.input(&[7, 9, 11], -100, 100);
        for _ in 0..count {
            b.node(Op::Argmax, &[x], &[], &[7, 9, 1], (0, 10));
        }
        b
    });
    measure("shifts of tensors of many cells", |count| {
        let mut b = Builder::new(3);
        let x = b.input(&[3; 7], -900, 900);
        for _ in 0..count {
            b.shift(x, 3);
        }
        b
    });
    measure("operations that move nothing", |count| {
        let mut b = Builder::new(4);
        let mut x = b.input(&[64, 64], -100, 100);
        for _ in 0..count {
            x = b.reshape(x, &[64, 64]);
        }
        b.transpose(x, &[1, 0]);
        b
    });
    measure("layouts of inputs", |count| {
        let mut b = Builder::new(5);
        let mut x = b.input(&[63, 65], -100, 100);
        for i in 0..count {
            x = b.reshape(x, &[[65, 63], [63, 65]][i % 2]);
        }
        b
    });
    measure("layouts of results", |count| {
        let mut b = Builder::new(6);
        let x = b.input(&[63, 65], -100, 100);
        let mut x = b.mul(x, x);
        for i in 0..count {
            x = b.reshape(x, &[[65, 63], [63, 65]][i % 2]);
        }
        b
    });
}

/// As many nodes as a file of a megabyte holds, or fewer if those are refused at once.
fn measure(what: &str, build: impl Fn(usize) -> Builder) {
    let of = |count: usize| {
        let mut b = build(count);
        b.output(b.tensors() - 1);
        b.build()
    };
    let small = of(100).to_vkey_bytes().len();
    let each = (of(200).to_vkey_bytes().len() - small).div_ceil(100);
    let mut count = BYTES / each;
    loop {
        let program: Arc<Program> = of(count);
        let bytes = program.to_vkey_bytes();
        let begin = Instant::now();
        let key = Program::from_bytes(&bytes).unwrap();
        let loading = begin.elapsed();
        let begin = Instant::now();
        let plan = Plan::build(&key, 1).map(|plan| plan.costs().wires);
        let planning = begin.elapsed();
        let begin = Instant::now();
        let refusal = refusal(&key);
        println!(
            "{what}: {count} nodes, {} kB: load {loading:?}, plan {planning:?} {plan:?}, verify {:?}: {refusal}",
            bytes.len() / 1000,
            begin.elapsed()
        );
        if refusal == "Truncated" || count < 64 {
            return;
        }
        count /= 2;
    }
}

fn refusal(program: &Program) -> &'static str {
    let graph = program.graph();
    let inputs = graph.tensors.iter().take(graph.inputs.len());
    let outputs = graph.outputs.iter();
    let outputs = outputs.filter_map(|output| graph.tensors.get(output.tensor));
    let inputs: Tensors = inputs.map(|info| vec![info.lo; info.len()]).collect();
    let outputs: Tensors = outputs.map(|info| vec![info.lo; info.len()]).collect();
    let has_weights = graph.consts.iter().any(|c| c.kind == ConstKind::Weight);
    let registration = Registration {
        model_digest: *program.digest(),
        profile: Profile::STANDARD,
        weight_root: has_weights.then_some(Root([7; 32])),
    };
    let request = Request {
        program,
        statement: Statement {
            profile: Profile::STANDARD,
            registration: &registration,
            digests: &[[1; 32]],
            inputs: &[inputs],
            outputs: &[outputs],
        },
    };
    match verify(&request, &[]) {
        Ok(_) => panic!("an empty proof is accepted"),
        Err(error) => error.name(),
    }
}
