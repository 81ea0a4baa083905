//! Products of two tensors, summed over contracted labels.

use std::borrow::Cow;

use veridical_argument::plan::{Labels, WireId};

use super::arithmetic::{balanced, balanced_wide};
use super::nest::{Nest, fill, fill_costly, strides};
use super::pointwise::pairwise;
use super::{Values, ValuesError};

/// A label with its step in both operands, 0 where it is absent.
#[derive(Debug, Clone, Copy)]
struct Label {
    name: u8,
    size: usize,
    a: usize,
    b: usize,
    in_a: bool,
    in_b: bool,
    in_out: bool,
}

impl Values<'_> {
    pub(super) fn einsum(
        &self,
        id: usize,
        a: WireId,
        b: WireId,
        labels: &Labels,
    ) -> Result<Vec<i32>, ValuesError> {
        let (a_shape, a) = self.operand(id, a)?;
        let (b_shape, b) = self.operand(id, b)?;
        let shape_error = |what| ValuesError::Shape { wire: id, what };
        let all = collect(labels, a_shape, b_shape, self.shape(id)).map_err(shape_error)?;
        let out: Vec<Label> = labels
            .out
            .iter()
            .filter_map(|&name| all.iter().find(|label| label.name == name).copied())
            .collect();
        let contracted: Vec<Label> = all.iter().filter(|label| !label.in_out).copied().collect();
        if contracted.iter().any(|label| !label.in_a || !label.in_b) {
            return Err(shape_error(
                "a label of one operand is missing in the result",
            ));
        }
        if contracted.is_empty() {
            let nest = nest(&[&out], &[&|label| label.a, &|label| label.b]);
            return Ok(pairwise(&nest, self.len(id), a, b, |a, b| a * b));
        }
        let part = |in_a: bool, in_b: bool| -> Vec<Label> {
            out.iter()
                .filter(|label| label.in_a == in_a && label.in_b == in_b)
                .copied()
                .collect()
        };
        let (shared, left, right) = (part(true, true), part(true, false), part(false, true));
        let a = pack(&[&shared, &left, &contracted], |label| label.a, a);
        let b = pack(&[&shared, &right, &contracted], |label| label.b, b);
        let product = Product {
            rows: cells(&left),
            columns: cells(&right),
            depth: cells(&contracted),
        };
        let result = product.compute(&a, &b);
        // From (shared, left, right) to the order of the result.
        let order: Vec<Label> = [shared, left, right].concat();
        let sizes: Vec<usize> = order.iter().map(|label| label.size).collect();
        let steps = strides(&sizes);
        let step = |wanted: &Label| {
            let place = order.iter().position(|label| label.name == wanted.name);
            place.map_or(0, |place| steps[place])
        };
        let back = nest(&[&out], &[&step]);
        Ok(if back.is_contiguous(0) {
            result
        } else {
            copy(&back, result.len(), &result)
        })
    }
}

/// All labels: those of `a` in order, then the others.
fn collect(
    labels: &Labels,
    a: &[usize],
    b: &[usize],
    out: &[usize],
) -> Result<Vec<Label>, &'static str> {
    if [labels.a.len(), labels.b.len(), labels.out.len()] != [a.len(), b.len(), out.len()] {
        return Err("an axis has no label");
    }
    let mut all: Vec<Label> = Vec::new();
    let a_axes = labels.a.iter().zip(a.iter().zip(strides(a)));
    let b_axes = labels.b.iter().zip(b.iter().zip(strides(b)));
    let a_axes = a_axes.map(|(&name, (&size, step))| (name, size, [step, 0], [true, false, false]));
    let b_axes = b_axes.map(|(&name, (&size, step))| (name, size, [0, step], [false, true, false]));
    let out_axes = labels.out.iter().zip(out);
    let out_axes = out_axes.map(|(&name, &size)| (name, size, [0, 0], [false, false, true]));
    for (name, size, [a, b], [in_a, in_b, in_out]) in a_axes.chain(b_axes).chain(out_axes) {
        if name == Labels::UNIT {
            if size != 1 {
                return Err("an axis without label is longer than 1");
            }
            continue;
        }
        match all.iter_mut().find(|label| label.name == name) {
            Some(label) if label.size != size => return Err("axes of one label differ in size"),
            Some(label) => {
                label.a += a;
                label.b += b;
                label.in_a |= in_a;
                label.in_b |= in_b;
                label.in_out |= in_out;
            }
            None if !in_a && !in_b => return Err("a label of the result is in no operand"),
            None => all.push(Label {
                name,
                size,
                a,
                b,
                in_a,
                in_b,
                in_out,
            }),
        }
    }
    Ok(all)
}

