//! What is false is refused, by the check that is named.

use std::collections::BTreeMap;

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::EF;
use veridical_argument::plan::{Definition, Fill, WireId};
use veridical_argument::transcript::Root;
use veridical_verifier::{VerifyError, verify};

use crate::case::{Case, layouts, small};
use crate::word::{Forger, Honest, Step};

/// Adds 1 to one element of the first message of a step.
struct AddOne {
    step: Step,
    element: usize,
    done: bool,
}

impl Forger for AddOne {
    fn change(&mut self, step: Step, values: &mut [EF]) {
        if step == self.step && !self.done && self.element < values.len() {
            values[self.element] += EF::ONE;
            self.done = true;
        }
    }
}

fn refused(case: &Case, proof: &[u8]) -> VerifyError {
    verify(&case.request(), proof).expect_err("a forgery")
}

#[test]
fn a_changed_evaluation_is_refused_where_it_is_used() {
    let (small, layouts) = (small(2), layouts(2));
    for (case, step, element, expected) in [
        (&small, Step::Sites, 0, "LeafDenominator"),
        (&small, Step::Sites, 3, "LeafDenominator"),
        (&small, Step::Tables, 0, "LeafNumerator"),
        (&small, Step::Tables, 1, "LeafNumerator"),
        (&small, Step::Zero, 0, "ZeroCheckFinal"),
        (&small, Step::Zero, 1, "ZeroCheckFinal"),
        (&small, Step::Merged, 0, "MergeFinal"),
        (&small, Step::Combination, 0, "CombinationSum"),
        (&layouts, Step::Mapped, 0, "MapFinal"),
        (&small, Step::Einsum, 0, "EinsumFinal"),
        (&small, Step::Einsum, 1, "EinsumFinal"),
        (&small, Step::Stack, 0, "StackClaim"),
    ] {
        let mut forger = AddOne {
            step,
            element,
            done: false,
        };
        let proof = case.prove(&mut forger, &[]);
        assert!(forger.done, "no message of {step:?}");
        assert_eq!(refused(case, &proof).name(), expected, "{step:?} {element}");
    }
}

/// Two evaluations that only count together: what an attacker would change.
struct Shift;

impl Forger for Shift {
    fn change(&mut self, step: Step, values: &mut [EF]) {
        if step == Step::Einsum {
            // The product stays as it is.
            values[0] = values[0].double();
            values[1] = values[1].halve();
        }
    }
}

#[test]
fn evaluations_that_pass_their_own_check_are_refused_by_a_later_one() {
    let case = small(1);
    let error = refused(&case, &case.prove(&mut Shift, &[]));
    let later = ["PublicClaim", "StackClaim", "MergeFinal", "CombinationSum"];
    assert!(later.contains(&error.name()), "{error}");
}

#[test]
fn one_changed_integer_of_any_witness_wire_is_refused() {
    let case = small(1);
    let mut names: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (id, wire) in case.plan.wires.iter().enumerate() {
        let Definition::Witness { fill } = &wire.definition else {
            continue;
        };
        let last = wire.shape.iter().product::<usize>() - 1;
        for cell in [0, last] {
            let proof = case.prove(&mut Honest, &[(WireId(id), cell, 1)]);
            let name = refused(&case, &proof).name();
            if matches!(fill, Fill::Multiplicity { .. }) {
                assert_eq!(name, "LookupSum", "{:?}", wire.role);
            }
            *names.entry(name).or_default() += 1;
        }
    }
    let expected = ["LookupSum", "VanishingExpression", "ZeroCheckFinal"];
    for name in names.keys() {
        assert!(expected.contains(name), "{names:?}");
    }
    assert!(names["LookupSum"] > 4, "{names:?}");
}

#[test]
fn a_false_output_has_no_proof() {
    for output in 0..2 {
        let mut case = small(2);
        case.outputs[1][output][0] ^= 1;
        // The prover is honest otherwise: only the claim on the output is false.
        let name = refused(&case, &case.prove(&mut Honest, &[])).name();
        let expected = ["MergeFinal", "CombinationSum", "EinsumFinal", "StackClaim"];
        assert!(expected.contains(&name), "{name}");
    }
}

#[test]
fn a_proof_of_one_statement_is_none_of_another() {
    let honest = small(2);
    let proof = honest.prove(&mut Honest, &[]);
    assert!(verify(&honest.request(), &proof).is_ok());
    let change = |edit: fn(&mut Case)| {
        let mut case = small(2);
        edit(&mut case);
        refused(&case, &proof).name()
    };
    let names = [
        change(|case| case.outputs[0][0][0] += 1),
        change(|case| case.inputs[1][0][2] ^= 1),
        change(|case| case.digests[0][0] ^= 1),
        change(|case| case.digests.swap(0, 1)),
        change(|case| {
            case.inputs.swap(0, 1);
            case.outputs.swap(0, 1);
        }),
        change(|case| {
            if let Some(root) = &mut case.registration.weight_root {
                root.0[5] ^= 1;
            }
        }),
    ];
    // Everything is absorbed first, so the first check that depends on a challenge fails.
    assert_eq!(names, ["LookupLayer"; 6]);
}

#[test]
fn weights_are_those_behind_the_registered_root() {
    let mut case = small(1);
    let honest = case.registration.weight_root;
    case.registration.weight_root = Some(Root([7; 32]));
    let proof = case.prove(&mut Honest, &[]);
    let error = refused(&case, &proof);
    assert_eq!(error.name(), "Opening", "{error}");
    assert_ne!(honest, case.registration.weight_root);
}
