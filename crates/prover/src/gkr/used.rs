//! Which slots are visited: only units of slots that hold a real cell.
//!
//! Spec: spec/v1/zk.md, sections 6.2 and 6.3.
//!
//! A slot where the selector is 0 has the fraction `0/1`. The sum of two such fractions is `0/1`
//! again, and so is what binding a variable makes of them. So a table keeps the quads of vectors
//! that have another fraction below them, in order, and a set of their numbers.

use veridical_argument::multilinear::{shape_variables, variables};

use super::lanes::LANE_BITS;

/// Variables of a unit, the slots of a pair of quads.
pub(super) const UNIT_BITS: usize = LANE_BITS + 2;

/// Variables of the numbers in a word, the unit of work of a thread.
pub(super) const WORD_BITS: usize = WORD.trailing_zeros() as usize;

/// Numbers in a word.
const WORD: usize = u32::BITS as usize;

/// A set of numbers of quads.
#[derive(Debug)]
pub(super) struct Used {
    /// One bit for each number.
    words: Vec<u32>,
    /// Number of members before each word, and of all.
    before: Vec<usize>,
}

impl Used {
    fn new(words: Vec<u32>) -> Self {
        let mut before = Vec::with_capacity(words.len() + 1);
        let mut count = 0;
        before.push(count);
        before.extend(words.iter().map(|word| {
            count += word.count_ones() as usize;
            count
        }));
        Self { words, before }
    }

    /// Whether `2i` or `2i + 1` is a member, for every `i`.
    fn halved(&self) -> Self {
        let halves = self.words.chunks(2).map(|pair| {
            let high = pair.get(1).map_or(0, |&word| either(word));
            either(pair[0]) | high << 16
        });
        Self::new(halves.collect())
    }

    /// Number of members.
    pub(super) fn count(&self) -> usize {
        self.before.last().copied().unwrap_or(0)
    }

    /// Number of words.
    pub(super) const fn words(&self) -> usize {
        self.words.len()
    }

    /// The members in a word, one bit each.
    pub(super) fn word(&self, number: usize) -> u32 {
        self.words.get(number).copied().unwrap_or(0)
    }

    /// Number of members before a word.
    pub(super) fn before(&self, word: usize) -> usize {
        let end = || self.count();
        self.before.get(word).copied().unwrap_or_else(end)
    }

    /// The pairs `(2i, 2i + 1)` of which one is a member, for all `i` in a word of the halved set;
    /// `members` is what belongs to the members from the first of these on.
    pub(super) fn pairs<'q, T>(
        &self,
        word: usize,
        members: &'q [T],
        other: &'q T,
    ) -> impl Iterator<Item = (&'q T, &'q T)> {
        let words = u64::from(self.word(2 * word)) | u64::from(self.word(2 * word + 1)) << 32;
        let (mut rest, mut next) = (words, 0);
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let shift = rest.trailing_zeros() & !1;
            let pair = rest >> shift;
            rest &= !(3 << shift);
            let mut member = |is_one: bool| {
                let member = members.get(next).filter(|_| is_one);
                next += usize::from(is_one);
                member.unwrap_or(other)
            };
            let first = member(pair & 1 != 0);
            Some((first, member(pair & 2 != 0)))
        })
    }

    /// What belongs to the members, cut before every `words`-th word.
    pub(super) fn cut<'q, T>(&self, mut members: &'q mut [T], words: usize) -> Vec<&'q mut [T]> {
        let number = self.words.len().div_ceil(words);
        let mut parts = Vec::with_capacity(number);
        for part in 0..number {
            let count = self.before((part + 1) * words) - self.before(part * words);
            let (here, rest) = members.split_at_mut(count);
            parts.push(here);
            members = rest;
        }
        parts
    }
}

/// Bit `i` is set if bit `2i` or bit `2i + 1` is.
const fn either(word: u32) -> u32 {
    let mut bits = (word | word >> 1) & 0x5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff;
    (bits | bits >> 8) & 0xffff
}

/// The used quads of all tables.
#[derive(Debug)]
pub(super) struct Usage {
    /// Variables of the first level.
    variables: usize,
    /// Every level is the one before it, halved.
    levels: Vec<Used>,
}

/// The units of leaves that are used.
#[derive(Debug)]
pub(super) struct Units {
    words: Vec<u32>,
}

impl Units {
    /// None, of leaves of this many variables.
    pub(super) fn new(variables: usize) -> Self {
        let bits = variables.saturating_sub(UNIT_BITS + WORD_BITS);
        Self {
            words: vec![0; 1 << bits],
        }
    }

    /// Adds those from the slot `start` to the slot before `end`.
    pub(super) fn add(&mut self, start: usize, end: usize) {
        let mut next = start >> UNIT_BITS;
        let end = end.div_ceil(1 << UNIT_BITS);
        while next < end {
            let bit = next % WORD;
            let count = (WORD - bit).min(end - next);
            if let Some(word) = self.words.get_mut(next / WORD) {
                *word |= (u32::MAX >> (WORD - count)) << bit;
            }
            next += count;
        }
    }

    /// Adds those of the real cells of a space whose slots begin at `start`.
    pub(super) fn add_space(&mut self, start: usize, shape: &[usize]) {
        let Some((&size, rest)) = shape.split_first() else {
            return self.add(start, start + 1);
        };
        let bits = shape_variables(rest);
        if bits <= UNIT_BITS {
            return self.add(start, start + (size << bits));
        }
        for position in 0..size {
            self.add_space(start + (position << bits), rest);
        }
    }

    /// The used quads of the tables above leaves of this many variables.
    pub(super) fn usage(self, variables: usize) -> Usage {
        let variables = variables.saturating_sub(2);
        let mut levels = vec![Used::new(self.words)];
        for _ in LANE_BITS..variables {
            levels.extend(levels.last().map(Used::halved));
        }
        Usage { variables, levels }
    }
}

impl Usage {
    /// Those of a table of `2^variables` pairs of slots, or of as many after some rounds.
    pub(super) fn of(&self, variables: usize) -> &Used {
        let last = self.levels.len() - 1;
        &self.levels[self.variables.saturating_sub(variables).min(last)]
    }
}

/// Lengths of the axes of a column of a space: without the slots of units that are not used.
pub(super) fn lengths(shape: &[usize]) -> Vec<usize> {
    let mut below = 0;
    let lengths = shape.iter().rev().map(|&size| {
        let bits = variables(size);
        let inside = bits.min(UNIT_BITS.saturating_sub(below));
        below += bits;
        size.next_multiple_of(1 << inside)
    });
    let mut lengths: Vec<usize> = lengths.collect();
    lengths.reverse();
    lengths
}

/// Number of slots of a column of a space.
pub(super) fn slots(shape: &[usize]) -> usize {
    lengths(shape).into_iter().fold(1, usize::saturating_mul)
}
