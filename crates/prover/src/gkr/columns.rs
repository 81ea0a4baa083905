//! Columns of lookups as base elements.
//!
//! Spec: spec/v1/zk.md, sections 2.1, 2.2 and 6.2.

use p3_field::{PackedValue, PrimeCharacteristicRing};
use rayon::prelude::*;
use veridical_argument::field::F;
use veridical_argument::plan::{Plan, Scaled};
use veridical_program::ConstData;

use super::Witness;
use super::error::GkrError;
use super::lanes::P;
use super::used::{lengths, slots};
use crate::values::Integers;

/// Cells that are computed at once.
const CHUNK: usize = 1 << 12;

/// An expression of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// This, where the selector is 1.
    Constant(F),
    /// By slot of the used units, zero-extended.
    Cells(Vec<F>),
}

/// One operand of an expression along the axes of a [`Nest`].
struct Operand<'a> {
    coeff: F,
    integers: Integers<'a>,
    strides: Vec<usize>,
}

/// Axes of a space, neighbours merged where every operand and the zero extension allow it.
struct Nest {
    sizes: Vec<usize>,
    /// Of the axes of a column.
    lengths: Vec<usize>,
}

/// A row of the innermost axis of a [`Nest`].
struct Cursor {
    /// Along the other axes.
    positions: Vec<usize>,
    /// First cell of the row in every operand.
    starts: Vec<usize>,
}

/// Evaluates an expression over a space.
pub(super) fn column(
    plan: &Plan,
    witness: &impl Witness,
    shape: &[usize],
    scaled: &Scaled,
) -> Result<Column, GkrError> {
    let scale = F::ONE.div_2exp_u64(u64::from(scaled.shift));
    let combination = &scaled.combination;
    let constant = F::from_i64(combination.constant) * scale;
    if combination.terms.is_empty() {
        return Ok(Column::Constant(constant));
    }
    let operands = combination.terms.iter().map(|&(coeff, wire)| {
        let (Some(definition), Some(integers)) = (plan.wire(wire), witness.integers(wire)) else {
            return Err(GkrError::Missing { wire });
        };
        let strides = strides(shape, &definition.shape);
        let cells: usize = definition.shape.iter().product();
        if integers.len() != cells || strides.len() != shape.len() {
            return Err(GkrError::Missing { wire });
        }
        Ok(Operand {
            coeff: F::from_i64(coeff) * scale,
            integers,
            strides,
        })
    });
    let mut operands = operands.collect::<Result<Vec<_>, _>>()?;
    let nest = Nest::new(shape, &mut operands);
    Ok(Column::Cells(nest.evaluate(&operands, constant)))
}

/// Distance between neighbours along each axis of a space; 0 where a wire is broadcast.
fn strides(space: &[usize], wire: &[usize]) -> Vec<usize> {
    let mut stride = 1;
    let missing = space.len().saturating_sub(wire.len());
    let sizes = std::iter::repeat_n(1, missing).chain(wire.iter().copied());
    let sizes: Vec<usize> = sizes.collect();
    let mut strides: Vec<usize> = sizes
        .iter()
        .rev()
        .map(|&size| {
            let own = if size == 1 { 0 } else { stride };
            stride *= size;
            own
        })
        .collect();
    strides.reverse();
    strides
}

/// 1 at the real cells of a space, by slot of the used units.
pub(super) fn selector(shape: &[usize]) -> Vec<F> {
    Nest::new(shape, &mut []).evaluate(&[], F::ONE)
}

