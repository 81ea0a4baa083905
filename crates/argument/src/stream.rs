//! The byte stream of a proof: fixed-width, canonical, read once from front to back.
//!
//! Spec: spec/v1/zk.md, section 10.
//!
//! Nothing here absorbs: a value that a caller may use comes from [`crate::transcript`], which
//! reads and absorbs in one call. Only the codec of an opening reads the stream directly, since
//! the opening protocol absorbs its messages itself.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use p3_field::integers::QuotientMap;
use p3_field::{BasedVectorSpace, PrimeField32};
use thiserror::Error;

use crate::field::{DEGREE, EF, F};

/// Bytes of a base element.
pub const BASE_BYTES: usize = 4;

/// Bytes of an extension element.
pub const EXTENSION_BYTES: usize = BASE_BYTES * DEGREE;

/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 32;

/// Why the bytes of a proof are not the messages that were expected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum StreamError {
    /// The proof ends inside a message.
    #[error("proof ends inside {what}: {needed} bytes needed at offset {at}, {left} left")]
    Truncated {
        /// Label of the message.
        what: &'static str,
        /// Offset of the message in the proof.
        at: usize,
        /// Bytes that the message takes.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A coordinate is not below the modulus.
    #[error("{what} holds {value} at offset {at}, which is not below the modulus")]
    NotCanonical {
        /// Label of the message.
        what: &'static str,
        /// Offset of the coordinate in the proof.
        at: usize,
        /// The integer that was found.
        value: u32,
    },
    /// A count is above what the shape of the opening admits.
    #[error("{what} counts {found} at offset {at}, at most {most} are possible")]
    CountTooLarge {
        /// Label of the count.
        what: &'static str,
        /// Offset of the count in the proof.
        at: usize,
        /// The count that was found.
        found: usize,
        /// The largest count that is possible.
        most: usize,
    },
    /// Bytes are left when every message has been read.
    #[error("{left} bytes follow the end of the proof at offset {at}")]
    Trailing {
        /// Offset of the first such byte.
        at: usize,
        /// Number of such bytes.
        left: usize,
    },
}

/// Reads a proof from front to back.
#[derive(Clone, Debug)]
pub struct ByteReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> ByteReader<'a> {
    /// A reader at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Offset of the next byte.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes that have not been read.
    pub fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    /// The next `count * width` bytes; refused before anything is allocated.
    fn take(
        &mut self,
        what: &'static str,
        count: usize,
        width: usize,
    ) -> Result<&'a [u8], StreamError> {
        let truncated = StreamError::Truncated {
            what,
            at: self.position,
            needed: count.saturating_mul(width),
            left: self.left(),
        };
        let end = count
            .checked_mul(width)
            .and_then(|length| self.position.checked_add(length))
            .ok_or(truncated)?;
        let taken = self.bytes.get(self.position..end).ok_or(truncated)?;
        self.position = end;
        Ok(taken)
    }

    /// `count` base elements.
    ///
    /// # Errors
    /// The proof is too short, or an element is not canonical.
    pub fn base(&mut self, what: &'static str, count: usize) -> Result<Vec<F>, StreamError> {
        let start = self.position;
        let taken = self.take(what, count, BASE_BYTES)?;
        taken
            .as_chunks::<BASE_BYTES>()
            .0
            .iter()
            .enumerate()
            .map(|(index, chunk)| canonical(what, start + index * BASE_BYTES, *chunk))
            .collect()
    }

    /// `count` extension elements, each as its coordinates from the constant upwards.
    ///
    /// # Errors
    /// The proof is too short, or a coordinate is not canonical.
    pub fn extension(&mut self, what: &'static str, count: usize) -> Result<Vec<EF>, StreamError> {
        let start = self.position;
        let taken = self.take(what, count, EXTENSION_BYTES)?;
        taken
            .as_chunks::<EXTENSION_BYTES>()
            .0
            .iter()
            .enumerate()
            .map(|(index, chunk)| {
                let mut coordinates = [F::default(); DEGREE];
                let at = start + index * EXTENSION_BYTES;
                let chunks = chunk.as_chunks::<BASE_BYTES>().0;
                for (position, (slot, bytes)) in coordinates.iter_mut().zip(chunks).enumerate() {
                    *slot = canonical(what, at + position * BASE_BYTES, *bytes)?;
                }
                Ok(EF::from_basis_coefficients_fn(|position| {
                    coordinates.get(position).copied().unwrap_or_default()
                }))
            })
            .collect()
    }

    /// `count` digests.
    ///
    /// # Errors
    /// The proof is too short.
    pub fn digests(
        &mut self,
        what: &'static str,
        count: usize,
    ) -> Result<Vec<[u8; DIGEST_BYTES]>, StreamError> {
        let taken = self.take(what, count, DIGEST_BYTES)?;
        Ok(taken.as_chunks::<DIGEST_BYTES>().0.to_vec())
    }

    /// One digest.
    ///
    /// # Errors
    /// The proof is too short.
    pub fn digest(&mut self, what: &'static str) -> Result<[u8; DIGEST_BYTES], StreamError> {
        let taken = self.take(what, 1, DIGEST_BYTES)?;
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(taken);
        Ok(digest)
    }

    /// A count of at most `most`, in four bytes.
    ///
    /// # Errors
    /// The proof is too short, or the count is above `most`.
    pub fn count(&mut self, what: &'static str, most: usize) -> Result<usize, StreamError> {
        let at = self.position;
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(what, 1, 4)?);
        let found = usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        if found > most {
            return Err(StreamError::CountTooLarge {
                what,
                at,
                found,
                most,
            });
        }
        Ok(found)
    }

    /// Asserts that every byte has been read.
    ///
    /// # Errors
    /// Bytes are left.
    pub fn finish(self) -> Result<(), StreamError> {
        match self.left() {
            0 => Ok(()),
            left => Err(StreamError::Trailing {
                at: self.position,
                left,
            }),
        }
    }
}

