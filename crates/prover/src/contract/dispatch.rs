//! The kernels of each instruction set.

#![expect(
    unsafe_code,
    reason = "functions for one instruction set; each call says why it is sound"
)]

use std::ops::Range;

use veridical_argument::field::EF;
use veridical_executor::Isa;

use super::cell::Cell;
use super::kernel::{self, Coordinates, Panel};
use super::lanes::Portable;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::table::{LIMBS, cell_pairs};

/// Kernels that the machine has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernels {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

/// Weights of the cells of a row, in the form of the kernels.
#[derive(Debug)]
pub(super) enum RowTable {
    Eight(Vec<[[i32; 8]; LIMBS]>),
    #[cfg(target_arch = "x86_64")]
    Sixteen(Vec<[[i32; 16]; LIMBS]>),
}

impl Kernels {
    /// The kernels of an instruction set, if the machine has it.
    pub(super) fn new(isa: Isa) -> Option<Self> {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::new().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Avx512::new().map(Self::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => None,
            Isa::Portable => Some(Self::Portable(Portable)),
        }
    }

    /// See [`kernel::columns`].
    pub(super) fn columns<T: Cell>(
        self,
        panel: &Panel<'_, T>,
        table: &[[i32; LIMBS]],
    ) -> Vec<Coordinates> {
        match self {
            Self::Portable(lanes) => kernel::columns::<_, _, 8, 1>(lanes, panel, table),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the token says that the processor has AVX2.
            Self::Avx2(lanes) => unsafe { columns_avx2(lanes, panel, table) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the token says that the processor has AVX-512.
            Self::Avx512(lanes) => unsafe { columns_avx512(lanes, panel, table) },
        }
    }

    /// The form in which [`Self::rows`] takes the weights of a row.
    pub(super) fn row_table(self, weights: &[EF]) -> RowTable {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => RowTable::Sixteen(cell_pairs(weights)),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => RowTable::Eight(cell_pairs(weights)),
            Self::Portable(_) => RowTable::Eight(cell_pairs(weights)),
        }
    }

    /// See [`kernel::rows`]; the table is one of these kernels.
    pub(super) fn rows<T: Cell>(
        self,
        cells: &[T],
        length: usize,
        rows: Range<usize>,
        table: &RowTable,
    ) -> Vec<Coordinates> {
        match (self, table) {
            #[cfg(target_arch = "x86_64")]
            (Self::Avx512(lanes), RowTable::Sixteen(table)) => {
                // SAFETY: the token says that the processor has AVX-512.
                unsafe { rows_avx512(lanes, cells, length, rows, table) }
            }
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2(lanes), RowTable::Eight(table)) => {
                // SAFETY: the token says that the processor has AVX2.
                unsafe { rows_avx2(lanes, cells, length, rows, table) }
            }
            (_, RowTable::Eight(table)) => {
                kernel::rows::<_, _, 8, 1>(Portable, cells, length, rows, table)
            }
            // No kernels but those of AVX-512 make such a table.
            #[cfg(target_arch = "x86_64")]
            (_, RowTable::Sixteen(_)) => Vec::new(),
        }
    }
}

/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn columns_avx2<T: Cell>(
    lanes: Avx2,
    panel: &Panel<'_, T>,
    table: &[[i32; LIMBS]],
) -> Vec<Coordinates> {
    kernel::columns::<_, _, 8, 1>(lanes, panel, table)
}

/// # Safety
/// The processor has AVX-512 F, BW, DQ, VL and VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn columns_avx512<T: Cell>(
    lanes: Avx512,
    panel: &Panel<'_, T>,
    table: &[[i32; LIMBS]],
) -> Vec<Coordinates> {
    kernel::columns::<_, _, 16, 2>(lanes, panel, table)
}

/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn rows_avx2<T: Cell>(
    lanes: Avx2,
    cells: &[T],
    length: usize,
    rows: Range<usize>,
    table: &[[[i32; 8]; LIMBS]],
) -> Vec<Coordinates> {
    kernel::rows::<_, _, 8, 1>(lanes, cells, length, rows, table)
}

/// # Safety
/// The processor has AVX-512 F, BW, DQ, VL and VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn rows_avx512<T: Cell>(
    lanes: Avx512,
    cells: &[T],
    length: usize,
    rows: Range<usize>,
    table: &[[[i32; 16]; LIMBS]],
) -> Vec<Coordinates> {
    kernel::rows::<_, _, 16, 2>(lanes, cells, length, rows, table)
}
