//! Commitments to named tensors: one byte string for each value, one digest for each field.
//!
//! Spec: spec/v1/receipt.md, section 3.

use core::fmt;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind};
use crate::text::{from_hex, hex, quoted, shorten, tuple};

/// Bytes of a salt.
pub(crate) const SALT_BYTES: usize = 32;
const MAX_RANK: usize = 9;
const MAX_TENSORS: u64 = 256;
const MAX_NAME: usize = 128;
const COMMITMENT_TAG: &[u8] = b"veridical.commitment.v1";
const TENSORS_TAG: &[u8] = b"veridical.tensors.v1";

/// A value of a statement that is committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    InputForwarded,
    InputIntegers,
    InputReceived,
    OutputDecoded,
    OutputIntegers,
}

impl Field {
    pub(crate) const ALL: [Self; 5] = [
        Self::InputForwarded,
        Self::InputIntegers,
        Self::InputReceived,
        Self::OutputDecoded,
        Self::OutputIntegers,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InputForwarded => "input.forwarded",
            Self::InputIntegers => "input.integers",
            Self::InputReceived => "input.received",
            Self::OutputDecoded => "output.decoded",
            Self::OutputIntegers => "output.integers",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// A hash over fields, each behind its length.
#[derive(Default)]
pub(crate) struct Framed(Sha256);

impl Framed {
    #[must_use]
    pub(crate) fn frame(mut self, field: &[u8]) -> Self {
        self.0.update(length(field).to_le_bytes());
        self.0.update(field);
        self
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// `sha256:hex` over a domain tag and one framed field.
pub(crate) fn digest_of(tag: &str, field: &[u8]) -> String {
    let hash = Framed::default().frame(tag.as_bytes()).frame(field);
    format!("sha256:{}", hex(&hash.finish()))
}

/// The plain SHA-256 of some bytes.
pub(crate) fn sha256(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

fn length(content: &[u8]) -> u64 {
    u64::try_from(content.len()).unwrap_or(u64::MAX)
}

/// Binds to the content of one field; hides it only if it is salted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Commitment {
    pub(crate) digest: [u8; 32],
    pub(crate) is_salted: bool,
}

impl Commitment {
    pub(crate) fn read(text: &str, place: String) -> Result<Self, Error> {
        let plain = text.strip_prefix("sha256:").and_then(from_hex);
        let salted = || text.strip_prefix("sha256-salted:").and_then(from_hex);
        let found = match plain {
            Some(digest) => Some((digest, false)),
            None => salted().map(|digest| (digest, true)),
        };
        let (digest, is_salted) = found.ok_or_else(|| {
            let text = quoted(&shorten(text, 90));
            Error::field(format!("not a commitment: {text}"), place)
        })?;
        Ok(Self { digest, is_salted })
    }

    /// Whether this commits to the content. A plain commitment ignores the salt; a salted one opens only with it.
    pub(crate) fn opens_to(&self, field: Field, content: &[u8], salt: &[u8]) -> bool {
        if self.is_salted && salt.len() != SALT_BYTES {
            return false;
        }
        let (form, salt): (&[u8], &[u8]) = if self.is_salted {
            (b"salted", salt)
        } else {
            (b"plain", b"")
        };
        let hash = Framed::default()
            .frame(COMMITMENT_TAG)
            .frame(field.name().as_bytes())
            .frame(form)
            .frame(salt)
            .frame(content);
        hash.finish() == self.digest
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.is_salted { "-salted" } else { "" };
        write!(formatter, "sha256{form}:{}", hex(&self.digest))
    }
}

/// Type of the elements of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dtype {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

impl Dtype {
    const ALL: [Self; 11] = [
        Self::Bool,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::F32,
        Self::F64,
    ];

    const fn code(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    pub(crate) const fn bytes(self) -> u64 {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// Elements in their canonical bytes: little-endian, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<u64>,
    pub(crate) elements: Vec<u8>,
}

impl Tensor {
    /// A tensor of the integers of a program.
    pub(crate) fn of_i32(shape: Vec<u64>, elements: &[i32]) -> Self {
        Self {
            dtype: Dtype::I32,
            shape,
            elements: elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    /// The integers of a program, if these are such.
    pub(crate) fn integers(&self) -> Option<Vec<i32>> {
        let words = self.elements.as_chunks::<4>().0.iter();
        let integers = words.map(|word| i32::from_le_bytes(*word));
        (self.dtype == Dtype::I32).then(|| integers.collect())
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> u64 {
        length(&self.elements)
            .checked_div(self.dtype.bytes())
            .unwrap_or(0)
    }
}

/// Tensors in the order of their names.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// The canonical bytes of tensors that are within the limits.
///
/// # Errors
/// There are none, or too many; a shape has too many axes, or none of its elements; a name is too long.
pub(crate) fn tensors_to_bytes(tensors: &Tensors) -> Result<Vec<u8>, Error> {
    let refused = |message: String| Err(Error::new(Kind::Input, message));
    let count = u64::try_from(tensors.len()).unwrap_or(u64::MAX);
    if !(1..=MAX_TENSORS).contains(&count) {
        return refused(format!("expected 1 to {MAX_TENSORS} tensors, not {count}"));
    }
    let mut bytes = Vec::new();
    push(&mut bytes, TENSORS_TAG);
    bytes.extend(count.to_le_bytes());
    for (name, tensor) in tensors {
        if tensor.shape.len() > MAX_RANK || tensor.elements.is_empty() {
            let shape = tuple(&tensor.shape);
            return refused(format!(
                "shape {shape} is empty or has more than {MAX_RANK} axes"
            ));
        }
        if !is_name(name.as_bytes()) {
            let name = quoted(name);
            return refused(format!(
                "name {name} is not 1 to {MAX_NAME} printable ASCII characters"
            ));
        }
        let shape: Vec<u8> = tensor.shape.iter().flat_map(|x| x.to_le_bytes()).collect();
        push(&mut bytes, name.as_bytes());
        push(&mut bytes, tensor.dtype.code().as_bytes());
        push(&mut bytes, &shape);
        push(&mut bytes, &tensor.elements);
    }
    Ok(bytes)
}

fn push(bytes: &mut Vec<u8>, field: &[u8]) {
    bytes.extend(length(field).to_le_bytes());
    bytes.extend(field);
}

fn is_name(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
    (1..=MAX_NAME).contains(&name.len()) && name.iter().all(is_plain)
}

/// Parses canonical tensor bytes.
///
/// # Errors
/// The bytes are not the canonical form of named tensors.
pub(crate) fn tensors_from_bytes(untrusted: &[u8], place: &str) -> Result<Tensors, Error> {
    let field = |message: String| Error::new(Kind::Field, message).at(place);
    let non_canonical = |message: &str| Error::new(Kind::NonCanonical, message).at(place);
    let mut reader = Reader {
        rest: untrusted,
        place,
    };
    if reader.framed()? != TENSORS_TAG {
        return Err(field("tensor bytes lack their domain tag".to_owned()).of("reveals"));
    }
    let count = reader.integer()?;
    if !(1..=MAX_TENSORS).contains(&count) {
        return Err(field(format!(
            "{count} tensors; expected 1 to {MAX_TENSORS}"
        )));
    }
    let mut tensors = Tensors::new();
    for _ in 0..count {
        let (name, code) = (reader.framed()?, reader.framed()?);
        let (shape, elements) = (reader.framed()?, reader.framed()?);
        let last = tensors.last_key_value().map(|(last, _)| last.as_bytes());
        let text = core::str::from_utf8(name).ok().filter(|_| is_name(name));
        let name = text
            .filter(|text| last.is_none_or(|last| last < text.as_bytes()))
            .ok_or_else(|| non_canonical("tensor names are not ascending text"))?;
        let tensor = read_tensor(code, shape, elements, &field, &non_canonical)?;
        tensors.insert(name.to_owned(), tensor);
    }
    if !reader.rest.is_empty() {
        return Err(non_canonical("bytes after the last tensor"));
    }
    Ok(tensors)
}

/// One tensor; its size is compared with the bytes before anything is allocated.
fn read_tensor(
    code: &[u8],
    shape: &[u8],
    elements: &[u8],
    field: &impl Fn(String) -> Error,
    non_canonical: &impl Fn(&str) -> Error,
) -> Result<Tensor, Error> {
    let dtype = Dtype::ALL
        .into_iter()
        .find(|dtype| dtype.code().as_bytes() == code)
        .ok_or_else(|| {
            let shown = code.get(..8).unwrap_or(code).escape_ascii();
            field(format!("unknown dtype b'{shown}'"))
        })?;
    let (dimensions, odd) = shape.as_chunks::<8>();
    if !odd.is_empty() || dimensions.len() > MAX_RANK {
        return Err(field(
            "the shape is not a list of at most 9 dimensions".to_owned(),
        ));
    }
    let shape: Vec<u64> = dimensions.iter().map(|d| u64::from_le_bytes(*d)).collect();
    let size = shape.iter().try_fold(dtype.bytes(), |size, dimension| {
        size.checked_mul(*dimension)
    });
    if shape.contains(&0) || size != Some(length(elements)) {
        return Err(field(format!(
            "shape {} does not fit {} bytes",
            tuple(&shape),
            elements.len()
        )));
    }
    if dtype == Dtype::Bool && elements.iter().any(|byte| *byte > 1) {
        return Err(non_canonical("a bool is one byte, 0 or 1"));
    }
    Ok(Tensor {
        dtype,
        shape,
        elements: elements.to_vec(),
    })
}

/// A cursor that never reads past the end.
struct Reader<'a> {
    rest: &'a [u8],
    place: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, size: u64) -> Result<&'a [u8], Error> {
        let size = usize::try_from(size).ok();
        let split = size.and_then(|size| self.rest.split_at_checked(size));
        let (taken, rest) = split.ok_or_else(|| {
            let error = Error::new(Kind::Field, "tensor bytes end early");
            error.at(self.place).of("reveals")
        })?;
        self.rest = rest;
        Ok(taken)
    }

    fn integer(&mut self) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn framed(&mut self) -> Result<&'a [u8], Error> {
        let size = self.integer()?;
        self.take(size)
    }
}
