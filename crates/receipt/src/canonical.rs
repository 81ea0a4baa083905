//! Canonical JSON: every value has one encoding, and the parser takes no other.
//!
//! Spec: spec/v1/receipt.md, section 2.

use std::collections::BTreeMap;

use crate::error::{Error, Kind};
use crate::text::{quoted, shorten};

/// The format uses 5 levels; the parser recurses once for each.
const MAX_DEPTH: usize = 8;
/// 16 envelopes of 16 pieces of evidence fill less than half of this.
const MAX_VALUES: usize = 4096;
/// Beyond it other readers round integers.
pub(crate) const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// Members of an object, in the order of their keys.
pub(crate) type Object = BTreeMap<String, Value>;

/// A parsed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// An integer of at most 53 bits.
    Integer(i64),
    /// Printable ASCII without quotes and backslashes.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Object(Object),
}

impl Value {
    /// The same for another writer of JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Integer(integer) => (*integer).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(key, member)| (key.clone(), member.to_json()))
                .collect(),
        }
    }
}

/// The one encoding of a parsed value.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    bytes
}

fn write(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Integer(integer) => bytes.extend(integer.to_string().bytes()),
        Value::Text(text) => write_text(text, bytes),
        Value::List(items) => {
            bytes.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    bytes.push(b',');
                }
                write(item, bytes);
            }
            bytes.push(b']');
        }
        Value::Object(members) => {
            bytes.push(b'{');
            for (i, (key, member)) in members.iter().enumerate() {
                if i > 0 {
                    bytes.push(b',');
                }
                write_text(key, bytes);
                bytes.push(b':');
                write(member, bytes);
            }
            bytes.push(b'}');
        }
    }
}

fn write_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.push(b'"');
    bytes.extend(text.bytes());
    bytes.push(b'"');
}

/// Parses one document; whatever it returns encodes to the same bytes again.
///
/// # Errors
/// By kind, with the byte offset.
pub(crate) fn decode(untrusted: &[u8], max_bytes: usize, place: &str) -> Result<Value, Error> {
    if untrusted.len() > max_bytes {
        let message = format!("{} bytes; at most {max_bytes} are allowed", untrusted.len());
        return Err(Error::new(Kind::Oversize, message).at(place).of("size"));
    }
    let mut parser = Parser {
        untrusted,
        place,
        offset: 0,
        values: 0,
    };
    let value = parser.value(0)?;
    match parser.rest().len() {
        0 => Ok(value),
        extra => Err(parser.error(
            Kind::TrailingBytes,
            format!("{extra} bytes after the end of the document"),
        )),
    }
}