/// The element whose canonical encoding is `bytes`.
fn canonical(what: &'static str, at: usize, bytes: [u8; BASE_BYTES]) -> Result<F, StreamError> {
    let value = u32::from_le_bytes(bytes);
    F::from_canonical_checked(value).ok_or(StreamError::NotCanonical { what, at, value })
}

/// Appends base elements to a proof.
pub fn write_base(bytes: &mut Vec<u8>, values: &[F]) {
    bytes.reserve(values.len() * BASE_BYTES);
    for value in values {
        bytes.extend_from_slice(&value.as_canonical_u32().to_le_bytes());
    }
}

/// Appends extension elements to a proof.
pub fn write_extension(bytes: &mut Vec<u8>, values: &[EF]) {
    bytes.reserve(values.len() * EXTENSION_BYTES);
    for value in values {
        write_base(bytes, value.as_basis_coefficients_slice());
    }
}

#[cfg(test)]
mod tests {
    use p3_field::PrimeCharacteristicRing;

    use super::*;

    #[test]
    fn elements_round_trip_and_are_canonical() {
        let base = [F::ZERO, F::ONE, F::NEG_ONE];
        let extension = [EF::from_basis_coefficients_fn(|index| base[index % 3])];
        let mut bytes = Vec::new();
        write_base(&mut bytes, &base);
        write_extension(&mut bytes, &extension);
        assert_eq!(bytes.len(), 3 * BASE_BYTES + EXTENSION_BYTES);

        let mut reader = ByteReader::new(&bytes);
        assert_eq!(reader.base("b", 3).unwrap(), base);
        assert_eq!(reader.extension("e", 1).unwrap(), extension);
        reader.finish().unwrap();

        // The third base element is p - 1; one more is zero again, in a second encoding.
        bytes[8] += 1;
        assert_eq!(
            ByteReader::new(&bytes).base("b", 3),
            Err(StreamError::NotCanonical {
                what: "b",
                at: 8,
                value: F::ORDER_U32
            })
        );
        bytes[8] -= 1;
        bytes[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut reader = ByteReader::new(&bytes);
        reader.base("b", 3).unwrap();
        assert!(matches!(
            reader.extension("e", 1),
            Err(StreamError::NotCanonical { at: 16, .. })
        ));
    }

    #[test]
    fn lengths_are_checked_before_allocation() {
        let bytes = [0; 7];
        let mut reader = ByteReader::new(&bytes);
        for count in [2, usize::MAX / 4, usize::MAX] {
            assert!(matches!(
                reader.base("b", count),
                Err(StreamError::Truncated { at: 0, left: 7, .. })
            ));
        }
        assert_eq!(reader.count("c", 0), Ok(0));
        assert_eq!(
            reader.finish(),
            Err(StreamError::Trailing { at: 4, left: 3 })
        );
        assert!(matches!(
            ByteReader::new(&[3, 0, 0, 0]).count("c", 2),
            Err(StreamError::CountTooLarge { found: 3, .. })
        ));
    }
}
