//! Changed programs: numbers of the graph, and nodes behind the last one.

use std::collections::BTreeMap;

use veridical_argument::plan::Plan;
use veridical_argument::profile::Profile;
use veridical_argument::statement::Registration;
use veridical_argument::transcript::Root;
use veridical_program::{
    ConstData, ConstInfo, ConstKind, Dtype, Graph, Node, Op, Program, TensorInfo, codec,
};
use veridical_verifier::{Request, verify};
use veridical_wasm::StatementBytes;

use crate::case::{CASES, Case, borrowed};
use crate::script::Script;

/// Most changes of one graph.
const CHANGES: usize = 48;
/// Elements that the constants of a file of moderate size hold.
const ELEMENTS: usize = 1 << 18;
/// Integers of a statement that is worth making.
const INTEGERS: usize = 1 << 16;

/// Loading, planning and refusing a proof are bounded, and what loads is written back alike.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let case = &CASES[script.index(CASES.len())];
    let batch = [1, 2, 3, 64, 4096, 1 << 16][script.index(6)];
    let is_key = script.byte() % 2 == 1;
    let mut graph = case.program.graph().clone();
    let nodes = script.byte() % 64;
    for _ in 0..nodes {
        append(&mut graph, &mut script);
    }
    let text = renumbered(&codec::encode(&graph), &mut script);
    let Some(program) = loaded(&text, case) else {
        return;
    };
    let program = if is_key {
        let key = program.to_vkey_bytes();
        let key = Program::from_bytes(&key).unwrap();
        assert_eq!(key.digest(), program.digest());
        key
    } else {
        assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
        program
    };
    refuse_junk(&program, batch, &case.proof);
}

/// Plans a program and refuses bytes that are no proof of it.
pub(crate) fn refuse_junk(program: &Program, batch: usize, junk: &[u8]) {
    let Ok(plan) = Plan::build(program, batch) else {
        return;
    };
    plan.check().unwrap();
    let graph = program.graph();
    let inputs = graph.tensors.iter().take(graph.inputs.len());
    let outputs = graph.outputs.iter();
    let outputs = outputs.filter_map(|output| graph.tensors.get(output.tensor));
    let count = |tensors: &[&TensorInfo]| -> usize { tensors.iter().map(|t| t.len()).sum() };
    let (inputs, outputs): (Vec<_>, Vec<_>) = (inputs.collect(), outputs.collect());
    if (count(&inputs) + count(&outputs)).saturating_mul(batch) > INTEGERS {
        return;
    }
    let least = |tensors: &[&TensorInfo]| -> Vec<Vec<i32>> {
        tensors.iter().map(|t| vec![t.lo; t.len()]).collect()
    };
    let has_weights = graph.consts.iter().any(|c| c.kind == ConstKind::Weight);
    let statement = StatementBytes {
        registration: Registration {
            model_digest: *program.digest(),
            profile: Profile::STANDARD,
            weight_root: has_weights.then_some(Root([7; 32])),
        },
        digests: vec![[7; 32]; batch],
        inputs: vec![least(&inputs); batch],
        outputs: vec![least(&outputs); batch],
    };
    assert_eq!(
        StatementBytes::read(program, &statement.to_bytes()).unwrap(),
        statement
    );
    let request = Request {
        program,
        statement: borrowed(&statement),
    };
    assert!(verify(&request, junk).is_err(), "junk is accepted");
}