struct Parser<'a> {
    untrusted: &'a [u8],
    place: &'a str,
    offset: usize,
    values: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.values = self.values.saturating_add(1);
        if self.values > MAX_VALUES {
            return Err(self.error(Kind::Oversize, format!("more than {MAX_VALUES} values")));
        }
        match self.peek() {
            Some(b'"') => Ok(Value::Text(self.text()?.to_owned())),
            Some(b'{' | b'[') if depth == MAX_DEPTH => {
                Err(self.error(Kind::Nesting, format!("nested deeper than {MAX_DEPTH}")))
            }
            Some(b'{') => self.object(depth.saturating_add(1)).map(Value::Object),
            Some(b'[') => self.list(depth.saturating_add(1)).map(Value::List),
            _ => self.integer().map(Value::Integer),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Object, Error> {
        let mut members = Object::new();
        self.advance(1);
        if self.skip(b'}') {
            return Ok(members);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key"));
            }
            let key = self.text()?;
            let shown = || quoted(&shorten(key, 64));
            if members.contains_key(key) {
                let message = format!("key {} stands twice", shown());
                return Err(self.error(Kind::DuplicateKey, message));
            }
            if members
                .last_key_value()
                .is_some_and(|(last, _)| key < last.as_str())
            {
                let message = format!("key {} is out of order", shown());
                return Err(self.error(Kind::NonCanonical, message));
            }
            if !self.skip(b':') {
                return Err(self.unexpected("':'"));
            }
            let member = self.value(depth)?;
            members.insert(key.to_owned(), member);
            if self.skip(b'}') {
                return Ok(members);
            }
            if !self.skip(b',') {
                return Err(self.unexpected("',' or '}'"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        self.advance(1);
        if self.skip(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth)?);
            if self.skip(b']') {
                return Ok(items);
            }
            if !self.skip(b',') {
                return Err(self.unexpected("',' or ']'"));
            }
        }
    }

    /// The string that starts here.
    fn text(&mut self) -> Result<&'a str, Error> {
        let rest = self.rest().get(1..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'"') else {
            return Err(self.error(Kind::Malformed, "a string does not end"));
        };
        let content = rest.get(..end).unwrap_or_default();
        let foreign = content
            .iter()
            .find(|byte| !(0x20..0x7f).contains(*byte) || **byte == b'\\');
        match foreign {
            Some(b'\\') => Err(self.error(Kind::NonCanonical, "a string has an escape")),
            Some(_) => Err(self.error(
                Kind::NonCanonical,
                "a string has a character outside printable ASCII",
            )),
            None => {
                let text = core::str::from_utf8(content);
                let text = text.map_err(|_| self.error(Kind::Malformed, "not text"))?;
                self.advance(end.saturating_add(2));
                Ok(text)
            }
        }
    }

    fn integer(&mut self) -> Result<i64, Error> {
        let rest = self.rest();
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest.get(sign..).unwrap_or_default();
        let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, after) = rest
            .split_at_checked(count.saturating_add(sign))
            .unwrap_or_default();
        if count == 0 && !matches!(rest.first(), Some(b'-' | b'+' | b'.')) {
            return Err(self.unexpected("a value"));
        }
        let is_shortest = matches!(count, 1..=16)
            && !(count > 1 && digits.first() == Some(&b'0'))
            && !matches!(after.first(), Some(b'.' | b'e' | b'E'));
        if !is_shortest {
            return Err(self.error(Kind::NonCanonical, "a number is not a shortest integer"));
        }
        let text = core::str::from_utf8(number).unwrap_or_default();
        match text.parse::<i64>() {
            Ok(value) if value.unsigned_abs() <= MAX_INTEGER.unsigned_abs() && text != "-0" => {
                self.advance(number.len());
                Ok(value)
            }
            _ => Err(self.error(
                Kind::NonCanonical,
                format!("integer {text} is out of range"),
            )),
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.untrusted.get(self.offset..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.untrusted.get(self.offset).copied()
    }

    const fn advance(&mut self, by: usize) {
        self.offset = self.offset.saturating_add(by);
    }

    fn skip(&mut self, token: u8) -> bool {
        let is_there = self.peek() == Some(token);
        self.advance(usize::from(is_there));
        is_there
    }

    fn unexpected(&self, expected: &str) -> Error {
        let Some(head) = self.peek() else {
            return self.error(Kind::Malformed, format!("ends early; expected {expected}"));
        };
        if matches!(head, b' ' | b'\t'..=b'\r') {
            return self.error(Kind::NonCanonical, "white space outside a string");
        }
        for word in ["true", "false", "null", "NaN", "Infinity"] {
            if self.rest().starts_with(word.as_bytes()) {
                return self.error(Kind::NonCanonical, format!("{word} is not a value here"));
            }
        }
        let head = head.escape_ascii();
        self.error(
            Kind::Malformed,
            format!("expected {expected}, found b'{head}'"),
        )
    }

    fn error(&self, kind: Kind, message: impl Into<String>) -> Error {
        Error::new(kind, message)
            .at(format!("{}, byte {}", self.place, self.offset))
            .of("encoding")
    }
}
