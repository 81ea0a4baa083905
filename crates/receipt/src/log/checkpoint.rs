//! Checkpoints: signed heads of a log, and the signatures of its cosigners.
//!
//! Spec: spec/v1/log.md, section 3.

use crate::error::{Error, Kind};
use crate::keys::SIGNATURE_BYTES;
use crate::log::note::{Note, NoteKey, Role};
use crate::text::{from_base64, quoted, shorten};

const MAX_EXTENSIONS: usize = 16;
const OWN_LINES: usize = 3;
/// Of a tree, so that any reader can hold it in a signed integer.
pub(super) const MAX_SIZE: u64 = u64::MAX >> 1;

/// A cosigner's signature that was verified, and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cosignature {
    pub(crate) key: NoteKey,
    pub(crate) timestamp: u64,
}

/// A checkpoint with signature lines. None of them is checked.
#[derive(Debug, Clone)]
pub(super) struct SignedCheckpoint {
    origin: String,
    pub(super) size: u64,
    pub(super) root: [u8; 32],
    note: Note,
}

impl SignedCheckpoint {
    pub(super) fn read(untrusted: &[u8], place: &str) -> Result<Self, Error> {
        let note = Note::read(untrusted, place)?;
        let malformed = |message: &str| {
            Error::new(Kind::Malformed, message)
                .at(place)
                .of("log.format")
        };
        let lines: Vec<&str> = note
            .text
            .strip_suffix('\n')
            .unwrap_or("")
            .split('\n')
            .collect();
        let limit = OWN_LINES.saturating_add(MAX_EXTENSIONS);
        let [origin, size, root, ..] = lines.as_slice() else {
            return Err(malformed("not a checkpoint"));
        };
        if lines.len() > limit || lines.contains(&"") {
            return Err(malformed("not a checkpoint"));
        }
        let root = from_base64(root, place).map_err(|error| error.of("log.format"))?;
        let root = <[u8; 32]>::try_from(root).map_err(|_| malformed("the root is no hash"))?;
        Ok(Self {
            origin: (*origin).to_owned(),
            size: read_size(size, place)?,
            root,
            note,
        })
    }

    /// The text that is signed.
    pub(super) fn text(&self) -> &str {
        &self.note.text
    }

    /// The log key that signed this.
    pub(super) fn verify_log<'a>(&'a self, logs: &'a [NoteKey]) -> Result<&'a NoteKey, Error> {
        let origin = || quoted(&shorten(&self.origin, 80));
        let is_named = |key: &&NoteKey| key.name == self.origin && key.role == Role::Log;
        let named: Vec<&NoteKey> = logs.iter().filter(is_named).collect();
        if named.is_empty() {
            let message = format!("origin {} is not that of a log that was named", origin());
            return Err(Error::new(Kind::Checkpoint, message).of("log.origin"));
        }
        let found = self.note.by(&named);
        for (key, line) in &found {
            verify(
                key,
                &line.signature,
                self.note.text.as_bytes(),
                "log.signature",
            )?;
        }
        found.first().map(|(key, _)| *key).ok_or_else(|| {
            let message = format!("no signature by the key of {}", origin());
            Error::new(Kind::Checkpoint, message).of("log.signature")
        })
    }

    /// One verified cosignature for each cosigner that signed, the earliest of each.
    pub(super) fn verify_cosigners(
        &self,
        cosigners: &[NoteKey],
        at_least: usize,
    ) -> Result<Vec<Cosignature>, Error> {
        let named: Vec<&NoteKey> = cosigners.iter().collect();
        let mut verified: Vec<Cosignature> = Vec::new();
        for (key, line) in self.note.by(&named) {
            let timestamp = self.cosigned_at(key, &line.signature)?;
            match verified.iter_mut().find(|one| one.key == *key) {
                Some(one) => one.timestamp = one.timestamp.min(timestamp),
                None => verified.push(Cosignature {
                    key: key.clone(),
                    timestamp,
                }),
            }
        }
        if verified.len() < at_least {
            let message = format!(
                "cosigned by {} of {} named cosigners; at least {at_least} are required",
                verified.len(),
                named.len()
            );
            return Err(Error::new(Kind::Checkpoint, message).of("log.cosignature"));
        }
        Ok(verified)
    }

    fn cosigned_at(&self, key: &NoteKey, signature: &[u8]) -> Result<u64, Error> {
        let split = signature.split_first_chunk::<8>();
        let (timestamp, signature) = split
            .map(|(time, signature)| (u64::from_be_bytes(*time), signature))
            .filter(|(time, signature)| {
                signature.len() == SIGNATURE_BYTES && (1..=MAX_SIZE).contains(time)
            })
            .ok_or_else(|| {
                let message = format!("the line of {} is no timestamped signature", key.name);
                Error::new(Kind::Checkpoint, message).of("log.cosignature")
            })?;
        let message = format!("cosignature/v1\ntime {timestamp}\n{}", self.note.text);
        verify(key, signature, message.as_bytes(), "log.cosignature")?;
        Ok(timestamp)
    }
}

fn verify(
    key: &NoteKey,
    signature: &[u8],
    message: &[u8],
    check: &'static str,
) -> Result<(), Error> {
    key.key.verify(signature, message).map_err(|error| {
        let (name, problem) = (&key.name, error.message);
        let message = format!("the signature of {name} does not verify: {problem}");
        Error::new(Kind::Checkpoint, message).of(check)
    })
}

/// A size or an index in its shortest decimal form.
pub(super) fn read_size(text: &str, place: &str) -> Result<u64, Error> {
    let is_shortest = text == "0"
        || (!text.starts_with('0') && (1..=19).contains(&text.len()))
            && text.bytes().all(|b| b.is_ascii_digit());
    let size = text.parse().ok().filter(|size| *size <= MAX_SIZE);
    size.filter(|_| is_shortest).ok_or_else(|| {
        let message = format!("not a size: {}", quoted(&shorten(text, 40)));
        Error::new(Kind::Malformed, message)
            .at(place)
            .of("log.format")
    })
}
