//! Views and maps: cells of another wire at other places.

use std::borrow::Cow;

use veridical_argument::plan::{Factor, Pairs, View, Window, WireId};

use super::arithmetic::balanced;
use super::nest::{fill, fill_costly, strides};
use super::{Column, Values, ValuesError};

/// Stands for the place of a cell that no pair reaches.
const NONE: usize = usize::MAX;

/// One axis of a result, or several in row-major order, and where its cells come from.
#[derive(Debug)]
enum Axis {
    /// Equally spaced.
    Even { size: usize, step: usize },
    /// Position of each cell, or [`NONE`].
    Table(Vec<usize>),
}

/// Where the cells of a result come from: a position that is a sum over its axes.
#[derive(Debug, Default)]
struct Gather {
    axes: Vec<Axis>,
    start: usize,
}

impl Axis {
    fn size(&self) -> usize {
        match self {
            Self::Even { size, .. } => *size,
            Self::Table(cells) => cells.len(),
        }
    }
}

impl Gather {
    /// Adds a faster axis.
    fn push(&mut self, axis: Axis) {
        let axis = match axis {
            Axis::Table(cells) => self.even(cells),
            even @ Axis::Even { .. } => even,
        };
        match (self.axes.last_mut(), axis) {
            (_, Axis::Even { size: 1, .. }) => {}
            (
                Some(Axis::Even {
                    size: outer,
                    step: outer_step,
                }),
                Axis::Even { size, step },
            ) if *outer_step == size * step => {
                *outer *= size;
                *outer_step = step;
            }
            (_, axis) => self.axes.push(axis),
        }
    }

    /// A table without gaps whose cells are equally spaced needs no table.
    fn even(&mut self, cells: Vec<usize>) -> Axis {
        let first = cells.first().copied().unwrap_or(NONE);
        let step = cells.get(1).map_or(0, |second| second.wrapping_sub(first));
        let expected = |i: usize| first.wrapping_add(i.wrapping_mul(step));
        let is_even = first != NONE
            && cells
                .get(1)
                .is_none_or(|&second| second != NONE && second >= first)
            && cells
                .iter()
                .enumerate()
                .all(|(i, &cell)| cell == expected(i));
        if is_even {
            self.start += first;
            let size = cells.len();
            Axis::Even { size, step }
        } else {
            Axis::Table(cells)
        }
    }

    /// Number of cells of the result.
    fn len(&self) -> usize {
        self.axes.iter().map(Axis::size).product()
    }

    /// One more than the last position.
    fn end(&self) -> usize {
        let last = self.axes.iter().map(|axis| match axis {
            Axis::Even { size, step } => (size - 1) * step,
            Axis::Table(cells) => cells
                .iter()
                .copied()
                .filter(|&cell| cell != NONE)
                .max()
                .unwrap_or(0),
        });
        self.start + last.sum::<usize>() + 1
    }

    /// Whether the result has exactly the cells of an operand of `len` cells, in order.
    fn is_identity(&self, len: usize) -> bool {
        let in_order = match self.axes.as_slice() {
            [] => true,
            [Axis::Even { step, .. }] => *step == 1,
            _ => false,
        };
        in_order && self.start == 0 && self.len() == len
    }

    /// The cells of the result; positions lie inside `x`.
    fn cells(&self, x: &[i32]) -> Vec<i32> {
        let Some((inner, outer)) = self.axes.split_last() else {
            return vec![x[self.start]];
        };
        fill(self.len(), |cells, out| {
            let mut done = 0;
            while done < out.len() {
                let skip = (cells.start + done) % inner.size();
                let len = (inner.size() - skip).min(out.len() - done);
                let piece = &mut out[done..done + len];
                match (
                    Self::position(outer, self.start, (cells.start + done) / inner.size()),
                    inner,
                ) {
                    (None, _) => piece.fill(0),
                    (Some(base), Axis::Even { step: 1, .. }) => {
                        piece.copy_from_slice(&x[base + skip..base + skip + len]);
                    }
                    (Some(base), Axis::Even { step, .. }) => {
                        for (i, cell) in piece.iter_mut().enumerate() {
                            *cell = x[base + (skip + i) * step];
                        }
                    }
                    (Some(base), Axis::Table(positions)) => {
                        for (cell, &position) in piece.iter_mut().zip(&positions[skip..]) {
                            *cell = if position == NONE {
                                0
                            } else {
                                x[base + position]
                            };
                        }
                    }
                }
                done += len;
            }
        })
    }

