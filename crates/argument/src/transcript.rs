//! The typed Fiat–Shamir transcript: whatever the verifier may use has been absorbed.
//!
//! Spec: spec/v1/zk.md, section 10.
//!
//! A message is read and absorbed in one call, so no value of the prover can be had without
//! binding every later challenge. Each message is preceded by a frame of its kind, label and
//! length, and lengths come from the caller, never from the proof: two different schedules never
//! absorb the same bytes. The sponge is the one that the opening protocol runs on.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

mod grinding;

use p3_blake3::Blake3;
use p3_challenger::{
    CanObserve, FieldChallenger, GrindingChallenger, HashChallenger, SerializingChallenger32,
};
use p3_symmetric::{CryptographicHasher, Hash};
use thiserror::Error;

pub use self::grinding::OrderedSponge;
use crate::field::{EF, F};
use crate::stream::{self, ByteReader, DIGEST_BYTES, StreamError};

/// The sponge: BLAKE3 over bytes, chained; challenges by rejection, uniform over the field.
pub type Challenger = SerializingChallenger32<F, OrderedSponge>;

/// Longest label that a frame holds as it is; a longer one is replaced by its digest.
const LABEL_BYTES: usize = 22;

/// Root of a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Root(pub [u8; DIGEST_BYTES]);

/// Why a message of the proof was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TranscriptError {
    /// The bytes are not the messages that were expected.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// A proof of work does not reach its difficulty.
    #[error("proof of work {label} does not reach {bits} bits")]
    Work {
        /// Label of the proof of work.
        label: &'static str,
        /// Difficulty.
        bits: usize,
    },
}

/// What a frame announces. The numbers are part of the format.
#[derive(Clone, Copy)]
enum Kind {
    PublicBytes = 1,
    PublicBase = 2,
    PublicExtension = 3,
    Base = 4,
    Extension = 5,
    Root = 6,
    Challenge = 7,
    Work = 8,
    Opening = 9,
}

/// What both sides do with the sponge.
#[derive(Clone, Debug)]
struct Sponge {
    challenger: Challenger,
    #[cfg(feature = "cheating")]
    frozen: bool,
}

impl Sponge {
    fn new(protocol: &str) -> Self {
        Self {
            challenger: Challenger::new(OrderedSponge(HashChallenger::new(
                protocol.as_bytes().to_vec(),
                Blake3,
            ))),
            #[cfg(feature = "cheating")]
            frozen: false,
        }
    }

    /// Absorbs `[kind, label length, label padded to 22, count]`, 32 bytes.
    fn frame(&mut self, kind: Kind, label: &'static str, count: usize) {
        let mut frame = [0_u8; DIGEST_BYTES];
        let long;
        let (name, length): (&[u8], _) = if label.len() <= LABEL_BYTES {
            (label.as_bytes(), label.len().to_le_bytes()[0])
        } else {
            long = digest(label.as_bytes());
            (&long, u8::MAX)
        };
        let head = [kind as u8, length];
        let count = u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes();
        let source = head
            .iter()
            .chain(name.iter().take(LABEL_BYTES))
            .chain(std::iter::repeat_n(
                &0,
                LABEL_BYTES.saturating_sub(name.len()),
            ))
            .chain(&count);
        for (slot, byte) in frame.iter_mut().zip(source) {
            *slot = *byte;
        }
        self.digest(frame);
    }

    fn digest(&mut self, digest: [u8; DIGEST_BYTES]) {
        self.challenger
            .observe(Hash::<F, u8, DIGEST_BYTES>::from(digest));
    }

    fn bytes(&mut self, label: &'static str, data: &[u8]) {
        self.frame(Kind::PublicBytes, label, data.len());
        self.digest(digest(data));
    }

    fn base(&mut self, kind: Kind, label: &'static str, values: &[F]) {
        self.frame(kind, label, values.len());
        self.challenger.observe_slice(values);
    }

    fn extension(&mut self, kind: Kind, label: &'static str, values: &[EF]) {
        self.frame(kind, label, values.len());
        self.challenger.observe_algebra_slice(values);
    }

    fn root(&mut self, label: &'static str, root: &Root) {
        self.frame(Kind::Root, label, 1);
        self.digest(root.0);
    }

    fn challenges(&mut self, label: &'static str, count: usize) -> Vec<EF> {
        self.frame(Kind::Challenge, label, count);
        let drawn = (0..count).map(|_| self.challenger.sample_algebra_element());
        #[cfg(feature = "cheating")]
        if self.frozen {
            return drawn.map(|_: EF| frozen_challenge()).collect();
        }
        drawn.collect()
    }

