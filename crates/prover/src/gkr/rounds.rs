//! The messages of the rounds of a layer.
//!
//! Spec: spec/v1/zk.md, section 6.3.
//!
//! The polynomial of a round is `prefix * eq(y, X) * q(X)`: `prefix` is `eq` over the variables that
//! are bound, `y` the coordinate of the variable of the round, `q` of degree 2. The claim fixes
//! `(1 - y) q(0) + y q(1)`, so a round takes two sums over the table, and `eq` over no more than
//! the variables that are left.

use p3_field::{PrimeCharacteristicRing, batch_multiplicative_inverse};
use veridical_argument::field::EF;
use veridical_argument::labels;
use veridical_argument::transcript::{ProverTranscript, Transcript};

/// The rounds of one layer.
#[derive(Debug)]
pub(super) struct Rounds<'t> {
    transcript: &'t mut ProverTranscript,
    /// Coordinates of the variables that are left, lowest first, each with its inverse.
    left: std::vec::IntoIter<(EF, EF)>,
    /// `eq` over the bound variables.
    prefix: EF,
    /// The claim without `prefix`.
    claim: EF,
    /// Challenges, the one of the lowest variable first.
    bound: Vec<EF>,
}

/// `q(0)` and the coefficient of `X^2`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quadratic {
    /// Value at 0.
    pub(super) at_zero: EF,
    /// Coefficient of `X^2`.
    pub(super) leading: EF,
}

impl<'t> Rounds<'t> {
    /// The rounds at a point without a zero coordinate.
    pub(super) fn new(transcript: &'t mut ProverTranscript, point: &[EF], claim: EF) -> Self {
        let inverses = batch_multiplicative_inverse(point);
        let left: Vec<(EF, EF)> = point.iter().copied().zip(inverses).rev().collect();
        Self {
            transcript,
            left: left.into_iter(),
            prefix: EF::ONE,
            claim,
            bound: Vec::with_capacity(point.len()),
        }
    }

    /// Sends the message of a round and draws its challenge.
    pub(super) fn play(&mut self, q: Quadratic) -> EF {
        let (y, inverse) = self.left.next().unwrap_or_default();
        let at_zero = EF::ONE - y;
        let step = y - at_zero;
        let at_one = (self.claim - at_zero * q.at_zero) * inverse;
        let linear = at_one - q.at_zero - q.leading;
        let value = |x: EF| q.at_zero + x * (linear + x * q.leading);
        let (two, three) = (EF::TWO, EF::from_u8(3));
        let message = [
            self.prefix * at_zero * q.at_zero,
            self.prefix * (at_zero + step.double()) * value(two),
            self.prefix * (at_zero + step * three) * value(three),
        ];
        self.transcript.send(labels::ROUND, &message);
        let challenge = self.transcript.challenge(labels::ROUND);
        self.prefix *= at_zero + step * challenge;
        self.claim = value(challenge);
        self.bound.push(challenge);
        challenge
    }

    /// The point of the challenges, highest variable first.
    pub(super) fn point(self) -> Vec<EF> {
        let mut point = self.bound;
        point.reverse();
        point
    }
}
