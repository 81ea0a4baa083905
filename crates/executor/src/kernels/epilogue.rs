//! What happens to accumulators before they are stored: bias, then a rounded shift, a clamp or a table.
//!
//! Spec: spec/v1/program.md, sections 4.1, 4.4 and 4.5. Fusing them changes no value: each is a function of
//! one accumulator.

use std::ops::Range;

use super::gemm::{Tile, Window};
use super::{Isa, Kernels, portable};

/// A table of at most `2^16` entries.
#[derive(Debug, Clone)]
pub(crate) enum Table {
    /// All entries fit 16 bits. One entry more than the table has, so that the last entry can be read
    /// together with its neighbour.
    Narrow(Vec<i16>),
    /// Some entry does not; one entry more as well.
    Wide(Vec<i32>),
}

impl Table {
    /// Prepares a table which is not empty.
    pub(crate) fn new(entries: &[i32]) -> Self {
        let narrow: Option<Vec<i16>> = entries
            .iter()
            .chain([&0])
            .map(|&x| i16::try_from(x).ok())
            .collect();
        match narrow {
            Some(narrow) => Self::Narrow(narrow),
            None => Self::Wide(entries.iter().copied().chain([0]).collect()),
        }
    }

    /// Greatest index.
    pub(crate) fn last(&self) -> usize {
        match self {
            Self::Narrow(entries) => entries.len() - 2,
            Self::Wide(entries) => entries.len() - 2,
        }
    }

    /// Entry at an index which is moved inside if it is not.
    pub(crate) fn entry(&self, index: i32) -> i32 {
        let index = usize::try_from(index).unwrap_or(0).min(self.last());
        match self {
            Self::Narrow(entries) => entries[index].into(),
            Self::Wide(entries) => entries[index],
        }
    }
}

/// A function of one integer.
#[derive(Debug, Clone)]
pub(crate) enum Map {
    /// The integer itself.
    Identity,
    /// `clamp(((x + round) >> shift) + add, lo, hi)`.
    Clamp {
        round: i32,
        shift: u32,
        add: i32,
        lo: i32,
        hi: i32,
    },
    /// `table[((x + round) >> shift) + add]`, the index being moved inside if it is not.
    Lookup {
        round: i32,
        shift: u32,
        add: i32,
        table: Table,
    },
}

impl Map {
    /// The map of one integer, as all kernels compute it.
    #[expect(
        clippy::inline_always,
        reason = "the match belongs outside the caller's loop"
    )]
    #[inline(always)]
    pub(crate) fn apply(&self, x: i32) -> i32 {
        match self {
            Self::Identity => x,
            Self::Clamp {
                round,
                shift,
                add,
                lo,
                hi,
            } => (x.wrapping_add(*round) >> shift)
                .wrapping_add(*add)
                .clamp(*lo, *hi),
            Self::Lookup {
                round,
                shift,
                add,
                table,
            } => table.entry((x.wrapping_add(*round) >> shift).wrapping_add(*add)),
        }
    }
}

