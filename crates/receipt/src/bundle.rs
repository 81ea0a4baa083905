//! The receipt: statement, envelopes, evidence and reveals in one file.
//!
//! Spec: spec/v1/receipt.md, sections 2 and 6.

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical::{self, Value};
use crate::commitment::{Field, SALT_BYTES, sha256};
use crate::envelope::Envelope;
use crate::error::{Error, Kind};
use crate::members::Members;
use crate::statement::Statement;
use crate::text::{from_base64, hex, quoted, shorten};

const VERSION: &str = "veridical-receipt/v1";
/// Room for a proof of ten megabytes.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_ENVELOPES: usize = 16;
const MAX_EVIDENCE: usize = 64;

/// What opens one commitment: its content, its salt, or both; an absent one is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reveal {
    pub(crate) content: Vec<u8>,
    pub(crate) salt: Vec<u8>,
}

/// A parsed receipt. Nothing in it is checked.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) statement: Statement,
    pub(crate) envelopes: Vec<Envelope>,
    pub(crate) evidence: Vec<Vec<u8>>,
    pub(crate) reveals: BTreeMap<Field, Reveal>,
}

/// Blobs under the digest by which envelopes name them.
pub(crate) type Evidence<'a> = BTreeMap<String, &'a [u8]>;

impl Receipt {
    /// Parses a bundle.
    pub(crate) fn read(untrusted: &[u8]) -> Result<Self, Error> {
        let value = canonical::decode(untrusted, MAX_BYTES, "receipt")?;
        let names = ["envelopes", "evidence", "reveals", "statement", "version"];
        let members = Members::new(&value, &names, "receipt")?;
        members.literal("version", VERSION)?;
        let revealed = members.mapping("reveals", Field::ALL.len())?;
        let statement = Statement::read(members.value("statement")?)?;
        let envelopes = members.items("envelopes", MAX_ENVELOPES)?.iter();
        let envelopes = envelopes.enumerate();
        let envelopes = envelopes
            .map(|(i, item)| Envelope::read(item, format!("envelopes[{i}]")))
            .collect::<Result<Vec<_>, _>>()?;
        let evidence = members.items("evidence", MAX_EVIDENCE)?.iter().enumerate();
        let evidence = evidence
            .map(|(i, item)| read_blob(item, &format!("evidence[{i}]")))
            .collect::<Result<Vec<_>, _>>()?;
        let mut reveals = Vec::new();
        for (name, item) in revealed {
            reveals.push((name, read_reveal(item, &format!("reveals.{name}"))?));
        }
        let twice = |name: &str| {
            let place = format!("receipt.{name}");
            Err(Error::field("one item stands twice", place))
        };
        if envelopes.iter().collect::<BTreeSet<_>>().len() != envelopes.len() {
            return twice("envelopes");
        }
        if evidence.iter().collect::<BTreeSet<_>>().len() != evidence.len() {
            return twice("evidence");
        }
        let reveals = reveals.into_iter().map(|(name, reveal)| {
            let field = Field::named(name).ok_or_else(|| {
                let message = format!("no field {} to reveal", quoted(&shorten(name, 64)));
                Error::field(message, "receipt.reveals")
            });
            Ok((field?, reveal))
        });
        Ok(Self {
            reveals: reveals.collect::<Result<_, Error>>()?,
            statement,
            envelopes,
            evidence,
        })
    }

    /// Every blob under the digest by which envelopes name it; hashes them all.
    pub(crate) fn evidence_by_digest(&self) -> Evidence<'_> {
        let blobs = self.evidence.iter();
        blobs
            .map(|blob| (format!("sha256:{}", hex(&sha256(blob))), blob.as_slice()))
            .collect()
    }

    /// The salt of a field; empty if it is not revealed.
    pub(crate) fn salt(&self, field: Field) -> &[u8] {
        self.reveals.get(&field).map_or(&[], |reveal| &reveal.salt)
    }
}

fn read_reveal(value: &Value, place: &str) -> Result<Reveal, Error> {
    let members = Members::new(value, &["bytes", "salt"], place)?;
    let content = from_base64(
        members.long_text("bytes", MAX_BYTES)?,
        &members.place("bytes"),
    )?;
    let salt = from_base64(members.text("salt")?, &members.place("salt"))?;
    if !salt.is_empty() && salt.len() != SALT_BYTES {
        let message = format!("a salt has {SALT_BYTES} bytes, not {}", salt.len());
        return Err(members.refuse("salt", message));
    }
    if content.is_empty() && salt.is_empty() {
        return Err(members.refuse("bytes", "a reveal has bytes or a salt"));
    }
    Ok(Reveal { content, salt })
}

fn read_blob(value: &Value, place: &str) -> Result<Vec<u8>, Error> {
    match value {
        Value::Text(text) if !text.is_empty() => from_base64(text, place),
        Value::Text(_) | Value::Integer(_) | Value::List(_) | Value::Object(_) => {
            Err(Error::new(Kind::Field, "expected base64")
                .at(place)
                .of("format"))
        }
    }
}
