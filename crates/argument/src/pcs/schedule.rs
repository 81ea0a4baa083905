//! The schedule of an opening: folds, rates, queries and grinding, in integers.
//!
//! Spec: spec/v1/zk.md, section 11.2. A schedule is a function of (profile, stack, variables) and is
//! never sent. It is computed here in integers, so that every machine has the same one; the
//! commitment scheme derives its own in floating point, and both sides refuse to run if the two
//! differ (`tests/` compares them over the whole domain).

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use thiserror::Error;

use crate::profile::{Profile, Stack};

/// Least number of variables of a stack; callers pad smaller ones with zeros.
pub const MIN_VARIABLES: usize = 10;

/// Largest number of variables of a stack.
pub const MAX_VARIABLES: usize = 27;

/// Variables of the polynomial that ends an opening and is sent in full.
const FINAL_VARIABLES: usize = 6;

/// Largest inverse rate (log 2) of a folded codeword: from here on the error of a fold would grow
/// faster than the number of queries falls.
const MAX_LOG_INV_RATE: usize = 6;

/// Bits of the extension field as the commitment scheme counts them.
const FIELD_BITS: u64 = 155;

/// Fixed point of the logarithms below: 10^12.
const ONE: u64 = 1_000_000_000_000;

/// `log2(21/20)`: the distance `1 - sqrt(rate) - eta` with `eta = sqrt(rate) / 20`, that is `m = 10`.
const LOG_MARGIN: u64 = 70_389_327_891;

/// `log2(8 (m + 1/2)^3 / 3)`, the constant of the exceptional challenges of a line.
const LOG_LINE: u64 = 11_591_989_756_060;

/// `log2(10)`: the list at this distance holds at most `10 / rate` words.
const LOG_LIST: u64 = 3_321_928_094_887;

/// A stack for which no schedule exists.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a stack has {MIN_VARIABLES} to {MAX_VARIABLES} variables, not {variables}")]
pub struct VariablesError {
    /// Variables that were asked for.
    pub variables: usize,
}

/// One codeword of an opening and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Variables of the polynomial behind the codeword.
    pub variables: usize,
    /// Rate of the codeword, as `log2(1 / rate)`.
    pub log_inv_rate: usize,
    /// Variables folded after it is committed.
    pub fold: usize,
    /// Grinding before each of these folds.
    pub fold_work: usize,
    /// Out-of-domain samples that bind it to one word of the list.
    pub samples: usize,
    /// Queries into it, after the fold.
    pub queries: usize,
    /// Grinding before the queries.
    pub query_work: usize,
}

impl Phase {
    /// `log2` of the positions of the codeword, one per folded block.
    pub fn log_positions(&self) -> usize {
        self.variables + self.log_inv_rate - self.fold
    }

    /// Positions that are opened: queries, or all positions if there are no more than that.
    pub fn opened(&self) -> usize {
        self.queries.min(1 << self.log_positions())
    }

    /// Most digests that authenticate the opened positions.
    pub fn most_digests(&self) -> usize {
        self.opened() * self.log_positions()
    }
}

/// The schedule of an opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Variables of the stack.
    pub variables: usize,
    /// Largest grinding of a step.
    pub work: usize,
    /// Bits that each term reaches.
    pub term_bits: usize,
    /// Codewords in order; the first is the committed stack.
    pub phases: Vec<Phase>,
    /// Variables of the final polynomial.
    pub final_variables: usize,
}

impl Schedule {
    /// The schedule for a stack.
    ///
    /// # Errors
    /// The number of variables is outside [`MIN_VARIABLES`] to [`MAX_VARIABLES`].
    pub fn new(profile: Profile, stack: Stack, variables: usize) -> Result<Self, VariablesError> {
        if !(MIN_VARIABLES..=MAX_VARIABLES).contains(&variables) {
            return Err(VariablesError { variables });
        }
        let term_bits = usize::from(profile.term_bits);
        let work = work(profile, variables);
        let mut phases = Vec::new();
        let mut rest = variables;
        let mut rate = first_rate(stack, variables);
        for fold in folds(variables) {
            let queries = queries(term_bits - work, rate);
            phases.push(Phase {
                variables: rest,
                log_inv_rate: rate,
                fold,
                fold_work: fold_work(term_bits, rest, rate),
                samples: samples(term_bits, rest, rate),
                queries,
                query_work: query_work(term_bits, rate, queries),
            });
            rest -= fold;
            rate = next_rate(variables, phases.len(), rate);
        }
        Ok(Self {
            variables,
            work,
            term_bits,
            phases,
            final_variables: rest,
        })
    }
}

