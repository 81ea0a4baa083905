//! The safetensors file of a program or of a verification key.
//!
//! Spec: spec/v1/program.md, section 2. The header is read by the strict parser of this crate: the
//! usual readers keep the last of two equal keys, so two of them could see two programs.

mod read;
mod write;

pub(crate) use read::Container;
pub(crate) use write::{Content, write};

use crate::constant::Dtype;
use crate::error::ContainerError;
use crate::json::{self, Value};
use std::collections::BTreeMap;

/// Largest file.
pub const MAX_FILE_BYTES: u64 = 8 << 30;
/// Largest header.
pub const MAX_HEADER_BYTES: u64 = 64 << 20;

const PROGRAM: &str = "veridical-program/1";
const VKEY: &str = "veridical-vkey/1";

/// Writes the canonical JSON of aliases.
pub(crate) fn encode_aliases(aliases: &BTreeMap<String, String>) -> Vec<u8> {
    let members = aliases
        .iter()
        .map(|(k, v)| (k.clone(), Value::Text(v.clone())));
    json::encode(&Value::Object(members.collect()))
}

/// Reads the canonical JSON of aliases.
pub(crate) fn parse_aliases(source: &str) -> Result<BTreeMap<String, String>, ContainerError> {
    let value = json::parse_canonical(source.as_bytes(), 1).map_err(ContainerError::Aliases)?;
    let string = |(key, value)| match value {
        Value::Text(value) => Ok((key, value)),
        Value::Int(_) | Value::List(_) | Value::Object(_) => Err(ContainerError::AliasForm { key }),
    };
    object(value, "aliases")?.into_iter().map(string).collect()
}

const fn dtype_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::I8 => "I8",
        Dtype::I16 => "I16",
        Dtype::I32 => "I32",
    }
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn object(value: Value, path: &str) -> Result<BTreeMap<String, Value>, ContainerError> {
    match value {
        Value::Object(members) => Ok(members),
        Value::Int(_) | Value::Text(_) | Value::List(_) => Err(ContainerError::Form {
            path: path.to_owned(),
            expected: "an object",
        }),
    }
}
