//! What a rule may look at, and what it may answer.
//!
//! Spec: spec/v1/policy.md, sections 2 and 3.

use crate::error::{Error, Kind};
use crate::keys::PublicKey;
use crate::log::{LogTrust, Logged};
use crate::seed::Drawn;
use crate::statement::Statement;

/// A verdict, or one step towards it. The order carries the meaning: the least is *and*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Something does not hold.
    Rejected,
    /// Something was not given.
    Undecided,
    /// Everything that was asked holds.
    Accepted,
}

impl Outcome {
    /// Its name, as `--json` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Undecided => "undecided",
            Self::Accepted => "accepted",
        }
    }

    pub(crate) const fn holds(holds: bool) -> Self {
        if holds {
            Self::Accepted
        } else {
            Self::Rejected
        }
    }
}

/// What a rule answers, and why.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
    /// What an undecided answer is named.
    pub(crate) undecided: Kind,
    /// What a rejection is, where there is something more exact than the policy's own error.
    pub(crate) rejected: Option<Error>,
    /// What an accepted answer rests on: bindings in a log, and what was not compared.
    pub(crate) logged: Vec<Logged>,
    pub(crate) assumptions: Vec<String>,
}

impl Answer {
    pub(crate) fn new(outcome: Outcome, rule: &'static str, detail: impl Into<String>) -> Self {
        Self {
            outcome,
            rule,
            detail: detail.into(),
            undecided: Kind::RevealMissing,
            rejected: None,
            logged: Vec::new(),
            assumptions: Vec::new(),
        }
    }

    pub(crate) fn rejected(rule: &'static str, error: &Error) -> Self {
        let check = error.check.unwrap_or("None");
        let detail = format!("{check}: {}", error.message);
        let mut answer = Self::new(Outcome::Rejected, rule, detail);
        answer.rejected = Some(error.clone());
        answer
    }
}

/// How sure the evidence of an envelope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Soundness {
    /// A false statement passes with probability at most `2^-bits`.
    Bits(u32),
    /// Everything was computed again.
    Certain,
}

/// What was verified about one envelope.
#[derive(Debug)]
pub(crate) struct EnvelopeFacts<'a> {
    pub(crate) signer: &'a PublicKey,
    pub(crate) tier: &'a str,
    pub(crate) issued_at: u64,
    /// `None` if the evidence did not hold, or could not be checked.
    pub(crate) soundness: Option<Soundness>,
}

/// What was verified, for one envelope, when a policy is asked.
pub(crate) struct Facts<'a> {
    pub(crate) statement: &'a Statement,
    pub(crate) envelope: EnvelopeFacts<'a>,
    /// Results of checks 12 and 13; undecided when the caller gave nothing to compare with.
    pub(crate) input_match: Outcome,
    pub(crate) output_match: Outcome,
    pub(crate) now: Option<i64>,
    /// Makes check 16 for the logs and cosigners that a rule names.
    pub(crate) logged: &'a dyn Fn(&LogTrust) -> Result<Vec<Logged>, Error>,
    /// What check 17 showed.
    pub(crate) seed: &'a Result<Option<Drawn>, Error>,
}
