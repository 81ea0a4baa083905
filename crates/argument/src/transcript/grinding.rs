//! Proof of work whose witness is the least one, on any number of threads.
//!
//! Spec: spec/v1/zk.md, section 10.4. The challenger's own search takes whatever witness a thread finds
//! first, so two proofs of one run would differ.

use p3_blake3::Blake3;
use p3_challenger::{ByteGrindingChallenger, CanObserve, CanSample, HashChallenger};

use crate::stream::DIGEST_BYTES;

/// Candidates that are tried together: threads meet behind each block.
const BLOCK: u64 = 1 << 13;

/// The byte sponge, which searches witnesses in ascending order.
#[derive(Clone, Debug)]
pub struct OrderedSponge(pub(super) HashChallenger<u8, Blake3, DIGEST_BYTES>);

impl CanObserve<u8> for OrderedSponge {
    fn observe(&mut self, value: u8) {
        self.0.observe(value);
    }

    fn observe_slice(&mut self, values: &[u8]) {
        self.0.observe_slice(values);
    }
}

impl CanSample<u8> for OrderedSponge {
    fn sample(&mut self) -> u8 {
        self.0.sample()
    }
}

impl ByteGrindingChallenger for OrderedSponge {
    fn find_witness<const W: usize, const S: usize>(
        &self,
        num_candidates: u64,
        encode: impl Fn(u64) -> [u8; W] + Sync,
        accepts: impl Fn([u8; S]) -> bool + Sync,
    ) -> Option<u64> {
        let mut start = 0;
        while start < num_candidates {
            let block = BLOCK.min(num_candidates.saturating_sub(start));
            let shifted = |offset: u64| encode(start.saturating_add(offset));
            let mut found = self.0.find_witness(block, shifted, &accepts);
            // Any witness of the block was found; the least one is left when there is none before it.
            let mut least = None;
            while let Some(offset) = found {
                least = Some(start.saturating_add(offset));
                found = self.0.find_witness(offset, shifted, &accepts);
            }
            if least.is_some() {
                return least;
            }
            start = start.saturating_add(block);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sponge() -> OrderedSponge {
        OrderedSponge(HashChallenger::new(b"test".to_vec(), Blake3))
    }

    #[test]
    fn the_least_witness_is_found() {
        let accepts = |bytes: [u8; 4]| u32::from_le_bytes(bytes).trailing_zeros() >= 8;
        let passes = |candidate: u64| {
            let mut copy = sponge();
            copy.observe_slice(&candidate.to_le_bytes());
            accepts(copy.sample_array())
        };
        let least = (0..1 << 16).find(|&candidate| passes(candidate));
        for _ in 0..20 {
            assert_eq!(
                sponge().find_witness(1 << 31, u64::to_le_bytes, accepts),
                least
            );
        }
        let none = least.unwrap_or(0);
        assert_eq!(sponge().find_witness(none, u64::to_le_bytes, accepts), None);
    }
}
