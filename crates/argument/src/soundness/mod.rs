//! The soundness of a proof, computed from what it consists of.
//!
//! Spec: spec/v1/zk.md, section 13. In integers (`bound`), rounded up, so that prover, verifier and
//! tests have the same figures.
//!
//! **Lists.** A root binds its sender to a word, and within the Johnson radius of the word lie up to
//! `L = (m + 1/2) / sqrt(rate)` polynomials. Out-of-domain samples leave one of them, but they are
//! drawn when the stack is opened, after every challenge of the outer protocol. So the outer
//! protocol is sound if, for each pair of candidates for the two stacks, fixed before its first
//! challenge, its challenges are good: every outer term counts `L_W L_A` times.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

pub mod bound;
pub mod opening;
mod plan;

use thiserror::Error;

use crate::pcs::{Schedule, VariablesError};
use crate::profile::{Profile, Stack};
use bound::{Bits, Bound};
use opening::Gap;

/// A stack and what is claimed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Variables of the stack.
    pub variables: usize,
    /// Claims that are batched into one.
    pub claims: usize,
}

/// What a proof consists of; both sides can count along, or fill it from the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Profile of the proof.
    pub profile: Profile,
    /// `log2` of the fractions of the lookup argument: also its number of layers.
    pub layers: usize,
    /// Columns of a tuple, its table included.
    pub tuple: usize,
    /// Stack of the weights, if the proof opens one.
    pub weights: Option<Opened>,
    /// Stack of the witness.
    pub witness: Opened,
    rounds: u128,
    widest: u128,
    combined: u128,
    most: u128,
}

impl Description {
    /// A proof with nothing but its lookup argument and its openings.
    pub fn new(profile: Profile, layers: usize, tuple: usize, witness: Opened) -> Self {
        Self {
            profile,
            layers,
            tuple,
            weights: None,
            witness,
            rounds: 0,
            widest: 0,
            combined: 0,
            most: 0,
        }
    }

    /// Adds `count` sumchecks of `rounds` rounds with messages of degree `degree`. Those of the
    /// lookup argument and of the stacks are counted already.
    pub fn sumchecks(&mut self, degree: usize, rounds: usize, count: usize) {
        let degree = degree as u128;
        self.rounds = self.rounds.saturating_add(
            degree
                .saturating_mul(rounds as u128)
                .saturating_mul(count as u128),
        );
        if rounds > 0 && count > 0 {
            self.widest = self.widest.max(degree);
        }
    }

    /// Adds a challenge that combines `terms` claims or identities by its powers, or a random point
    /// of `terms` coordinates at which an identity is tested.
    pub fn combination(&mut self, terms: usize) {
        self.combined = self.combined.saturating_add(terms as u128);
        self.most = self.most.max(terms as u128);
    }

    /// The error of every part, and their union.
    ///
    /// # Errors
    /// A stack has a size for which no schedule exists.
    pub fn report(&self, gap: Gap) -> Result<Report, VariablesError> {
        let stacks = [
            self.weights.map(|opened| (Stack::Weights, opened)),
            Some((Stack::Witness, self.witness)),
        ];
        let mut lists = 1_u128;
        let mut openings = Vec::new();
        for (stack, opened) in stacks.into_iter().flatten() {
            let schedule = Schedule::new(self.profile, stack, opened.variables)?;
            let rate = schedule
                .phases
                .first()
                .map_or(0, |phase| phase.log_inv_rate);
            lists = lists.saturating_mul(opening::list_size(rate));
            openings.push((stack, opened, schedule));
        }
        let mut parts = self.outer(lists);
        for (stack, opened, schedule) in openings {
            let name = match stack {
                Stack::Witness => "stack of the witness",
                Stack::Weights => "stack of the weights",
            };
            parts.push(Part {
                name: format!("{name}: batching"),
                terms: batching(opened, lists),
            });
            parts.push(Part {
                name: format!("{name}: opening"),
                terms: opening::terms(&schedule, 1, gap),
            });
        }
        Ok(Report { parts })
    }

