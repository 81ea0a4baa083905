//! Cuts a file into its parts without looking at what they mean.

use super::{MAX_FILE_BYTES, MAX_HEADER_BYTES, PROGRAM, VKEY};
use super::{dtype_name, object, parse_aliases, wide};
use crate::constant::ConstData;
use crate::error::ContainerError;
use crate::graph::{ConstInfo, ConstKind, Graph};
use crate::json::{self, Value};
use crate::merkle::Hash;
use std::collections::BTreeMap;

const HEADER_DEPTH: usize = 3;

/// A file whose container is well formed; what it holds is unchecked.
pub(crate) struct Container<'a> {
    /// Weight root of a verification key; `None` for a program.
    pub(crate) weight_root: Option<Hash>,
    pub(crate) graph: String,
    pub(crate) aliases: BTreeMap<String, String>,
    tensors: BTreeMap<String, Stored<'a>>,
}

struct Stored<'a> {
    dtype: String,
    shape: Vec<i64>,
    bytes: &'a [u8],
}

impl<'a> Container<'a> {
    /// Reads the header and cuts the data; nothing is left over.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, ContainerError> {
        let actual = wide(file.len());
        if actual > MAX_FILE_BYTES {
            return Err(ContainerError::FileSize {
                actual,
                limit: MAX_FILE_BYTES,
            });
        }
        let truncated = |expected| ContainerError::Truncated { expected, actual };
        let (length, rest) = file.split_first_chunk::<8>().ok_or_else(|| truncated(8))?;
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER_BYTES {
            let limit = MAX_HEADER_BYTES;
            return Err(ContainerError::HeaderSize {
                actual: length,
                limit,
            });
        }
        let cut = usize::try_from(length)
            .ok()
            .and_then(|n| rest.split_at_checked(n));
        let (header, data) = cut.ok_or_else(|| truncated(length.saturating_add(8)))?;
        let header = json::parse(unpadded(header)?, HEADER_DEPTH).map_err(ContainerError::Json)?;
        let mut header = object(header, "the header")?;
        let metadata = take(&mut header, "the header", "__metadata__")?;
        let mut container = Self::metadata(object(metadata, "__metadata__")?)?;
        container.tensors = cut_data(header, data)?;
        Ok(container)
    }

    fn metadata(mut metadata: BTreeMap<String, Value>) -> Result<Self, ContainerError> {
        let path = "__metadata__";
        let mut string = |key| text(take(&mut metadata, path, key)?, key);
        let format = string("format")?;
        let graph = string("graph")?;
        let weight_root = match format.as_str() {
            PROGRAM => None,
            VKEY => Some(hash(&string("weight_root")?).ok_or(ContainerError::WeightRootForm)?),
            _ => return Err(ContainerError::Format { actual: format }),
        };
        let aliases = match metadata.remove("aliases") {
            Some(value) => parse_aliases(&text(value, "aliases")?)?,
            None => BTreeMap::new(),
        };
        if let Some((key, _)) = metadata.pop_first() {
            return Err(ContainerError::UnknownKey {
                path: path.to_owned(),
                key,
            });
        }
        Ok(Self {
            weight_root,
            graph,
            aliases,
            tensors: BTreeMap::new(),
        })
    }

    /// Takes the constants that the graph declares, `None` for the weights of a verification key.
    pub(crate) fn constants(
        &mut self,
        graph: &Graph,
    ) -> Result<Vec<Option<ConstData>>, ContainerError> {
        let is_vkey = self.weight_root.is_some();
        let take = |(id, info): (usize, &ConstInfo)| {
            if is_vkey && info.kind == ConstKind::Weight {
                return Ok(None);
            }
            let shape: Vec<i64> = info
                .shape
                .iter()
                .map(|&n| i64::try_from(n).unwrap_or(i64::MAX))
                .collect();
            let stored = self.tensor(&format!("c{id}"), dtype_name(info.dtype), &shape)?;
            Ok(ConstData::from_le(info.dtype, stored))
        };
        graph.consts.iter().enumerate().map(take).collect()
    }

    /// Takes the salt that a salted program has.
    pub(crate) fn salt(&mut self, graph: &Graph) -> Result<Option<Hash>, ContainerError> {
        if !graph.salted || self.weight_root.is_some() {
            return Ok(None);
        }
        let bytes = self.tensor("salt", "U8", &[32])?;
        Ok(bytes.try_into().ok())
    }

    /// Ends the container: a tensor that the graph does not declare is an error.
    pub(crate) fn end(mut self) -> Result<(), ContainerError> {
        match self.tensors.pop_first() {
            None => Ok(()),
            Some((key, _)) => Err(ContainerError::UnknownKey {
                path: "the header".to_owned(),
                key,
            }),
        }
    }

    fn tensor(
        &mut self,
        name: &str,
        dtype: &str,
        shape: &[i64],
    ) -> Result<&'a [u8], ContainerError> {
        let stored = self
            .tensors
            .remove(name)
            .ok_or_else(|| ContainerError::MissingKey {
                path: "the header".to_owned(),
                key: name.to_owned(),
            })?;
        let declaration = |field, expected, actual| ContainerError::Declaration {
            name: name.to_owned(),
            field,
            expected,
            actual,
        };
        if stored.dtype != dtype {
            return Err(declaration("dtype", dtype.to_owned(), stored.dtype));
        }
        if stored.shape != shape {
            return Err(declaration(
                "shape",
                format!("{shape:?}"),
                format!("{:?}", stored.shape),
            ));
        }
        let width = match dtype {
            "I32" => 4,
            "I16" => 2,
            _ => 1,
        };
        let count = shape.iter().map(|&n| u64::try_from(n).unwrap_or(u64::MAX));
        let expected = count.fold(width, u64::saturating_mul);
        let actual = wide(stored.bytes.len());
        if expected != actual {
            return Err(ContainerError::Length {
                name: name.to_owned(),
                expected,
                actual,
            });
        }
        Ok(stored.bytes)
    }
}

