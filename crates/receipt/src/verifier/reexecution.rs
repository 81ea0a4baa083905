//! Tier `reexecution`: run the program again and compare every integer.
//!
//! Spec: spec/v1/receipt.md, section 7 and check 14.

use std::sync::Arc;

use veridical_executor::{Executor, ExecutorError, Isa, Options};

use crate::bundle::{Evidence, Receipt};
use crate::envelope::Predicate;
use crate::error::{Error, Kind};
use crate::policy::Soundness;
use crate::verifier::given::Arguments;
use crate::verifier::opening::{Integers, Opening, named_outputs};
use crate::verifier::report::{Properties, Shown, Standing};

const PROPERTIES: Properties = Properties {
    model: Standing::Reexecuted,
    // Unless it is the caller's own, which check 12 says.
    input: Standing::Revealed,
    output: Standing::Reexecuted,
};
const ASSUMPTIONS: [&str; 3] = [
    "re-execution: every output integer was computed again by this verifier",
    "log: none; answers that the signer withheld cannot be seen",
    "time of issue: the signer's word",
];

/// Runs the stated program on the stated input, once for all envelopes of a receipt.
pub(super) struct Reexecution<'a> {
    opening: Opening<'a>,
    evidence: &'a Evidence<'a>,
    outcome: Option<Result<Repeated, Error>>,
}

/// A run that gave what is stated.
struct Repeated {
    executor: Executor,
    inputs: Integers,
    count: u64,
}

impl<'a> Reexecution<'a> {
    pub(super) fn new(
        receipt: &'a Receipt,
        evidence: &'a Evidence<'a>,
        given: &'a Arguments,
    ) -> Self {
        let opening = Opening {
            receipt,
            given,
            action: "running the program again",
            error: Kind::Reexecution,
        };
        Self {
            opening,
            evidence,
            outcome: None,
        }
    }

    /// What was shown.
    ///
    /// # Errors
    /// The evidence does not support the statement, or something was not given.
    pub(super) fn verify(&mut self, predicate: &Predicate) -> Result<Shown, Error> {
        let opening = self.opening;
        let outcome = self.outcome.get_or_insert_with(|| run_again(&opening));
        let repeated = outcome.as_ref().map_err(Clone::clone)?;
        let count = repeated.count;
        let mut detail =
            format!("the program was run again and gave the same {count} output integers");
        for item in &predicate.evidence {
            let root = self.evidence.get(&item.digest).copied().unwrap_or_default();
            compare_trace_root(&opening, repeated, root)?;
            detail.push_str(", with the same trace root");
        }
        Ok(Shown {
            detail,
            properties: PROPERTIES,
            assumptions: ASSUMPTIONS.map(str::to_owned).to_vec(),
            soundness: Soundness::Certain,
        })
    }
}

fn run_again(opening: &Opening<'_>) -> Result<Repeated, Error> {
    let (inputs, _) = opening.encoded_input()?;
    let program = opening.program()?;
    let options = Options {
        threads: 1,
        isa: Some(Isa::Portable),
    };
    let executed = Executor::new(Arc::clone(program), options).and_then(|executor| {
        let outputs = executor.run(&slices(&inputs), inputs.batch)?;
        Ok((executor, outputs))
    });
    let executed = executed.map_err(|error| described(&error));
    let (executor, outputs) = opening.guarded("executing the program", executed)?;
    let outputs = named_outputs(program, &outputs, inputs.batch);
    let count = opening.require_outputs(&outputs)?;
    Ok(Repeated {
        executor,
        inputs,
        count,
    })
}

fn compare_trace_root(
    opening: &Opening<'_>,
    repeated: &Repeated,
    root: &[u8],
) -> Result<(), Error> {
    let Ok(root) = <[u8; 32]>::try_from(root) else {
        let message = format!("a trace root has 32 bytes, not {}", root.len());
        return Err(opening.refuse(message));
    };
    let inputs = &repeated.inputs;
    let trace = repeated.executor.trace(&slices(inputs), inputs.batch);
    let trace = trace.map_err(|error| described(&error));
    let trace = opening.guarded("tracing the program", trace)?;
    if trace.root() != root {
        return Err(opening
            .refuse("the trace root is another one")
            .at("evidence"));
    }
    Ok(())
}

fn slices(inputs: &Integers) -> Vec<&[i32]> {
    inputs.values.iter().map(Vec::as_slice).collect()
}

fn described(error: &ExecutorError) -> Error {
    let message = error.to_string();
    match error {
        ExecutorError::MissingConstant { .. } => {
            Error::new(Kind::ProgramMissing, message).of("program")
        }
        ExecutorError::ThreadPool { .. } => Error::new(Kind::Internal, message),
        _ => Error::new(Kind::Input, message).of("execution"),
    }
}