    /// The terms before the stacks.
    fn outer(&self, lists: u128) -> Vec<Part> {
        let fractions = 1_u128
            .checked_shl(u32::try_from(self.layers).unwrap_or(u32::MAX))
            .unwrap_or(u128::MAX);
        // A wrong multiset leaves a polynomial of degree N (k + 2) in alpha and beta.
        let degree = fractions.saturating_mul(self.tuple as u128 + 2);
        let challenges = |count: u128| Bound::challenges(count.saturating_mul(lists));
        let lookup = challenges(degree).ground(self.profile.lookup_work.into());
        // Layer i: lambda, i rounds of degree 3, the branch.
        let layers = (1..=self.layers as u128).map(|layer| 3 * layer + 2).sum();
        vec![
            Part::one("lookup: alpha, beta", lookup, lookup),
            Part::one("lookup: layers", challenges(layers), challenges(3)),
            Part::one(
                "sumchecks",
                challenges(self.rounds),
                challenges(self.widest),
            ),
            Part::one(
                "combinations and points",
                challenges(self.combined),
                challenges(self.most),
            ),
        ]
    }
}

/// Batching the claims of a stack and its sumcheck.
fn batching(opened: Opened, lists: u128) -> Vec<Term> {
    let claims = (opened.claims as u128).saturating_mul(lists);
    let round = Bound::challenges(lists.saturating_mul(2));
    vec![
        Term::once("claims".to_owned(), Bound::challenges(claims)),
        Term::repeated("rounds".to_owned(), round, opened.variables),
    ]
}

/// The error of one step, possibly taken several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// What may go wrong.
    pub name: String,
    /// Error of all rounds together.
    pub total: Bound,
    /// Error of one round.
    pub round: Bound,
}

impl Term {
    fn once(name: String, bound: Bound) -> Self {
        Self {
            name,
            total: bound,
            round: bound,
        }
    }

    fn repeated(name: String, round: Bound, rounds: usize) -> Self {
        Self {
            name,
            total: round.times(rounds as u128),
            round,
        }
    }
}

/// A component of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name of the component.
    pub name: String,
    /// Its errors.
    pub terms: Vec<Term>,
}

impl Part {
    fn one(name: &str, total: Bound, round: Bound) -> Self {
        let name = name.to_owned();
        Self {
            terms: vec![Term {
                name: name.clone(),
                total,
                round,
            }],
            name,
        }
    }

    /// Bits of the union bound over its terms.
    pub fn bits(&self) -> Bits {
        self.error().bits()
    }

    fn error(&self) -> Bound {
        self.terms.iter().map(|term| term.total).sum()
    }
}

/// A proof whose bits are below those of its profile.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{found} bits of soundness by the union bound, the profile needs {needed}")]
pub struct TooWeak {
    /// Bits of the union bound.
    pub found: Bits,
    /// Bits of the profile.
    pub needed: u16,
}

/// The soundness of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Components.
    pub parts: Vec<Part>,
}

impl Report {
    /// Bits of the union bound over all terms: what the product states.
    pub fn union(&self) -> Bits {
        self.parts.iter().map(Part::error).sum::<Bound>().bits()
    }

    /// Bits of the weakest round: the round-by-round figure.
    pub fn weakest_round(&self) -> Bits {
        let terms = self.parts.iter().flat_map(|part| &part.terms);
        terms
            .map(|term| term.round)
            .max()
            .unwrap_or_default()
            .bits()
    }

    /// The bits of the union bound, if the profile's are reached.
    ///
    /// # Errors
    /// They are not.
    pub fn enforce(&self, profile: Profile) -> Result<Bits, TooWeak> {
        let found = self.union();
        if found.whole() < u32::from(profile.bits) {
            return Err(TooWeak {
                found,
                needed: profile.bits,
            });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
