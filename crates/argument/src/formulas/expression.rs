//! Expressions of sites and identities at a point, from evaluations of their wires.
//!
//! Spec: spec/v1/zk.md, sections 2.2, 6.4 and 7. A space takes the lowest variables of a point; a
//! wire in it is evaluated at those it is not broadcast along.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};

use p3_field::PrimeCharacteristicRing;

use crate::field::{EF, F};
use crate::multilinear::{chi_space, kept_variables, restrict, shape_variables};
use crate::plan::{Combination, Plan, Scaled, Term, WireId};

/// An evaluation that the prover sends: a wire at some variables of a common point.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent {
    /// Which wire.
    pub wire: WireId,
    /// Positions in the common point, ascending.
    pub variables: Vec<usize>,
}

impl Sent {
    /// What a wire in a space sends; the space takes the lowest of `total` variables.
    pub fn new(plan: &Plan, total: usize, space: &[usize], wire: WireId) -> Self {
        let start = total.saturating_sub(shape_variables(space));
        let shape = plan.wire(wire).map_or(&[][..], |wire| &wire.shape);
        let kept = kept_variables(space, shape).into_iter();
        Self {
            wire,
            variables: kept
                .map(|variable| variable.saturating_add(start))
                .collect(),
        }
    }

    /// The point of the wire.
    pub fn point(&self, common: &[EF]) -> Vec<EF> {
        let at = |&variable: &usize| common.get(variable).copied().unwrap_or_default();
        self.variables.iter().map(at).collect()
    }
}

/// What is sent for wires in spaces, each pair of wire and variables once, in order of first
/// occurrence.
pub fn schedule<'a>(
    plan: &Plan,
    total: usize,
    wires: impl IntoIterator<Item = (&'a [usize], WireId)>,
) -> Vec<Sent> {
    let mut known = BTreeSet::new();
    let mut sent = Vec::new();
    for (space, wire) in wires {
        let new = Sent::new(plan, total, space, wire);
        if !known.contains(&new) {
            known.insert(new.clone());
            sent.push(new);
        }
    }
    sent
}

/// Evaluations that were sent, and what follows from them.
#[derive(Debug)]
pub struct Evaluations<'a> {
    plan: &'a Plan,
    point: &'a [EF],
    values: BTreeMap<Sent, EF>,
}

impl<'a> Evaluations<'a> {
    /// The evaluations at a common point.
    pub fn new(plan: &'a Plan, point: &'a [EF], sent: &[Sent], values: &[EF]) -> Self {
        let values = sent.iter().cloned().zip(values.iter().copied()).collect();
        Self {
            plan,
            point,
            values,
        }
    }

    /// The part of the common point that belongs to a space.
    pub fn local(&self, space: &[usize]) -> &'a [EF] {
        let start = self.point.len().saturating_sub(shape_variables(space));
        self.point.get(start..).unwrap_or(&[])
    }

    /// A wire, broadcast to a space; `None` if it was not sent.
    pub fn wire(&self, space: &[usize], wire: WireId) -> Option<EF> {
        let key = Sent::new(self.plan, self.point.len(), space, wire);
        let value = self.values.get(&key)?;
        let (_, factor) = restrict(space, &self.plan.wire(wire)?.shape, self.local(space));
        Some(*value * factor)
    }

    /// A combination over a space.
    pub fn combination(&self, space: &[usize], combination: &Combination) -> Option<EF> {
        let mut sum = EF::ZERO;
        if combination.constant != 0 {
            let constant = F::from_i64(combination.constant);
            sum += chi_space(space, self.local(space)) * constant;
        }
        for &(coeff, wire) in &combination.terms {
            sum += self.wire(space, wire)? * F::from_i64(coeff);
        }
        Some(sum)
    }

    /// A column of a lookup over a space.
    pub fn scaled(&self, space: &[usize], scaled: &Scaled) -> Option<EF> {
        let numerator = self.combination(space, &scaled.combination)?;
        Some(numerator.div_2exp_u64(u64::from(scaled.shift)))
    }

    /// The sum of terms of an identity over a space.
    pub fn terms(&self, space: &[usize], terms: &[Term]) -> Option<EF> {
        let mut sum = EF::ZERO;
        for term in terms {
            let mut product = EF::from(F::from_i64(term.coeff));
            for &wire in &term.factors {
                product *= self.wire(space, wire)?;
            }
            sum += product;
        }
        Some(sum)
    }
}
