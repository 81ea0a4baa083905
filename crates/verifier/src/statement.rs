//! The public integers of a batch are what the program admits.
//!
//! Spec: spec/v1/zk.md, section 5. Checked before anything of the proof is read.

use veridical_argument::statement::Tensors;
use veridical_program::{ConstKind, TensorInfo};

use crate::{Request, VerifyError};

/// Most runs of a batch.
const MAX_BATCH: usize = 1 << 16;

/// Checks the request: model, profile, numbers and ranges of the integers.
pub fn check(request: &Request<'_>) -> Result<(), VerifyError> {
    let Request { program, statement } = request;
    let registration = statement.registration;
    let graph = program.graph();
    if registration.model_digest != *program.digest() {
        return Err(VerifyError::ModelDigest);
    }
    if registration.profile != statement.profile {
        return Err(VerifyError::Profile {
            registered: registration.profile.name,
            asked: statement.profile.name,
        });
    }
    let has_weights = graph
        .consts
        .iter()
        .any(|info| info.kind == ConstKind::Weight);
    let registered = registration.weight_root.is_some();
    if registered != has_weights {
        return Err(VerifyError::WeightRoot { registered });
    }
    let batch = statement.batch();
    let (inputs, outputs) = (statement.inputs.len(), statement.outputs.len());
    if batch == 0 || batch > MAX_BATCH || inputs != batch || outputs != batch {
        return Err(VerifyError::Batch {
            digests: batch,
            inputs,
            outputs,
        });
    }
    let input_tensors: Vec<&TensorInfo> = graph.tensors.iter().take(graph.inputs.len()).collect();
    let output_tensors: Vec<&TensorInfo> = graph
        .outputs
        .iter()
        .filter_map(|output| graph.tensors.get(output.tensor))
        .collect();
    for (what, runs, tensors) in [
        ("input", statement.inputs, &input_tensors),
        ("output", statement.outputs, &output_tensors),
    ] {
        for (run, given) in runs.iter().enumerate() {
            check_run(run, what, given, tensors)?;
        }
    }
    Ok(())
}

fn check_run(
    run: usize,
    what: &'static str,
    given: &Tensors,
    tensors: &[&TensorInfo],
) -> Result<(), VerifyError> {
    let (expected, found) = (tensors.len(), given.len());
    if expected != found {
        return Err(VerifyError::TensorCount {
            run,
            what,
            expected,
            found,
        });
    }
    for (tensor, (integers, info)) in given.iter().zip(tensors).enumerate() {
        let (expected, found) = (info.len(), integers.len());
        if expected != found {
            return Err(VerifyError::TensorLength {
                run,
                what,
                tensor,
                expected,
                found,
            });
        }
        let (lo, hi) = (info.lo, info.hi);
        if let Some(&value) = integers.iter().find(|&&x| x < lo || x > hi) {
            return Err(VerifyError::Range {
                run,
                what,
                tensor,
                value,
                lo,
                hi,
            });
        }
    }
    Ok(())
}
