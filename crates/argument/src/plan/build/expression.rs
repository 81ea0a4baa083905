//! Integer combinations of wires while a plan is built.

use std::collections::BTreeMap;

use crate::plan::{Combination, Scaled, WireId};

/// `sum coeff * wire + constant`; equal wires are collected.
#[derive(Debug, Clone, Default)]
pub(super) struct Expression {
    terms: BTreeMap<WireId, i64>,
    constant: i64,
}

impl Expression {
    /// The wire itself.
    pub(super) fn of(wire: WireId) -> Self {
        Self::default().plus(1, wire)
    }

    /// The same integer everywhere.
    pub(super) fn constant(value: i64) -> Self {
        Self::default().offset(value)
    }

    /// Adds `coeff * wire`. Saturated coefficients are refused where the expression is used.
    pub(super) fn plus(mut self, coeff: i64, wire: WireId) -> Self {
        let sum = self.terms.entry(wire).or_insert(0);
        *sum = sum.saturating_add(coeff);
        self
    }

    /// The sum of two expressions.
    pub(super) fn join(self, other: Self) -> Self {
        let sum = self.offset(other.constant);
        let terms = other.terms.into_iter();
        terms.fold(sum, |sum, (wire, coeff)| sum.plus(coeff, wire))
    }

    /// Subtracts a wire.
    pub(super) fn minus(self, wire: WireId) -> Self {
        self.plus(-1, wire)
    }

    /// Adds an integer.
    pub(super) fn offset(mut self, value: i64) -> Self {
        self.constant = self.constant.saturating_add(value);
        self
    }

    /// `value - self`.
    pub(super) fn subtracted_from(mut self, value: i64) -> Self {
        for coeff in self.terms.values_mut() {
            *coeff = coeff.saturating_neg();
        }
        self.constant = value.saturating_sub(self.constant);
        self
    }

    /// The combination, without terms that cancelled.
    pub(super) fn combination(self) -> Combination {
        let terms = self.terms.into_iter().filter(|&(_, coeff)| coeff != 0);
        Combination {
            terms: terms.map(|(wire, coeff)| (coeff, wire)).collect(),
            constant: self.constant,
        }
    }

    /// `self / 2^shift`.
    pub(super) fn scaled(self, shift: u32) -> Scaled {
        Scaled {
            combination: self.combination(),
            shift,
        }
    }
}
