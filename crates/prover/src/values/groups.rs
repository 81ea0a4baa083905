//! Wires whose cells depend on a group of cells: all positions along some axes.

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};
use veridical_argument::plan::WireId;

use super::arithmetic::balanced;
use super::nest::{MIN_PARALLEL, Nest, broadcast_strides, fill_costly};
use super::{Values, ValuesError};

/// The groups of a space over some axes, with the position of their cells in every operand.
struct Groups {
    /// Over the groups; positions are those of the first cell.
    nest: Nest,
    count: usize,
    /// For each operand the positions of the cells of a group, counted from its first, in row-major order.
    offsets: Vec<Vec<usize>>,
}

impl Groups {
    fn new(space: &[usize], axes: &[usize], operands: &[&[usize]]) -> Option<Self> {
        Nest::broadcast(space, operands)?;
        let mut outer = space.to_vec();
        let mut sizes = Vec::with_capacity(axes.len());
        for &axis in axes {
            sizes.push(std::mem::replace(outer.get_mut(axis)?, 1));
        }
        let steps: Vec<Vec<usize>> = operands
            .iter()
            .map(|operand| broadcast_strides(operand))
            .collect();
        let offsets = steps.iter().map(|steps| {
            axes.iter()
                .zip(&sizes)
                .fold(vec![0], |outer: Vec<usize>, (&axis, &size)| {
                    let cells = outer
                        .iter()
                        .flat_map(|&offset| (0..size).map(move |i| offset + i * steps[axis]));
                    cells.collect()
                })
        });
        Some(Self {
            count: outer.iter().product(),
            offsets: offsets.collect(),
            nest: Nest::strided(&outer, &steps),
        })
    }

    /// Cells of a group.
    fn cells(&self) -> usize {
        self.offsets.first().map_or(1, Vec::len)
    }

    /// The cells of a group of operand `k` as a slice, if they are neighbours.
    fn are_neighbours(&self, k: usize) -> bool {
        self.offsets[k]
            .iter()
            .enumerate()
            .all(|(i, &offset)| i == offset)
    }

    /// `function(where each operand is at the first cell of the group)` for every group in row-major order.
    fn each<T: Copy + Default + Send>(&self, function: impl Fn(&[usize]) -> T + Sync) -> Vec<T> {
        let steps = self.nest.inner();
        fill_costly(self.count, self.cells(), |groups, out| {
            let mut at = vec![0; steps.len()];
            self.nest.runs(groups, |start, len, positions| {
                at.copy_from_slice(positions);
                for out in &mut out[start..start + len] {
                    *out = function(&at);
                    at.iter_mut().zip(steps).for_each(|(at, step)| *at += step);
                }
            });
        })
    }
}

