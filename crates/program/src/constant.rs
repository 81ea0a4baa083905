//! The integers of constants: typed, shared, read only.

use std::sync::Arc;

/// Element type of a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// 8 signed bits.
    I8,
    /// 16 signed bits.
    I16,
    /// 32 signed bits.
    I32,
}

impl Dtype {
    /// Returns the name in the canonical JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
        }
    }

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 => 4,
        }
    }
}

/// The elements of one constant in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstData {
    /// 8-bit elements.
    I8(Arc<[i8]>),
    /// 16-bit elements.
    I16(Arc<[i16]>),
    /// 32-bit elements.
    I32(Arc<[i32]>),
}

impl ConstData {
    /// Element type.
    pub const fn dtype(&self) -> Dtype {
        match self {
            Self::I8(_) => Dtype::I8,
            Self::I16(_) => Dtype::I16,
            Self::I32(_) => Dtype::I32,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::I8(x) => x.len(),
            Self::I16(x) => x.len(),
            Self::I32(x) => x.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `i`, or `None` outside.
    pub fn get(&self, i: usize) -> Option<i32> {
        match self {
            Self::I8(x) => x.get(i).map(|&v| v.into()),
            Self::I16(x) => x.get(i).map(|&v| v.into()),
            Self::I32(x) => x.get(i).copied(),
        }
    }

    /// The elements if they have 8 bits.
    pub fn as_i8(&self) -> Option<&[i8]> {
        if let Self::I8(x) = self {
            Some(x)
        } else {
            None
        }
    }

    /// The elements if they have 16 bits.
    pub fn as_i16(&self) -> Option<&[i16]> {
        if let Self::I16(x) = self {
            Some(x)
        } else {
            None
        }
    }

    /// The elements if they have 32 bits.
    pub fn as_i32(&self) -> Option<&[i32]> {
        if let Self::I32(x) = self {
            Some(x)
        } else {
            None
        }
    }

    /// Reads little-endian elements; `None` if the bytes end inside one.
    pub fn from_le(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
        match dtype {
            Dtype::I8 => Some(Self::I8(
                bytes.iter().map(|&b| i8::from_le_bytes([b])).collect(),
            )),
            Dtype::I16 => {
                let (elements, rest) = bytes.as_chunks();
                let elements = elements.iter().map(|&b| i16::from_le_bytes(b));
                rest.is_empty().then(|| Self::I16(elements.collect()))
            }
            Dtype::I32 => {
                let (elements, rest) = bytes.as_chunks();
                let elements = elements.iter().map(|&b| i32::from_le_bytes(b));
                rest.is_empty().then(|| Self::I32(elements.collect()))
            }
        }
    }

    /// Appends up to `count` elements from `start` on, little-endian.
    pub fn write_le(&self, start: usize, count: usize, out: &mut Vec<u8>) {
        match self {
            Self::I8(x) => write(x, start, count, out, i8::to_le_bytes),
            Self::I16(x) => write(x, start, count, out, i16::to_le_bytes),
            Self::I32(x) => write(x, start, count, out, i32::to_le_bytes),
        }
    }
}

fn write<T: Copy, const N: usize>(
    elements: &[T],
    start: usize,
    count: usize,
    out: &mut Vec<u8>,
    to_bytes: impl Fn(T) -> [u8; N],
) {
    let end = start.saturating_add(count).min(elements.len());
    let elements = elements.get(start..end).unwrap_or(&[]);
    let begin = out.len();
    out.resize(begin.saturating_add(elements.len().saturating_mul(N)), 0);
    let slots = out.get_mut(begin..).unwrap_or(&mut []).as_chunks_mut().0;
    for (slot, &element) in slots.iter_mut().zip(elements) {
        *slot = to_bytes(element);
    }
}
