//! Framed fields of a proof's evidence.
//!
//! Spec: spec/v1/receipt.md, section 7.2.

use std::collections::BTreeSet;

use crate::error::{Error, Kind};
use crate::text::is_printable;

/// Bytes of the name of a profile.
pub(super) const MAX_PROFILE: usize = 64;
/// Bits of soundness.
pub(super) const MAX_BITS: u64 = 256;
const MAX_MEMBERS: u64 = 4096;
const TAG: &[u8] = b"veridical.succinct-proof.v1";

/// Reads framed fields; every length is checked against what is left before it is used.
pub(super) struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    pub(super) const fn new(content: &'a [u8]) -> Self {
        Self { rest: content }
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Error> {
        let split = self.rest.split_at_checked(size);
        let (taken, rest) = split.ok_or_else(|| malformed("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number that is at most `limit`.
    pub(super) fn count(&mut self, limit: u64, what: &str) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        match u64::from_le_bytes(bytes) {
            number if number <= limit => Ok(number),
            number => Err(malformed(&format!("{number} {what}; at most {limit}"))),
        }
    }

    /// One framed field of at most `limit` bytes.
    pub(super) fn frame(&mut self, limit: usize) -> Result<&'a [u8], Error> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let size = self.count(limit, "bytes in one field")?;
        self.take(usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// 32 framed bytes.
    pub(super) fn digest(&mut self) -> Result<[u8; 32], Error> {
        let content = self.frame(32)?;
        <[u8; 32]>::try_from(content)
            .map_err(|_| malformed(&format!("a digest has 32 bytes, not {}", content.len())))
    }

    /// Refuses what follows.
    pub(super) fn require_end(&self) -> Result<(), Error> {
        match self.rest {
            [] => Ok(()),
            _ => Err(malformed("there are bytes after the proof")),
        }
    }
}

/// One run of a proof: its statement, and its integers as canonical tensor bytes.
pub(super) struct Member<'a> {
    pub(super) statement: [u8; 32],
    /// Empty only in a proof of one run, whose input the verifier has.
    pub(super) inputs: &'a [u8],
    pub(super) outputs: &'a [u8],
}

/// A proof, what it was made under, and the runs that it covers.
pub(super) struct ProofEvidence<'a> {
    pub(super) profile: String,
    pub(super) weight_root: [u8; 32],
    pub(super) soundness_bits: u64,
    pub(super) members: Vec<Member<'a>>,
    pub(super) proof: &'a [u8],
}

impl<'a> ProofEvidence<'a> {
    pub(super) fn read(untrusted: &'a [u8]) -> Result<Self, Error> {
        let mut frames = Frames::new(untrusted);
        if frames.frame(TAG.len())? != TAG {
            let problem = "it does not begin as a succinct proof of this version";
            return Err(malformed(problem));
        }
        let profile = frames.frame(MAX_PROFILE)?;
        let profile = core::str::from_utf8(profile)
            .ok()
            .filter(|name| name.is_ascii() && name.chars().all(is_printable))
            .ok_or_else(|| malformed("the name of the profile is not printable ASCII"))?;
        let weight_root = frames.digest()?;
        let soundness_bits = frames.count(MAX_BITS, "bits of soundness")?;
        let count = frames.count(MAX_MEMBERS, "runs")?;
        let mut members = Vec::new();
        for _ in 0..count {
            members.push(Member {
                statement: frames.digest()?,
                inputs: frames.frame(untrusted.len())?,
                outputs: frames.frame(untrusted.len())?,
            });
        }
        let proof = frames.frame(untrusted.len())?;
        frames.require_end()?;
        if members.is_empty() {
            return Err(malformed("it covers no run"));
        }
        let statements: BTreeSet<&[u8; 32]> = members.iter().map(|one| &one.statement).collect();
        if statements.len() != members.len() {
            return Err(malformed("one statement stands twice"));
        }
        if members.len() > 1 && members.iter().any(|one| one.inputs.is_empty()) {
            return Err(malformed(
                "a proof of several runs carries the inputs of all",
            ));
        }
        Ok(Self {
            profile: profile.to_owned(),
            weight_root,
            soundness_bits,
            members,
            proof,
        })
    }
}

fn malformed(problem: &str) -> Error {
    let message = format!("malformed evidence: {problem}");
    Error::new(Kind::Proof, message).at("evidence").of("tier")
}
