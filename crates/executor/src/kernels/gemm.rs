//! `i16 x i16 -> i32` matrix products with wrapping accumulation.
//!
//! Spec: spec/v1/program.md, section 4.1: only the final sum is bounded, so sums modulo 2^32 are
//! exact, in any order. This is what makes all tilings and instruction sets equal.
//!
//! The left operand is read in place, row by row, two neighbouring elements at a time. The right
//! operand is packed into *panels* of [`LANES`] columns: for each pair of neighbouring `k`, the
//! `LANES` pairs follow each other. One 512-bit load is then one operand of `vpdpwssd`.

use super::{Isa, Kernels, portable};

/// Columns of a panel: 32-bit lanes of a 512-bit register.
pub(crate) const LANES: usize = 16;
/// Elements of one pair of `k` in a panel.
pub(crate) const PAIR: usize = 2 * LANES;
/// Elements from one panel to the next: an odd number of cache lines.
///
/// A tile reads several panels in step. Were they a multiple of 4096 bytes apart, as they would be for
/// common depths, their lines would compete for the same sets of the first-level cache.
pub(crate) fn panel_len(pairs: usize) -> usize {
    (pairs | 1) * PAIR
}

/// Most panels of a tile.
pub(crate) const TILE_PANELS: usize = 8;
/// Most accumulators of a tile: what fits in 32 vector registers beside the operands.
const TILE_CELLS: usize = 24 * LANES;

/// Accumulators of one tile, row after row, `panels * LANES` to a row.
#[repr(align(64))]
pub(crate) struct Tile(pub(crate) [i32; TILE_CELLS]);

impl Tile {
    pub(crate) fn new() -> Self {
        Self([0; TILE_CELLS])
    }
}

/// Left operand: `rows` rows, each `stride` elements after the one before.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) data: &'a [i16],
    pub(crate) stride: usize,
    pub(crate) count: usize,
}

/// Right operand: panels of [`panel_len`] elements.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'a> {
    pub(crate) data: &'a [i16],
    pub(crate) pairs: usize,
}

impl Panels<'_> {
    /// Elements of one panel.
    pub(crate) fn panel_len(&self) -> usize {
        panel_len(self.pairs)
    }
}

/// Place of a tile in the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) row: usize,
    pub(crate) rows: usize,
    /// First column, a multiple of [`LANES`].
    pub(crate) column: usize,
    /// Columns that exist; the accumulators beyond belong to padding.
    pub(crate) columns: usize,
    /// Accumulators from one row to the next.
    pub(crate) stride: usize,
}

/// Computes `rows x panels` and hands every finished tile to `sink`.
///
/// Shapes: each row of `rows` has at least `2 * pairs` readable elements; where `k` is odd the last one
/// meets a zero in the panel, so its value does not matter. `columns` is the number of real columns.
pub(crate) fn gemm(
    kernels: Kernels,
    rows: Rows<'_>,
    panels: Panels<'_>,
    columns: usize,
    mut sink: impl FnMut(Window, &mut Tile),
) {
    let panel_len = panels.panel_len();
    let count = columns.div_ceil(LANES);
    assert!(
        panels.data.len() >= count * panel_len,
        "panels are shorter than the columns"
    );
    if rows.count == 0 || count == 0 {
        return;
    }
    assert!(
        rows.data.len() >= (rows.count - 1) * rows.stride + 2 * panels.pairs,
        "rows are shorter than the panels"
    );
    let (tile_rows, tile_panels) = tile_shape(kernels.isa(), rows.count, count);
    let mut tile = Tile::new();
    let mut panel = 0;
    while panel < count {
        let width = tile_panels.min(count - panel);
        let mut row = 0;
        while row < rows.count {
            let height = tile_rows.min(rows.count - row);
            let left = Rows {
                data: &rows.data[row * rows.stride..],
                stride: rows.stride,
                count: height,
            };
            let right = Panels {
                data: &panels.data[panel * panel_len..(panel + width) * panel_len],
                pairs: panels.pairs,
            };
            kernels.tile(left, right, width, &mut tile);
            let column = panel * LANES;
            let window = Window {
                row,
                rows: height,
                column,
                columns: (columns - column).min(width * LANES),
                stride: width * LANES,
            };
            sink(window, &mut tile);
            row += height;
        }
        panel += width;
    }
}

/// Rows and panels of a tile: as many accumulators as there are registers, few loads for each.
fn tile_shape(isa: Isa, rows: usize, panels: usize) -> (usize, usize) {
    match isa {
        Isa::Portable => (4, 1),
        Isa::Avx2 => (6, 1),
        Isa::Avx512 => {
            if panels == 1 {
                (12, 1)
            } else if panels == 2 {
                (
                    if rows > 8 && rows <= 10 {
                        5
                    } else {
                        10.min(rows.max(1))
                    },
                    2,
                )
            } else if rows <= 3 {
                (3, TILE_PANELS)
            } else if rows <= 6 {
                (6, 4)
            } else {
                (8, 3)
            }
        }
    }
}

impl Kernels {
    /// Fills `tile` with `rows x panels`; the caller has checked the lengths, this checks them again.
    fn tile(self, rows: Rows<'_>, panels: Panels<'_>, width: usize, tile: &mut Tile) {
        assert!(
            rows.count >= 1
                && width >= 1
                && rows.count * width * LANES <= TILE_CELLS
                && panels.data.len() >= width * panels.panel_len()
                && rows.data.len() >= (rows.count - 1) * rows.stride + 2 * panels.pairs
        );
        match self.isa {
            Isa::Portable => portable::tile(rows, panels, width, tile),
            // SAFETY: `Kernels` exists for AVX2 only if the processor has it; lengths checked above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { super::avx2::tile(rows, panels, width, tile) },
            // SAFETY: `Kernels` exists for AVX-512 only if the processor has it; lengths checked above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { super::avx512::tile(rows, panels, width, tile) },
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => portable::tile(rows, panels, width, tile),
        }
    }
}
