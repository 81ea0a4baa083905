//! Posts: which receipt a published text came from, and whether it is that text unchanged.
//!
//! Spec: spec/v1/post.md.

mod document;
mod filling;
mod template;

use serde_json::{Value, json};

use crate::bundle::Receipt;
use crate::commitment::tensors_to_bytes;
use crate::error::{Error, Kind};
use crate::policy::{Outcome, Rule};
use crate::text::is_digest;
use crate::verifier::{Arguments, Report, Verdict, report_of};
use document::{Post, require_text};
use filling::{Filled, fill};
use template::{Template, template_digest};

/// How a text stands to what the template makes of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Exact,
    Excerpt,
    Edited,
    Unknown,
}

impl Relation {
    const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Excerpt => "excerpt",
            Self::Edited => "edited",
            Self::Unknown => "unknown",
        }
    }
}

/// What a reader holds besides the post.
pub(crate) struct Held<'a> {
    /// The published text as it was found; the post's own if it is none.
    pub(crate) text: Option<&'a [u8]>,
    /// Digest of the template whose words are accepted.
    pub(crate) template: Option<String>,
    pub(crate) receipt: Option<&'a [u8]>,
}

/// The digest of a template, given as it is or as its digest.
pub(crate) fn accepted_template(
    content: Option<&[u8]>,
    digest: Option<String>,
) -> Result<Option<String>, Error> {
    match (content, digest) {
        (Some(_), Some(_)) => Err(Error::new(
            Kind::Input,
            "a template is given, and a digest of one",
        )),
        (Some(content), None) => Ok(Some(template_digest(content))),
        (None, Some(digest)) if !is_digest(&digest) => {
            Err(Error::new(Kind::Input, "`template_digest` is no digest"))
        }
        (None, digest) => Ok(digest),
    }
}

/// Makes every check of a post; the answer is what `veridical check-post --json` prints, but for the difference.
///
/// # Errors
/// An argument cannot be used; nothing was checked.
pub(crate) fn check(
    post: &[u8],
    policy: Rule,
    given: Arguments,
    held: &Held<'_>,
) -> Result<Value, Error> {
    if let Some(text) = held.text {
        require_text(text, "`text`").map_err(|error| {
            let message = format!("`text` cannot be the text of a post: {error}");
            Error::new(Kind::Input, message)
        })?;
    }
    let post = match Post::read(post) {
        Ok(post) => post,
        Err(mut error) => {
            error.check = Some(match error.check {
                Some("size") => "post.size",
                Some("encoding") => "post.encoding",
                _ => "post.format",
            });
            return Ok(json!({
                "difference": null,
                "error": error.to_json(),
                "filled": null,
                "hint": "",
                "receipt": null,
                "relation": Relation::Unknown.name(),
                "template_digest": "",
                "text": String::from_utf8_lossy(held.text.unwrap_or_default()),
                "values": [],
                "verdict": Outcome::Rejected.name(),
            }));
        }
    };
    let mut checking = Checking {
        text: held.text.unwrap_or(&post.text),
        post: &post,
        errors: Vec::new(),
        relation: Relation::Unknown,
        model: None,
        report: None,
        filled: None,
        hint: "",
    };
    checking.check_receipt(held.receipt, policy, given)?;
    checking.check_template(held.template.as_deref());
    checking.check_text();
    Ok(checking.to_json())
}

/// One post; failures are kept, in the order of the checks.
struct Checking<'a> {
    post: &'a Post,
    text: &'a [u8],
    errors: Vec<Error>,
    relation: Relation,
    model: Option<String>,
    report: Option<Report>,
    filled: Option<Filled>,
    hint: &'static str,
}