/// What is added to accumulators.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bias<'a> {
    /// Nothing.
    None,
    /// One value per column, padded to whole panels.
    Column(&'a [i32]),
    /// One value per row.
    Row(&'a [i32]),
}

/// Elements of a tensor: 16 bits if its declared range is narrow, else 32.
pub(crate) enum CellsMut<'a> {
    /// 16-bit elements.
    Narrow(&'a mut [i16]),
    /// 32-bit elements.
    Wide(&'a mut [i32]),
}

/// Elements of a tensor.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cells<'a> {
    /// 16-bit elements.
    Narrow(&'a [i16]),
    /// 32-bit elements.
    Wide(&'a [i32]),
}

impl CellsMut<'_> {
    /// The first `mid` elements and the others.
    pub(crate) fn split_at(self, mid: usize) -> (Self, Self) {
        match self {
            Self::Narrow(cells) => {
                let (left, right) = cells.split_at_mut(mid);
                (CellsMut::Narrow(left), CellsMut::Narrow(right))
            }
            Self::Wide(cells) => {
                let (left, right) = cells.split_at_mut(mid);
                (CellsMut::Wide(left), CellsMut::Wide(right))
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(cells) => cells.len(),
            Self::Wide(cells) => cells.len(),
        }
    }

    /// Sets all elements.
    pub(crate) fn fill(&mut self, value: i32) {
        match self {
            Self::Narrow(cells) => cells.fill(portable::truncate(value)),
            Self::Wide(cells) => cells.fill(value),
        }
    }

    /// The first `len` elements, for as long as all of them are borrowed.
    pub(crate) fn into_first(self, len: usize) -> Self {
        self.split_at(len).0
    }

    /// Part of the elements.
    pub(crate) fn part(&mut self, range: Range<usize>) -> CellsMut<'_> {
        match self {
            Self::Narrow(cells) => CellsMut::Narrow(&mut cells[range]),
            Self::Wide(cells) => CellsMut::Wide(&mut cells[range]),
        }
    }

    /// The first `len` elements.
    pub(crate) fn first(&mut self, len: usize) -> CellsMut<'_> {
        self.part(0..len)
    }
}

impl<'a> Cells<'a> {
    /// One element.
    pub(crate) fn at(&self, i: usize) -> i32 {
        match self {
            Self::Narrow(cells) => cells[i].into(),
            Self::Wide(cells) => cells[i],
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(cells) => cells.len(),
            Self::Wide(cells) => cells.len(),
        }
    }

    /// Part of the elements.
    pub(crate) fn part(&self, range: Range<usize>) -> Cells<'a> {
        match self {
            Self::Narrow(cells) => Cells::Narrow(&cells[range]),
            Self::Wide(cells) => Cells::Wide(&cells[range]),
        }
    }
}

impl Kernels {
    /// Stores a tile at its window of a result whose rows are `stride` apart.
    pub(crate) fn store(
        self,
        tile: &Tile,
        window: Window,
        bias: Bias<'_>,
        map: &Map,
        result: &mut CellsMut<'_>,
        stride: usize,
    ) {
        assert!(
            window.rows >= 1
                && window.columns <= window.stride
                && tile.0.len() >= window.rows * window.stride
                && result.len()
                    >= (window.row + window.rows - 1) * stride + window.column + window.columns
                && match bias {
                    Bias::None => true,
                    Bias::Column(bias) => bias.len() >= window.column + window.stride,
                    Bias::Row(bias) => bias.len() >= window.row + window.rows,
                }
        );
        match self.isa() {
            // SAFETY: `Kernels` exists for AVX-512 only if the processor has it; lengths checked above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe {
                super::avx512_map::store(tile, window, bias, map, result, stride);
            },
            Isa::Portable | Isa::Avx2 => portable::store(tile, window, bias, map, result, stride),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 => portable::store(tile, window, bias, map, result, stride),
        }
    }

    /// Applies a map to every element.
    pub(crate) fn map(self, map: &Map, source: Cells<'_>, result: &mut CellsMut<'_>) {
        assert!(source.len() == result.len());
        match self.isa() {
            // SAFETY: `Kernels` exists for AVX-512 only if the processor has it; lengths checked above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { super::avx512_map::map(map, source, result) },
            Isa::Portable | Isa::Avx2 => portable::map(map, source, result),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 => portable::map(map, source, result),
        }
    }

    /// `table[(greatest - x) >> shift]` for every element of a row.
    pub(crate) fn lookup_below(
        self,
        greatest: i32,
        shift: u32,
        table: &Table,
        source: Cells<'_>,
        result: &mut CellsMut<'_>,
    ) {
        assert!(source.len() == result.len());
        match self.isa() {
            // SAFETY: `Kernels` exists for AVX-512 only if the processor has it; lengths checked above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe {
                super::avx512_map::lookup_below(greatest, shift, table, source, result);
            },
            Isa::Portable | Isa::Avx2 => {
                portable::lookup_below(greatest, shift, table, source, result);
            }
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 => {
                portable::lookup_below(greatest, shift, table, source, result);
            }
        }
    }
}
