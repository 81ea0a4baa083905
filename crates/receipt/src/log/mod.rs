//! What the log proofs of a receipt show: the steps of check `log`.
//!
//! Spec: spec/v1/log.md, section 6. A proof that fails counts as absent, so the verdict never hangs on which
//! proofs were left out.

mod checkpoint;
mod entry;
mod note;
mod proof;

pub(crate) use checkpoint::Cosignature;
pub(crate) use note::{NoteKey, Role};

use crate::bundle::Receipt;
use crate::error::{Error, Kind};
use crate::statement::Statement;
use crate::text::{hex, listed, quoted, shorten};
use entry::{Closing, Entry, Intent};
use proof::LogProof;

/// Whose checkpoints count: one of these logs, cosigned by at least so many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogTrust {
    pub(crate) logs: Vec<NoteKey>,
    pub(crate) cosigners: Vec<NoteKey>,
    pub(crate) min_cosigners: usize,
    /// Takes a quorum of half the cosigners or fewer.
    pub(crate) allow_split_view: bool,
}

/// A receipt whose intent and result are in one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) log: NoteKey,
    pub(crate) intent: u64,
    pub(crate) result: u64,
    /// Those of both checkpoints; each cosigner's earlier time.
    pub(crate) cosignatures: Vec<Cosignature>,
    /// How many cosigners the rule names.
    named: usize,
    /// The intent's own time, as the provider says.
    pub(crate) intent_time: u64,
    /// When each cosigner had first seen the intent.
    pub(crate) intent_seen: Vec<Cosignature>,
}

impl Logged {
    /// What was shown, in one line, with what was not.
    pub(crate) fn detail(&self) -> String {
        let (intent, result, log) = (self.intent, self.result, &self.log.name);
        let place = format!("intent {intent} and result {result} of {log}");
        if self.cosignatures.is_empty() {
            return format!("{place}; no cosigner: others may be shown another log");
        }
        let names = self.cosignatures.iter().map(|one| one.key.name.as_str());
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        format!("{place}; cosigned by {}", listed(names))
    }

    /// What whoever relies on this takes on trust.
    pub(crate) fn assumptions(&self) -> Vec<String> {
        let mut assumptions = vec![OUTSIDE.to_owned()];
        let (signed, named) = (self.cosignatures.len(), self.named);
        if signed == 0 {
            assumptions.push(UNWITNESSED.to_owned());
        } else if signed.saturating_mul(2) <= named {
            let split = format!("log: {signed} of {named} named cosigners signed; {SPLIT}");
            assumptions.push(split);
        }
        assumptions
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let cosigners = self.cosignatures.iter();
        let cosigners: serde_json::Map<_, _> = cosigners
            .map(|one| (one.key.name.clone(), one.timestamp.into()))
            .collect();
        serde_json::json!({
            "cosigners": cosigners,
            "intent": self.intent,
            "log": self.log.name,
            "result": self.result,
        })
    }
}

const OUTSIDE: &str = "log: answers that the signer gave outside this log cannot be seen";
const UNWITNESSED: &str = "log: no cosigner was asked for, so others may be shown another log";
const SPLIT: &str = "the rest could have signed another history, and none of them need lie";

/// One proof that holds.
#[derive(Debug, Clone)]
struct Shown<'a> {
    log: &'a NoteKey,
    index: u64,
    /// Number of leaves under its checkpoint, and the text of that.
    size: u64,
    text: String,
    entry: Entry,
    cosignatures: Vec<Cosignature>,
}

impl Shown<'_> {
    /// Whether two checkpoints are one, or enough cosigners signed both.
    fn shares_view(&self, other: &Self, trust: &LogTrust) -> bool {
        let common = other.cosignatures.iter();
        let common = common.filter(|one| self.cosignatures.iter().any(|own| own.key == one.key));
        self.text == other.text || common.count() >= trust.min_cosigners.max(1)
    }
}

