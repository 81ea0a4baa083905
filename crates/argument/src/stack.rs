//! Stacks: how many tensors are one multilinear polynomial.
//!
//! Spec: spec/v1/zk.md, sections 9.1 and 9.2.

#![deny(clippy::float_arithmetic, clippy::indexing_slicing)]

use p3_field::PrimeCharacteristicRing;
use veridical_program::{ConstKind, Graph};

use crate::field::{EF, F};
use crate::multilinear::{dyadic, eq, eq_index, segments, variables};
use crate::plan::{Definition, Plan, WireId};

/// Most cells of a stack; large models have some thousands.
const MAX_CELLS: usize = 1 << 21;

/// A product of aligned blocks, one per axis of a tensor, which stands at an aligned address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Position of the tensor in the stack.
    pub tensor: usize,
    /// Per axis: first index, and binary logarithm of the size.
    pub blocks: Vec<(usize, usize)>,
    /// Position in the stack.
    pub address: usize,
    /// Binary logarithm of the number of elements.
    pub variables: usize,
}

/// What a claim says about one cell: `coefficient * cell~(point)` is part of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellTerm {
    /// Position of the cell in the stack, a multiple of `2^point.len()`.
    pub address: usize,
    /// Factor.
    pub coefficient: EF,
    /// Point of the cell.
    pub point: Vec<EF>,
}

/// Tensors packed into one vector of a power of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    shapes: Vec<Vec<usize>>,
    cells: Vec<Cell>,
    /// Positions in `cells` by tensor, in the order of the cells of the tensor.
    by_tensor: Vec<Vec<usize>>,
    variables: usize,
}

impl Stack {
    /// The stack of tensors of these shapes with at least so many variables.
    ///
    /// `None` if it does not fit the address space, or is cut into more cells than anybody should list.
    pub fn new(shapes: Vec<Vec<usize>>, minimum_variables: usize) -> Option<Self> {
        let num_cells = shapes.iter().fold(0_usize, |sum, shape| {
            let cells = shape.iter().fold(1_usize, |cells, n| {
                let blocks = usize::try_from(n.count_ones()).unwrap_or(usize::MAX);
                cells.saturating_mul(blocks)
            });
            sum.saturating_add(cells)
        });
        if num_cells > MAX_CELLS {
            return None;
        }
        let mut cells: Vec<Cell> = Vec::new();
        for (tensor, shape) in shapes.iter().enumerate() {
            let mut products: Vec<Vec<(usize, usize)>> = vec![Vec::with_capacity(shape.len())];
            for &n in shape {
                let extend = |product: &Vec<_>, block| {
                    let mut longer = product.clone();
                    longer.push(block);
                    longer
                };
                products = products
                    .iter()
                    .flat_map(|product| dyadic(n).map(move |block| extend(product, block)))
                    .collect();
            }
            cells.extend(products.into_iter().map(|blocks| Cell {
                tensor,
                variables: blocks.iter().map(|(_, bits)| *bits).sum(),
                blocks,
                address: 0,
            }));
        }
        // Stable: by tensor and then by cell among equal sizes.
        cells.sort_by_key(|cell| std::cmp::Reverse(cell.variables));
        let mut next = 0_usize;
        let mut by_tensor = vec![Vec::new(); shapes.len()];
        for (position, cell) in cells.iter_mut().enumerate() {
            cell.address = next;
            let size = 1_usize.checked_shl(u32::try_from(cell.variables).ok()?)?;
            next = next.checked_add(size)?;
            if let Some(of_tensor) = by_tensor.get_mut(cell.tensor) {
                of_tensor.push(position);
            }
        }
        Some(Self {
            shapes,
            cells,
            by_tensor,
            variables: variables(next).max(minimum_variables),
        })
    }

    /// Binary logarithm of the number of elements.
    pub fn variables(&self) -> usize {
        self.variables
    }

    /// Elements that belong to tensors.
    pub fn used(&self) -> usize {
        self.cells
            .last()
            .map_or(0, |cell| cell.address + (1 << cell.variables))
    }

    /// Axes of the tensors.
    pub fn shapes(&self) -> &[Vec<usize>] {
        &self.shapes
    }

    /// All cells in order of address, without gaps.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cells of a tensor.
    pub fn cells_of(&self, tensor: usize) -> impl Iterator<Item = &Cell> {
        let positions = self.by_tensor.get(tensor).map_or(&[][..], Vec::as_slice);
        positions.iter().filter_map(|&at| self.cells.get(at))
    }

