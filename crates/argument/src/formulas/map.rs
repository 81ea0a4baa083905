//! Points of a map.
//!
//! Spec: spec/v1/zk.md, section 8.5.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use crate::field::EF;
use crate::multilinear::shape_variables;
use crate::plan::{Factor, Pairs};

/// One factor of a map with its numbers of variables.
#[derive(Debug, Clone, Copy)]
enum Group<'a> {
    Same {
        variables: usize,
    },
    Related {
        pairs: &'a Pairs,
        operand: usize,
        result: usize,
    },
}

/// The variables of a map.
#[derive(Debug, Clone)]
pub struct MapVariables<'a>(Vec<Group<'a>>);

impl<'a> MapVariables<'a> {
    /// The variables of a map from an operand of this shape.
    pub fn new(operand: &[usize], factors: &'a [Factor]) -> Self {
        let mut rest = operand;
        let groups = factors.iter().map(|factor| match factor {
            Factor::Same { axes } => {
                let (same, later) = rest.split_at_checked(*axes).unwrap_or((rest, &[]));
                rest = later;
                Group::Same {
                    variables: shape_variables(same),
                }
            }
            Factor::Related(pairs) => {
                let from = pairs.from_shape();
                rest = rest.get(from.len()..).unwrap_or_default();
                Group::Related {
                    pairs,
                    operand: shape_variables(&from),
                    result: shape_variables(&pairs.to_shape()),
                }
            }
        });
        Self(groups.collect())
    }

    /// Variables of the sumcheck: those of the operand's related groups, in order.
    pub fn summed(&self) -> usize {
        self.0
            .iter()
            .map(|group| match group {
                Group::Same { .. } => 0,
                Group::Related { operand, .. } => *operand,
            })
            .sum()
    }

    /// The related groups in order: pairs, and the result's point over the group.
    pub fn related<'p>(&self, result: &'p [EF]) -> Vec<(&'a Pairs, &'p [EF])> {
        let mut rest = result;
        let mut related = Vec::new();
        for group in &self.0 {
            match group {
                Group::Same { variables } => {
                    take(&mut rest, *variables);
                }
                Group::Related { pairs, result, .. } => {
                    related.push((*pairs, take(&mut rest, *result)));
                }
            }
        }
        related
    }

    /// The operand's point: the result's over `Same` axes, the challenges over the others.
    pub fn operand_point(&self, result: &[EF], challenges: &[EF]) -> Vec<EF> {
        let (mut result_rest, mut challenges_rest) = (result, challenges);
        let mut point = Vec::new();
        for group in &self.0 {
            match group {
                Group::Same { variables } => {
                    point.extend_from_slice(take(&mut result_rest, *variables));
                }
                Group::Related {
                    operand, result, ..
                } => {
                    take(&mut result_rest, *result);
                    point.extend_from_slice(take(&mut challenges_rest, *operand));
                }
            }
        }
        point
    }

    /// The challenges cut into one segment per related group.
    pub fn challenge_segments<'p>(&self, challenges: &'p [EF]) -> Vec<&'p [EF]> {
        let mut rest = challenges;
        self.0
            .iter()
            .filter_map(|group| match group {
                Group::Same { .. } => None,
                Group::Related { operand, .. } => Some(take(&mut rest, *operand)),
            })
            .collect()
    }
}

/// The first `count` coordinates, removed from `rest`.
fn take<'p>(rest: &mut &'p [EF], count: usize) -> &'p [EF] {
    let (taken, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
    *rest = later;
    taken
}
