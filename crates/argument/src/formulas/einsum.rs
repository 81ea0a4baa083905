//! Variables and points of an einsum.
//!
//! Spec: spec/v1/zk.md, section 8.6.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use p3_field::PrimeCharacteristicRing;

use crate::field::EF;
use crate::multilinear::{eq, variables};
use crate::plan::Labels;

/// A label that the sumcheck runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summed {
    /// Label.
    pub label: u8,
    /// Size of its axes.
    pub size: usize,
    /// Variables of its axes, at least one.
    pub variables: usize,
    /// Whether the result has it too; otherwise it is contracted.
    pub shared: bool,
}

/// Which operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// The first.
    A,
    /// The second.
    B,
}

/// An axis: its label and its variables.
type Axis = (u8, usize);

/// The variables of an einsum.
#[derive(Debug, Clone)]
pub struct EinsumVariables {
    summed: Vec<Summed>,
    a: Vec<Axis>,
    b: Vec<Axis>,
    out: Vec<Axis>,
}

impl EinsumVariables {
    /// The variables for operands and a result of these shapes.
    pub fn new(labels: &Labels, a: &[usize], b: &[usize], out: &[usize]) -> Self {
        let axes = |labels: &[u8], shape: &[usize]| -> Vec<Axis> {
            let axes = labels.iter().zip(shape);
            axes.map(|(&label, &n)| (label, variables(n))).collect()
        };
        let mut summed: Vec<Summed> = Vec::new();
        for (&label, &size) in labels.a.iter().zip(a) {
            let known = summed.iter().any(|earlier| earlier.label == label);
            if known || size < 2 || !labels.b.contains(&label) {
                continue;
            }
            summed.push(Summed {
                label,
                size,
                variables: variables(size),
                shared: labels.out.contains(&label),
            });
        }
        Self {
            summed,
            a: axes(&labels.a, a),
            b: axes(&labels.b, b),
            out: axes(&labels.out, out),
        }
    }

    /// The labels of the sumcheck in order: those of both operands as they occur in `a`.
    pub fn labels(&self) -> &[Summed] {
        &self.summed
    }

    /// Variables of the sumcheck.
    pub fn summed(&self) -> usize {
        self.summed.iter().map(|summed| summed.variables).sum()
    }

    /// Degree of the sumcheck: 3 with a shared label, otherwise 2.
    pub fn degree(&self) -> usize {
        if self.summed.iter().any(|summed| summed.shared) {
            3
        } else {
            2
        }
    }

    /// `eq(r_s, s)`: the result's point and the challenges over the shared labels.
    pub fn shared_eq(&self, result: &[EF], challenges: &[EF]) -> EF {
        self.summed
            .iter()
            .filter(|summed| summed.shared)
            .fold(EF::ONE, |product, summed| {
                let label = summed.label;
                let at = self.challenge_segment(label, challenges).unwrap_or(&[]);
                product * eq(segment(&self.out, label, result).unwrap_or(&[]), at)
            })
    }

    /// The result's segment of a label.
    pub fn result_segment<'p>(&self, label: u8, result: &'p [EF]) -> Option<&'p [EF]> {
        segment(&self.out, label, result)
    }

    /// The challenges of a label of the sumcheck.
    pub fn challenge_segment<'p>(&self, label: u8, challenges: &'p [EF]) -> Option<&'p [EF]> {
        let mut rest = challenges;
        for summed in &self.summed {
            let (this, later) = rest.split_at_checked(summed.variables)?;
            if summed.label == label {
                return Some(this);
            }
            rest = later;
        }
        None
    }

    /// The point of an operand: challenges over labels of the sumcheck, the result's over others.
    pub fn operand_point(&self, operand: Operand, result: &[EF], challenges: &[EF]) -> Vec<EF> {
        let axes = match operand {
            Operand::A => &self.a,
            Operand::B => &self.b,
        };
        let mut point = Vec::new();
        for &(label, count) in axes {
            if count == 0 {
                continue;
            }
            let segment = self
                .challenge_segment(label, challenges)
                .or_else(|| segment(&self.out, label, result));
            point.extend_from_slice(segment.unwrap_or(&[]));
        }
        point
    }
}

/// The segment of the axis with a label.
fn segment<'p>(axes: &[Axis], label: u8, point: &'p [EF]) -> Option<&'p [EF]> {
    let mut rest = point;
    for &(this, count) in axes {
        let (segment, later) = rest.split_at_checked(count)?;
        if this == label && count > 0 {
            return Some(segment);
        }
        rest = later;
    }
    None
}

#[cfg(test)]
mod tests;
