//! Points of views and sums.
//!
//! Spec: spec/v1/zk.md, sections 8.3 and 8.4.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use p3_field::PrimeCharacteristicRing;

use crate::field::EF;
use crate::multilinear::variables;
use crate::plan::View;

/// Point of the operand of a view.
pub fn view_point(view: &View, result: &[EF]) -> Vec<EF> {
    view.bits
        .iter()
        .map(|&bit| result.get(bit).copied().unwrap_or_default())
        .collect()
}

/// Point of the operand of a sum, one half along the summed axes, and the number of their
/// variables: a claim of value `v` becomes one of value `v / 2^number`.
pub fn sum_point(operand: &[usize], axes: &[usize], result: &[EF]) -> (Vec<EF>, usize) {
    let half = EF::ONE.halve();
    let mut rest = result;
    let mut point = Vec::new();
    let mut halves = 0;
    for (axis, &n) in operand.iter().enumerate() {
        let count = variables(n);
        if axes.contains(&axis) {
            point.extend(std::iter::repeat_n(half, count));
            halves += count;
        } else {
            let (segment, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            point.extend_from_slice(segment);
            rest = later;
        }
    }
    (point, halves)
}