/// A layout or cheap node on the last tensor.
fn append(graph: &mut Graph, script: &mut Script<'_>) {
    let Some(TensorInfo { shape, lo, hi }) = graph.tensors.last().cloned() else {
        return;
    };
    let last = graph.tensors.len() - 1;
    let n: usize = shape.iter().product();
    let turned = || shape.iter().rev().copied().collect::<Vec<usize>>();
    let (op, inputs, to) = match script.byte() % 8 {
        0 => (
            Op::Reshape {
                shape: shape.clone(),
            },
            vec![last],
            shape,
        ),
        1 => (Op::Reshape { shape: vec![n] }, vec![last], vec![n]),
        2 => {
            let perm = (0..shape.len()).rev().collect();
            (Op::Transpose { perm }, vec![last], turned())
        }
        3 => {
            let mut to = shape.clone();
            to[0] *= 2;
            (Op::Concat { axis: 0 }, vec![last, last], to)
        }
        4 => {
            let mut to = shape.clone();
            to[0] += 1;
            let rank = shape.len();
            let before: Vec<usize> = (0..rank).map(|axis| usize::from(axis == 0)).collect();
            let pad = Op::Pad {
                before,
                after: vec![0; rank],
                value: lo,
            };
            (pad, vec![last], to)
        }
        5 => {
            let slice = Op::Slice {
                axis: 0,
                start: 0,
                stop: shape[0],
                step: 2,
            };
            let mut to = shape;
            to[0] = to[0].div_ceil(2);
            (slice, vec![last], to)
        }
        6 => (Op::Clamp { lo, hi }, vec![last], shape),
        _ => (Op::Concat { axis: 0 }, vec![last], shape),
    };
    graph.nodes.push(Node {
        op,
        inputs,
        consts: vec![],
    });
    graph.tensors.push(TensorInfo { shape: to, lo, hi });
    if let Some(output) = graph.outputs.last_mut() {
        output.tensor = last + 1;
    }
}

/// The text with other numbers.
fn renumbered(text: &[u8], script: &mut Script<'_>) -> Vec<u8> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    let mut tokens = tokens(&text);
    let numbers: Vec<usize> = (0..tokens.len())
        .filter(|&at| tokens[at].parse::<i64>().is_ok())
        .collect();
    for _ in 0..CHANGES {
        if script.is_over() {
            break;
        }
        let at = numbers[script.index(numbers.len())];
        let old: i64 = tokens[at].parse().unwrap();
        let (kind, value) = (script.byte(), script.byte());
        let new = match kind % 6 {
            0 => i64::from(value),
            1 => old.saturating_add(i64::from(value) - 128),
            2 => 1 << (value % 63),
            3 => old.saturating_mul(i64::from(value)),
            4 => old.saturating_neg(),
            _ => tokens[numbers[script.index(numbers.len())]]
                .parse()
                .unwrap(),
        };
        tokens[at] = new.to_string();
    }
    tokens.concat().into_bytes()
}

/// Stretches of digits with their sign, and what is between them.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut was_number = false;
    for character in text.chars() {
        let is_number = character == '-' || character.is_ascii_digit();
        match tokens.last_mut() {
            Some(last) if is_number == was_number => last.push(character),
            _ => tokens.push(character.to_string()),
        }
        was_number = is_number;
    }
    tokens
}

/// The program with this graph, and constants like those of `case`.
fn loaded(text: &[u8], case: &Case) -> Option<Program> {
    let graph = codec::decode(text).ok()?;
    let lengths = graph.consts.iter().map(ConstInfo::len);
    if lengths.fold(0, usize::saturating_add) > ELEMENTS {
        return None;
    }
    let constant = |(id, info): (usize, &ConstInfo)| {
        let known = case.program.constant(id);
        let value = |i: usize| {
            let known = known.filter(|data| !data.is_empty());
            known.and_then(|data| data.get(i % data.len())).unwrap_or(1)
        };
        let values = (0..info.len()).map(value);
        match info.dtype {
            Dtype::I8 => ConstData::I8(values.map(|x| i8::try_from(x).unwrap_or(1)).collect()),
            Dtype::I16 => ConstData::I16(values.map(|x| i16::try_from(x).unwrap_or(1)).collect()),
            Dtype::I32 => ConstData::I32(values.collect()),
        }
    };
    let constants = graph.consts.iter().enumerate().map(constant).collect();
    let salt = graph.salted.then_some([3; 32]);
    Program::new(text, constants, salt, BTreeMap::new()).ok()
}
