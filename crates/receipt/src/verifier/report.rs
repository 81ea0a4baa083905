//! What a verification returns: what was verified, or every check of a receipt.
//!
//! Spec: spec/v1/receipt.md, section 8.

use serde_json::{Value, json};

use crate::error::{Error, Kind};
use crate::log::Logged;
use crate::policy::{Outcome, Soundness};
use crate::verifier::checks::Check;

/// How one property of a receipt was established.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    CommittedOnly,
    Revealed,
    Matched,
    Reexecuted,
    MatchedAndReexecuted,
    Proven,
    MatchedAndProven,
}

impl Standing {
    const fn name(self) -> &'static str {
        match self {
            Self::CommittedOnly => "committed only",
            Self::Revealed => "revealed",
            Self::Matched => "matched",
            Self::Reexecuted => "re-executed",
            Self::MatchedAndReexecuted => "matched and re-executed",
            Self::Proven => "proven",
            Self::MatchedAndProven => "matched and proven",
        }
    }

    /// The same for a property that was compared as well.
    pub(crate) const fn with_match(self, is_matched: bool) -> Self {
        match self {
            _ if !is_matched => self,
            Self::Reexecuted | Self::MatchedAndReexecuted => Self::MatchedAndReexecuted,
            Self::Proven | Self::MatchedAndProven => Self::MatchedAndProven,
            Self::CommittedOnly | Self::Revealed | Self::Matched => Self::Matched,
        }
    }
}

/// How `model`, `input` and `output` stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) model: Standing,
    pub(crate) input: Standing,
    pub(crate) output: Standing,
}

/// What the evidence of one envelope showed.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) detail: String,
    pub(crate) properties: Properties,
    /// What an acceptance still rests on.
    pub(crate) assumptions: Vec<String>,
    pub(crate) soundness: Soundness,
}

/// An accepted receipt.
#[derive(Debug, Clone)]
pub struct Verified {
    pub(crate) statement: Value,
    /// The digest that names the receipt.
    pub receipt_id: String,
    /// The tier of the envelope that was accepted.
    pub tier: String,
    /// Key id of its signer.
    pub signer: String,
    /// Seconds since 1970, as the signer says.
    pub issued_at: u64,
    pub(crate) properties: Properties,
    pub(crate) soundness: Soundness,
    /// What the acceptance still rests on.
    pub assumptions: Vec<String>,
    pub(crate) logged: Option<Logged>,
}

impl Verified {
    /// What `veridical verify --json` prints.
    pub fn to_json(&self) -> Value {
        json!({
            "assumptions": self.assumptions,
            "hardware": null,
            "issued_at": self.issued_at,
            "logged": self.logged.as_ref().map(Logged::to_json),
            "properties": {
                "input": self.properties.input.name(),
                "model": self.properties.model.name(),
                "output": self.properties.output.name(),
            },
            "receipt_id": self.receipt_id,
            "signer": self.signer,
            "soundness_bits": match self.soundness {
                Soundness::Bits(bits) => Some(bits),
                Soundness::Certain => None,
            },
            "statement": self.statement,
            "tier": self.tier,
            "verdict": Outcome::Accepted.name(),
        })
    }
}

/// Every check of one receipt, and the verdict that they lead to.
#[derive(Debug, Clone)]
pub struct Report {
    /// In the order of their numbers.
    pub checks: Vec<Check>,
    /// What they come to.
    pub verdict: Verdict,
}

/// What becomes of a receipt.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Everything that was asked holds.
    Accepted(Box<Verified>),
    /// Something does not hold.
    Rejected(Error),
    /// Something was not given; nothing is accepted.
    Undecided(Error),
    /// An argument cannot be used; nothing was verified.
    Unusable(Error),
}

impl Verdict {
    pub(crate) fn refused(outcome: Outcome, error: Option<Error>) -> Self {
        let error = error.unwrap_or_else(|| {
            let message = "a receipt was neither accepted nor rejected";
            Error::new(Kind::Internal, message)
        });
        match outcome {
            Outcome::Undecided => Self::Undecided(error),
            Outcome::Rejected | Outcome::Accepted => Self::Rejected(error),
        }
    }

    /// Its name, as `--json` prints it; none for an argument that cannot be used.
    pub const fn name(&self) -> Option<&'static str> {
        match self {
            Self::Accepted(_) => Some(Outcome::Accepted.name()),
            Self::Rejected(_) => Some(Outcome::Rejected.name()),
            Self::Undecided(_) => Some(Outcome::Undecided.name()),
            Self::Unusable(_) => None,
        }
    }

    /// Why nothing was accepted.
    pub const fn error(&self) -> Option<&Error> {
        match self {
            Self::Accepted(_) => None,
            Self::Rejected(error) | Self::Undecided(error) | Self::Unusable(error) => Some(error),
        }
    }

    /// What `veridical verify --json` prints.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Accepted(verified) => verified.to_json(),
            Self::Rejected(error) | Self::Undecided(error) | Self::Unusable(error) => {
                json!({"error": error.to_json(), "verdict": self.name()})
            }
        }
    }
}

impl Report {
    /// What `veridical explain --json` prints.
    pub fn to_json(&self) -> Value {
        let verified = match &self.verdict {
            Verdict::Accepted(verified) => Some(verified.to_json()),
            Verdict::Rejected(_) | Verdict::Undecided(_) | Verdict::Unusable(_) => None,
        };
        json!({
            "checks": self.checks.iter().map(Check::to_json).collect::<Vec<_>>(),
            "error": self.verdict.error().map(Error::to_json),
            "verdict": self.verdict.name(),
            "verified": verified,
        })
    }
}
