//! The public integers of a batch are what the program admits.
//!
//! Spec: spec/v1/zk.md, section 5. Checked before anything of the proof is read.

use veridical_argument::statement::{Registration, Tensors};
use veridical_program::{ConstKind, Program, TensorInfo};

use crate::{Request, VerifyError};

/// Most runs of a batch.
const MAX_BATCH: usize = 1 << 16;

/// Checks the request: model, profile, numbers and ranges of the integers.
pub fn check(request: &Request<'_>) -> Result<(), VerifyError> {
    let Request { program, statement } = request;
    let graph = program.graph();
    check_registration(program, statement.registration)?;
    if statement.registration.profile != statement.profile {
        return Err(VerifyError::Profile {
            registered: statement.registration.profile.name,
            asked: statement.profile.name,
        });
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

/// Checks that a commitment is one of the program's weights, as far as shapes say.
pub fn check_registration(
    program: &Program,
    registration: &Registration,
) -> Result<(), VerifyError> {
    if registration.model_digest != *program.digest() {
        return Err(VerifyError::ModelDigest);
    }
    let consts = &program.graph().consts;
    let has_weights = consts.iter().any(|info| info.kind == ConstKind::Weight);
    let registered = registration.weight_root.is_some();
    if registered != has_weights {
        return Err(VerifyError::WeightRoot { registered });
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
