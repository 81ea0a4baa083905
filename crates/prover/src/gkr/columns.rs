//! Columns of lookups as base elements.
//!
//! Spec: spec/v1/zk.md, sections 2.1, 2.2 and 6.2.

use p3_field::{PackedValue, PrimeCharacteristicRing};
use rayon::prelude::*;
use veridical_argument::field::F;
use veridical_argument::multilinear::variables;
use veridical_argument::plan::{Plan, Scaled};
use veridical_program::ConstData;

use super::Witness;
use super::error::GkrError;
use super::lanes::P;
use crate::values::Integers;

/// Cells that are computed at once.
const CHUNK: usize = 1 << 12;

/// An expression of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// This, where the selector is 1.
    Constant(F),
    /// By slot, zero-extended.
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
    bits: Vec<usize>,
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

/// 1 at the real cells of a space, by slot.
pub(super) fn selector(shape: &[usize]) -> Vec<F> {
    Nest::new(shape, &mut []).evaluate(&[], F::ONE)
}

impl Nest {
    fn new(shape: &[usize], operands: &mut [Operand<'_>]) -> Self {
        let mut sizes = Vec::new();
        let mut bits = Vec::new();
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
            if contiguous
                && let (Some(last_size), Some(last_bits)) = (sizes.last_mut(), bits.last_mut())
            {
                *last_size *= size;
                *last_bits += variables(size);
                for kept in &mut kept {
                    kept.pop();
                }
            } else {
                sizes.push(size);
                bits.push(variables(size));
            }
            for (operand, kept) in operands.iter().zip(&mut kept) {
                kept.extend(operand.strides.get(axis));
            }
        }
        if sizes.is_empty() {
            sizes.push(1);
            bits.push(0);
            for kept in &mut kept {
                kept.push(0);
            }
        }
        for (operand, kept) in operands.iter_mut().zip(kept) {
            operand.strides = kept;
        }
        Self { sizes, bits }
    }

    fn evaluate(&self, operands: &[Operand<'_>], constant: F) -> Vec<F> {
        let inner_bits = self.bits.last().copied().unwrap_or(0);
        let mut column = F::zero_vec(1 << self.bits.iter().sum::<usize>());
        let size = CHUNK.min(1 << inner_bits);
        column
            .par_chunks_mut(size)
            .with_min_len(CHUNK / size)
            .enumerate()
            .for_each(|(number, chunk)| {
                let slot = number * size;
                let within = slot & ((1 << inner_bits) - 1);
                self.run(slot >> inner_bits, within, operands, constant, chunk);
            });
        column
    }

    /// Fills a part of the row of slots `row`, from `within` on.
    fn run(
        &self,
        row: usize,
        within: usize,
        operands: &[Operand<'_>],
        constant: F,
        into: &mut [F],
    ) {
        let Some((&inner, outer)) = self.sizes.split_last() else {
            return;
        };
        let mut rest = row;
        let mut starts: Vec<usize> = vec![0; operands.len()];
        for (axis, &size) in outer.iter().enumerate().rev() {
            let at = rest & ((1 << self.bits[axis]) - 1);
            rest >>= self.bits[axis];
            if at >= size {
                return;
            }
            for (start, operand) in starts.iter_mut().zip(operands) {
                *start += at * operand.strides[axis];
            }
        }
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
    column.resize(1 << variables(rows), F::ZERO);
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
