//! Profiles: every parameter of a proof that is not a function of the program.
//!
//! Spec: spec/v1/zk.md, section 11. Both sides take the profile by name and absorb its encoding
//! first, so that a proof made under another profile is another transcript.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

/// Name and version of the protocol; the initial state of every transcript.
pub const PROTOCOL: &str = "veridical-zk/1";

/// What a stack holds, which decides how often it is committed and hence its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// Witness of a proof: committed for each proof.
    Witness,
    /// Weights of a model: committed once.
    Weights,
}

/// A named set of soundness targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Name, as in a receipt.
    pub name: &'static str,
    /// Bits that the union bound over all error terms reaches.
    pub bits: u16,
    /// Bits that each term of an opening reaches, grinding included.
    pub term_bits: u16,
    /// Grinding before the challenges of the lookup argument.
    pub lookup_work: u16,
    /// Number in the encoding.
    code: u8,
}

impl Profile {
    /// At least 100 bits.
    pub const STANDARD: Self = Self {
        name: "standard",
        bits: 100,
        term_bits: 106,
        lookup_work: 0,
        code: 1,
    };

    /// At least 128 bits.
    pub const STRONG: Self = Self {
        name: "strong",
        bits: 128,
        term_bits: 134,
        lookup_work: 20,
        code: 2,
    };

    /// All profiles.
    pub const ALL: [Self; 2] = [Self::STANDARD, Self::STRONG];

    /// The profile with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// Canonical encoding, which the transcript absorbs before anything else: the protocol, field,
    /// hash and commitment scheme by name, then the numbers.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [
            PROTOCOL,
            "koala-bear^5",
            "blake3",
            "whir/johnson/m=10",
            self.name,
        ] {
            bytes.push(part.len().to_le_bytes()[0]);
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes.push(self.code);
        for number in [self.bits, self.term_bits, self.lookup_work] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found_by_name_and_encode_differently() {
        for profile in Profile::ALL {
            assert_eq!(Profile::from_name(profile.name), Some(profile));
        }
        assert_eq!(Profile::from_name("Standard"), None);
        assert_ne!(Profile::STANDARD.encode(), Profile::STRONG.encode());
    }

    #[test]
    fn the_encoding_is_part_of_the_format() {
        let mut expected =
            b"\x0everidical-zk/1\x0ckoala-bear^5\x06blake3\x11whir/johnson/m=10\x08standard\x01"
                .to_vec();
        expected.extend([100, 0, 106, 0, 0, 0]);
        assert_eq!(Profile::STANDARD.encode(), expected);
    }
}