impl Checking<'_> {
    /// Finds the receipt, and verifies it with the output that the post gives.
    fn check_receipt(
        &mut self,
        own: Option<&[u8]>,
        policy: Rule,
        mut given: Arguments,
    ) -> Result<(), Error> {
        let receipt = match self.receipt(own) {
            Ok(receipt) => receipt,
            Err(error) => {
                self.errors.push(error);
                return Ok(());
            }
        };
        self.model = Some(receipt.statement.model.clone());
        if let Some(output) = &given.output
            && tensors_to_bytes(output)? != self.post.output
        {
            let message = "the post is about another output than the one given";
            let error = Error::new(Kind::StatementMismatch, message);
            self.errors.push(error.at("post.output").of("output"));
        }
        given.output = Some(self.post.outputs.clone());
        let policy = Rule::AllOf(vec![policy, Rule::ExpectOutput]);
        let report = report_of(&receipt, &policy, &given)?;
        self.errors.extend(report.verdict.error().cloned());
        self.report = Some(report);
        Ok(())
    }

    fn receipt(&self, own: Option<&[u8]>) -> Result<Receipt, Error> {
        let given = own.map(Receipt::read).transpose()?;
        let carried = match self.post.receipt.as_slice() {
            [] => None,
            carried => Some(Receipt::read(carried)?),
        };
        let stated = &self.post.receipt_id;
        for receipt in given.iter().chain(&carried) {
            let found = &receipt.statement.receipt_id;
            if found != stated {
                let message = format!("the receipt is {found}, the post names {stated}");
                let error = Error::new(Kind::Post, message);
                return Err(error.at("post.receipt_id").of("post.receipt"));
            }
        }
        given.or(carried).ok_or_else(|| {
            let message = format!("the post carries no receipt, and {stated} was not given");
            Error::new(Kind::Undecided, message)
                .at("post.receipt")
                .of("post.receipt")
                .advise("Pass the receipt that the post names.")
        })
    }

    /// Compares the template with the caller's, and fills it.
    fn check_template(&mut self, accepted: Option<&str>) {
        let digest = template_digest(&self.post.template);
        match accepted {
            None => {
                let message =
                    format!("nobody named the template that is accepted; the post's is {digest}");
                let error = Error::new(Kind::TemplateMissing, message);
                self.errors.push(error.of("post.template"));
            }
            Some(accepted) if accepted != digest => {
                let message = format!("the template is {digest}, not {accepted}");
                let error = Error::new(Kind::Post, message);
                self.errors
                    .push(error.at("post.template").of("post.template"));
            }
            Some(_) => {}
        }
        let filled = Template::read(&self.post.template).and_then(|template| {
            let model = self.model.as_deref();
            let (outputs, id) = (&self.post.outputs, &self.post.receipt_id);
            model
                .map(|model| fill(&template, outputs, id, model))
                .transpose()
        });
        match filled {
            Ok(filled) => self.filled = filled,
            Err(error) => self.errors.push(error),
        }
    }

    /// Compares the text with the excerpt.
    fn check_text(&mut self) {
        let Some(filled) = &self.filled else { return };
        let expected = match excerpt(filled, self.post.start, self.post.end) {
            Ok(expected) => expected,
            Err(error) => {
                self.errors.push(error);
                return;
            }
        };
        if self.text != expected.as_bytes() {
            self.relation = Relation::Edited;
            self.hint = hint(expected, self.text, &filled.text);
            let pairs = self.text.iter().zip(expected.as_bytes());
            let equal = pairs
                .take_while(|(found, expected)| found == expected)
                .count();
            let message = "the text is not the one that the output gives";
            let error = Error::new(Kind::Post, message);
            self.errors
                .push(error.at(format!("byte {equal}")).of("post.text"));
        } else if expected == filled.text {
            self.relation = Relation::Exact;
        } else {
            self.relation = Relation::Excerpt;
        }
    }

    /// The verdict is the least of all; the first rejection speaks, then the first doubt.
    fn to_json(&self) -> Value {
        let mut errors = self.errors.iter();
        let rejection = errors.find(|error| !error.kind.is_undecided());
        let verified = self
            .report
            .as_ref()
            .and_then(|report| match &report.verdict {
                Verdict::Accepted(verified) => Some(verified.to_json()),
                Verdict::Rejected(_) | Verdict::Undecided(_) | Verdict::Unusable(_) => None,
            });
        let is_complete = self.filled.is_some() && verified.is_some();
        // Nothing is accepted by way of a gap.
        let gap = Error::new(Kind::Post, "the post was not checked to its end");
        let (outcome, error) = match (rejection, self.errors.first()) {
            (Some(error), _) => (Outcome::Rejected, Some(error)),
            (None, Some(error)) => (Outcome::Undecided, Some(error)),
            (None, None) if is_complete => (Outcome::Accepted, None),
            (None, None) => (Outcome::Rejected, Some(&gap)),
        };
        let is_accepted = outcome == Outcome::Accepted;
        let filled = self.filled.as_ref();
        json!({
            "difference": null,
            "error": error.map(Error::to_json),
            "filled": filled.map(|filled| &filled.text),
            "hint": self.hint,
            "receipt": verified.filter(|_| is_accepted),
            "relation": self.relation.name(),
            "template_digest": template_digest(&self.post.template),
            "text": String::from_utf8_lossy(self.text),
            "values": filled.map(|filled| filled.values.clone()).unwrap_or_default(),
            "verdict": outcome.name(),
        })
    }
}

/// The piece of a filled text, if it can be one.
fn excerpt(filled: &Filled, start: u64, end: u64) -> Result<&str, Error> {
    let refused = |message: String| {
        let place = format!("post.excerpt, bytes {start} to {end}");
        Error::new(Kind::Post, message).at(place).of("post.excerpt")
    };
    let length = filled.text.len();
    let bounds = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let bounds = bounds.filter(|(start, end)| start < end && *end <= length);
    let (first, last) = bounds
        .ok_or_else(|| refused(format!("the excerpt is outside the text of {length} bytes")))?;
    for cut in [first, last] {
        if !filled.text.is_char_boundary(cut) {
            return Err(refused("the excerpt cuts a character".to_owned()));
        }
        if filled
            .values
            .iter()
            .any(|(start, end)| *start < cut && cut < *end)
        {
            return Err(refused("the excerpt cuts a value of the output".to_owned()));
        }
    }
    let piece = filled.text.get(first..last);
    piece.ok_or_else(|| refused("the excerpt cuts a character".to_owned()))
}

/// What a person may look for; no part of the verdict.
fn hint(expected: &str, found: &[u8], whole: &str) -> &'static str {
    let Ok(found) = core::str::from_utf8(found) else {
        return "";
    };
    let words = |text: &str| text.split_whitespace().collect::<String>();
    if words(expected) == words(found) {
        "white space"
    } else if whole.contains(found) {
        "part"
    } else {
        ""
    }
}