impl Nest {
    fn new(shape: &[usize], operands: &mut [Operand<'_>]) -> Self {
        let mut sizes = Vec::new();
        let mut kept: Vec<Vec<usize>> = vec![Vec::new(); operands.len()];
        for (axis, &size) in shape.iter().enumerate() {
            if size == 1 {
                continue;
            }
            let contiguous = size.is_power_of_two()
                && !sizes.is_empty()
                && operands.iter().zip(&kept).all(|(operand, kept)| {
                    kept.last() == operand.strides.get(axis).map(|own| own * size).as_ref()
                });
            if contiguous && let Some(last_size) = sizes.last_mut() {
                *last_size *= size;
                for kept in &mut kept {
                    kept.pop();
                }
            } else {
                sizes.push(size);
            }
            for (operand, kept) in operands.iter().zip(&mut kept) {
                kept.extend(operand.strides.get(axis));
            }
        }
        if sizes.is_empty() {
            sizes.push(1);
            for kept in &mut kept {
                kept.push(0);
            }
        }
        for (operand, kept) in operands.iter_mut().zip(kept) {
            operand.strides = kept;
        }
        let lengths = lengths(&sizes);
        Self { sizes, lengths }
    }

    fn evaluate(&self, operands: &[Operand<'_>], constant: F) -> Vec<F> {
        let mut column = F::zero_vec(self.lengths.iter().product());
        let chunks = column.par_chunks_mut(CHUNK).enumerate();
        chunks.for_each(|(number, chunk)| self.fill(number * CHUNK, operands, constant, chunk));
        column
    }

    /// Fills a part of a column from `slot` on, row by row.
    fn fill(&self, slot: usize, operands: &[Operand<'_>], constant: F, mut into: &mut [F]) {
        let length = self.lengths.last().copied().unwrap_or(1);
        let (row, mut within) = (slot / length, slot % length);
        let mut cursor = self.cursor(row, operands);
        while !into.is_empty() {
            let (here, rest) = into.split_at_mut(into.len().min(length - within));
            if self.is_real(&cursor) {
                self.run(within, operands, &cursor.starts, constant, here);
            }
            into = rest;
            within = 0;
            self.advance(operands, &mut cursor);
        }
    }

    /// A row by its number.
    fn cursor(&self, row: usize, operands: &[Operand<'_>]) -> Cursor {
        let mut rest = row;
        let mut positions = self.lengths.clone();
        positions.pop();
        for length in positions.iter_mut().rev() {
            (*length, rest) = (rest % *length, rest / *length);
        }
        let starts = operands.iter().map(|operand| {
            let steps = positions.iter().zip(&operand.strides);
            steps.map(|(position, stride)| position * stride).sum()
        });
        let starts = starts.collect();
        Cursor { positions, starts }
    }

    /// Goes on to the next row.
    fn advance(&self, operands: &[Operand<'_>], cursor: &mut Cursor) {
        let axes = cursor.positions.iter_mut().zip(&self.lengths).enumerate();
        for (axis, (position, &length)) in axes.rev() {
            let is_last = *position + 1 == length;
            for (start, operand) in cursor.starts.iter_mut().zip(operands) {
                if is_last {
                    *start -= *position * operand.strides[axis];
                } else {
                    *start += operand.strides[axis];
                }
            }
            if !is_last {
                *position += 1;
                return;
            }
            *position = 0;
        }
    }

    /// Whether a row holds cells.
    fn is_real(&self, row: &Cursor) -> bool {
        let mut axes = row.positions.iter().zip(&self.sizes);
        axes.all(|(position, size)| position < size)
    }

    /// Fills a part of a row from `within` on.
    fn run(
        &self,
        within: usize,
        operands: &[Operand<'_>],
        starts: &[usize],
        constant: F,
        into: &mut [F],
    ) {
        let inner = self.sizes.last().copied().unwrap_or(1);
        let real = inner.saturating_sub(within).min(into.len());
        let into = &mut into[..real];
        if constant != F::ZERO {
            into.fill(constant);
        }
        for (&start, operand) in starts.iter().zip(operands) {
            let step = operand.strides.last().copied().unwrap_or(0);
            let first = start + within * step;
            match operand.integers {
                Integers::I8(cells) => accumulate(cells, first, step, operand.coeff, into),
                Integers::I16(cells) => accumulate(cells, first, step, operand.coeff, into),
                Integers::I32(cells) => accumulate(cells, first, step, operand.coeff, into),
            }
        }
    }
}

/// Adds a multiple of every `step`-th cell.
fn accumulate<T: Copy + Into<i32>>(
    cells: &[T],
    first: usize,
    step: usize,
    coeff: F,
    into: &mut [F],
) {
    let element = |cell: &T| F::from_i32((*cell).into());
    if step == 0 {
        let value = cells.get(first).map(element).unwrap_or_default() * coeff;
        for slot in into {
            *slot += value;
        }
        return;
    }
    let cells = cells.get(first..).unwrap_or(&[]);
    if step != 1 {
        for (slot, cell) in into.iter_mut().zip(cells.iter().step_by(step)) {
            *slot += element(cell) * coeff;
        }
        return;
    }
    if into.len() < P::WIDTH {
        for (slot, cell) in into.iter_mut().zip(cells) {
            *slot += element(cell) * coeff;
        }
        return;
    }
    let mut converted = [F::ZERO; 64];
    for (into, cells) in into.chunks_mut(64).zip(cells.chunks(64)) {
        for (slot, cell) in converted.iter_mut().zip(cells) {
            *slot = element(cell);
        }
        let converted = &converted[..into.len()];
        let (packed, rest) = P::pack_slice_with_suffix(converted);
        let (packed_into, rest_into) = P::pack_slice_with_suffix_mut(into);
        let factor = P::from(coeff);
        for (slot, &cell) in packed_into.iter_mut().zip(packed) {
            *slot += cell * factor;
        }
        for (slot, &cell) in rest_into.iter_mut().zip(rest) {
            *slot += cell * coeff;
        }
    }
}

/// `0 .. rows - 1`, zero-extended.
pub(super) fn positions(rows: usize) -> Vec<F> {
    let mut column: Vec<F> = (0..rows).into_par_iter().map(F::from_usize).collect();
    column.resize(slots(&[rows]), F::ZERO);
    column
}

/// Integers of a constant, zero-extended.
pub(super) fn elements(data: &ConstData, rows: usize) -> Vec<F> {
    let integers = match data {
        ConstData::I8(elements) => Integers::I8(elements),
        ConstData::I16(elements) => Integers::I16(elements),
        ConstData::I32(elements) => Integers::I32(elements),
    };
    integers_column(integers, F::ONE, rows)
}

/// A multiple of integers, zero-extended.
pub(super) fn integers_column(integers: Integers<'_>, coeff: F, rows: usize) -> Vec<F> {
    let mut operands = [Operand {
        coeff,
        integers,
        strides: vec![1],
    }];
    Nest::new(&[rows], &mut operands).evaluate(&operands, F::ZERO)
}
