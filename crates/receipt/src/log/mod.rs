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
use crate::text::{listed, quoted, shorten};
use entry::{Closing, Entry, Intent};
use proof::LogProof;

/// Whose checkpoints count: one of these logs, cosigned by at least so many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogTrust {
    pub(crate) logs: Vec<NoteKey>,
    pub(crate) cosigners: Vec<NoteKey>,
    pub(crate) min_cosigners: usize,
}

/// A receipt whose intent and result are in one log.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) log: NoteKey,
    pub(crate) intent: u64,
    pub(crate) result: u64,
    /// Those of both checkpoints; each cosigner's earlier time.
    pub(crate) cosignatures: Vec<Cosignature>,
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
        let mut names: Vec<&str> = self
            .cosignatures
            .iter()
            .map(|c| c.key.name.as_str())
            .collect();
        names.sort_unstable();
        format!("{place}; cosigned by {}", listed(names))
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

/// One proof that holds.
#[derive(Debug, Clone)]
struct Shown<'a> {
    log: &'a NoteKey,
    index: u64,
    entry: Entry,
    cosignatures: Vec<Cosignature>,
}

/// What the log proofs of a receipt show.
///
/// # Errors
/// No two of them show its intent and its result; the error is that of the proof that came furthest.
pub(crate) fn verify_logged(receipt: &Receipt, trust: &LogTrust) -> Result<Logged, Error> {
    let mut shown: Vec<Shown<'_>> = Vec::new();
    let mut errors: Vec<Error> = Vec::new();
    let blobs = receipt.evidence.iter();
    for blob in blobs.filter(|blob| LogProof::is_one(blob)) {
        match verify_proof(blob, trust) {
            Ok(one) => shown.push(one),
            Err(error) => errors.push(error),
        }
    }
    let intents: Vec<(&Shown<'_>, &Intent)> = shown
        .iter()
        .filter_map(|one| match &one.entry {
            Entry::Intent(intent) => Some((one, intent)),
            Entry::Result(_) | Entry::Void => None,
        })
        .collect();
    let results: Vec<(&Shown<'_>, &Closing)> = shown
        .iter()
        .filter_map(|one| match &one.entry {
            Entry::Result(closing) => Some((one, closing)),
            Entry::Intent(_) | Entry::Void => None,
        })
        .collect();
    for result in &results {
        for intent in &intents {
            match bound(&receipt.statement, *intent, *result) {
                Ok(mut logged) => {
                    logged.intent_seen = earliest(intent.0, intents.iter().map(|(one, _)| *one));
                    return Ok(logged);
                }
                Err(error) => errors.push(error),
            }
        }
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
        entry: Entry::read(&proof.entry)?,
        cosignatures,
    })
}

/// How far a proof came.
fn progress(error: &Error) -> Option<usize> {
    const ORDER: [&str; 7] = [
        "log.format",
        "log.origin",
        "log.signature",
        "log.cosignature",
        "log.inclusion",
        "log.entry",
        "log.binding",
    ];
    ORDER.iter().position(|check| error.check == Some(check))
}

/// When each cosigner had first seen an intent: a receipt may prove it more than once.
fn earliest<'a>(
    intent: &Shown<'_>,
    shown: impl Iterator<Item = &'a Shown<'a>>,
) -> Vec<Cosignature> {
    let mut times: Vec<Cosignature> = Vec::new();
    for one in shown {
        if (one.log, one.index, &one.entry) != (intent.log, intent.index, &intent.entry) {
            continue;
        }
        for cosignature in &one.cosignatures {
            match times.iter_mut().find(|time| time.key == cosignature.key) {
                Some(time) => time.timestamp = time.timestamp.min(cosignature.timestamp),
                None => times.push(cosignature.clone()),
            }
        }
    }
    times
}

/// 7. The two entries are about this statement, and in one log.
fn bound(
    statement: &Statement,
    (intent, entry): (&Shown<'_>, &Intent),
    (result, closing): (&Shown<'_>, &Closing),
) -> Result<Logged, Error> {
    let sequence = &statement.sequence;
    let received = statement.received.to_string();
    let texts = [
        ("log", &intent.log.name, &result.log.name),
        ("statement", &closing.statement, &statement.receipt_id),
    ];
    for (name, logged, stated) in texts {
        require_equal(name, &quoted(logged), &quoted(stated))?;
    }
    let (closed, index) = (closing.intent.to_string(), intent.index.to_string());
    require_equal("intent", &closed, &index)?;
    let texts = [
        ("intent digest", &entry.digest, &sequence.intent),
        ("stream", &entry.stream, &sequence.stream),
    ];
    for (name, logged, stated) in texts {
        require_equal(name, &quoted(logged), &quoted(stated))?;
    }
    let (logged, stated) = (entry.number.to_string(), sequence.number.to_string());
    require_equal("number", &logged, &stated)?;
    let texts = [
        ("previous", &entry.previous, &sequence.previous),
        ("model", &entry.model, &statement.model),
        ("input", &entry.input, &received),
        ("parameters", &entry.parameters, &statement.parameters),
        ("request_id", &entry.request_id, &statement.request_id),
        ("seed", &entry.seed, &statement.seed_mode),
    ];
    for (name, logged, stated) in texts {
        require_equal(name, &quoted(logged), &quoted(stated))?;
    }
    if intent.index >= result.index {
        return Err(unbound(&format!(
            "the intent, {}, is not before the result, {}",
            intent.index, result.index
        )));
    }
    let cosignatures = result.cosignatures.iter().filter_map(|one| {
        let same = |other: &&Cosignature| other.key == one.key;
        let earlier = intent.cosignatures.iter().find(same)?;
        Some(Cosignature {
            key: one.key.clone(),
            timestamp: one.timestamp.min(earlier.timestamp),
        })
    });
    Ok(Logged {
        log: result.log.clone(),
        intent: intent.index,
        result: result.index,
        cosignatures: cosignatures.collect(),
        intent_time: entry.time,
        intent_seen: Vec::new(),
    })
}

fn require_equal(name: &str, logged: &str, stated: &str) -> Result<(), Error> {
    if logged == stated {
        return Ok(());
    }
    let (logged, stated) = (shorten(logged, 90), shorten(stated, 90));
    Err(unbound(&format!(
        "{name}: the log has {logged}, not {stated}"
    )))
}

fn unbound(message: &str) -> Error {
    Error::new(Kind::Log, message).of("log.binding")
}
