//! Tables of `eq(point, .)`.
//!
//! Spec: spec/v1/zk.md, sections 2 and 7.

use p3_field::{PackedFieldExtension, PackedValue, PrimeCharacteristicRing};
use veridical_argument::field::EF;

use super::lanes::Lanes;
use super::{PackedEF, PackedF};

/// `scale * eq(point, x)` for all `x`, high bit first.
pub(crate) fn equality_table(point: &[EF], scale: EF) -> Vec<EF> {
    let mut table = Vec::with_capacity(1 << point.len());
    table.push(scale);
    double(&mut table, point);
    table
}

/// As [`equality_table`], lane by lane; lanes behind the end are 0.
pub(crate) fn packed_equality_table(point: &[EF], scale: EF) -> Vec<PackedEF> {
    let lanes = PackedF::WIDTH.ilog2() as usize;
    let (high, low) = point.split_at(point.len().saturating_sub(lanes));
    let mut first = equality_table(low, scale);
    first.resize(PackedF::WIDTH, EF::ZERO);
    let mut table = Vec::with_capacity(1 << high.len());
    table.push(PackedEF::from_ext_slice(&first));
    double(&mut table, high);
    table
}

/// Adds the variables of `point` above those of `table`, the lowest first.
fn double<V: Lanes>(table: &mut Vec<V>, point: &[EF]) {
    for coordinate in point.iter().rev() {
        let coordinate = V::from(*coordinate);
        let length = table.len();
        for at in 0..length {
            let low = table[at];
            let high = low * coordinate;
            table[at] = low - high;
            table.push(high);
        }
    }
}

/// `eq(point, .)` as the product of a table of the high variables and one of the low ones, which stays in the cache.
#[derive(Debug, Clone)]
pub(super) struct Split<V> {
    /// Factors of blocks of `2^low_variables` cells.
    pub high: Vec<EF>,
    /// Factors within a block.
    pub low: Vec<V>,
    /// Variables of `low`.
    pub low_variables: usize,
}

impl<V: Lanes> Split<V> {
    /// `most` variables at most are low; as many at least as lanes need.
    pub(super) fn new(point: &[EF], most: usize) -> Self {
        let (high, low) = point.split_at(point.len().saturating_sub(most));
        Self {
            high: equality_table(high, EF::ONE),
            low: V::equality(low),
            low_variables: low.len(),
        }
    }

    /// The polynomial of the variables below the highest: `eq(0, t) + eq(1, t) = 1`.
    pub(super) fn drop_highest(&mut self) {
        if self.high.len() > 1 {
            add_halves(&mut self.high);
        } else {
            add_halves(&mut self.low);
            self.low_variables = self.low_variables.saturating_sub(1);
        }
    }
}

fn add_halves<V: Lanes>(table: &mut Vec<V>) {
    let half = table.len() / 2;
    let (low, high) = table.split_at_mut(half);
    for (low, high) in low.iter_mut().zip(high) {
        *low += *high;
    }
    table.truncate(half);
}
