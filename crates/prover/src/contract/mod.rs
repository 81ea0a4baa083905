//! Partial evaluation of tensors of integers.
//!
//! Spec: spec/v1/zk.md, sections 2.1 and 8. Summing an axis with the weights `eq(segment, i)` evaluates
//! the zero extension at the segment; cells that are not there have no weight.
//!
//! | Module     | Purpose                                                       |
//! |------------|---------------------------------------------------------------|
//! | `cell`     | integer types                                                 |
//! | `dispatch` | the kernels of the machine                                    |
//! | `evaluate` | all axes                                                      |
//! | `gather`   | several short groups of axes as one                           |
//! | `kernel`   | weighted sums of rows and columns                             |
//! | `lanes`    | vector operations of each instruction set                     |
//! | `layout`   | the tensor that is left, padded and in another order          |
//! | `stage`    | one group of axes                                             |
//! | `table`    | weights                                                       |
//!
//! Results are exact: they depend neither on the instruction set nor on the number of threads.

mod cell;
mod dispatch;
mod error;
mod evaluate;
mod gather;
mod kernel;
mod lanes;
mod layout;
mod stage;
mod table;
#[cfg(test)]
mod tests;

pub use cell::Cell;
pub use error::ContractError;
pub use layout::{Contracted, Layout};

use veridical_argument::field::EF;
use veridical_argument::multilinear::variables;
use veridical_executor::Isa;

use dispatch::Kernels;
use lanes::Portable;
use stage::Stage;
use table::{axis_weights, product_weights};

/// Most weights of neighbouring axes that are summed together.
const MOST_WEIGHTS: usize = 4096;

/// What happens to an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis<'p> {
    /// It is an axis of the result; its size.
    Kept(usize),
    /// It is evaluated at a segment of a point; its size and the segment.
    Summed(usize, &'p [EF]),
}

impl Axis<'_> {
    /// Size of the axis.
    pub const fn size(&self) -> usize {
        match self {
            Self::Kept(size) | Self::Summed(size, _) => *size,
        }
    }
}

/// Contracts tensors with the kernels of one instruction set.
#[derive(Debug, Clone, Copy)]
pub struct Contractor {
    kernels: Kernels,
}

impl Default for Contractor {
    /// The fastest instruction set of the machine.
    fn default() -> Self {
        Self::new(Isa::detect()).unwrap_or(Self {
            kernels: Kernels::Portable(Portable),
        })
    }
}

/// Neighbouring axes that are all kept or all summed.
enum Group {
    Kept(usize),
    Summed(Vec<EF>),
}

impl Group {
    fn size(&self) -> usize {
        match self {
            Self::Kept(size) => *size,
            Self::Summed(weights) => weights.len(),
        }
    }
}

impl Contractor {
    /// The kernels of an instruction set; `None` if the machine does not have it.
    pub fn new(isa: Isa) -> Option<Self> {
        Kernels::new(isa).map(|kernels| Self { kernels })
    }

    /// Sums some axes of a row-major tensor, and lays out the others.
    ///
    /// # Errors
    /// The tensor, the axes and the layout do not fit each other.
    pub fn contract<T: Cell>(
        &self,
        values: &[T],
        axes: &[Axis<'_>],
        layout: &Layout<'_>,
    ) -> Result<Contracted, ContractError> {
        check(values.len(), axes)?;
        let kept = layout.kept(axes)?;
        let mut groups = groups(axes);
        let Some(first) = next(&groups) else {
            return Ok(Contracted::Base(
                kept.place(|at| values.get(at).map_or(0, |cell| cell.integer())),
            ));
        };
        let mut cells = if gather::is_cheaper(&groups) {
            let (stage, values) = gather::gather(&groups, values);
            groups.clear();
            stage.sum(self.kernels, &values)
        } else {
            take(&mut groups, first).sum(self.kernels, values)
        };
        while let Some(position) = next(&groups) {
            let stage = take(&mut groups, position);
            cells = stage.sum_coordinates(self.kernels, &cells);
        }
        Ok(Contracted::Extension(
            kept.place(|at| cells.get(at).copied().unwrap_or_default()),
        ))
    }
}

/// Refuses a tensor or a point of another size than the axes.
fn check(found: usize, axes: &[Axis<'_>]) -> Result<(), ContractError> {
    let cells = |product: usize, axis: &Axis<'_>| product.checked_mul(axis.size());
    let expected = axes.iter().try_fold(1, cells).unwrap_or(usize::MAX);
    if found != expected {
        return Err(ContractError::Cells { found, expected });
    }
    for (position, axis) in axes.iter().enumerate() {
        if let Axis::Summed(size, segment) = axis
            && segment.len() != variables(*size)
        {
            return Err(ContractError::Segment {
                axis: position,
                found: segment.len(),
                expected: variables(*size),
            });
        }
    }
    Ok(())
}

/// Joins neighbouring axes; axes of size 1 are left out.
fn groups(axes: &[Axis<'_>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for axis in axes.iter().filter(|axis| axis.size() != 1) {
        match (axis, groups.last_mut()) {
            (Axis::Kept(size), Some(Group::Kept(before))) => *before *= size,
            (Axis::Kept(size), _) => groups.push(Group::Kept(*size)),
            (Axis::Summed(size, segment), last) => {
                let weights = axis_weights(*size, segment);
                match last {
                    Some(Group::Summed(before)) if before.len() * size <= MOST_WEIGHTS => {
                        *before = product_weights(before, &weights);
                    }
                    _ => groups.push(Group::Summed(weights)),
                }
            }
        }
    }
    groups
}

/// The group to sum first: the one that leaves least, unless its rows are too short for vectors.
fn next(groups: &[Group]) -> Option<usize> {
    let cost = |position: usize| {
        let inner = cells(groups.get(position + 1..).unwrap_or(&[]));
        let size = groups.get(position).map_or(1, Group::size);
        if (2..16).contains(&inner) {
            size
        } else {
            size.saturating_mul(8)
        }
    };
    (0..groups.len())
        .filter(|&position| matches!(groups.get(position), Some(Group::Summed(_))))
        .max_by_key(|&position| cost(position))
}

/// Removes a group, which the stage then sums.
fn take(groups: &mut Vec<Group>, position: usize) -> Stage {
    let outer = cells(groups.get(..position).unwrap_or(&[]));
    let inner = cells(groups.get(position + 1..).unwrap_or(&[]));
    let weights = match groups.remove(position) {
        Group::Summed(weights) => weights,
        Group::Kept(_) => Vec::new(),
    };
    Stage {
        outer,
        weights,
        inner,
    }
}

/// Cells of some groups.
fn cells(groups: &[Group]) -> usize {
    groups.iter().map(Group::size).product()
}
