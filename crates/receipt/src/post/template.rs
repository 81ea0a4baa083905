//! Templates: fixed words, and fields that an output fills.
//!
//! Spec: spec/v1/post.md, section 4.

use std::collections::BTreeMap;

use crate::commitment::digest_of;
use crate::error::{Error, Kind};
use crate::text::{quoted, shorten};

/// Bytes of a template.
pub(super) const MAX_TEMPLATE: usize = 64 * 1024;
const MAX_FIELDS: usize = 1024;
const MAX_LABELS: usize = 4096;
const MAX_LABEL_BYTES: usize = 256;
const MAX_LIST_NAME: usize = 32;
const MAX_TENSOR_NAME: usize = 128;
const MAX_INDICES: usize = 9;
const MAX_INDEX_DIGITS: usize = 10;
const VERSION: &str = "veridical-template/v1";

/// Where an element stands: indices, and whether the last one is the place of the largest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) tensor: String,
    pub(super) index: Vec<u64>,
    pub(super) is_of_largest: bool,
}

/// What an output fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Receipt,
    Model,
    /// The element, times 1 or 100, with so many decimals.
    Number {
        place: Place,
        factor: u8,
        decimals: u8,
    },
    /// The label whose number is the element.
    Label {
        labels: String,
        place: Place,
    },
    /// The label whose number is the place of the largest element.
    Largest {
        labels: String,
        place: Place,
    },
}

/// Fixed words, or a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Words(String),
    Field(Field),
}

/// A parsed template.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) labels: BTreeMap<String, Vec<String>>,
    pub(super) pieces: Vec<Piece>,
}

/// The digest of a template's bytes, whether they are a template or not.
pub(super) fn template_digest(content: &[u8]) -> String {
    digest_of("veridical.template.v1", content)
}

fn refuse(message: impl Into<String>, place: impl Into<String>) -> Error {
    Error::new(Kind::Post, message)
        .at(place)
        .of("post.template")
}

impl Template {
    pub(super) fn read(untrusted: &[u8]) -> Result<Self, Error> {
        if untrusted.len() > MAX_TEMPLATE {
            let found = untrusted.len();
            let message = format!("{found} bytes; at most {MAX_TEMPLATE} are allowed");
            return Err(refuse(message, "template"));
        }
        let text = core::str::from_utf8(untrusted)
            .map_err(|error| refuse("not UTF-8", format!("byte {}", error.valid_up_to())))?;
        if let Some(character) = text.chars().find(|character| is_refused(*character)) {
            let code = u32::from(character);
            return Err(refuse(
                format!("character U+{code:04X} is not allowed"),
                "template",
            ));
        }
        let (labels, body) = head(text)?;
        Ok(Self {
            pieces: pieces(body, &labels)?,
            labels,
        })
    }
}