/// The header without the spaces that may follow its object; nothing may stand before it.
fn unpadded(header: &[u8]) -> Result<&[u8], ContainerError> {
    let end = header
        .iter()
        .rposition(|&b| b != b' ')
        .map_or(0, |last| last.saturating_add(1));
    match header.get(..end) {
        Some(object @ [b'{', .., b'}']) => Ok(object),
        _ => Err(ContainerError::HeaderEnds),
    }
}

/// Cuts the data along the offsets, which must follow each other from the first byte to the last.
fn cut_data(
    header: BTreeMap<String, Value>,
    data: &[u8],
) -> Result<BTreeMap<String, Stored<'_>>, ContainerError> {
    let mut entries = Vec::new();
    for (name, value) in header {
        let mut entry = object(value, &name)?;
        let dtype = text(take(&mut entry, &name, "dtype")?, &name)?;
        let shape = integers(take(&mut entry, &name, "shape")?, &name)?;
        let offsets = integers(take(&mut entry, &name, "data_offsets")?, &name)?;
        if let Some((key, _)) = entry.pop_first() {
            return Err(ContainerError::UnknownKey { path: name, key });
        }
        let form = || ContainerError::Form {
            path: format!("{name}.data_offsets"),
            expected: "two offsets",
        };
        let [begin, end] = *offsets.as_slice() else {
            return Err(form());
        };
        let begin = u64::try_from(begin).ok().ok_or_else(form)?;
        let end = u64::try_from(end).ok().ok_or_else(form)?;
        entries.push((begin, end, name, dtype, shape));
    }
    entries.sort_unstable_by_key(|entry| (entry.0, entry.1));
    let mut rest = data;
    let mut expected = 0_u64;
    let mut tensors = BTreeMap::new();
    for (begin, end, name, dtype, shape) in entries {
        if begin != expected {
            return Err(ContainerError::Offset {
                name,
                expected,
                actual: begin,
            });
        }
        let length = end.checked_sub(begin).and_then(|n| usize::try_from(n).ok());
        let Some((bytes, after)) = length.and_then(|n| rest.split_at_checked(n)) else {
            return Err(ContainerError::DataSize {
                expected: end,
                actual: wide(data.len()),
            });
        };
        (rest, expected) = (after, end);
        tensors.insert(
            name,
            Stored {
                dtype,
                shape,
                bytes,
            },
        );
    }
    if rest.is_empty() {
        return Ok(tensors);
    }
    Err(ContainerError::DataSize {
        expected,
        actual: wide(data.len()),
    })
}

/// 64 lower-case hex digits.
fn hash(hex: &str) -> Option<Hash> {
    let digit = |b: &u8| match b {
        b'0'..=b'9' => Some(b.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(b.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let digits: Vec<u8> = hex.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| (high << 4) | low).collect();
    bytes.try_into().ok().filter(|_| rest.is_empty())
}

fn take(
    object: &mut BTreeMap<String, Value>,
    path: &str,
    key: &str,
) -> Result<Value, ContainerError> {
    let missing = || ContainerError::MissingKey {
        path: path.to_owned(),
        key: key.to_owned(),
    };
    object.remove(key).ok_or_else(missing)
}

fn text(value: Value, path: &str) -> Result<String, ContainerError> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Int(_) | Value::List(_) | Value::Object(_) => Err(ContainerError::Form {
            path: path.to_owned(),
            expected: "a string",
        }),
    }
}

fn integers(value: Value, path: &str) -> Result<Vec<i64>, ContainerError> {
    let form = || ContainerError::Form {
        path: path.to_owned(),
        expected: "a list of integers",
    };
    let Value::List(items) = value else {
        return Err(form());
    };
    let integer = |item| match item {
        Value::Int(i) => Ok(i),
        Value::Text(_) | Value::List(_) | Value::Object(_) => Err(form()),
    };
    items.into_iter().map(integer).collect()
}
