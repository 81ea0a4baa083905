//! `*.post.json`: the file of a post.
//!
//! Spec: spec/v1/post.md, section 3.

use crate::bundle::MAX_BYTES as MAX_RECEIPT;
use crate::canonical;
use crate::commitment::{Tensors, tensors_from_bytes};
use crate::error::{Error, Kind};
use crate::members::Members;
use crate::post::template::MAX_TEMPLATE;
use crate::text::from_base64;

const MAX_POST: usize = 24 << 20;
const MAX_OUTPUT: usize = 1 << 20;
const MAX_TEXT: usize = 64 * 1024;
const VERSION: &str = "veridical-post/v1";

/// A parsed post. Nothing in it is checked.
pub(super) struct Post {
    pub(super) receipt_id: String,
    /// Which bytes of the filled text the post is.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) text: Vec<u8>,
    pub(super) template: Vec<u8>,
    pub(super) output: Vec<u8>,
    /// The same, parsed.
    pub(super) outputs: Tensors,
    /// The bundle; empty if the reader is to have it.
    pub(super) receipt: Vec<u8>,
}

impl Post {
    pub(super) fn read(untrusted: &[u8]) -> Result<Self, Error> {
        const NAMES: [&str; 7] = [
            "excerpt",
            "output",
            "receipt",
            "receipt_id",
            "template",
            "text",
            "version",
        ];
        let value = canonical::decode(untrusted, MAX_POST, "post")?;
        let members = Members::new(&value, &NAMES, "post")?;
        members.literal("version", VERSION)?;
        let bounds = members.value("excerpt")?;
        let bounds = Members::new(bounds, &["end", "start"], "post.excerpt")?;
        let (start, end) = (bounds.count("start")?, bounds.count("end")?);
        if start >= end {
            return Err(members.refuse("excerpt", "an excerpt begins before it ends"));
        }
        let receipt_id = members.digest("receipt_id")?.to_owned();
        let required = |name: &str, limit: usize| {
            let content = blob(&members, name, limit)?;
            if content.is_empty() {
                return Err(members.refuse(name, "is empty"));
            }
            Ok(content)
        };
        let text = required("text", MAX_TEXT)?;
        let template = required("template", MAX_TEMPLATE)?;
        let output = required("output", MAX_OUTPUT)?;
        let receipt = blob(&members, "receipt", MAX_RECEIPT)?;
        require_text(&text, "post.text")?;
        Ok(Self {
            outputs: tensors_from_bytes(&output, "post.output")?,
            receipt_id,
            start,
            end,
            text,
            template,
            output,
            receipt,
        })
    }
}

/// Returns if a text is one that a post can have.
pub(super) fn require_text(text: &[u8], place: &str) -> Result<(), Error> {
    if !(1..=MAX_TEXT).contains(&text.len()) {
        let message = format!("a text has 1 to {MAX_TEXT} bytes");
        return Err(Error::field(message, place));
    }
    core::str::from_utf8(text).map(drop).map_err(|error| {
        let place = format!("{place}, byte {}", error.valid_up_to());
        Error::field("not UTF-8", place)
    })
}

fn blob(members: &Members<'_>, name: &str, limit: usize) -> Result<Vec<u8>, Error> {
    let place = members.place(name);
    let content = from_base64(members.long_text(name, MAX_POST)?, &place)?;
    if content.len() > limit {
        let message = format!("{} bytes; at most {limit} are allowed", content.len());
        return Err(Error::new(Kind::Oversize, message).at(place).of("size"));
    }
    Ok(content)
}
