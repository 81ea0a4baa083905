//! Wires whose cells depend on the same cell of other wires.

use veridical_argument::plan::{Combination, Scaled, WireId};

use super::arithmetic::balanced;
use super::linear::{BLOCK, Linear, Term};
use super::nest::{Nest, fill};
use super::{Column, Values, ValuesError};

/// Largest shift of a [`Scaled`] expression.
const MAX_SHIFT: u32 = 62;

impl<'a> Values<'a> {
    pub(super) fn combination(
        &self,
        id: usize,
        combination: &Combination,
    ) -> Result<Column<'a>, ValuesError> {
        let (nest, linear) = self.linear(id, combination)?;
        if let ([(1, of)], 0) = (combination.terms.as_slice(), combination.constant)
            && nest.is_contiguous(0)
        {
            return Ok(self.same(*of));
        }
        let cells = blocks(&nest, self.len(id), |positions, skip, out| {
            let mut values = [0; BLOCK];
            let values = &mut values[..out.len()];
            linear.residues(nest.inner(), positions, skip, values);
            for (out, &value) in out.iter_mut().zip(&*values) {
                *out = balanced(value);
            }
        });
        Ok(Column::Owned(cells))
    }

    /// `floor(of)`, or its low bits.
    pub(super) fn floor(
        &self,
        id: usize,
        of: &Scaled,
        bits: Option<u32>,
    ) -> Result<Vec<i32>, ValuesError> {
        let (nest, linear) = self.linear(id, &of.combination)?;
        if of.shift > MAX_SHIFT || bits.is_some_and(|bits| bits > MAX_SHIFT) {
            let what = "a shift exceeds 62";
            return Err(ValuesError::Shape { wire: id, what });
        }
        let mask = bits.map_or(-1, |bits| (1_i64 << bits) - 1);
        Ok(blocks(&nest, self.len(id), |positions, skip, out| {
            let mut values = [0; BLOCK];
            let values = &mut values[..out.len()];
            linear.floors((of.shift, mask), nest.inner(), positions, skip, values);
            for (out, &value) in out.iter_mut().zip(&*values) {
                *out = balanced(value);
            }
        }))
    }

    pub(super) fn unary(
        &self,
        id: usize,
        of: WireId,
        function: impl Fn(i32) -> i32 + Sync,
    ) -> Result<Vec<i32>, ValuesError> {
        let (shape, x) = self.operand(id, of)?;
        let nest = self.space(id, &[shape])?;
        let step = nest.inner()[0];
        Ok(blocks(&nest, self.len(id), |positions, skip, out| {
            let mut at = positions[0] + skip * step;
            for out in out {
                *out = function(x[at]);
                at += step;
            }
        }))
    }

    /// `function(a, b)` of each cell.
    pub(super) fn binary(
        &self,
        id: usize,
        a: WireId,
        b: WireId,
        function: impl Fn(i64, i64) -> i64 + Sync,
    ) -> Result<Vec<i32>, ValuesError> {
        let (a_shape, a) = self.operand(id, a)?;
        let (b_shape, b) = self.operand(id, b)?;
        let nest = self.space(id, &[a_shape, b_shape])?;
        Ok(pairwise(&nest, self.len(id), a, b, function))
    }

    /// Shapes and terms of a combination whose first operand has number `first` in the nest.
    pub(super) fn terms<'v>(
        &'v self,
        id: usize,
        combination: &Combination,
        first: usize,
    ) -> Result<(Vec<&'a [usize]>, Vec<Term<'v>>), ValuesError> {
        let mut shapes = Vec::with_capacity(combination.terms.len() + 1);
        let mut terms = Vec::with_capacity(combination.terms.len());
        for &(coeff, operand) in &combination.terms {
            let (shape, integers) = self.operand(id, operand)?;
            terms.push((coeff, integers, first + shapes.len()));
            shapes.push(shape);
        }
        Ok((shapes, terms))
    }

    fn linear(
        &self,
        id: usize,
        combination: &Combination,
    ) -> Result<(Nest, Linear<'_>), ValuesError> {
        let (shapes, terms) = self.terms(id, combination, 0)?;
        Ok((
            self.space(id, &shapes)?,
            Linear::new(terms, combination.constant),
        ))
    }

    /// Loops over the cells of wire `id`.
    pub(super) fn space(&self, id: usize, operands: &[&[usize]]) -> Result<Nest, ValuesError> {
        let what = "an operand does not broadcast to the shape";
        Nest::broadcast(self.shape(id), operands).ok_or(ValuesError::Shape { wire: id, what })
    }

    /// Cells of wire `id`.
    pub(super) fn len(&self, id: usize) -> usize {
        self.shape(id).iter().product()
    }
}

/// Fills cells block by block: `block(positions of the run, cells of the run before the block, cells)`.
pub(super) fn blocks(
    nest: &Nest,
    len: usize,
    block: impl Fn(&[usize], usize, &mut [i32]) + Sync,
) -> Vec<i32> {
    fill(len, |cells, out: &mut [i32]| {
        nest.runs(cells, |start, len, positions| {
            for (number, out) in out[start..start + len].chunks_mut(BLOCK).enumerate() {
                block(positions, number * BLOCK, out);
            }
        });
    })
}

/// `function` of the cells of two operands of a nest.
pub(super) fn pairwise(
    nest: &Nest,
    len: usize,
    a: &[i32],
    b: &[i32],
    function: impl Fn(i64, i64) -> i64 + Sync,
) -> Vec<i32> {
    let (a_step, b_step) = (nest.inner()[0], nest.inner()[1]);
    blocks(nest, len, |positions, skip, out| {
        let mut a_at = positions[0] + skip * a_step;
        let mut b_at = positions[1] + skip * b_step;
        for out in out {
            *out = balanced(function(a[a_at].into(), b[b_at].into()));
            a_at += a_step;
            b_at += b_step;
        }
    })
}