    /// Writes the integers of a tensor, row-major, to their places in a stack.
    pub fn scatter(&self, tensor: usize, integers: &[i32], stack: &mut [F]) {
        for cell in self.cells_of(tensor) {
            let end = cell.address + (1 << cell.variables);
            if let Some(elements) = stack.get_mut(cell.address..end) {
                self.fill_cell(cell, integers, elements);
            }
        }
    }

    /// Writes the integers of the tensor of a cell, row-major, to the elements of the cell.
    pub fn fill_cell(&self, cell: &Cell, integers: &[i32], elements: &mut [F]) {
        let shape = self.shapes.get(cell.tensor).map_or(&[][..], Vec::as_slice);
        let Some((&(start, bits), outer)) = cell.blocks.split_last() else {
            for (element, &integer) in elements.iter_mut().zip(integers) {
                *element = F::from_i32(integer);
            }
            return;
        };
        let length = shape.last().copied().unwrap_or(1);
        for (row, elements) in elements.chunks_mut(1 << bits).enumerate() {
            // Row number within the block, axis by axis from the fastest, is a row of the tensor.
            let mut rest = row;
            let mut index = 0_usize;
            let mut stride = 1_usize;
            for (&(first, bits), &n) in outer.iter().zip(shape).rev() {
                index += stride * (first + (rest & ((1 << bits) - 1)));
                rest >>= bits;
                stride *= n;
            }
            let from = index * length + start;
            let integers = integers.get(from..).unwrap_or(&[]);
            for (element, &integer) in elements.iter_mut().zip(integers) {
                *element = F::from_i32(integer);
            }
        }
    }

    /// The value of a tensor at a point, as a sum over its cells.
    pub fn terms<'a>(
        &'a self,
        tensor: usize,
        point: &'a [EF],
    ) -> impl Iterator<Item = CellTerm> + 'a {
        let shape = self.shapes.get(tensor).map_or(&[][..], Vec::as_slice);
        let segments = segments(shape, point);
        self.cells_of(tensor).map(move |cell| {
            let mut coefficient = EF::ONE;
            let mut low = Vec::with_capacity(cell.variables);
            for (&(start, bits), segment) in cell.blocks.iter().zip(&segments) {
                let at = segment.len().saturating_sub(bits);
                let (prefix, inside) = segment.split_at_checked(at).unwrap_or((segment, &[]));
                coefficient *= eq_index(start >> bits, prefix);
                low.extend_from_slice(inside);
            }
            CellTerm {
                address: cell.address,
                coefficient,
                point: low,
            }
        })
    }

    /// `omega~(at)` of a claim on a tensor at a point: the stack's value there is `sum S omega`.
    pub fn omega(&self, tensor: usize, point: &[EF], at: &[EF]) -> EF {
        self.terms(tensor, point).fold(EF::ZERO, |sum, term| {
            let split = at.len().saturating_sub(term.point.len());
            let (high, low) = at.split_at_checked(split).unwrap_or((at, &[]));
            let address = eq_index(term.address >> term.point.len(), high);
            sum + term.coefficient * address * eq(&term.point, low)
        })
    }
}

/// The stack `A` of a plan, and the wires that are its tensors, in order.
pub fn witness_stack(plan: &Plan, minimum_variables: usize) -> Option<(Stack, Vec<WireId>)> {
    let wires = plan.wires.iter().enumerate();
    let (ids, shapes) = wires
        .filter(|(_, wire)| matches!(wire.definition, Definition::Witness { .. }))
        .map(|(id, wire)| (WireId(id), wire.shape.clone()))
        .unzip();
    Some((Stack::new(shapes, minimum_variables)?, ids))
}

/// The stack `W` of all consts of kind `weight` of a program, and the const ids of its tensors, in order.
pub fn weight_stack(graph: &Graph, minimum_variables: usize) -> Option<(Stack, Vec<usize>)> {
    let consts = graph.consts.iter().enumerate();
    let (ids, shapes) = consts
        .filter(|(_, info)| info.kind == ConstKind::Weight)
        .map(|(id, info)| {
            let axes = info.shape.iter().copied().filter(|&n| n != 1);
            (id, axes.collect::<Vec<usize>>())
        })
        .unzip();
    Some((Stack::new(shapes, minimum_variables)?, ids))
}

#[cfg(test)]
mod tests;