/// `log2(1 / rate)` of the committed codeword: the lower the rate the fewer the queries, and the
/// longer the codeword. Weights are committed once.
fn first_rate(stack: Stack, variables: usize) -> usize {
    match (stack, variables) {
        (_, ..=12) | (Stack::Weights, ..=16) => 4,
        (Stack::Witness, ..=16) | (Stack::Weights, ..=20) => 3,
        (Stack::Witness, ..=20) | (Stack::Weights, _) => 2,
        (Stack::Witness, _) => 1,
    }
}

/// Rate of the codeword after `done` others: the second one is what an opening spends its time on,
/// and a query more costs less than a lower rate.
fn next_rate(variables: usize, done: usize, rate: usize) -> usize {
    let next = match (variables, done) {
        (..=12, 1) => 4,
        (13..=16, 1) => 5,
        (21.., 1) => 3,
        _ => rate + 2,
    };
    next.min(MAX_LOG_INV_RATE)
}

/// Largest grinding of a step: cheap for small stacks, and enough for what the folds need.
fn work(profile: Profile, variables: usize) -> usize {
    if profile == Profile::STRONG {
        return match variables {
            ..=16 => 16,
            17..=24 => 20,
            _ => 23,
        };
    }
    match variables {
        ..=12 => 10,
        13..=18 => 12,
        19..=22 => 14,
        _ => 16,
    }
}

/// Variables folded per phase: wide first, since the first codeword is the longest, but the cost
/// of a first fold grows with `3^fold`; the rest in nearly equal parts of at most 5.
fn folds(variables: usize) -> Vec<usize> {
    let first = match variables {
        ..=13 => 4,
        14..=18 => 5,
        19..=22 => 6,
        _ => 7,
    };
    let mut folds = vec![first];
    let mut rest = variables.saturating_sub(first + FINAL_VARIABLES);
    let mut parts = if rest == 5 { 1 } else { rest.div_ceil(4) };
    while parts > 0 {
        let fold = rest.div_ceil(parts);
        folds.push(fold);
        rest -= fold;
        parts -= 1;
    }
    folds
}

/// Least number of queries that reaches `bits` bits.
fn queries(bits: usize, rate: usize) -> usize {
    integer((bits as u64 * ONE).div_ceil(bits_per_query(rate)))
}

/// `-log2(1 - distance)`.
fn bits_per_query(rate: usize) -> u64 {
    rate as u64 * (ONE / 2) - LOG_MARGIN
}

/// Grinding that lifts the queries to the target of a term.
fn query_work(term_bits: usize, rate: usize, queries: usize) -> usize {
    gap(term_bits, queries as u64 * bits_per_query(rate))
}

/// Grinding that lifts a fold to the target of a term.
fn fold_work(term_bits: usize, variables: usize, rate: usize) -> usize {
    // n / rate_minus = 2^(variables + 2 rate) / (1 - 2^-variables); the last factor is below 1.0004
    // for all sizes of phases but moves no ceiling, which the tests compare.
    let line = LOG_LINE + (variables + 2 * rate) as u64 * ONE + small(variables);
    let list = LOG_LIST + rate as u64 * ONE + ONE;
    gap(term_bits, FIELD_BITS * ONE - line.max(list))
}

/// `-log2(1 - 2^-variables)`, rounded up, for `variables >= 6`: below `1.47 * 2^-variables`.
fn small(variables: usize) -> u64 {
    (3 * ONE / 2) >> variables
}

/// Out-of-domain samples: `2 log L + samples * (variables - field)` reaches the target.
fn samples(term_bits: usize, variables: usize, rate: usize) -> usize {
    let list = 2 * (LOG_LIST + rate as u64 * ONE);
    let each = (FIELD_BITS - variables as u64) * ONE;
    integer((term_bits as u64 * ONE + list - ONE).div_ceil(each)).max(1)
}

/// Whole bits that `reached` (fixed point) lacks to `target`.
fn gap(target: usize, reached: u64) -> usize {
    integer((target as u64 * ONE).saturating_sub(reached).div_ceil(ONE))
}

/// Small by construction.
fn integer(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl Phase {
    /// A phase without messages; a schedule always has a first phase.
    pub(super) const NONE: Self = Self {
        variables: 0,
        log_inv_rate: 0,
        fold: 0,
        fold_work: 0,
        samples: 0,
        queries: 0,
        query_work: 0,
    };
}
