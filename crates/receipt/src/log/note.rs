//! Signed notes and the keys that sign them.
//!
//! Spec: spec/v1/log.md, section 3; <https://c2sp.org/signed-note>.

use crate::commitment::sha256;
use crate::error::{Error, Kind};
use crate::keys::PublicKey;
use crate::text::{from_base64, hex, is_hex, is_printable, quoted, shorten};

/// Bytes of a note.
pub(super) const MAX_NOTE: usize = 64 * 1024;
const MAX_SIGNATURES: usize = 64;
const MAX_NAME: usize = 256;
const MAX_VKEY: usize = MAX_NAME + 64;
const KEY_ID_BYTES: usize = 4;
const DASH: &str = "\u{2014} ";

/// What a key signs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Log,
    Cosigner,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Cosigner => "cosigner",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Cosigner => 0x04,
        }
    }
}

/// A public key under a name, in a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoteKey {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) key: PublicKey,
    pub(crate) raw: [u8; 32],
    /// What stands before its signatures.
    id: [u8; KEY_ID_BYTES],
}

impl NoteKey {
    /// Reads `name+id+key`; one text for each key.
    ///
    /// # Errors
    /// By kind.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        let not_one =
            |problem: &str| Error::new(Kind::KeyFormat, format!("not a vkey: {problem}")).of("key");
        let parts = text.split_once('+').and_then(|(name, rest)| {
            let (id, key) = rest.split_once('+')?;
            let is_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
            let is_key = !key.is_empty() && key.bytes().all(is_base64);
            (is_name(name) && is_hex(id, 8) && is_key).then_some((name, id, key))
        });
        let parts = parts.filter(|_| text.chars().count() <= MAX_VKEY);
        let (name, id, key) = parts.ok_or_else(|| not_one(&quoted(&shorten(text, 80))))?;
        let encoded = from_base64(key, "vkey").map_err(|error| not_one(&error.message))?;
        let (number, raw) = encoded
            .split_first()
            .ok_or_else(|| not_one("it is empty"))?;
        let roles = [Role::Log, Role::Cosigner];
        let role = roles.into_iter().find(|role| role.number() == *number);
        let (Some(role), Ok(raw)) = (role, <[u8; 32]>::try_from(raw)) else {
            let message = format!(
                "a vkey of type {number:#04x} with {} bytes is not taken",
                raw.len()
            );
            return Err(Error::new(Kind::UnsupportedKey, message).of("key"));
        };
        let key = PublicKey::from_ed25519(&raw).map_err(|error| error.at(name))?;
        let content = [name.as_bytes(), b"\n", &[*number], &raw].concat();
        let [a, b, c, d, ..] = sha256(&content);
        let result = Self {
            name: name.to_owned(),
            role,
            key,
            raw,
            id: [a, b, c, d],
        };
        if hex(&result.id) != id {
            let error = Error::new(Kind::KeyFormat, "the key id is not the one of name and key");
            return Err(error.at(shorten(text, 80)));
        }
        Ok(result)
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.chars().count())
        && name
            .chars()
            .all(|c| c != '+' && is_printable(c) && !c.is_whitespace())
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoteSignature {
    name: String,
    key_id: [u8; KEY_ID_BYTES],
    pub(super) signature: Vec<u8>,
}

impl NoteSignature {
    fn read(line: &str, place: &str) -> Result<Self, Error> {
        let malformed = |message: &str| {
            Error::new(Kind::Malformed, message)
                .at(place)
                .of("log.format")
        };
        let (name, content) = line
            .strip_prefix(DASH)
            .and_then(|rest| rest.split_once(' '))
            .filter(|(name, content)| is_name(name) && !content.contains(' '))
            .ok_or_else(|| malformed("not a signature line"))?;
        let content = from_base64(content, place).map_err(|error| error.of("log.format"))?;
        match content.split_first_chunk() {
            Some((key_id, signature)) if !signature.is_empty() => Ok(Self {
                name: name.to_owned(),
                key_id: *key_id,
                signature: signature.to_vec(),
            }),
            _ => Err(malformed("a signature line is too short")),
        }
    }
}

/// A parsed note. No signature is checked.
#[derive(Debug, Clone)]
pub(super) struct Note {
    /// With its final newline.
    pub(super) text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    pub(super) fn read(untrusted: &[u8], place: &str) -> Result<Self, Error> {
        let refused =
            |kind: Kind, message: String| Error::new(kind, message).at(place).of("log.format");
        if untrusted.len() > MAX_NOTE {
            let found = untrusted.len();
            let message = format!("{found} bytes; a note has at most {MAX_NOTE}");
            return Err(refused(Kind::Oversize, message));
        }
        let content = core::str::from_utf8(untrusted)
            .map_err(|_| refused(Kind::Malformed, "not UTF-8".to_owned()))?;
        let is_control = |c: char| c < ' ' && c != '\n';
        let (text, lines) = content
            .rsplit_once("\n\n")
            .filter(|(text, _)| !text.is_empty() && !content.contains(is_control))
            .and_then(|(text, lines)| Some((text, lines.strip_suffix('\n')?)))
            .ok_or_else(|| refused(Kind::Malformed, "not a signed note".to_owned()))?;
        let lines: Vec<&str> = lines.split('\n').collect();
        if lines.len() > MAX_SIGNATURES {
            let message = format!("more than {MAX_SIGNATURES} signatures");
            return Err(refused(Kind::Oversize, message));
        }
        let signatures = lines.iter().map(|line| NoteSignature::read(line, place));
        Ok(Self {
            text: format!("{text}\n"),
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }

    /// The signature lines that carry name and id of one of these keys; a line that is repeated costs nothing.
    pub(super) fn by<'a>(&'a self, keys: &[&'a NoteKey]) -> Vec<(&'a NoteKey, &'a NoteSignature)> {
        let mut found: Vec<(&NoteKey, &NoteSignature)> = Vec::new();
        for line in &self.signatures {
            let is_its = |key: &&&NoteKey| key.name == line.name && key.id == line.key_id;
            let key = keys.iter().rev().find(is_its);
            if let Some(key) = key
                && !found.iter().any(|(_, earlier)| *earlier == line)
            {
                found.push((key, line));
            }
        }
        found
    }
}