    /// Position of a cell of the axes, row-major.
    fn position(axes: &[Axis], start: usize, mut cell: usize) -> Option<usize> {
        let mut position = start;
        for axis in axes.iter().rev() {
            let index = cell % axis.size();
            cell /= axis.size();
            position += match axis {
                Axis::Even { step, .. } => index * step,
                Axis::Table(cells) if cells[index] == NONE => return None,
                Axis::Table(cells) => cells[index],
            };
        }
        Some(position)
    }
}

impl<'a> Values<'a> {
    pub(super) fn view(&self, id: usize, view: &View) -> Result<Column<'a>, ValuesError> {
        let (from, x) = self.operand(id, view.of)?;
        let what = "the variables of a view do not fit those of its operand";
        let shape_error = ValuesError::Shape { wire: id, what };
        // What each variable of the result, highest first, adds to the position in the operand.
        let mut weights = vec![NONE; view.bits.len()];
        let operand = variable_weights(from);
        if operand.len() != view.bits.len() {
            return Err(shape_error);
        }
        for (&bit, weight) in view.bits.iter().zip(operand) {
            match weights.get_mut(bit) {
                Some(slot) if *slot == NONE => *slot = weight,
                _ => return Err(shape_error),
            }
        }
        let mut gather = Gather::default();
        let mut rest = weights.as_slice();
        for &size in self.shape(id) {
            let Some((own, later)) = rest.split_at_checked(variables(size)) else {
                return Err(shape_error);
            };
            rest = later;
            let position = |index: usize| {
                let bits = own.iter().rev().enumerate();
                bits.map(|(bit, weight)| (index >> bit & 1) * weight).sum()
            };
            gather.push(Axis::Table((0..size).map(position).collect()));
        }
        if !rest.is_empty() || gather.len() != x.len() {
            return Err(shape_error);
        }
        self.gather(id, view.of, x, &gather)
    }

    pub(super) fn map(
        &self,
        id: usize,
        of: WireId,
        factors: &[Factor],
    ) -> Result<Column<'a>, ValuesError> {
        let (from, x) = self.operand(id, of)?;
        let what = "the factors of a map do not cover its operand";
        let shape_error = || ValuesError::Shape { wire: id, what };
        let mut x = Cow::Borrowed(x);
        // Sums first: they leave one axis in place of one axis.
        let mut shape = Vec::with_capacity(from.len());
        let mut rest = from;
        for factor in factors {
            let axes = match factor {
                Factor::Same { axes } => *axes,
                Factor::Related(pairs) => pairs.from_shape().len(),
            };
            let (own, later) = rest.split_at_checked(axes).ok_or_else(shape_error)?;
            rest = later;
            match factor {
                Factor::Related(pairs) if pairs.from_shape() != own => return Err(shape_error()),
                Factor::Related(Pairs::WindowSum(window)) => {
                    x = Cow::Owned(window_sums(&x, window, later.iter().product()));
                    shape.push(window.windows);
                }
                Factor::Related(_) | Factor::Same { .. } => shape.extend_from_slice(own),
            }
        }
        if !rest.is_empty() {
            return Err(shape_error());
        }
        let mut gather = Gather::default();
        let mut steps = strides(&shape).into_iter().zip(shape);
        for factor in factors {
            match factor {
                Factor::Same { axes } => {
                    for (step, size) in steps.by_ref().take(*axes) {
                        gather.push(Axis::Even { size, step });
                    }
                }
                Factor::Related(pairs) => {
                    let group: Vec<(usize, usize)> =
                        steps.by_ref().take(pairs.from_shape().len()).collect();
                    let step = group.last().map_or(1, |last| last.0);
                    gather.push(self.related(id, pairs, step)?);
                }
            }
        }
        if gather.len() != self.len(id) {
            return Err(shape_error());
        }
        match x {
            Cow::Borrowed(x) => self.gather(id, of, x, &gather),
            Cow::Owned(x) if gather.is_identity(x.len()) => Ok(Column::Owned(x)),
            Cow::Owned(x) => match self.gather(id, of, &x, &gather)? {
                Column::Same(_) | Column::Borrowed(_) => Ok(Column::Owned(x)),
                owned @ Column::Owned(_) => Ok(owned),
            },
        }
    }

    fn gather(
        &self,
        id: usize,
        of: WireId,
        x: &[i32],
        gather: &Gather,
    ) -> Result<Column<'a>, ValuesError> {
        if gather.is_identity(x.len()) {
            return Ok(self.same(of));
        }
        if gather.end() > x.len() {
            let what = "a cell comes from outside the operand";
            return Err(ValuesError::Shape { wire: id, what });
        }
        Ok(Column::Owned(gather.cells(x)))
    }

    /// Where the cells of a group of the result come from; `step` is that of the operand's fastest axis.
    fn related(&self, id: usize, pairs: &Pairs, step: usize) -> Result<Axis, ValuesError> {
        let inside = |position: usize, size: usize| {
            if position < size {
                position * step
            } else {
                NONE
            }
        };
        Ok(match pairs {
            Pairs::Reshape { from, to } => {
                let size = from.iter().product();
                if size != to.iter().product::<usize>() {
                    let what = "a reshape changes the number of cells";
                    return Err(ValuesError::Shape { wire: id, what });
                }
                Axis::Even { size, step }
            }
            Pairs::WindowSum(window) => Axis::Even {
                size: window.windows,
                step,
            },
            Pairs::Place { from, to, offset } => {
                let cells = (0..*to)
                    .map(|cell| cell.checked_sub(*offset).map_or(NONE, |i| inside(i, *from)));
                Axis::Table(cells.collect())
            }
            Pairs::Slice {
                from,
                to,
                start,
                step: distance,
            } => Axis::Table(
                (0..*to)
                    .map(|cell| inside(start + distance * cell, *from))
                    .collect(),
            ),
            Pairs::Window(window) => windows(window, |_, position| position * step),
            Pairs::WindowReal(window) => windows(window, |o, _| o * step),
            Pairs::WindowMask(window) => windows(window, |_, _| 0),
            Pairs::Rows { ids, rows, shape } => {
                let (_, ids) = self.operand(id, *ids)?;
                if ids.len() != shape.iter().product::<usize>() {
                    let what = "the number of rows is not that of their ids";
                    return Err(ValuesError::Shape { wire: id, what });
                }
                let row = |&row: &i32| usize::try_from(row).map_or(NONE, |row| inside(row, *rows));
                Axis::Table(ids.iter().map(row).collect())
            }
        })
    }
}

