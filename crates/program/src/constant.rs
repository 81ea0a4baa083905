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
}
