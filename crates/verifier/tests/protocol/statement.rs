//! Requests that no proof is read for.

use veridical_argument::profile::Profile;
use veridical_verifier::verify;

use crate::case::{Case, layouts, small};

fn name(edit: impl FnOnce(&mut Case)) -> &'static str {
    let mut case = small(2);
    edit(&mut case);
    verify(&case.request(), &[])
        .expect_err("an empty proof")
        .name()
}

#[test]
fn each_condition_on_the_statement_has_its_error() {
    assert_eq!(name(|_| {}), "Truncated");
    assert_eq!(
        name(|case| case.registration.model_digest[0] ^= 1),
        "ModelDigest"
    );
    assert_eq!(
        name(|case| case.registration.profile = Profile::STRONG),
        "Profile"
    );
    assert_eq!(
        name(|case| case.registration.weight_root = None),
        "WeightRoot"
    );
    assert_eq!(name(|case| case.digests.clear()), "Batch");
    assert_eq!(name(|case| case.digests.truncate(1)), "Batch");
    assert_eq!(name(|case| case.inputs.truncate(1)), "Batch");
    assert_eq!(name(|case| case.outputs.truncate(1)), "Batch");
    assert_eq!(name(|case| case.inputs[1].clear()), "TensorCount");
    assert_eq!(name(|case| case.outputs[0].push(vec![])), "TensorCount");
    assert_eq!(name(|case| case.inputs[0][0].push(0)), "TensorLength");
    assert_eq!(name(|case| case.outputs[1][1].clear()), "TensorLength");
    assert_eq!(name(|case| case.inputs[1][0][0] = 101), "Range");
    assert_eq!(name(|case| case.inputs[1][0][0] = -101), "Range");
    assert_eq!(name(|case| case.outputs[1][1][0] = 4), "Range");
    assert_eq!(name(|case| case.outputs[1][1][0] = -1), "Range");
}

#[test]
fn public_indices_are_rows() {
    let mut case = layouts(1);
    case.inputs[0][1][0] = 5;
    let error = verify(&case.request(), &[]).expect_err("an index that is no row");
    assert_eq!(error.name(), "Range");
}