/// The cells `(o, k)` of a window: `place(o, position)` where the position is inside the image.
fn windows(window: &Window, place: impl Fn(usize, usize) -> usize) -> Axis {
    let cell = |o, k| position(window, o, k).map_or(NONE, |position| place(o, position));
    let cells = (0..window.windows).flat_map(|o| (0..window.taps).map(move |k| (o, k)));
    Axis::Table(cells.map(|(o, k)| cell(o, k)).collect())
}

/// Position of tap `k` of window `o`, if it is inside the image.
fn position(window: &Window, o: usize, k: usize) -> Option<usize> {
    let position = (window.stride * o + window.dilation * k).checked_sub(window.pad)?;
    (position < window.size).then_some(position)
}

/// Sums over the taps of each window along an axis that is followed by `inner` cells.
fn window_sums(x: &[i32], window: &Window, inner: usize) -> Vec<i32> {
    let outer = x.len() / (window.size * inner).max(1);
    fill_costly(outer * window.windows * inner, window.taps, |cells, out| {
        for (number, out) in cells.zip(out) {
            let (o, column) = (number / inner % window.windows, number % inner);
            let image = number / (inner * window.windows) * window.size * inner;
            let taps = (0..window.taps).filter_map(|k| position(window, o, k));
            let sum = taps
                .map(|position| i64::from(x[image + position * inner + column]))
                .sum();
            *out = balanced(sum);
        }
    })
}

/// Variables of an axis.
fn variables(size: usize) -> usize {
    size.next_power_of_two().trailing_zeros() as usize
}

/// What each variable of a tensor's point, highest first, adds to the position of a cell.
fn variable_weights(shape: &[usize]) -> Vec<usize> {
    let axes = shape.iter().zip(strides(shape));
    axes.flat_map(|(&size, step)| (0..variables(size)).rev().map(move |bit| step << bit))
        .collect()
}
