//! JSON without floats, booleans and null, and its one canonical form.
//!
//! Spec: spec/v1/program.md, section 3. A parser of its own, because the usual ones keep the last
//! of two equal keys and round large integers, and either would let two readers see two graphs.

use crate::error::checks;
use std::collections::BTreeMap;

/// Largest magnitude of an integer, `2^53`.
pub const INT_LIMIT: i64 = 9_007_199_254_740_992;

checks! {
    /// Why text is not acceptable JSON; offsets are in bytes.
    pub enum JsonError {
        /// Something else stands where a token must stand.
        #[error("expected {expected} at byte {offset}")]
        Syntax {
            /// Byte offset.
            offset: usize,
            /// Token.
            expected: &'static str,
        },
        /// Nesting is too deep.
        #[error("nesting exceeds {limit} at byte {offset}")]
        Depth {
            /// Byte offset.
            offset: usize,
            /// Accepted.
            limit: usize,
        },
        /// An object has a key twice.
        #[error("duplicate key {key:?} before byte {offset}")]
        DuplicateKey {
            /// Byte offset.
            offset: usize,
            /// The key.
            key: String,
        },
        /// A number has a fraction or an exponent, or exceeds `2^53`.
        #[error("number at byte {offset} is no integer of at most 53 bits")]
        Number {
            /// Byte offset.
            offset: usize,
        },
        /// A string is not UTF-8, or has an escape that is not accepted.
        #[error("string at byte {offset} is malformed")]
        Text {
            /// Byte offset.
            offset: usize,
        },
        /// Valid, but not written in the canonical form.
        #[error("not in canonical form from byte {offset}")]
        NotCanonical {
            /// First byte that differs.
            offset: usize,
        },
    }
}

/// A parsed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Integer in `[-2^53, 2^53]`.
    Int(i64),
    /// String.
    Text(String),
    /// List.
    List(Vec<Value>),
    /// Object; its keys are unique.
    Object(BTreeMap<String, Value>),
}

/// Parses JSON, white space and escapes included.
///
/// # Errors
/// Any [`JsonError`] except `NotCanonical`.
pub fn parse(text: &[u8], max_depth: usize) -> Result<Value, JsonError> {
    let mut parser = Parser {
        text,
        offset: 0,
        depth: 0,
        max_depth,
    };
    let value = parser.value()?;
    parser.skip_space();
    if parser.peek().is_some() {
        return Err(parser.expected("the end"));
    }
    Ok(value)
}

/// Parses and refuses text that is not the canonical form of what it says.
///
/// # Errors
/// Any [`JsonError`].
pub fn parse_canonical(text: &[u8], max_depth: usize) -> Result<Value, JsonError> {
    let value = parse(text, max_depth)?;
    let canonical = encode(&value);
    if canonical == text {
        return Ok(value);
    }
    let common = canonical
        .iter()
        .zip(text)
        .take_while(|(a, b)| a == b)
        .count();
    Err(JsonError::NotCanonical { offset: common })
}

/// Writes the canonical form.
///
/// A string outside printable ASCII has none; it is written with `?`, so that no text equals it.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Int(i) => out.extend_from_slice(i.to_string().as_bytes()),
        Value::Text(text) => write_text(text, out),
        Value::List(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (i, (key, item)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                write(item, out);
            }
            out.push(b'}');
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend(text.bytes().map(|b| if is_plain(b) { b } else { b'?' }));
    out.push(b'"');
}

/// Whether a byte stands for itself in a canonical string.
pub fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

struct Parser<'a> {
    text: &'a [u8],
    offset: usize,
    depth: usize,
    max_depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.offset).copied()
    }

    fn advance(&mut self) {
        self.offset = self.offset.saturating_add(1);
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.advance();
        }
    }

    const fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::Syntax {
            offset: self.offset,
            expected,
        }
    }

    /// Consumes `byte`, after white space, if it is next.
    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        if found {
            self.advance();
        }
        found
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            _ => Err(self.expected("an integer, a string, a list or an object")),
        }
    }

    fn nested(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<Value, JsonError>,
    ) -> Result<Value, JsonError> {
        if self.depth >= self.max_depth {
            return Err(JsonError::Depth {
                offset: self.offset,
                limit: self.max_depth,
            });
        }
        self.depth = self.depth.saturating_add(1);
        self.advance();
        let value = inner(self)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, JsonError> {
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.eat(b']') {
                return Ok(Value::List(items));
            }
            if !self.eat(b',') {
                return Err(self.expected("',' or ']'"));
            }
        }
    }

    fn object(&mut self) -> Result<Value, JsonError> {
        let mut members = BTreeMap::new();
        if self.eat(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            if !self.eat(b':') {
                return Err(self.expected("':'"));
            }
            let value = self.value()?;
            if members.insert(key.clone(), value).is_some() {
                return Err(JsonError::DuplicateKey {
                    offset: self.offset,
                    key,
                });
            }
            if self.eat(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.expected("',' or '}'"));
            }
        }
    }

    fn integer(&mut self) -> Result<Value, JsonError> {
        let start = self.offset;
        let negative = self.peek() == Some(b'-');
        if negative {
            self.advance();
        }
        let first_digit = self.offset;
        let mut magnitude: i64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            let digit = i64::from(digit.wrapping_sub(b'0'));
            magnitude = magnitude.saturating_mul(10).saturating_add(digit);
            self.advance();
        }
        let leading_zero = self.text.get(first_digit) == Some(&b'0')
            && self.offset > first_digit.saturating_add(1);
        let is_float = matches!(self.peek(), Some(b'.' | b'e' | b'E'));
        if self.offset == first_digit || leading_zero || is_float || magnitude > INT_LIMIT {
            return Err(JsonError::Number { offset: start });
        }
        Ok(Value::Int(if negative {
            magnitude.saturating_neg()
        } else {
            magnitude
        }))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.offset;
        if self.peek() != Some(b'"') {
            return Err(self.expected("a string"));
        }
        self.advance();
        let malformed = JsonError::Text { offset: start };
        let mut bytes = Vec::new();
        loop {
            let byte = self.peek().ok_or_else(|| malformed.clone())?;
            self.advance();
            match byte {
                b'"' => return String::from_utf8(bytes).ok().ok_or(malformed),
                b'\\' => {
                    let c = self.escape().ok_or_else(|| malformed.clone())?;
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..=0x1f => return Err(malformed),
                _ => bytes.push(byte),
            }
        }
    }

    /// What stands after a backslash. Surrogates are refused: nothing here needs them.
    fn escape(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.advance();
        match byte {
            b'"' | b'\\' | b'/' => Some(char::from(byte)),
            b'b' => Some('\u{8}'),
            b'f' => Some('\u{c}'),
            b'n' => Some('\n'),
            b'r' => Some('\r'),
            b't' => Some('\t'),
            b'u' => {
                let mut code = 0_u32;
                for _ in 0..4 {
                    let digit = char::from(self.peek()?).to_digit(16)?;
                    code = code.saturating_mul(16).saturating_add(digit);
                    self.advance();
                }
                char::from_u32(code)
            }
            _ => None,
        }
    }
}