/// Control characters but LF and TAB, and those that change the direction of writing.
const fn is_refused(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{8}'
            | '\u{b}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// The lists of labels, and the body.
fn head(text: &str) -> Result<(BTreeMap<String, Vec<String>>, &str), Error> {
    let mut rest = text;
    let mut number = 0_usize;
    let mut line = || {
        number = number.saturating_add(1);
        let (line, after) = rest.split_once('\n').ok_or_else(|| {
            let message = "the template ends before the line 'text'";
            refuse(message, format!("line {number}"))
        })?;
        rest = after;
        Ok::<_, Error>((line, after, format!("line {number}")))
    };
    if line()?.0 != VERSION {
        let message = format!("the first line is not {}", quoted(VERSION));
        return Err(refuse(message, "line 1"));
    }
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut total = 0_usize;
    loop {
        let (head, after, place) = line()?;
        if head == "text" {
            return Ok((labels, after.strip_suffix('\n').unwrap_or(after)));
        }
        let (name, count) = list_of(head)
            .ok_or_else(|| refuse("expected 'labels NAME COUNT' or 'text'", place.clone()))?;
        if labels.contains_key(name) {
            return Err(refuse(format!("list {} stands twice", quoted(name)), place));
        }
        total = total.saturating_add(count);
        if total > MAX_LABELS {
            return Err(refuse(format!("more than {MAX_LABELS} labels"), place));
        }
        let mut members = Vec::new();
        for _ in 0..count {
            let (label, _, place) = line()?;
            if !(1..=MAX_LABEL_BYTES).contains(&label.len()) {
                let message = format!("a label has 1 to {MAX_LABEL_BYTES} bytes");
                return Err(refuse(message, place));
            }
            members.push(label.to_owned());
        }
        labels.insert(name.to_owned(), members);
    }
}

/// Name and length of a list of labels.
fn list_of(line: &str) -> Option<(&str, usize)> {
    let (name, count) = line.strip_prefix("labels ")?.split_once(' ')?;
    let mut bytes = name.bytes();
    let is_name = bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.len() <= MAX_LIST_NAME;
    let is_count = (1..=4).contains(&count.len())
        && count.bytes().all(|b| b.is_ascii_digit())
        && !count.starts_with('0');
    let count = count.parse().ok()?;
    (is_name && is_count).then_some((name, count))
}

fn pieces(body: &str, labels: &BTreeMap<String, Vec<String>>) -> Result<Vec<Piece>, Error> {
    let mut pieces = Vec::new();
    let mut fields = 0_usize;
    let mut rest = body;
    while let Some(brace) = rest.find(['{', '}']) {
        let (words, after) = rest.split_at_checked(brace).unwrap_or_default();
        if !words.is_empty() {
            pieces.push(Piece::Words(words.to_owned()));
        }
        let doubled = [("{{", "{"), ("}}", "}")];
        let escape = doubled.into_iter().find(|(two, _)| after.starts_with(two));
        if let Some((two, one)) = escape {
            pieces.push(Piece::Words(one.to_owned()));
            rest = after.strip_prefix(two).unwrap_or_default();
            continue;
        }
        let field = after
            .strip_prefix('{')
            .and_then(|field| field.split_once('}'));
        let Some((field, after)) = field else {
            let consumed = body.len().saturating_sub(after.len());
            let position = body.get(..consumed).unwrap_or_default().chars().count();
            let message = "a brace without its pair";
            return Err(refuse(message, format!("body, character {position}")));
        };
        fields = fields.saturating_add(1);
        if fields > MAX_FIELDS {
            return Err(refuse(format!("more than {MAX_FIELDS} fields"), "template"));
        }
        let place = format!("field {{{}}}", shorten(field, 80));
        pieces.push(Piece::Field(read_field(field, labels, &place)?));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Words(rest.to_owned()));
    }
    Ok(pieces)
}

fn read_field(
    text: &str,
    labels: &BTreeMap<String, Vec<String>>,
    place: &str,
) -> Result<Field, Error> {
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["receipt"] => Ok(Field::Receipt),
        ["model"] => Ok(Field::Model),
        [kind @ ("number" | "percent"), tensor, index, decimals] => {
            let mut digits = decimals.bytes();
            let decimals = match (digits.next(), digits.next()) {
                (Some(digit @ b'0'..=b'9'), None) => digit.wrapping_sub(b'0'),
                _ => return Err(refuse("decimals are a digit, 0 to 9", place)),
            };
            Ok(Field::Number {
                place: read_place(tensor, index, place)?,
                factor: if *kind == "percent" { 100 } else { 1 },
                decimals,
            })
        }
        [kind @ ("label" | "largest"), name, tensor, index] => {
            if !labels.contains_key(*name) {
                let name = quoted(&shorten(name, 40));
                return Err(refuse(format!("no list of labels {name}"), place));
            }
            let labels = (*name).to_owned();
            let read = read_place(tensor, index, place)?;
            match (*kind, read.is_of_largest) {
                ("label", _) => Ok(Field::Label {
                    labels,
                    place: read,
                }),
                (_, true) => Ok(Field::Largest {
                    labels,
                    place: read,
                }),
                (_, false) => Err(refuse("the last index of 'largest' is '*'", place)),
            }
        }
        _ => Err(refuse("no such field", place)),
    }
}

fn read_place(tensor: &str, index: &str, place: &str) -> Result<Place, Error> {
    let is_plain = |b: u8| matches!(b, 0x21..=0x7e) && !matches!(b, b'{' | b'}');
    if !(1..=MAX_TENSOR_NAME).contains(&tensor.len()) || !tensor.bytes().all(is_plain) {
        return Err(refuse("not the name of an output", place));
    }
    let no_list = || refuse("not a list of 1 to 9 indices", place);
    let mut words: Vec<&str> = index.split(',').collect();
    if words.len() > MAX_INDICES {
        return Err(no_list());
    }
    let is_of_largest = words.last() == Some(&"*");
    if is_of_largest {
        words.pop();
    }
    let mut index = Vec::new();
    for word in words {
        let is_shortest = word == "0" || !word.starts_with('0');
        let is_number = (1..=MAX_INDEX_DIGITS).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_digit());
        let number = word.parse().ok().filter(|_| is_shortest && is_number);
        index.push(number.ok_or_else(no_list)?);
    }
    if index
        .iter()
        .any(|index: &u64| u32::try_from(*index).is_err())
    {
        return Err(refuse("an index is 2^32 or more", place));
    }
    Ok(Place {
        tensor: tensor.to_owned(),
        index,
        is_of_largest,
    })
}
