//! What is logged: intents, and the results or voids that close them.
//!
//! Spec: spec/v1/log.md, section 4.

use crate::canonical::{self, Value};
use crate::commitment::{Commitment, digest_of};
use crate::error::{Error, Kind};
use crate::members::{Members, object};
use crate::statement::SEED_MODES;
use crate::text::{is_hex, quoted, shorten};

/// Bytes of an entry.
pub(super) const MAX_ENTRY: usize = 4096;
const INTENT: &str = "veridical-intent/v1";
const RESULT: &str = "veridical-result/v1";
const VOID: &str = "veridical-void/v1";

/// A run that is about to be made, under a number that nobody else gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) digest: String,
    pub(super) stream: String,
    pub(super) number: u64,
    pub(super) previous: String,
    pub(super) model: String,
    pub(super) input: String,
    pub(super) parameters: String,
    pub(super) request_id: String,
    pub(super) seed: String,
    pub(super) seed_key: String,
    pub(super) origin: String,
    pub(super) time: u64,
}

/// The receipt that closes an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) intent: u64,
    pub(super) statement: String,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Intent(Box<Intent>),
    Result(Closing),
    Void,
}

impl Entry {
    pub(super) fn read(untrusted: &[u8]) -> Result<Self, Error> {
        Self::of_bytes(untrusted).map_err(|error| error.of("log.entry"))
    }

    fn of_bytes(untrusted: &[u8]) -> Result<Self, Error> {
        let place = "entry";
        let value = canonical::decode(untrusted, MAX_ENTRY, place)?;
        let kind = match object(&value, place)?.get("type") {
            Some(Value::Text(text)) => Some(text.as_str()),
            Some(Value::Integer(_) | Value::List(_) | Value::Object(_)) | None => None,
        };
        match kind {
            Some(INTENT) => {
                read_intent(&value, untrusted, place).map(|one| Self::Intent(Box::new(one)))
            }
            Some(RESULT) => {
                let names = ["intent", "statement", "time", "type"];
                let members = Members::new(&value, &names, place)?;
                let closing = Closing {
                    intent: members.count("intent")?,
                    statement: members.digest("statement")?.to_owned(),
                };
                members.count("time")?;
                Ok(Self::Result(closing))
            }
            Some(VOID) => {
                let names = ["intent", "reason", "time", "type"];
                let members = Members::new(&value, &names, place)?;
                members.count("intent")?;
                short_text(&members, "reason")?;
                members.count("time")?;
                Ok(Self::Void)
            }
            found => {
                let found = quoted(&shorten(found.unwrap_or("None"), 40));
                let message = format!("unknown type of entry {found}");
                Err(Error::new(Kind::Malformed, message).at(place))
            }
        }
    }
}

fn read_intent(value: &Value, untrusted: &[u8], place: &str) -> Result<Intent, Error> {
    const NAMES: [&str; 12] = [
        "input",
        "model",
        "number",
        "origin",
        "parameters",
        "previous",
        "request_id",
        "seed",
        "seed_key",
        "stream",
        "time",
        "type",
    ];
    let members = Members::new(value, &NAMES, place)?;
    let input = members.text("input")?;
    Commitment::read(input, members.place("input"))?;
    let intent = Intent {
        // The bytes are canonical: they are what the intent encodes to.
        digest: digest_of("veridical.intent.v1", untrusted),
        origin: short_text(&members, "origin")?,
        stream: short_text(&members, "stream")?,
        number: members.count("number")?,
        previous: members.optional_digest("previous")?.to_owned(),
        model: members.digest("model")?.to_owned(),
        input: input.to_owned(),
        parameters: members.digest("parameters")?.to_owned(),
        request_id: members.text("request_id")?.to_owned(),
        seed: members.text("seed")?.to_owned(),
        seed_key: members.text("seed_key")?.to_owned(),
        time: members.count("time")?,
    };
    if !SEED_MODES.contains(&intent.seed.as_str()) {
        let message = format!("no mode of a seed: {}", quoted(&shorten(&intent.seed, 40)));
        return Err(members.refuse("seed", message));
    }
    let has_key = if intent.seed == "none" {
        intent.seed_key.is_empty()
    } else {
        is_hex(&intent.seed_key, 64)
    };
    if !has_key {
        let message = "a seed has a key of 64 digits, mode 'none' has none";
        return Err(members.refuse("seed_key", message));
    }
    if (intent.number == 0) != intent.previous.is_empty() {
        let message = "previous is empty if and only if number is 0";
        return Err(members.refuse("previous", message));
    }
    Ok(intent)
}

fn short_text(members: &Members<'_>, name: &str) -> Result<String, Error> {
    match members.text(name)? {
        "" => Err(members.refuse(name, "expected at least one character")),
        text => Ok(text.to_owned()),
    }
}
