//! The numbered checks of a verification and how each of them ends.
//!
//! Spec: spec/v1/receipt.md, section 8.

use crate::error::Error;
use crate::policy::Outcome;

/// Number, name and meaning of every check.
pub(crate) const CHECKS: [(u8, &str, &str); 17] = [
    (1, "size", "the receipt is within the size limit"),
    (2, "encoding", "the bundle is canonical"),
    (
        3,
        "format",
        "bundle and statement have the members of this version",
    ),
    (4, "reveals", "every reveal opens its commitment"),
    (5, "signer", "the key is one that the policy names"),
    (
        6,
        "signature",
        "the signature over the payload is that key's",
    ),
    (7, "payload", "the payload has the members of this version"),
    (8, "binding", "the envelope is about this statement"),
    (9, "critical", "every critical extension is understood"),
    (
        10,
        "evidence",
        "the tier is known and its evidence is in the bundle",
    ),
    (
        11,
        "model",
        "the caller's program is the one that is stated",
    ),
    (12, "input", "the caller's input is the one that is stated"),
    (
        13,
        "output",
        "the caller's output is the one that is stated",
    ),
    (14, "tier", "the evidence supports the statement"),
    (15, "policy", "the policy accepts"),
    (
        16,
        "log",
        "intent and result are in a log that the policy names",
    ),
    (17, "seed", "the seed is the one that question and key give"),
];

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// Something that it needs was not given.
    Undecided,
    /// Nothing asked for it, or an earlier check stopped it.
    Skipped,
}

impl Status {
    /// Its name, as `--json` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
            Self::Skipped => "skipped",
        }
    }

    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Passed | Self::Skipped => Outcome::Accepted,
            Self::Undecided => Outcome::Undecided,
            Self::Failed => Outcome::Rejected,
        }
    }
}

/// One check, made once or for one envelope.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its number in the specification.
    pub number: u8,
    /// How it ended.
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// Index of the envelope, for checks that are made for each.
    pub envelope: Option<usize>,
    /// What decides the verdict, if this check does.
    pub error: Option<Error>,
}

impl Check {
    pub(crate) fn new(number: u8, status: Status, detail: impl Into<String>) -> Self {
        Self {
            number,
            status,
            detail: detail.into(),
            envelope: None,
            error: None,
        }
    }

    pub(crate) fn passed(number: u8, detail: impl Into<String>) -> Self {
        Self::new(number, Status::Passed, detail)
    }

    pub(crate) fn skipped(number: u8, detail: impl Into<String>) -> Self {
        Self::new(number, Status::Skipped, detail)
    }

    /// A check that an error ended.
    pub(crate) fn stopped(number: u8, status: Status, error: Error) -> Self {
        Self {
            number,
            status,
            detail: error.to_string(),
            envelope: None,
            error: Some(error),
        }
    }

    pub(crate) fn failed(number: u8, error: Error) -> Self {
        Self::stopped(number, Status::Failed, error)
    }

    #[must_use]
    pub(crate) const fn of_envelope(mut self, index: usize) -> Self {
        self.envelope = Some(index);
        self
    }

    /// The check's stable name.
    pub fn name(&self) -> &'static str {
        let found = CHECKS.iter().find(|(number, ..)| *number == self.number);
        found.map_or("", |(_, name, _)| name)
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "check": self.number,
            "detail": self.detail,
            "envelope": self.envelope,
            "error": self.error.as_ref().map(|error| error.kind.name()),
            "name": self.name(),
            "status": self.status.name(),
        })
    }
}