    fn opening(&mut self, label: &'static str, variables: usize) -> &mut Challenger {
        self.frame(Kind::Opening, label, variables);
        &mut self.challenger
    }
}

/// BLAKE3 of `data`.
pub fn digest(data: &[u8]) -> [u8; DIGEST_BYTES] {
    Blake3.hash_iter_slices([data])
}

/// The challenge that a transcript with frozen challenges gives, whatever it has absorbed.
#[cfg(feature = "cheating")]
pub fn frozen_challenge() -> EF {
    use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
    EF::from_basis_coefficients_fn(|index| F::from_usize(1_000_003 * (index + 1)))
}

/// What prover and verifier do alike: absorb public data and draw challenges.
pub trait Transcript {
    /// Absorbs public bytes.
    fn absorb_bytes(&mut self, label: &'static str, data: &[u8]);

    /// Absorbs public base elements.
    fn absorb_base(&mut self, label: &'static str, values: &[F]);

    /// Absorbs public extension elements.
    fn absorb_extension(&mut self, label: &'static str, values: &[EF]);

    /// Absorbs the root of a commitment that both sides hold already.
    fn absorb_root(&mut self, label: &'static str, root: &Root);

    /// Draws `count` challenges.
    fn challenges(&mut self, label: &'static str, count: usize) -> Vec<EF>;

    /// Draws one challenge.
    fn challenge(&mut self, label: &'static str) -> EF {
        self.challenges(label, 1)
            .first()
            .copied()
            .unwrap_or_default()
    }
}

/// The prover's end: what it sends is absorbed and appended to the proof.
#[derive(Clone, Debug)]
pub struct ProverTranscript {
    sponge: Sponge,
    bytes: Vec<u8>,
    #[cfg(feature = "cheating")]
    cheating: cheating::Record,
}

impl ProverTranscript {
    /// A transcript of the protocol with this name.
    pub fn new(protocol: &str) -> Self {
        Self {
            sponge: Sponge::new(protocol),
            bytes: Vec::new(),
            #[cfg(feature = "cheating")]
            cheating: cheating::Record::default(),
        }
    }

    /// Sends extension elements.
    pub fn send(&mut self, label: &'static str, values: &[EF]) {
        #[cfg(feature = "cheating")]
        let values = &*self.cheating.sent(label, self.bytes.len(), values);
        stream::write_extension(&mut self.bytes, values);
        self.sponge.extension(Kind::Extension, label, values);
    }

    /// Sends base elements.
    pub fn send_base(&mut self, label: &'static str, values: &[F]) {
        stream::write_base(&mut self.bytes, values);
        self.sponge.base(Kind::Base, label, values);
    }

    /// Sends the root of a commitment.
    pub fn send_root(&mut self, label: &'static str, root: &Root) {
        self.bytes.extend_from_slice(&root.0);
        self.sponge.root(label, root);
    }

    /// Works until the sponge yields `bits` zero bits, and sends the witness; nothing for 0 bits.
    pub fn send_work(&mut self, label: &'static str, bits: usize) {
        self.sponge.frame(Kind::Work, label, bits);
        if bits > 0 {
            let witness = self.sponge.challenger.grind(bits);
            stream::write_base(&mut self.bytes, &[witness]);
        }
    }

    /// Bytes sent so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been sent.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The proof.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// The sponge and the proof, for an opening, which absorbs its messages itself.
    #[cfg(feature = "prover")]
    pub(crate) fn opening(
        &mut self,
        label: &'static str,
        variables: usize,
    ) -> (&mut Challenger, &mut Vec<u8>) {
        (self.sponge.opening(label, variables), &mut self.bytes)
    }

    /// From here on every challenge of this side is [`frozen_challenge`]: a cheating prover.
    #[cfg(feature = "cheating")]
    pub fn freeze(&mut self) {
        self.sponge.frozen = true;
    }

    /// From here on nothing that an honest prover would notice stops this side.
    #[cfg(feature = "cheating")]
    pub fn persist(&mut self) {
        self.cheating.persists = true;
    }

    /// Whether this side goes on where an honest prover stops.
    #[cfg(feature = "cheating")]
    pub const fn persists(&self) -> bool {
        self.cheating.persists
    }

    /// Sends other elements than those that an honest prover would, where `edits` say so.
    #[cfg(feature = "cheating")]
    pub fn edit(&mut self, edits: Vec<cheating::Edit>) {
        self.cheating.edits = edits;
    }

    /// The messages of extension elements sent so far, and the challenges that followed.
    #[cfg(feature = "cheating")]
    pub fn sent(&self) -> &[cheating::Sent] {
        &self.cheating.sent
    }
}

/// The verifier's end: what it reads is absorbed in the same call.
#[derive(Clone, Debug)]
pub struct VerifierTranscript<'a> {
    sponge: Sponge,
    reader: ByteReader<'a>,
}

impl<'a> VerifierTranscript<'a> {
    /// A transcript of the protocol with this name over the bytes of a proof.
    pub fn new(protocol: &str, proof: &'a [u8]) -> Self {
        Self {
            sponge: Sponge::new(protocol),
            reader: ByteReader::new(proof),
        }
    }

    /// Receives `count` extension elements.
    ///
    /// # Errors
    /// The proof is too short, or a coordinate is not canonical.
    pub fn receive(
        &mut self,
        label: &'static str,
        count: usize,
    ) -> Result<Vec<EF>, TranscriptError> {
        let values = self.reader.extension(label, count)?;
        self.sponge.extension(Kind::Extension, label, &values);
        Ok(values)
    }

    /// Receives `count` base elements.
    ///
    /// # Errors
    /// The proof is too short, or an element is not canonical.
    pub fn receive_base(
        &mut self,
        label: &'static str,
        count: usize,
    ) -> Result<Vec<F>, TranscriptError> {
        let values = self.reader.base(label, count)?;
        self.sponge.base(Kind::Base, label, &values);
        Ok(values)
    }

    /// Receives the root of a commitment.
    ///
    /// # Errors
    /// The proof is too short.
    pub fn receive_root(&mut self, label: &'static str) -> Result<Root, TranscriptError> {
        let root = Root(self.reader.digest(label)?);
        self.sponge.root(label, &root);
        Ok(root)
    }

    /// Receives a proof of work of `bits` bits; there is none for 0 bits.
    ///
    /// # Errors
    /// The proof is too short, the witness is not canonical, or it does not reach the difficulty.
    pub fn receive_work(
        &mut self,
        label: &'static str,
        bits: usize,
    ) -> Result<(), TranscriptError> {
        self.sponge.frame(Kind::Work, label, bits);
        if bits == 0 {
            return Ok(());
        }
        for witness in self.reader.base(label, 1)? {
            if !self.sponge.challenger.check_witness(bits, witness) {
                return Err(TranscriptError::Work { label, bits });
            }
        }
        Ok(())
    }

    /// Offset of the next byte of the proof.
    pub fn position(&self) -> usize {
        self.reader.position()
    }

    /// Asserts that the proof has been read to its end.
    ///
    /// # Errors
    /// Bytes are left.
    pub fn finish(self) -> Result<(), TranscriptError> {
        Ok(self.reader.finish()?)
    }

    /// The sponge and the proof, for an opening, which absorbs its messages itself.
    pub(crate) fn opening(
        &mut self,
        label: &'static str,
        variables: usize,
    ) -> (&mut Challenger, &mut ByteReader<'a>) {
        (self.sponge.opening(label, variables), &mut self.reader)
    }
}

/// Both ends absorb and draw through their sponge.
macro_rules! transcript {
    ($end:ty $(, $record:ident)?) => {
        impl Transcript for $end {
            fn absorb_bytes(&mut self, label: &'static str, data: &[u8]) {
                self.sponge.bytes(label, data);
            }

            fn absorb_base(&mut self, label: &'static str, values: &[F]) {
                self.sponge.base(Kind::PublicBase, label, values);
            }

            fn absorb_extension(&mut self, label: &'static str, values: &[EF]) {
                self.sponge.extension(Kind::PublicExtension, label, values);
            }

            fn absorb_root(&mut self, label: &'static str, root: &Root) {
                self.sponge.root(label, root);
            }

            fn challenges(&mut self, label: &'static str, count: usize) -> Vec<EF> {
                let drawn = self.sponge.challenges(label, count);
                $(
                    #[cfg(feature = "cheating")]
                    self.$record.drawn(&drawn);
                )?
                drawn
            }
        }
    };
}

transcript!(ProverTranscript, cheating);
transcript!(VerifierTranscript<'_>);

#[cfg(feature = "cheating")]
pub mod cheating;
#[cfg(test)]
mod tests;
