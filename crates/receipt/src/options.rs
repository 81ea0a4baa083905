//! Options in JSON, as hosts of the WebAssembly module give them.
//!
//! Spec: spec/v1/page.md, section 1.

use serde::Deserialize;

use crate::error::{Error, Kind};
use crate::text::from_base64;
use crate::verifier::{Given, Verdict, explain};

/// Members of the options; an absent one is nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    policy: Option<String>,
    now: Option<i64>,
    input: Option<String>,
    output: Option<String>,
    registrations: Option<Vec<String>>,
    form: Option<Form>,
}

/// Whose output the answer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// `veridical verify --json`.
    #[default]
    Verify,
    /// `veridical explain --json`.
    Explain,
}

/// Judges a receipt by options in JSON; an empty program is none. The answer is JSON too.
pub fn answer(receipt: &[u8], options: &[u8], program: &[u8]) -> String {
    let answer = answered(receipt, options, program);
    answer
        .unwrap_or_else(|error| Verdict::Unusable(error).to_json())
        .to_string()
}

fn answered(receipt: &[u8], options: &[u8], program: &[u8]) -> Result<serde_json::Value, Error> {
    let options: Options = serde_json::from_slice(options)
        .map_err(|error| Error::new(Kind::Input, format!("not options: {error}")).at("options"))?;
    let policy = options.policy.as_deref().ok_or_else(|| {
        Error::new(Kind::Input, "there is no default policy").at("options.policy")
    })?;
    let input = bytes(options.input.as_deref(), "options.input")?;
    let output = bytes(options.output.as_deref(), "options.output")?;
    let registrations = options.registrations.unwrap_or_default();
    let registrations = registrations
        .iter()
        .map(|text| bytes(Some(text), "options.registrations"))
        .collect::<Result<Vec<_>, _>>()?;
    let registrations: Vec<&[u8]> = registrations.iter().flatten().map(Vec::as_slice).collect();
    let given = Given {
        now: options.now,
        input: input.as_deref(),
        output: output.as_deref(),
        program: (!program.is_empty()).then_some(program),
        registrations: &registrations,
    };
    let form = options.form.unwrap_or_default();
    let report = explain(receipt, policy, &given)?;
    Ok(match form {
        Form::Verify => report.verdict.to_json(),
        Form::Explain => report.to_json(),
    })
}

fn bytes(text: Option<&str>, place: &str) -> Result<Option<Vec<u8>>, Error> {
    let decoded = text.map(|text| {
        from_base64(text, place).map_err(|error| Error::new(Kind::Input, error.message).at(place))
    });
    decoded.transpose()
}