fn cells(labels: &[Label]) -> usize {
    labels.iter().map(|label| label.size).product()
}

/// Loops over the cells of labels, with one operand for each of `steps`.
fn nest(labels: &[&[Label]], steps: &[&dyn Fn(&Label) -> usize]) -> Nest {
    let labels = labels.concat();
    let sizes: Vec<usize> = labels.iter().map(|label| label.size).collect();
    let steps: Vec<Vec<usize>> = steps
        .iter()
        .map(|step| labels.iter().map(step).collect())
        .collect();
    Nest::strided(&sizes, &steps)
}

/// The cells of an operand in the order of `labels`.
fn pack<'v>(labels: &[&[Label]], step: impl Fn(&Label) -> usize, x: &'v [i32]) -> Cow<'v, [i32]> {
    let nest = nest(labels, &[&step]);
    if nest.is_contiguous(0) {
        Cow::Borrowed(x)
    } else {
        Cow::Owned(copy(
            &nest,
            labels.iter().map(|labels| cells(labels)).product(),
            x,
        ))
    }
}

fn copy(nest: &Nest, len: usize, x: &[i32]) -> Vec<i32> {
    let step = nest.inner()[0];
    fill(len, |cells, out| {
        nest.runs(cells, |start, len, positions| {
            let mut at = positions[0];
            for out in &mut out[start..start + len] {
                *out = x[at];
                at += step;
            }
        });
    })
}

/// Products of matrices `[rows, depth]` and `[columns, depth]`, one for each cell of the shared labels.
#[derive(Debug, Clone, Copy)]
struct Product {
    rows: usize,
    columns: usize,
    depth: usize,
}

impl Product {
    fn compute(&self, a: &[i32], b: &[i32]) -> Vec<i32> {
        let depth = i128::try_from(self.depth).unwrap_or(i128::MAX);
        let (greatest_a, greatest_b) = (magnitude(a), magnitude(b));
        let bound = (i128::from(greatest_a) * i128::from(greatest_b)).saturating_mul(depth);
        let is_narrow =
            greatest_a.max(greatest_b) <= i64::from(i16::MAX) && bound <= i128::from(i32::MAX);
        // The narrow form pays if its copies are read more than once.
        if is_narrow && self.rows * self.columns > 1 {
            return self.sums(&narrowed(a), &narrowed(b), |a, b| {
                let products = a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b));
                balanced(products.sum::<i32>().into())
            });
        }
        if bound <= i128::from(i64::MAX) {
            return self.sums(a, b, |a, b| {
                let products = a.iter().zip(b).map(|(&a, &b)| i64::from(a) * i64::from(b));
                balanced(products.sum())
            });
        }
        self.sums(a, b, |a, b| {
            let products = a
                .iter()
                .zip(b)
                .map(|(&a, &b)| i128::from(a) * i128::from(b));
            balanced_wide(products.sum())
        })
    }

    fn sums<T: Sync>(&self, a: &[T], b: &[T], dot: impl Fn(&[T], &[T]) -> i32 + Sync) -> Vec<i32> {
        let len = a.len() / self.depth * self.columns;
        fill_costly(len, self.depth, |cells, out| {
            for (cell, out) in cells.zip(out) {
                let (row, column) = (cell / self.columns, cell % self.columns);
                let column = row / self.rows * self.columns + column;
                let a = &a[row * self.depth..][..self.depth];
                let b = &b[column * self.depth..][..self.depth];
                *out = dot(a, b);
            }
        })
    }
}

/// Greatest magnitude.
fn magnitude(x: &[i32]) -> i64 {
    let (lo, hi) = x
        .iter()
        .fold((0, 0), |(lo, hi): (i32, i32), &x| (lo.min(x), hi.max(x)));
    i64::from(hi).max(-i64::from(lo))
}

/// The same integers in 16 bits, which hold them.
fn narrowed(x: &[i32]) -> Vec<i16> {
    fill(x.len(), |cells, out| {
        for (out, &x) in out.iter_mut().zip(&x[cells]) {
            *out = i16::try_from(x).unwrap_or(i16::MAX);
        }
    })
}
