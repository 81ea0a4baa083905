//! Framed SHA-256 and the Merkle tree of RFC 9162, section 2.1.1.
//!
//! Spec: spec/v1/program.md, sections 6 and 8. Weights and traces share this tree.

use sha2::{Digest as _, Sha256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// Lower-case hex digits.
pub fn hex(hash: &Hash) -> String {
    let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// SHA-256 over fields that cannot run into each other.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts a plain hash.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts the hash of a Merkle leaf: a zero byte keeps leaves and nodes apart.
    pub fn leaf(domain: &[u8]) -> Self {
        Self::new().raw(&[0]).frame(domain)
    }

    /// Appends bytes of a fixed length.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// Appends bytes with their length before them.
    #[must_use]
    pub fn frame(self, bytes: &[u8]) -> Self {
        self.u64(length(bytes)).raw(bytes)
    }

    /// Appends an integer, little-endian.
    #[must_use]
    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Appends an integer, little-endian.
    #[must_use]
    pub fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Ends the hash.
    pub fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

/// Length in the width of a frame; `usize` has at most 64 bits on every target of Rust.
fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Root of the tree over hashed leaves: a single leaf is itself, none is the hash of no bytes.
pub fn tree(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hasher::new().finish(),
        [leaf] => *leaf,
        _ => {
            let half = leaves.len().div_ceil(2).next_power_of_two();
            let (left, right) = leaves.split_at_checked(half).unwrap_or((leaves, &[]));
            Hasher::new()
                .raw(&[1])
                .raw(&tree(left))
                .raw(&tree(right))
                .finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(left: Hash, right: Hash) -> Hash {
        Hasher::new().raw(&[1]).raw(&left).raw(&right).finish()
    }

    #[test]
    fn tree_splits_at_the_largest_power_of_two_below_the_count() {
        let l: Vec<Hash> = (0..7_u8).map(|i| [i; 32]).collect();
        assert_eq!(tree(&l[..1]), l[0]);
        assert_eq!(tree(&l[..2]), node(l[0], l[1]));
        assert_eq!(tree(&l[..3]), node(node(l[0], l[1]), l[2]));
        let four = node(node(l[0], l[1]), node(l[2], l[3]));
        assert_eq!(tree(&l[..4]), four);
        assert_eq!(tree(&l[..5]), node(four, l[4]));
        assert_eq!(tree(&l), node(four, node(node(l[4], l[5]), l[6])));
    }

    #[test]
    fn the_empty_tree_is_the_hash_of_nothing() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(&tree(&[])), expected);
    }
}