/// Everything that the log proofs of a receipt show, the most cosigned first; at least one binding.
///
/// # Errors
/// No two of them show its intent and its result; the error is that of the proof that came furthest.
pub(crate) fn verify_logged(receipt: &Receipt, trust: &LogTrust) -> Result<Vec<Logged>, Error> {
    let mut shown: Vec<Shown<'_>> = Vec::new();
    let mut errors: Vec<Error> = Vec::new();
    let blobs = receipt.evidence.iter();
    for blob in blobs.filter(|blob| LogProof::is_one(blob)) {
        match verify_proof(blob, trust) {
            Ok(one) => shown.push(one),
            Err(error) => errors.push(error),
        }
    }
    let (mut intents, mut results) = (Vec::new(), Vec::new());
    for one in &shown {
        match &one.entry {
            Entry::Intent(intent) => intents.push((one, intent.as_ref())),
            Entry::Result(closing) => results.push((one, closing)),
            Entry::Void => {}
        }
    }
    let mut found: Vec<Logged> = Vec::new();
    for (result, closing) in &results {
        // Proofs of one intent together, in the order in which each intent came first.
        let mut bound: Vec<Vec<(&Shown<'_>, &Intent)>> = Vec::new();
        for (intent, entry) in &intents {
            let required = require_bound(&receipt.statement, (intent, entry), (result, closing));
            match required.and_then(|()| require_one_view(intent, result, trust)) {
                Ok(()) => {
                    let is_same = |same: &&mut Vec<(&Shown<'_>, &Intent)>| {
                        same.first()
                            .is_some_and(|(one, _)| one.index == intent.index)
                    };
                    match bound.iter_mut().find(is_same) {
                        Some(same) => same.push((intent, entry)),
                        None => bound.push(vec![(intent, entry)]),
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        for same in bound {
            let logged = logged(&same, result, trust);
            found.extend(logged.filter(|logged| !found.contains(logged)));
        }
    }
    if !found.is_empty() {
        found.sort_by_key(|one| core::cmp::Reverse(one.cosignatures.len()));
        return Ok(found);
    }
    if !shown.is_empty() && (intents.is_empty() || results.is_empty()) {
        errors.push(unbound(
            "the log proofs do not show both an intent and a result",
        ));
    }
    // Of equals the first.
    let furthest = errors.into_iter().reduce(|best, error| {
        if progress(&error) > progress(&best) {
            error
        } else {
            best
        }
    });
    Err(furthest.unwrap_or_else(|| Error::new(Kind::Log, "the receipt has no log proof").of("log")))
}

/// Steps 1 to 6 for one proof.
fn verify_proof<'a>(untrusted: &[u8], trust: &'a LogTrust) -> Result<Shown<'a>, Error> {
    let proof = LogProof::read(untrusted)?;
    let signed_by = proof.checkpoint.verify_log(&trust.logs)?;
    let log = trust.logs.iter().find(|key| *key == signed_by);
    let log = log.ok_or_else(|| Error::new(Kind::Internal, "a key that nobody named"))?;
    let (cosigners, at_least) = (&trust.cosigners, trust.min_cosigners);
    let cosignatures = proof.checkpoint.verify_cosigners(cosigners, at_least)?;
    proof.verify_inclusion()?;
    Ok(Shown {
        log,
        index: proof.index,
        size: proof.checkpoint.size,
        text: proof.checkpoint.text().to_owned(),
        entry: Entry::read(&proof.entry)?,
        cosignatures,
    })
}

/// How far a proof came.
fn progress(error: &Error) -> Option<usize> {
    const ORDER: [&str; 8] = [
        "log.format",
        "log.origin",
        "log.signature",
        "log.cosignature",
        "log.inclusion",
        "log.entry",
        "log.binding",
        "log.view",
    ];
    ORDER.iter().position(|check| error.check == Some(check))
}

/// 7. The two entries are about this statement, and in one log.
fn require_bound(
    statement: &Statement,
    (intent, entry): (&Shown<'_>, &Intent),
    (result, closing): (&Shown<'_>, &Closing),
) -> Result<(), Error> {
    let sequence = &statement.sequence;
    let text = |text: &str| quoted(text);
    let received = statement.received.to_string();
    let (own, _) = statement
        .seed_proof
        .split_at_checked(SEED_KEY_BYTES)
        .unwrap_or_default();
    let expected = [
        ("log", text(&intent.log.name), text(&result.log.name)),
        ("origin", text(&entry.origin), text(&intent.log.name)),
        (
            "statement",
            text(&closing.statement),
            text(&statement.receipt_id),
        ),
        (
            "intent",
            closing.intent.to_string(),
            intent.index.to_string(),
        ),
        ("intent digest", text(&entry.digest), text(&sequence.intent)),
        ("stream", text(&entry.stream), text(&sequence.stream)),
        (
            "number",
            entry.number.to_string(),
            sequence.number.to_string(),
        ),
        ("previous", text(&entry.previous), text(&sequence.previous)),
        ("model", text(&entry.model), text(&statement.model)),
        ("input", text(&entry.input), text(&received)),
        (
            "parameters",
            text(&entry.parameters),
            text(&statement.parameters),
        ),
        (
            "request_id",
            text(&entry.request_id),
            text(&statement.request_id),
        ),
        ("seed", text(&entry.seed), text(&statement.seed_mode)),
        ("seed_key", text(&entry.seed_key), text(&hex(own))),
    ];
    for (name, logged, stated) in expected {
        if logged != stated {
            let (logged, stated) = (shorten(&logged, 90), shorten(&stated, 90));
            return Err(unbound(&format!(
                "{name}: the log has {logged}, not {stated}"
            )));
        }
    }
    if intent.index >= result.index {
        return Err(unbound(&format!(
            "the intent, {}, is not before the result, {}",
            intent.index, result.index
        )));
    }
    Ok(())
}

const SEED_KEY_BYTES: usize = 32;

/// 8. Enough cosigners saw both checkpoints, so that they are of one history.
fn require_one_view(intent: &Shown<'_>, result: &Shown<'_>, trust: &LogTrust) -> Result<(), Error> {
    if intent.shares_view(result, trust) {
        return Ok(());
    }
    let (first, second, enough) = (intent.size, result.size, trust.min_cosigners.max(1));
    let message = format!(
        "intent and result are under checkpoints of {first} and {second} leaves, which no {enough} \
         named cosigners both signed"
    );
    Err(Error::new(Kind::Log, message).of("log.view"))
}

/// What proofs of one intent show together with the proof of its result.
fn logged(
    intents: &[(&Shown<'_>, &Intent)],
    result: &Shown<'_>,
    trust: &LogTrust,
) -> Option<Logged> {
    let mut intent_seen: Vec<Cosignature> = Vec::new();
    for cosignature in intents.iter().flat_map(|(one, _)| &one.cosignatures) {
        match intent_seen
            .iter_mut()
            .find(|seen| seen.key == cosignature.key)
        {
            Some(seen) => seen.timestamp = seen.timestamp.min(cosignature.timestamp),
            None => intent_seen.push(cosignature.clone()),
        }
    }
    // Of equals the first.
    let both = intents.iter().map(|(one, _)| of_both(one, result));
    let most = both.reduce(|most, both| if both.len() > most.len() { both } else { most });
    let (first, entry) = intents.first()?;
    Some(Logged {
        log: result.log.clone(),
        intent: first.index,
        result: result.index,
        cosignatures: most.unwrap_or_default(),
        named: trust.cosigners.len(),
        intent_time: entry.time,
        intent_seen,
    })
}

fn of_both(intent: &Shown<'_>, result: &Shown<'_>) -> Vec<Cosignature> {
    let both = result.cosignatures.iter().filter_map(|one| {
        let mut own = intent.cosignatures.iter();
        let earlier = own.find(|other| other.key == one.key)?;
        Some(Cosignature {
            key: one.key.clone(),
            timestamp: one.timestamp.min(earlier.timestamp),
        })
    });
    both.collect()
}

fn unbound(message: &str) -> Error {
    Error::new(Kind::Log, message).of("log.binding")
}