impl Values<'_> {
    pub(super) fn sum(
        &self,
        id: usize,
        of: WireId,
        axes: &[usize],
    ) -> Result<Vec<i32>, ValuesError> {
        let (shape, x) = self.operand(id, of)?;
        let groups = self.groups(id, shape, axes, &[shape])?;
        let offsets = &groups.offsets[0];
        // At most 2^28 integers below 2^30.
        Ok(if groups.are_neighbours(0) {
            let cells = offsets.len();
            groups.each(|at| balanced(x[at[0]..at[0] + cells].iter().copied().map(i64::from).sum()))
        } else {
            groups.each(|at| {
                balanced(
                    offsets
                        .iter()
                        .map(|offset| i64::from(x[at[0] + offset]))
                        .sum(),
                )
            })
        })
    }

    /// The greatest unmasked cell of each group; 0 where all are masked, which no run of a program has.
    pub(super) fn maximum(
        &self,
        id: usize,
        of: WireId,
        axes: &[usize],
        mask: Option<WireId>,
    ) -> Result<Vec<i32>, ValuesError> {
        let (shape, x) = self.operand(id, of)?;
        let Some(mask) = mask else {
            let groups = self.groups(id, shape, axes, &[shape])?;
            let offsets = &groups.offsets[0];
            return Ok(if groups.are_neighbours(0) {
                let cells = offsets.len();
                groups.each(|at| {
                    x[at[0]..at[0] + cells]
                        .iter()
                        .fold(i32::MIN, |max, &x| max.max(x))
                })
            } else {
                groups.each(|at| {
                    offsets
                        .iter()
                        .fold(i32::MIN, |max, offset| max.max(x[at[0] + offset]))
                })
            });
        };
        let (mask_shape, mask) = self.operand(id, mask)?;
        let space = joined(shape, mask_shape);
        let groups = self.groups(id, &space, axes, &[shape, mask_shape])?;
        Ok(groups.each(|at| {
            let cells = groups.offsets[0].iter().zip(&groups.offsets[1]);
            let open = cells.filter(|(_, offset)| mask[at[1] + **offset] == 1);
            open.map(|(offset, _)| x[at[0] + offset]).max().unwrap_or(0)
        }))
    }

    /// 1 at the first unmasked cell of each group that equals its maximum.
    pub(super) fn first(
        &self,
        id: usize,
        of: WireId,
        max: WireId,
        axes: &[usize],
        mask: Option<WireId>,
    ) -> Result<Vec<i32>, ValuesError> {
        let space = self.shape(id);
        let (shape, x) = self.operand(id, of)?;
        let (max_shape, max) = self.operand(id, max)?;
        let mask = mask.map(|mask| self.operand(id, mask)).transpose()?;
        let mut shapes = vec![space, shape, max_shape];
        shapes.extend(mask.map(|mask| mask.0));
        let groups = Groups::new(space, axes, &shapes).ok_or(ValuesError::Shape {
            wire: id,
            what: "an operand does not broadcast to the shape",
        })?;
        let offsets = &groups.offsets;
        let found = groups.each(|at| {
            let is_first = |&i: &usize| {
                let is_open = mask.is_none_or(|(_, mask)| mask[at[3] + offsets[3][i]] == 1);
                is_open && x[at[1] + offsets[1][i]] == max[at[2] + offsets[2][i]]
            };
            (0..offsets[0].len())
                .find(is_first)
                .map(|i| at[0] + offsets[0][i])
        });
        let mut cells = vec![0; self.len(id)];
        for position in found.into_iter().flatten() {
            cells[position] = 1;
        }
        Ok(cells)
    }

    /// For each rank of a row 1 from its position on; largest first, equal ones by position.
    pub(super) fn ranks(&self, id: usize, of: WireId) -> Result<Vec<i32>, ValuesError> {
        let (_, x) = self.operand(id, of)?;
        let [.., ranks, n] = *self.shape(id) else {
            let what = "ranks need two axes";
            return Err(ValuesError::Shape { wire: id, what });
        };
        let mut cells = vec![0; self.len(id)];
        if ranks == 0 || n == 0 || cells.len() != x.len() * ranks {
            let what = "ranks of rows of another shape";
            return Err(ValuesError::Shape { wire: id, what });
        }
        let row = |(cells, x): (&mut [i32], &[i32])| {
            for (cells, position) in cells.chunks_exact_mut(n).zip(leaders(x, ranks)) {
                cells[position..].fill(1);
            }
        };
        if cells.len() < MIN_PARALLEL {
            cells
                .chunks_exact_mut(ranks * n)
                .zip(x.chunks_exact(n))
                .for_each(row);
        } else {
            cells
                .par_chunks_exact_mut(ranks * n)
                .zip(x.par_chunks_exact(n))
                .for_each(row);
        }
        Ok(cells)
    }

    /// Groups of a space whose result is wire `id`, the axes kept with size 1.
    fn groups(
        &self,
        id: usize,
        space: &[usize],
        axes: &[usize],
        operands: &[&[usize]],
    ) -> Result<Groups, ValuesError> {
        let groups =
            Groups::new(space, axes, operands).filter(|groups| groups.count == self.len(id));
        groups.ok_or(ValuesError::Shape {
            wire: id,
            what: "operands or axes do not fit the groups",
        })
    }
}

/// Positions of the `count` largest of a row, largest first, equal ones by position.
fn leaders(x: &[i32], count: usize) -> Vec<usize> {
    let key = |&i: &usize| (std::cmp::Reverse(x[i]), i);
    if count == 1 {
        return (0..x.len()).min_by_key(key).into_iter().collect();
    }
    let mut order: Vec<usize> = (0..x.len()).collect();
    if count < order.len() {
        order.select_nth_unstable_by_key(count, key);
        order.truncate(count);
    }
    order.sort_unstable_by_key(key);
    order
}

/// The larger size of each axis.
fn joined(a: &[usize], b: &[usize]) -> Vec<usize> {
    a.iter().zip(b).map(|(&a, &b)| a.max(b)).collect()
}
