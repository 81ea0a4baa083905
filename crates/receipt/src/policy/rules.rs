//! The rules: each asks one question of one envelope and its statement.
//!
//! Spec: spec/v1/policy.md, section 2.

use crate::error::{Error, Kind};
use crate::keys::PublicKey;
use crate::log::{LogTrust, Logged};
use crate::policy::facts::{Answer, Facts, Outcome, Soundness};
use crate::seed::{MARGIN_SECONDS, QUICKNET, due, first_after};
use crate::statement::{Decode, Parameter};
use crate::text::{listed, quoted, shorten};

/// A rule, or rules of rules.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    TrustedSigners(Vec<PublicKey>),
    TrustedModels(Vec<String>),
    RequireTier(Vec<String>),
    RequireLogged(LogTrust),
    RequireSeed {
        mode: String,
        keys: Vec<[u8; 32]>,
        /// For mode `vrf+beacon` alone.
        logged: Option<LogTrust>,
    },
    ExpectDecode(Decode),
    ExpectInput,
    ExpectOutput,
    Nonce(String),
    MaxAge {
        seconds: u64,
        clock_skew: u64,
    },
    MaxSaturation(u64),
    MinSoundnessBits(u64),
    AllOf(Vec<Rule>),
    AnyOf(Vec<Rule>),
}

impl Rule {
    /// Every key whose signatures count.
    pub(crate) fn signers(&self) -> Vec<&PublicKey> {
        match self {
            Self::TrustedSigners(keys) => keys.iter().collect(),
            Self::AllOf(rules) | Self::AnyOf(rules) => {
                rules.iter().flat_map(Self::signers).collect()
            }
            Self::TrustedModels(_)
            | Self::RequireTier(_)
            | Self::RequireLogged(_)
            | Self::RequireSeed { .. }
            | Self::ExpectDecode(_)
            | Self::ExpectInput
            | Self::ExpectOutput
            | Self::Nonce(_)
            | Self::MaxAge { .. }
            | Self::MaxSaturation(_)
            | Self::MinSoundnessBits(_) => Vec::new(),
        }
    }

    /// Judges one envelope.
    pub(crate) fn evaluate(&self, facts: &Facts<'_>) -> Answer {
        let envelope = &facts.envelope;
        match self {
            Self::TrustedSigners(keys) => Answer::new(
                Outcome::holds(keys.contains(envelope.signer)),
                "trusted_signers",
                format!("signer {}", envelope.signer.short_id()),
            ),
            Self::TrustedModels(digests) => {
                let digest = &facts.statement.model;
                let holds = Outcome::holds(digests.contains(digest));
                Answer::new(holds, "trusted_models", format!("model {digest}"))
            }
            Self::RequireTier(tiers) => {
                let tier = quoted(envelope.tier);
                let required = listed(tiers.iter().map(String::as_str));
                let holds = tiers.iter().any(|tier| tier == envelope.tier);
                let detail = format!("tier {tier}, required: {required}");
                Answer::new(Outcome::holds(holds), "require_tier", detail)
            }
            Self::RequireLogged(trust) => match (facts.logged)(trust) {
                Ok(shown) => Answer::new(Outcome::Accepted, "require_logged", shown.detail()),
                Err(error) => Answer::rejected("require_logged", &error),
            },
            Self::RequireSeed { mode, keys, logged } => {
                require_seed(facts, mode, keys, logged.as_ref())
            }
            Self::ExpectDecode(decode) => {
                let found = &facts.statement.decode;
                let (shown, expected) = (described(found), described(decode));
                let detail = format!("decode parameters {shown}, expected {expected}");
                Answer::new(Outcome::holds(found == decode), "expect_decode", detail)
            }
            Self::ExpectInput => matched("expect_input", facts.input_match),
            Self::ExpectOutput => matched("expect_output", facts.output_match),
            Self::Nonce(value) => {
                let found = &facts.statement.request_id;
                let (shown, expected) = (quoted(found), quoted(value));
                let detail = format!("request id {shown}, expected {expected}");
                Answer::new(Outcome::holds(found == value), "nonce", detail)
            }
            Self::MaxAge {
                seconds,
                clock_skew,
            } => max_age(facts, *seconds, *clock_skew),
            Self::MaxSaturation(count) => {
                let saturated = facts.statement.saturated;
                let detail = format!("{saturated} elements saturated, allowed: {count}");
                Answer::new(
                    Outcome::holds(saturated <= *count),
                    "max_saturation",
                    detail,
                )
            }
            Self::MinSoundnessBits(required) => {
                let (shown, holds) = match envelope.soundness {
                    None => {
                        let detail = "no evidence was verified";
                        return Answer::new(Outcome::Undecided, "min_soundness_bits", detail);
                    }
                    Some(Soundness::Bits(bits)) => (bits.to_string(), u64::from(bits) >= *required),
                    Some(Soundness::Certain) => ("inf".to_owned(), true),
                };
                let detail = format!("soundness of {shown} bits, required: {required}");
                Answer::new(Outcome::holds(holds), "min_soundness_bits", detail)
            }
            Self::AllOf(rules) => all_of(rules, facts),
            Self::AnyOf(rules) => any_of(rules, facts),
        }
    }
}

