//! Log proofs: an entry, where it stands, and the checkpoint that has it.
//!
//! Spec: spec/v1/log.md, sections 2 and 6.

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind};
use crate::log::checkpoint::{MAX_SIZE, SignedCheckpoint, read_size};
use crate::log::entry::MAX_ENTRY;
use crate::log::note::MAX_NOTE;
use crate::text::{from_base64, quoted};

/// The height of the largest tree.
const MAX_NODES: usize = 63;
const HEADER: &str = "c2sp.org/tlog-proof@v1";
const PLACE: &str = "log proof";

/// A parsed log proof. Nothing in it is checked.
pub(super) struct LogProof {
    pub(super) entry: Vec<u8>,
    pub(super) index: u64,
    nodes: Vec<[u8; 32]>,
    pub(super) checkpoint: SignedCheckpoint,
}

impl LogProof {
    /// Whether a blob of evidence says that it is a log proof.
    pub(super) fn is_one(blob: &[u8]) -> bool {
        let rest = blob.strip_prefix(HEADER.as_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&b'\n'))
    }

    pub(super) fn read(untrusted: &[u8]) -> Result<Self, Error> {
        let refused =
            |kind: Kind, message: String| Error::new(kind, message).at(PLACE).of("log.format");
        if untrusted.len() > MAX_NOTE {
            let found = untrusted.len();
            let message = format!("{found} bytes; a log proof has at most {MAX_NOTE}");
            return Err(refused(Kind::Oversize, message));
        }
        let end = untrusted.windows(2).position(|pair| pair == b"\n\n");
        let head = untrusted.get(..end.unwrap_or(untrusted.len()));
        let head = head.unwrap_or_default();
        if !head.is_ascii() {
            return Err(refused(Kind::Malformed, "not ASCII".to_owned()));
        }
        let head = core::str::from_utf8(head).unwrap_or_default();
        let lines: Vec<&str> = head.split('\n').collect();
        let Some(end) = end.filter(|_| lines.first() == Some(&HEADER)) else {
            let message = format!("expected {}", quoted(HEADER));
            return Err(refused(Kind::Malformed, message));
        };
        if lines.len() > MAX_NODES.saturating_add(3) {
            let message = format!("more than {MAX_NODES} nodes");
            return Err(refused(Kind::Oversize, message));
        }
        let member = |position: usize, name: &str| {
            let line = lines.get(position).and_then(|line| line.strip_prefix(name));
            let value = line.and_then(|rest| rest.strip_prefix(' '));
            value.ok_or_else(|| {
                let message = format!("the line {} is missing", quoted(name));
                refused(Kind::Malformed, message)
            })
        };
        let decode = |text: &str| from_base64(text, PLACE).map_err(|error| error.of("log.format"));
        let entry = decode(member(1, "extra")?)?;
        if !(1..=MAX_ENTRY).contains(&entry.len()) {
            let message = format!("an entry has 1 to {MAX_ENTRY} bytes");
            return Err(refused(Kind::Oversize, message));
        }
        let index = read_size(member(2, "index")?, PLACE)?;
        let nodes = lines.iter().skip(3).map(|line| decode(line));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?.into_iter();
        let no_hash = |_| refused(Kind::Malformed, "a node is no hash".to_owned());
        let nodes = nodes.map(|node| <[u8; 32]>::try_from(node).map_err(no_hash));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        let note = untrusted.get(end.saturating_add(2)..).unwrap_or_default();
        Ok(Self {
            entry,
            index,
            nodes,
            checkpoint: SignedCheckpoint::read(note, PLACE)?,
        })
    }

    /// Returns if the entry is in the tree of the checkpoint (RFC 9162, section 2.1.3.2).
    pub(super) fn verify_inclusion(&self) -> Result<(), Error> {
        let (index, size) = (self.index, self.checkpoint.size);
        let refused =
            |message: String| Err(Error::new(Kind::Inclusion, message).of("log.inclusion"));
        let Some(last) = size.checked_sub(1).filter(|last| index <= *last) else {
            return refused(format!("a tree of {size} leaves has no leaf {index}"));
        };
        if size > MAX_SIZE {
            return refused(format!("a tree of {size} leaves has no leaf {index}"));
        }
        // Above the bits that index and the last leaf share, every 1 of the index has a left sibling.
        let inner = u64::BITS.saturating_sub((index ^ last).leading_zeros());
        let above = index.checked_shr(inner).unwrap_or(0);
        let expected = inner.saturating_add(above.count_ones());
        let found = self.nodes.len();
        if u32::try_from(found) != Ok(expected) {
            return refused(format!(
                "the inclusion proof has {found} nodes; leaf {index} of {size} needs {expected}"
            ));
        }
        let mut result: [u8; 32] = Sha256::new()
            .chain_update([0])
            .chain_update(&self.entry)
            .finalize()
            .into();
        for (level, node) in (0_u32..).zip(&self.nodes) {
            let bit = index.checked_shr(level).unwrap_or(0) & 1;
            let (left, right) = if level >= inner || bit == 1 {
                (node, &result)
            } else {
                (&result, node)
            };
            let hash = Sha256::new().chain_update([1]);
            result = hash
                .chain_update(left)
                .chain_update(right)
                .finalize()
                .into();
        }
        if result != self.checkpoint.root {
            return refused(format!(
                "the inclusion proof of leaf {index} does not lead to the root"
            ));
        }
        Ok(())
    }
}
