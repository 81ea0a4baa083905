//! Typed reading of parsed objects: exactly the listed members, each of its type and range.
//!
//! Spec: spec/v1/receipt.md, sections 4 to 6.

use crate::canonical::{Object, Value};
use crate::error::Error;
use crate::text::{is_digest, quoted, shorten};

/// Characters of a string, where nothing else is said.
pub(crate) const MAX_TEXT: usize = 256;
const MAX_KEY: usize = 64;

/// The value if it is an object.
pub(crate) fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Object, Error> {
    match value {
        Value::Object(members) => Ok(members),
        Value::Integer(_) | Value::Text(_) | Value::List(_) => {
            Err(Error::field("expected an object", place))
        }
    }
}

/// One object with exactly the expected members.
pub(crate) struct Members<'a> {
    members: &'a Object,
    place: String,
}

impl<'a> Members<'a> {
    pub(crate) fn new(
        value: &'a Value,
        expected: &[&str],
        place: impl Into<String>,
    ) -> Result<Self, Error> {
        let place = place.into();
        let members = object(value, &place)?;
        if let Some(name) = expected.iter().find(|name| !members.contains_key(**name)) {
            let message = format!("member {} is missing", quoted(name));
            return Err(Error::field(message, place));
        }
        if let Some(name) = members
            .keys()
            .find(|name| !expected.contains(&name.as_str()))
        {
            let message = format!("member {} is unknown", quoted(&shorten(name, 64)));
            return Err(Error::field(message, place));
        }
        Ok(Self { members, place })
    }

    /// Path of a member, for messages.
    pub(crate) fn place(&self, name: &str) -> String {
        format!("{}.{name}", self.place)
    }

    /// The error for a member that is out of range.
    pub(crate) fn refuse(&self, name: &str, message: impl Into<String>) -> Error {
        Error::field(message, self.place(name))
    }

    /// A member as it was parsed.
    pub(crate) fn value(&self, name: &str) -> Result<&'a Value, Error> {
        let missing = || self.refuse(name, "missing");
        self.members.get(name).ok_or_else(missing)
    }

    /// A string of at most 256 characters.
    pub(crate) fn text(&self, name: &str) -> Result<&'a str, Error> {
        self.long_text(name, MAX_TEXT)
    }

    /// A string.
    pub(crate) fn long_text(&self, name: &str, limit: usize) -> Result<&'a str, Error> {
        match self.value(name)? {
            Value::Text(text) if text.len() <= limit => Ok(text),
            Value::Text(_) | Value::Integer(_) | Value::List(_) | Value::Object(_) => {
                let message = format!("expected a string of at most {limit} characters");
                Err(self.refuse(name, message))
            }
        }
    }

    /// A string that has one allowed value in this version.
    pub(crate) fn literal(&self, name: &str, expected: &str) -> Result<(), Error> {
        match self.value(name)? {
            Value::Text(text) if text == expected => Ok(()),
            found => {
                let found = match found {
                    Value::Text(text) => quoted(text),
                    Value::Integer(_) | Value::List(_) | Value::Object(_) => {
                        found.to_json().to_string()
                    }
                };
                let found = shorten(&found, 80);
                let message = format!("expected {}, found {found}", quoted(expected));
                Err(self.refuse(name, message))
            }
        }
    }

    /// A `sha256:hex` string.
    pub(crate) fn digest(&self, name: &str) -> Result<&'a str, Error> {
        let text = self.text(name)?;
        if is_digest(text) {
            return Ok(text);
        }
        let message = format!("not a digest: {}", quoted(&shorten(text, 90)));
        Err(self.refuse(name, message))
    }

    /// The same, or an empty string.
    pub(crate) fn optional_digest(&self, name: &str) -> Result<&'a str, Error> {
        match self.text(name)? {
            "" => Ok(""),
            _ => self.digest(name),
        }
    }

    /// An integer that is at least 0.
    pub(crate) fn count(&self, name: &str) -> Result<u64, Error> {
        let count = match self.value(name)? {
            Value::Integer(integer) => u64::try_from(*integer).ok(),
            Value::Text(_) | Value::List(_) | Value::Object(_) => None,
        };
        count.ok_or_else(|| self.refuse(name, "expected an integer of at least 0"))
    }

    /// A list.
    pub(crate) fn items(&self, name: &str, limit: usize) -> Result<&'a [Value], Error> {
        match self.value(name)? {
            Value::List(items) if items.len() <= limit => Ok(items),
            Value::List(_) | Value::Integer(_) | Value::Text(_) | Value::Object(_) => {
                Err(self.refuse(name, format!("expected a list of at most {limit} items")))
            }
        }
    }

    /// An object whose keys are free.
    pub(crate) fn mapping(&self, name: &str, limit: usize) -> Result<&'a Object, Error> {
        let members = object(self.value(name)?, &self.place(name))?;
        let is_short = |key: &String| (1..=MAX_KEY).contains(&key.len());
        if members.len() <= limit && members.keys().all(is_short) {
            return Ok(members);
        }
        Err(self.refuse(name, format!("expected at most {limit} short keys")))
    }
}