/// The least answer; of equals, the first. Every rule is asked.
fn all_of(rules: &[Rule], facts: &Facts<'_>) -> Answer {
    let answers = rules.iter().map(|rule| rule.evaluate(facts));
    let least = answers.reduce(|least, answer| {
        if answer.outcome < least.outcome {
            answer
        } else {
            least
        }
    });
    least.unwrap_or_else(|| Answer::new(Outcome::Rejected, "all_of", "no rule"))
}

/// The greatest answer; if none accepts, it names them all.
fn any_of(rules: &[Rule], facts: &Facts<'_>) -> Answer {
    let answers: Vec<Answer> = rules.iter().map(|rule| rule.evaluate(facts)).collect();
    let best = answers.iter().reduce(|best, answer| {
        if answer.outcome > best.outcome {
            answer
        } else {
            best
        }
    });
    match best {
        Some(best) if best.outcome == Outcome::Accepted => best.clone(),
        Some(best) => {
            let details = answers
                .iter()
                .map(|one| format!("{}: {}", one.rule, one.detail));
            let detail = details.collect::<Vec<_>>().join("; ");
            let mut answer = Answer::new(best.outcome, "any_of", detail);
            answer.undecided = best.undecided;
            answer
        }
        None => Answer::new(Outcome::Rejected, "any_of", "no rule"),
    }
}

fn matched(rule: &'static str, outcome: Outcome) -> Answer {
    let detail = match outcome {
        Outcome::Accepted => "it is the caller's own",
        Outcome::Undecided => "the caller gave nothing to compare with, or no salt was revealed",
        Outcome::Rejected => "it is not the caller's own",
    };
    Answer::new(outcome, rule, detail)
}

fn max_age(facts: &Facts<'_>, seconds: u64, clock_skew: u64) -> Answer {
    let Some(now) = facts.now else {
        let mut answer = Answer::new(Outcome::Undecided, "max_age", "no time was given");
        answer.undecided = Kind::Undecided;
        return answer;
    };
    let age = i128::from(now).saturating_sub(facts.envelope.issued_at.into());
    let detail = if age >= 0 {
        format!("issued {age} s ago, allowed: {seconds} s")
    } else {
        let ahead = age.unsigned_abs();
        format!("issued {ahead} s in the future, allowed: {clock_skew} s")
    };
    let holds = (i128::from(clock_skew).saturating_neg()..=i128::from(seconds)).contains(&age);
    Answer::new(Outcome::holds(holds), "max_age", detail)
}

/// Takes the result of check 17, and compares what only the policy knows.
fn require_seed(
    facts: &Facts<'_>,
    mode: &str,
    keys: &[[u8; 32]],
    logged: Option<&LogTrust>,
) -> Answer {
    let refused = |detail: String| Answer::new(Outcome::Rejected, "require_seed", detail);
    let seed = match facts.seed {
        Err(error) => return Answer::rejected("require_seed", error),
        Ok(seed) => seed,
    };
    let stated = &facts.statement.seed_mode;
    let Some(seed) = seed.as_ref().filter(|_| stated == mode) else {
        let (stated, mode) = (quoted(stated), quoted(mode));
        return refused(format!("mode {stated}, required: {mode}"));
    };
    if !keys.contains(&seed.key) {
        let key = seed.short_key();
        return refused(format!("the seed is of key {key}, which is not named"));
    }
    if facts.statement.received.is_salted {
        let detail = "the commitment to the input is neither plain nor stated as one's own";
        return refused(detail.to_owned());
    }
    let Some(trust) = logged else {
        return Answer::new(Outcome::Accepted, "require_seed", seed.detail());
    };
    let Some(round) = seed.round else {
        return refused(format!("the round is not of beacon {}", quoted(QUICKNET)));
    };
    match (facts.logged)(trust) {
        Err(error) => Answer::rejected("require_seed", &error),
        Ok(shown) => timed(&shown, round, trust.min_cosigners),
    }
}

/// The round is the intent's, and cosigners had seen the intent before it was due.
fn timed(logged: &Logged, round: u64, needed: usize) -> Answer {
    let refused = |detail: String| Answer::new(Outcome::Rejected, "require_seed", detail);
    let expected = first_after(logged.intent_time.saturating_add(MARGIN_SECONDS));
    if round != expected {
        return refused(format!("round {round}, the intent's round is {expected}"));
    }
    let due = due(expected);
    let early = logged
        .intent_seen
        .iter()
        .filter(|seen| seen.timestamp < due);
    let early = early.count();
    if early < needed {
        return refused(format!(
            "{early} cosigners had seen the intent before round {expected} was due, required: {needed}"
        ));
    }
    Answer::new(
        Outcome::Accepted,
        "require_seed",
        format!(
            "round {expected} of {QUICKNET}, and {early} cosigners had seen the intent before it was due"
        ),
    )
}

/// Decode parameters, for messages.
fn described(decode: &Decode) -> String {
    let members = decode.iter().map(|(key, value)| {
        let value = match value {
            Parameter::Text(text) => quoted(text),
            Parameter::Integer(integer) => integer.to_string(),
        };
        format!("{}: {value}", quoted(key))
    });
    let members = members.collect::<Vec<_>>().join(", ");
    shorten(&format!("{{{members}}}"), 200)
}

/// The error of a rule that no receipt could satisfy, or that nobody could mean.
pub(crate) fn format_error(message: impl Into<String>) -> Error {
    Error::new(Kind::PolicyFormat, message)
}
