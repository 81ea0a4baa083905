//! What is true is accepted.

use std::collections::BTreeSet;

use veridical_argument::plan::Definition;
use veridical_verifier::verify;

use crate::case::{Case, layouts, small, trivial};
use crate::random;
use crate::word::Honest;

/// Every operation of a program.
const ALL: [&str; 26] = [
    "add",
    "affine",
    "argmax",
    "clamp",
    "concat",
    "conv",
    "expand",
    "gather",
    "layernorm",
    "linear",
    "matmul",
    "max_pool",
    "mul",
    "normalize",
    "pad",
    "reduce_max",
    "reduce_sum",
    "reshape",
    "shift",
    "slice",
    "softmax_numerator",
    "sum_pool",
    "table",
    "topk",
    "transpose",
    "weighted_mean",
];

#[test]
fn proofs_of_random_programs_are_accepted_for_every_operation() {
    let mut operations: BTreeSet<&'static str> = BTreeSet::new();
    for seed in 0..200 {
        if seed > 50 && operations.len() == ALL.len() {
            break;
        }
        let batch = 1 + usize::try_from(seed % 3).expect("a small number");
        let Some(case) = Case::new(random::program(seed, 9), batch, seed) else {
            continue;
        };
        // The prover of these tests is dense and slow.
        if case.cells() > 1 << 14 {
            continue;
        }
        let proof = case.prove(&mut Honest, &[]);
        let verdict = verify(&case.request(), &proof);
        assert!(verdict.is_ok(), "seed {seed}: {verdict:?}");
        let nodes = &case.program.graph().nodes;
        operations.extend(nodes.iter().map(|node| node.op.name()));
    }
    let missing: Vec<_> = ALL.iter().filter(|op| !operations.contains(*op)).collect();
    assert!(missing.is_empty(), "no accepted program has {missing:?}");
}

#[test]
fn layouts_of_inputs_are_evaluated_by_the_verifier() {
    for batch in [1, 3] {
        let case = layouts(batch);
        let public = case.plan.wires.iter();
        let public = public.filter(|wire| matches!(wire.definition, Definition::Public { .. }));
        assert!(public.count() > 2);
        let proof = case.prove(&mut Honest, &[]);
        let verdict = verify(&case.request(), &proof);
        assert!(verdict.is_ok(), "{verdict:?}");
    }
}

#[test]
fn a_program_without_witness_has_a_proof() {
    let case = trivial();
    let proof = case.prove(&mut Honest, &[]);
    let verdict = verify(&case.request(), &proof);
    assert!(verdict.is_ok(), "{verdict:?}");
    let mut case = case;
    case.outputs[0][0].swap(0, 1);
    case.outputs[0][0][2] = 1 - case.outputs[0][0][2];
    let proof = case.prove(&mut Honest, &[]);
    let error = verify(&case.request(), &proof).expect_err("a false output");
    assert_eq!(error.name(), "PublicClaim");
}

#[test]
fn a_verdict_counts_what_was_checked() {
    let case = small(2);
    let proof = case.prove(&mut Honest, &[]);
    let counts = verify(&case.request(), &proof)
        .expect("an honest proof")
        .counts;
    assert_eq!(counts.batch, 2);
    assert_eq!(counts.proof_bytes, proof.len());
    assert!(counts.lookup_variables > 8);
    assert!(counts.rounds > counts.lookup_variables);
    assert!(counts.openings > 4);
    assert!(counts.witness_variables >= 10 && counts.weight_variables >= 10);
}

#[test]
fn a_verification_key_suffices() {
    let case = small(1);
    let proof = case.prove(&mut Honest, &[]);
    let key = case.program.to_vkey_bytes();
    let key = veridical_program::Program::from_bytes(&key).expect("a key");
    let mut request = case.request();
    request.program = &key;
    assert!(verify(&request, &proof).is_ok());
}
