//! Options in JSON, as hosts of the WebAssembly module give them.
//!
//! Spec: spec/v1/page.md, section 1.

use serde::Deserialize;
use serde_json::Value;

use crate::bundle::Receipt;
use crate::error::{Error, Kind};
use crate::policy::{Rule, read as read_policy};
use crate::post::{Held, accepted_template, check};
use crate::text::from_base64;
use crate::verifier::{Arguments, Given, Verdict, report_of, unreadable};

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
    // For posts alone:
    template: Option<String>,
    template_digest: Option<String>,
    receipt: Option<String>,
    program: Option<String>,
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
    finished(receipt_answer(receipt, options, program))
}

/// Checks a post by options in JSON; an empty text is the post's own. The answer is JSON too.
pub fn answer_post(post: &[u8], text: &[u8], options: &[u8]) -> String {
    finished(post_answer(post, text, options))
}

fn finished(answer: Result<Value, Error>) -> String {
    let answer = answer.unwrap_or_else(|error| Verdict::Unusable(error).to_json());
    answer.to_string()
}

fn receipt_answer(receipt: &[u8], options: &[u8], program: &[u8]) -> Result<Value, Error> {
    let options = read(options)?;
    let of_posts = [
        &options.template,
        &options.template_digest,
        &options.receipt,
        &options.program,
    ];
    if of_posts.into_iter().any(Option::is_some) {
        let error = Error::new(Kind::Input, "not options: a member is for posts alone");
        return Err(error.at("options"));
    }
    let (policy, given) = options.arguments(program)?;
    let report = match Receipt::read(receipt) {
        Ok(receipt) => report_of(&receipt, &policy, &given)?,
        Err(error) => unreadable(error),
    };
    Ok(match options.form.unwrap_or_default() {
        Form::Verify => report.verdict.to_json(),
        Form::Explain => report.to_json(),
    })
}

fn post_answer(post: &[u8], text: &[u8], options: &[u8]) -> Result<Value, Error> {
    let options = read(options)?;
    let program = bytes(options.program.as_deref(), "options.program")?;
    let (policy, given) = options.arguments(&program.unwrap_or_default())?;
    let template = bytes(options.template.as_deref(), "options.template")?;
    let template = accepted_template(template.as_deref(), options.template_digest)?;
    let receipt = bytes(options.receipt.as_deref(), "options.receipt")?;
    let held = Held {
        text: (!text.is_empty()).then_some(text),
        template,
        receipt: receipt.as_deref(),
    };
    check(post, policy, given, &held)
}

fn read(options: &[u8]) -> Result<Options, Error> {
    serde_json::from_slice(options)
        .map_err(|error| Error::new(Kind::Input, format!("not options: {error}")).at("options"))
}

impl Options {
    /// The policy, and what the caller gave to compare with.
    fn arguments(&self, program: &[u8]) -> Result<(Rule, Arguments), Error> {
        let no_policy =
            || Error::new(Kind::Input, "there is no default policy").at("options.policy");
        let policy = read_policy(self.policy.as_deref().ok_or_else(no_policy)?)?;
        let input = bytes(self.input.as_deref(), "options.input")?;
        let output = bytes(self.output.as_deref(), "options.output")?;
        let registrations = self.registrations.as_deref().unwrap_or_default().iter();
        let registrations = registrations
            .map(|text| bytes(Some(text), "options.registrations"))
            .collect::<Result<Vec<_>, _>>()?;
        let registrations: Vec<&[u8]> = registrations.iter().flatten().map(Vec::as_slice).collect();
        let given = Arguments::read(&Given {
            now: self.now,
            input: input.as_deref(),
            output: output.as_deref(),
            program: (!program.is_empty()).then_some(program),
            registrations: &registrations,
        })?;
        Ok((policy, given))
    }
}

fn bytes(text: Option<&str>, place: &str) -> Result<Option<Vec<u8>>, Error> {
    let decoded = text.map(|text| {
        from_base64(text, place).map_err(|error| Error::new(Kind::Input, error.message).at(place))
    });
    decoded.transpose()
}
