//! The real prover says the same as the one that follows the specification word by word.

use std::sync::Arc;

use veridical_argument::profile::Profile;
use veridical_executor::{Executor, Options};
use veridical_prover::{Runs, WeightCommitment, prove};
use veridical_verifier::verify;

use crate::case::{Case, layouts, small, trivial, wide};
use crate::random;

/// Proves with both and compares up to the first opening, behind which proofs of work may differ.
fn compare(case: &Case, place: u64) {
    let options = Options::default();
    let executor = Executor::new(Arc::clone(&case.program), options).expect("an executor");
    let weights = WeightCommitment::new(&case.program, Profile::STANDARD).expect("a commitment");
    assert_eq!(*weights.registration(), case.registration);
    let runs = Runs {
        digests: &case.digests,
        inputs: &case.inputs,
    };
    let proof = prove(&executor, &weights, runs, &mut |_| {}).expect("a proof");
    assert_eq!(proof.outputs, case.outputs, "seed {place}");
    let verdict = verify(&case.request(), &proof.bytes);

    let (expected, opened) = case.prove_until_opening();
    let equal = proof
        .bytes
        .iter()
        .zip(&expected)
        .take_while(|(a, b)| a == b);
    let equal = equal.count();
    assert!(
        equal >= opened,
        "seed {place}: byte {equal} of {opened} differs; {verdict:?}"
    );
    assert!(verdict.is_ok(), "seed {place}: {verdict:?}");
}

#[test]
fn both_provers_send_the_same_messages() {
    compare(&small(2), 0);
    compare(&layouts(2), 0);
    compare(&trivial(), 0);
    for (rows, width, columns) in [(2, 33, 65), (3, 100, 17), (1, 65, 40), (5, 16, 100)] {
        compare(&wide(rows, width, columns), 1000);
    }
    let mut compared = 0;
    for seed in 100..140 {
        let batch = 1 + usize::try_from(seed % 3).expect("a small number");
        let case = Case::new(random::program(seed, 9), batch, seed);
        if let Some(case) = case.filter(|case| case.cells() < 1 << 14) {
            compare(&case, seed);
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared}");
}
