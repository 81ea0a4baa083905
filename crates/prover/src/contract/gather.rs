//! Several short groups of axes as one.
//!
//! A second stage works on extension elements, five times the integers; where the first leaves many of them,
//! it is cheaper to bring all summed axes to the front.

use p3_field::PrimeCharacteristicRing;
use veridical_argument::field::EF;

use super::cell::Cell;
use super::stage::Stage;
use super::table::product_weights;
use super::{Group, MOST_WEIGHTS};

/// A first stage over as many cells leaves few.
const SHORT: usize = 32;

/// Whether several groups are summed, all of them short.
pub(super) fn is_cheaper(groups: &[Group]) -> bool {
    let summed = || {
        groups.iter().filter_map(|group| match group {
            Group::Summed(weights) => Some(weights.len()),
            Group::Kept(_) => None,
        })
    };
    summed().count() > 1
        && summed().all(|size| size < SHORT)
        && summed().product::<usize>() <= MOST_WEIGHTS
}

/// The tensor in the order summed axes, kept axes, and the only stage that is left.
pub(super) fn gather<T: Cell>(groups: &[Group], values: &[T]) -> (Stage, Vec<T>) {
    let mut weights = vec![EF::ONE];
    let (mut summed, mut kept) = (vec![0], vec![0]);
    let mut distance = values.len();
    let mut run = 1;
    for (position, group) in groups.iter().enumerate() {
        let size = group.size();
        distance /= size;
        match group {
            Group::Summed(more) => {
                weights = product_weights(&weights, more);
                summed = offsets(&summed, size, distance);
            }
            // The last axes are copied in runs.
            Group::Kept(size) if position + 1 == groups.len() => run = *size,
            Group::Kept(size) => kept = offsets(&kept, *size, distance),
        }
    }
    let mut gathered = Vec::with_capacity(values.len());
    for start in summed {
        for offset in &kept {
            let at = start + offset;
            gathered.extend_from_slice(values.get(at..at + run).unwrap_or(&[]));
        }
    }
    let stage = Stage {
        outer: 1,
        weights,
        inner: kept.len() * run,
    };
    (stage, gathered)
}

/// The offsets of all cells of some axes and of one more, which is faster.
fn offsets(slower: &[usize], size: usize, distance: usize) -> Vec<usize> {
    let cells = |&start: &usize| (0..size).map(move |position| start + position * distance);
    slower.iter().flat_map(cells).collect()
}
