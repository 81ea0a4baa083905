//! The rules: each asks one question of one envelope and its statement.
//!
//! Spec: spec/v1/policy.md, section 2.

use crate::error::{Error, Kind};
use crate::keys::PublicKey;
use crate::log::{LogTrust, Logged};
use crate::policy::facts::{Answer, Facts, Outcome, Soundness};
use crate::seed::{CLOCK_SLACK_SECONDS, MARGIN_SECONDS, QUICKNET, due, first_after};
use crate::statement::{Decode, Parameter, Statement};
use crate::text::{listed, quoted, shorten};

/// Decode parameters, template and tokenizer.
pub(crate) type Parameters = (Decode, String, String);

/// What a seed must follow from; a part that is absent is not compared.
#[derive(Debug, Clone)]
pub(crate) struct SeedRule {
    pub(crate) mode: String,
    pub(crate) keys: Vec<[u8; 32]>,
    pub(crate) nonce: Option<String>,
    pub(crate) parameters: Option<Parameters>,
    pub(crate) models: Option<Vec<String>>,
    /// For mode `vrf+beacon` alone: whose checkpoints count, and the streams that count, if any are named.
    pub(crate) logged: Option<(LogTrust, Vec<String>)>,
}

/// A rule, or rules of rules.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    TrustedSigners(Vec<PublicKey>),
    TrustedModels(Vec<String>),
    RequireTier(Vec<String>),
    RequireLogged {
        trust: LogTrust,
        /// The intent is in one of these, if there are any.
        streams: Vec<String>,
    },
    /// Its members are not kept: no quote is checked here, so none is judged.
    RequireTee,
    RequireSeed(Box<SeedRule>),
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
            | Self::RequireLogged { .. }
            | Self::RequireTee
            | Self::RequireSeed(_)
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
            Self::RequireTee => require_tee(envelope.tier),
            Self::RequireLogged { trust, streams } => require_logged(facts, trust, streams),
            Self::RequireSeed(rule) => rule.evaluate(facts),
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

/// The least answer; of equals, the first. Every rule is asked, and what all of them rest on is kept.
fn all_of(rules: &[Rule], facts: &Facts<'_>) -> Answer {
    let answers: Vec<Answer> = rules.iter().map(|rule| rule.evaluate(facts)).collect();
    let least = answers.iter().reduce(|least, answer| {
        if answer.outcome < least.outcome {
            answer
        } else {
            least
        }
    });
    let Some(least) = least else {
        return Answer::new(Outcome::Rejected, "all_of", "no rule");
    };
    let mut least = least.clone();
    if least.outcome == Outcome::Accepted {
        least.logged = distinct(answers.iter().flat_map(|one| &one.logged));
        least.assumptions = distinct(answers.iter().flat_map(|one| &one.assumptions));
    }
    least
}

/// Items in the order in which each came first.
pub(crate) fn distinct<'a, T: PartialEq + Clone + 'a>(
    items: impl Iterator<Item = &'a T>,
) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for item in items {
        if !found.contains(item) {
            found.push(item.clone());
        }
    }
    found
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

/// Takes the result of check 16, and compares the stream.
fn require_logged(facts: &Facts<'_>, trust: &LogTrust, streams: &[String]) -> Answer {
    if let Some(detail) = other_stream(facts.statement, streams) {
        return Answer::new(Outcome::Rejected, "require_logged", detail);
    }
    match (facts.logged)(trust) {
        Ok(mut shown) => {
            shown.truncate(1);
            let detail = shown.first().map(Logged::detail).unwrap_or_default();
            let mut answer = Answer::new(Outcome::Accepted, "require_logged", detail);
            answer.logged = shown;
            answer
        }
        Err(error) => Answer::rejected("require_logged", &error),
    }
}

/// What is wrong with the stream of a statement, if some are named.
fn other_stream(statement: &Statement, streams: &[String]) -> Option<String> {
    let stream = &statement.sequence.stream;
    let is_other = !streams.is_empty() && !streams.contains(stream);
    is_other.then(|| format!("stream {} is not named", quoted(stream)))
}

