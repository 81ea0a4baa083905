//! The envelope: who vouches for a statement, in which tier, with which evidence.
//!
//! Spec: spec/v1/receipt.md, section 5. The payload stays bytes until its signature was verified.

use std::collections::BTreeSet;

use crate::canonical::{self, Value};
use crate::error::{Error, Kind};
use crate::keys::SIGNATURE_BYTES;
use crate::members::{MAX_TEXT, Members, object};
use crate::text::{from_base64, is_hex};

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "urn:veridical:inference:v1";
const MAX_PAYLOAD: usize = 64 * 1024;
const MAX_DESCRIPTORS: usize = 16;
const MAX_CRITICAL: usize = 16;
const MAX_TIER: usize = 64;

/// What an envelope signs about one blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) digest: String,
    pub(crate) size: u64,
    pub(crate) kind: String,
}

/// What one signer says about one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Predicate {
    pub(crate) receipt_id: String,
    pub(crate) output_digest: String,
    pub(crate) tier: String,
    pub(crate) issued_at: u64,
    pub(crate) evidence: Vec<Descriptor>,
    pub(crate) critical: Vec<String>,
}

impl Predicate {
    /// Parses a payload whose signature was verified.
    pub(crate) fn read(payload: &[u8], place: &str) -> Result<Self, Error> {
        let value = canonical::decode(payload, MAX_PAYLOAD, place)?;
        let names = ["_type", "predicate", "predicateType", "subject"];
        let outer = Members::new(&value, &names, place)?;
        outer.literal("_type", STATEMENT_TYPE)?;
        outer.literal("predicateType", PREDICATE_TYPE)?;
        let names = ["critical", "evidence", "issued_at", "statement", "tier"];
        let inner = Members::new(outer.value("predicate")?, &names, outer.place("predicate"))?;
        let tier = inner.long_text("tier", MAX_TIER)?;
        if tier.is_empty() {
            return Err(inner.refuse("tier", "a tier has a name"));
        }
        let items = inner.items("evidence", MAX_DESCRIPTORS)?.iter().enumerate();
        let evidence = items
            .map(|(i, item)| read_descriptor(item, inner.place(&format!("evidence[{i}]"))))
            .collect::<Result<Vec<_>, _>>()?;
        let digests: BTreeSet<&str> = evidence.iter().map(|d| d.digest.as_str()).collect();
        if digests.len() != evidence.len() {
            return Err(inner.refuse("evidence", "one digest stands twice"));
        }
        Ok(Self {
            receipt_id: inner.digest("statement")?.to_owned(),
            output_digest: read_subject(&outer)?,
            tier: tier.to_owned(),
            issued_at: inner.count("issued_at")?,
            evidence,
            critical: read_critical(&inner)?,
        })
    }
}

fn read_descriptor(value: &Value, place: String) -> Result<Descriptor, Error> {
    let members = Members::new(value, &["digest", "size", "type"], place.clone())?;
    let kind = members.text("type")?;
    if kind.is_empty() {
        let error = Error::new(Kind::Field, "an evidence type is not empty");
        return Err(error.at(place).of("payload"));
    }
    Ok(Descriptor {
        digest: members.digest("digest")?.to_owned(),
        size: members.count("size")?,
        kind: kind.to_owned(),
    })
}

fn read_subject(outer: &Members<'_>) -> Result<String, Error> {
    let [subject] = outer.items("subject", 1)? else {
        return Err(outer.refuse("subject", "expected one subject"));
    };
    let subject = Members::new(subject, &["digest", "name"], outer.place("subject[0]"))?;
    subject.literal("name", "output")?;
    let digest = Members::new(
        subject.value("digest")?,
        &["sha256"],
        subject.place("digest"),
    )?;
    let text = digest.text("sha256")?;
    if !is_hex(text, 64) {
        let message = "expected 64 lower-case hexadecimal digits";
        return Err(digest.refuse("sha256", message));
    }
    Ok(text.to_owned())
}

fn read_critical(inner: &Members<'_>) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = Vec::new();
    for item in inner.items("critical", MAX_CRITICAL)? {
        match item {
            Value::Text(name) if !name.is_empty() => names.push(name.clone()),
            Value::Text(_) | Value::Integer(_) | Value::List(_) | Value::Object(_) => {
                return Err(inner.refuse("critical", "expected names"));
            }
        }
    }
    if !names.is_sorted_by(|a, b| a < b) {
        return Err(inner.refuse("critical", "names are not ascending and unique"));
    }
    Ok(names)
}

/// Signed bytes. Nothing in the payload counts before the signature was verified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Envelope {
    pub(crate) payload: Vec<u8>,
    pub(crate) key_id: String,
    pub(crate) signature: Vec<u8>,
}

impl Envelope {
    pub(crate) fn read(value: &Value, place: String) -> Result<Self, Error> {
        let names = ["payload", "payloadType", "signatures"];
        let members = Members::new(value, &names, place)?;
        members.literal("payloadType", PAYLOAD_TYPE)?;
        let text = members.long_text("payload", MAX_PAYLOAD.saturating_mul(2))?;
        let payload = from_base64(text, &members.place("payload"))?;
        if payload.len() > MAX_PAYLOAD {
            let message = format!("more than {MAX_PAYLOAD} bytes");
            return Err(members.refuse("payload", message));
        }
        let [signature] = members.items("signatures", 1)? else {
            return Err(members.refuse("signatures", "expected one signature"));
        };
        let place = members.place("signatures[0]");
        object(signature, &place)?;
        let entry = Members::new(signature, &["keyid", "sig"], place)?;
        let key_id = entry.text("keyid")?;
        if !is_hex(key_id, 64) {
            let message = "expected 64 lower-case hexadecimal digits";
            return Err(entry.refuse("keyid", message));
        }
        let signature = from_base64(entry.long_text("sig", MAX_TEXT)?, &entry.place("sig"))?;
        if signature.len() != SIGNATURE_BYTES {
            let found = signature.len();
            let message = format!("a signature has {SIGNATURE_BYTES} bytes, not {found}");
            return Err(entry.refuse("sig", message));
        }
        Ok(Self {
            payload,
            key_id: key_id.to_owned(),
            signature,
        })
    }

    /// What DSSE signs: the type and the payload, each with its length.
    pub(crate) fn signed_bytes(&self) -> Vec<u8> {
        let (kind, size) = (PAYLOAD_TYPE, self.payload.len());
        let mut bytes = format!("DSSEv1 {} {kind} {size} ", kind.len()).into_bytes();
        bytes.extend(&self.payload);
        bytes
    }
}
