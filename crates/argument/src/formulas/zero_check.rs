//! Groups of identities.
//!
//! Spec: spec/v1/zk.md, section 7.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use crate::formulas::expression::{Sent, schedule};
use crate::multilinear::shape_variables;
use crate::plan::Plan;

/// Identities whose spaces have equally many variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Variables of the spaces.
    pub variables: usize,
    /// Positions in [`Plan::identities`], ascending.
    pub identities: Vec<usize>,
    /// Degree of the sumcheck: one more than the largest number of factors.
    pub degree: usize,
    /// Evaluations that the prover sends, in order.
    pub sent: Vec<Sent>,
}

/// The groups in the order of the protocol.
pub fn groups(plan: &Plan) -> Vec<Group> {
    let mut positions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, identity) in plan.identities.iter().enumerate() {
        let variables = shape_variables(&identity.shape);
        positions.entry(variables).or_default().push(position);
    }
    positions
        .into_iter()
        .map(|(variables, identities)| {
            let members = || identities.iter().filter_map(|&at| plan.identities.get(at));
            let terms = members().flat_map(|identity| &identity.terms);
            let factors = terms.map(|term| term.factors.len()).max().unwrap_or(0);
            let wires = members().flat_map(|identity| {
                let factors = identity.terms.iter().flat_map(|term| &term.factors);
                factors.map(|&wire| (identity.shape.as_slice(), wire))
            });
            Group {
                variables,
                degree: factors.saturating_add(1),
                sent: schedule(plan, variables, wires),
                identities: identities.clone(),
            }
        })
        .collect()
}