fn require_tee(tier: &str) -> Answer {
    if tier != "tee" {
        let detail = format!("tier {}, required: tee", quoted(tier));
        return Answer::new(Outcome::Rejected, "require_tee", detail);
    }
    let mut answer = Answer::new(Outcome::Undecided, "require_tee", "no quote was verified");
    answer.undecided = Kind::Collateral;
    answer
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

fn refused(detail: String) -> Answer {
    Answer::new(Outcome::Rejected, "require_seed", detail)
}

impl SeedRule {
    /// Takes the result of check 17, and compares what only the policy knows.
    fn evaluate(&self, facts: &Facts<'_>) -> Answer {
        let seed = match facts.seed {
            Err(error) => return Answer::rejected("require_seed", error),
            Ok(seed) => seed,
        };
        let stated = &facts.statement.seed_mode;
        let Some(seed) = seed.as_ref().filter(|_| *stated == self.mode) else {
            let (stated, mode) = (quoted(stated), quoted(&self.mode));
            return refused(format!("mode {stated}, required: {mode}"));
        };
        if !self.keys.contains(&seed.key) {
            let key = seed.short_key();
            return refused(format!("the seed is of key {key}, which is not named"));
        }
        if let Some(difference) = self.difference(facts.statement) {
            return refused(difference);
        }
        let Some((trust, streams)) = &self.logged else {
            return self.accepted(seed.detail(), None);
        };
        let Some(round) = seed.round else {
            return refused(format!("the round is not of beacon {}", quoted(QUICKNET)));
        };
        let shown = (facts.logged)(trust);
        if let Some(detail) = other_stream(facts.statement, streams) {
            return refused(detail);
        }
        let shown = match shown {
            Err(error) => return Answer::rejected("require_seed", &error),
            Ok(shown) => shown,
        };
        let answers = shown
            .iter()
            .map(|one| self.timed(one, round, trust.min_cosigners));
        // Of equals the first.
        let best = answers.reduce(|best, answer| {
            if answer.outcome > best.outcome {
                answer
            } else {
                best
            }
        });
        best.unwrap_or_else(|| refused("no binding".to_owned()))
    }

    /// How the statement's question differs from the client's.
    fn difference(&self, statement: &Statement) -> Option<String> {
        let found = &statement.request_id;
        if let Some(nonce) = self.nonce.as_ref().filter(|nonce| *nonce != found) {
            let (found, nonce) = (shorten(&quoted(found), 90), shorten(&quoted(nonce), 90));
            return Some(format!("request id {found}, expected {nonce}"));
        }
        let model = &statement.model;
        if self
            .models
            .as_ref()
            .is_some_and(|models| !models.contains(model))
        {
            return Some(format!("model {model} is not named"));
        }
        if let Some((decode, template, tokenizer)) = &self.parameters {
            let stated = (&statement.decode, &statement.template, &statement.tokenizer);
            if stated != (decode, template, tokenizer) {
                let shown = |(decode, template, tokenizer): (&Decode, &str, &str)| {
                    let (template, tokenizer) = (quoted(template), quoted(tokenizer));
                    let decode = described(decode);
                    let shown = format!(
                        "{{'decode': {decode}, 'template': {template}, 'tokenizer': {tokenizer}}}"
                    );
                    shorten(&shown, 200)
                };
                let (stated, wanted) = (
                    shown((stated.0, stated.1, stated.2)),
                    shown((decode, template, tokenizer)),
                );
                return Some(format!("parameters {stated}, expected {wanted}"));
            }
        }
        let detail = "the commitment to the input is neither plain nor stated as one's own";
        statement.received.is_salted.then(|| detail.to_owned())
    }

    /// The round is the intent's, and cosigners had seen the intent before it was due.
    fn timed(&self, logged: &Logged, round: u64, needed: usize) -> Answer {
        let expected = first_after(logged.intent_time.saturating_add(MARGIN_SECONDS));
        if round != expected {
            return refused(format!("round {round}, the intent's round is {expected}"));
        }
        let in_time = due(expected).saturating_sub(CLOCK_SLACK_SECONDS);
        let early = logged.intent_seen.iter();
        let early = early.filter(|seen| seen.timestamp <= in_time).count();
        if early < needed {
            return refused(format!(
                "{early} cosigners had seen the intent {CLOCK_SLACK_SECONDS} s before round \
                 {expected} was due, required: {needed}"
            ));
        }
        let detail = format!(
            "round {expected} of {QUICKNET}, and {early} cosigners had seen the intent before it was \
             due"
        );
        self.accepted(detail, Some(logged))
    }

    fn accepted(&self, detail: String, logged: Option<&Logged>) -> Answer {
        let mut answer = Answer::new(Outcome::Accepted, "require_seed", detail);
        let parts = [
            ("nonce", self.nonce.is_none()),
            ("model", self.models.is_none()),
            ("set of parameters", self.parameters.is_none()),
        ];
        for (part, _) in parts.into_iter().filter(|(_, is_free)| *is_free) {
            answer.assumptions.push(format!(
                "seed: the {part} was not compared; whoever chose it may have chosen the draw"
            ));
        }
        if let Some(logged) = logged {
            answer.assumptions.push(UNTIMED.to_owned());
            answer.logged.push(logged.clone());
        }
        answer
    }
}

const UNTIMED: &str = "seed: nobody compared the time of asking with the intent's; each intent of \
    the question in the log was one more draw";

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
