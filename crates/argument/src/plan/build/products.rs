//! Products and sums that need no witness: `linear`, `matmul`, `affine`, `mul`, `add`, `reduce_sum`.
//!
//! Spec: spec/v1/zk.md, sections 4.1, 4.3, 4.6, 4.7 and 4.14. All are functions of their operands.

use crate::plan::WireId;
use crate::plan::build::builder::Builder;
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;

/// Labels `0 .. rank - 1`; a rank is at most 13.
pub(super) fn labels(rank: usize) -> Vec<u8> {
    (0..rank)
        .filter_map(|axis| u8::try_from(axis).ok())
        .collect()
}

/// A shape of `rank` axes that are 1 but for the last ones.
pub(super) fn trailing(rank: usize, last: &[usize]) -> Vec<usize> {
    let ones = rank.saturating_sub(last.len());
    [vec![1; ones].as_slice(), last].concat()
}

pub(super) fn linear(b: &mut Builder<'_>) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let ((w, w_shape), (bias, bias_shape)) = (b.constant(0)?, b.constant(1)?);
    let rank = x.shape.len();
    let x_labels = labels(rank);
    let fresh = u8::try_from(rank).unwrap_or(u8::MAX);
    let Some((&k, leading)) = x_labels.split_last() else {
        return Err(b.inconsistent("a row has no axis"));
    };
    let out = [leading, &[fresh]].concat();
    let w = b.weight(w, &w_shape)?;
    let product = b.einsum((x.wire, &x_labels), (w, &[fresh, k]), &out, "product")?;
    let bias = b.weight(bias, &trailing(rank, &bias_shape))?;
    let expression = Expression::of(product).plus(1, bias);
    let shape = b.result_shape()?;
    b.combination(&shape, expression, "linear")
}

pub(super) fn matmul(b: &mut Builder<'_>, transpose_b: bool) -> Result<WireId, PlanError> {
    let (x, y) = (b.operand(0)?, b.operand(1)?);
    let rank = x.shape.len();
    let x_labels = labels(rank);
    let n = u8::try_from(rank).unwrap_or(u8::MAX);
    let Some((leading, &[m, k])) = x_labels.split_last_chunk() else {
        return Err(b.inconsistent("a matrix has two axes"));
    };
    let last = if transpose_b { [n, k] } else { [k, n] };
    let y_labels = [leading, &last].concat();
    let out = [leading, &[m, n]].concat();
    b.einsum((x.wire, &x_labels), (y.wire, &y_labels), &out, "matmul")
}

/// Elementwise product with broadcast.
fn elementwise(
    b: &mut Builder<'_>,
    x: WireId,
    y: WireId,
    what: &'static str,
) -> Result<WireId, PlanError> {
    let labels = labels(b.shape(x).len());
    b.einsum((x, &labels), (y, &labels), &labels, what)
}

pub(super) fn mul(b: &mut Builder<'_>) -> Result<WireId, PlanError> {
    let (x, y) = (b.operand(0)?, b.operand(1)?);
    elementwise(b, x.wire, y.wire, "mul")
}

pub(super) fn affine(b: &mut Builder<'_>) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let ((gain, gain_shape), (offset, offset_shape)) = (b.constant(0)?, b.constant(1)?);
    let rank = x.shape.len();
    let gain = b.weight(gain, &trailing(rank, &gain_shape))?;
    let product = elementwise(b, x.wire, gain, "product")?;
    let offset = b.weight(offset, &trailing(rank, &offset_shape))?;
    let expression = Expression::of(product).plus(1, offset);
    b.combination(&x.shape, expression, "affine")
}

pub(super) fn add(b: &mut Builder<'_>, coeff: &[i32]) -> Result<WireId, PlanError> {
    let operands = b.operands()?;
    let terms = operands.iter().zip(coeff);
    let expression = terms.fold(Expression::default(), |sum, (x, &c)| {
        sum.plus(c.into(), x.wire)
    });
    let shape = b.result_shape()?;
    b.combination(&shape, expression, "add")
}

pub(super) fn reduce_sum(b: &mut Builder<'_>, axes: &[usize]) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    b.sum(x.wire, &batched(axes), "reduce_sum")
}

/// Axes of a wire for axes of an item.
pub(super) fn batched(axes: &[usize]) -> Vec<usize> {
    axes.iter().map(|axis| axis.saturating_add(1)).collect()
}
