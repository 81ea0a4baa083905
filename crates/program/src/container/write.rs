//! Writes a file that the reader of this crate, and any reader of safetensors, accepts.

use super::{PROGRAM, VKEY, dtype_name, encode_aliases, wide};
use crate::constant::{ConstData, Dtype};
use crate::graph::{ConstKind, Graph};
use crate::merkle::{Hash, hex};
use std::collections::BTreeMap;

/// What [`write`] stores.
pub(crate) struct Content<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) graph_bytes: &'a [u8],
    pub(crate) constants: &'a [Option<ConstData>],
    pub(crate) salt: Option<&'a Hash>,
    pub(crate) aliases: &'a BTreeMap<String, String>,
    /// Makes it a verification key.
    pub(crate) weight_root: Option<&'a Hash>,
}

struct Tensor {
    name: String,
    dtype: &'static str,
    shape: String,
    bytes: Vec<u8>,
}

/// Writes the file: widest elements first, so that every tensor is aligned when mapped.
pub(crate) fn write(content: &Content<'_>) -> Vec<u8> {
    let tensors = tensors(content);
    let mut members = vec![format!("\"__metadata__\":{}", metadata(content))];
    let mut begin = 0_usize;
    for Tensor {
        name,
        dtype,
        shape,
        bytes,
    } in &tensors
    {
        let end = begin.saturating_add(bytes.len());
        members.push(format!(
            "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{shape}],\"data_offsets\":[{begin},{end}]}}"
        ));
        begin = end;
    }
    let mut header = object(&members).into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = Vec::with_capacity(header.len().saturating_add(begin).saturating_add(8));
    file.extend_from_slice(&wide(header.len()).to_le_bytes());
    file.extend_from_slice(&header);
    for tensor in &tensors {
        file.extend_from_slice(&tensor.bytes);
    }
    file
}

fn tensors(content: &Content<'_>) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for dtype in [Dtype::I32, Dtype::I16, Dtype::I8] {
        let constants = content
            .graph
            .consts
            .iter()
            .zip(content.constants)
            .enumerate();
        for (id, (info, elements)) in constants {
            let is_hidden = content.weight_root.is_some() && info.kind == ConstKind::Weight;
            let Some(elements) = elements
                .as_ref()
                .filter(|_| info.dtype == dtype && !is_hidden)
            else {
                continue;
            };
            let mut bytes = Vec::new();
            elements.write_le(0, elements.len(), &mut bytes);
            let shape: Vec<String> = info.shape.iter().map(ToString::to_string).collect();
            let (name, dtype, shape) = (format!("c{id}"), dtype_name(dtype), shape.join(","));
            tensors.push(Tensor {
                name,
                dtype,
                shape,
                bytes,
            });
        }
    }
    if let Some(salt) = content.salt.filter(|_| content.weight_root.is_none()) {
        let (name, shape) = ("salt".to_owned(), "32".to_owned());
        tensors.push(Tensor {
            name,
            dtype: "U8",
            shape,
            bytes: salt.to_vec(),
        });
    }
    tensors
}

fn metadata(content: &Content<'_>) -> String {
    let format = if content.weight_root.is_some() {
        VKEY
    } else {
        PROGRAM
    };
    let mut members = Vec::new();
    if !content.aliases.is_empty() {
        members.push(format!(
            "\"aliases\":{}",
            quote(&encode_aliases(content.aliases))
        ));
    }
    members.push(format!("\"format\":\"{format}\""));
    members.push(format!("\"graph\":{}", quote(content.graph_bytes)));
    if let Some(root) = content.weight_root {
        members.push(format!("\"weight_root\":\"{}\"", hex(root)));
    }
    object(&members)
}

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

/// A JSON string around text that is plain ASCII.
fn quote(text: &[u8]) -> String {
    format!("\"{}\"", String::from_utf8_lossy(text).replace('"', "\\\""))
}
