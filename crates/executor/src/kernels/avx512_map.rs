//! AVX-512 forms of [`super::epilogue`]: 16 accumulators at a time, masked at the end of a row.

#![expect(
    clippy::cast_ptr_alignment,
    reason = "vector loads, stores and gathers take pointers of any alignment"
)]

use std::arch::x86_64::{
    __m512i, __mmask16, _mm_cvtsi32_si128, _mm256_maskz_loadu_epi16, _mm512_add_epi32,
    _mm512_cvtepi16_epi32, _mm512_i32gather_epi32, _mm512_loadu_si512,
    _mm512_mask_cvtepi32_storeu_epi16, _mm512_mask_storeu_epi32, _mm512_maskz_loadu_epi32,
    _mm512_max_epi32, _mm512_min_epi32, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_slli_epi32,
    _mm512_sra_epi32, _mm512_srai_epi32, _mm512_sub_epi32,
};

use super::epilogue::{Bias, Cells, CellsMut, Map, Table};
use super::gemm::{LANES, Tile, Window};

/// Mask of the first `count` lanes, all if there are more.
fn first_lanes(count: usize) -> __mmask16 {
    if count >= LANES { !0 } else { (1 << count) - 1 }
}

#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "at most 65535 entries"
)]
fn last_index(table: &Table) -> i32 {
    table.last() as i32
}

#[expect(clippy::cast_possible_wrap, reason = "shifts are at most 31")]
fn count(shift: u32) -> i32 {
    shift as i32
}

/// Entries at the given indices, moved inside if they are not.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
fn entries(table: &Table, index: __m512i) -> __m512i {
    let index = _mm512_max_epi32(index, _mm512_setzero_si512());
    let index = _mm512_min_epi32(index, _mm512_set1_epi32(last_index(table)));
    match table {
        Table::Narrow(entries) => {
            // SAFETY: indices are at most `last`, and one entry more is there to be read with it.
            let pairs =
                unsafe { _mm512_i32gather_epi32::<2>(index, entries.as_ptr().cast::<i32>()) };
            _mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(pairs))
        }
        // SAFETY: indices are at most `last`.
        Table::Wide(entries) => unsafe { _mm512_i32gather_epi32::<4>(index, entries.as_ptr()) },
    }
}

/// A map on 16 lanes, with its constants in registers.
#[derive(Clone, Copy)]
struct Lanes<'a> {
    round: __m512i,
    shift: u32,
    add: __m512i,
    lo: __m512i,
    hi: __m512i,
    table: Option<&'a Table>,
    identity: bool,
}

impl<'a> Lanes<'a> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn new(map: &'a Map) -> Self {
        let [round, shift, add, lo, hi] = match *map {
            Map::Identity => [0, 0, 0, i32::MIN, i32::MAX],
            Map::Clamp {
                round,
                shift,
                add,
                lo,
                hi,
            } => [round, count(shift), add, lo, hi],
            Map::Lookup {
                round, shift, add, ..
            } => [round, count(shift), add, 0, 0],
        };
        Self {
            round: _mm512_set1_epi32(round),
            shift: shift.cast_unsigned(),
            add: _mm512_set1_epi32(add),
            lo: _mm512_set1_epi32(lo),
            hi: _mm512_set1_epi32(hi),
            table: if let Map::Lookup { table, .. } = map {
                Some(table)
            } else {
                None
            },
            identity: matches!(map, Map::Identity),
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn apply(&self, x: __m512i) -> __m512i {
        if self.identity {
            return x;
        }
        let x = _mm512_add_epi32(x, self.round);
        let x = _mm512_sra_epi32(x, _mm_cvtsi32_si128(count(self.shift)));
        let x = _mm512_add_epi32(x, self.add);
        match self.table {
            Some(table) => entries(table, x),
            None => _mm512_min_epi32(_mm512_max_epi32(x, self.lo), self.hi),
        }
    }
}

/// See [`Kernels::store`](super::Kernels::store).
///
/// # Safety
/// The processor has AVX-512; the lengths are as `Kernels::store` checks them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn store(
    tile: &Tile,
    window: Window,
    bias: Bias<'_>,
    map: &Map,
    result: &mut CellsMut<'_>,
    stride: usize,
) {
    let lanes = Lanes::new(map);
    for row in 0..window.rows {
        let row_bias = match bias {
            Bias::Row(bias) => _mm512_set1_epi32(bias[window.row + row]),
            Bias::None | Bias::Column(_) => _mm512_setzero_si512(),
        };
        for column in (0..window.columns).step_by(LANES) {
            let mask = first_lanes(window.columns - column);
            let at = (window.row + row) * stride + window.column + column;
            // SAFETY: the tile has whole panels; a column bias is padded to whole panels; `result` holds the
            // window, and lanes beyond its columns are masked.
            unsafe {
                let sums = tile.0.as_ptr().add(row * window.stride + column);
                let sum = _mm512_loadu_si512(sums.cast::<__m512i>());
                let bias = match bias {
                    Bias::Column(bias) => _mm512_loadu_si512(
                        bias.as_ptr().add(window.column + column).cast::<__m512i>(),
                    ),
                    Bias::None | Bias::Row(_) => row_bias,
                };
                put(result, at, mask, lanes.apply(_mm512_add_epi32(sum, bias)));
            }
        }
    }
}

/// See [`Kernels::map`](super::Kernels::map).
///
/// # Safety
/// The processor has AVX-512; `source` and `result` have the same length.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn map(map: &Map, source: Cells<'_>, result: &mut CellsMut<'_>) {
    let lanes = Lanes::new(map);
    for at in (0..source.len()).step_by(LANES) {
        let mask = first_lanes(source.len() - at);
        // SAFETY: lanes beyond the end are masked.
        unsafe { put(result, at, mask, lanes.apply(get(source, at, mask))) };
    }
}

/// See [`Kernels::lookup_below`](super::Kernels::lookup_below).
///
/// # Safety
/// The processor has AVX-512; `source` and `result` have the same length.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn lookup_below(
    greatest: i32,
    shift: u32,
    table: &Table,
    source: Cells<'_>,
    result: &mut CellsMut<'_>,
) {
    let greatest = _mm512_set1_epi32(greatest);
    let shift = _mm_cvtsi32_si128(count(shift));
    for at in (0..source.len()).step_by(LANES) {
        let mask = first_lanes(source.len() - at);
        // SAFETY: lanes beyond the end are masked.
        unsafe {
            let below = _mm512_sub_epi32(greatest, get(source, at, mask));
            put(
                result,
                at,
                mask,
                entries(table, _mm512_sra_epi32(below, shift)),
            );
        }
    }
}

/// Loads 16 elements as 32-bit lanes; masked ones read as 0.
///
/// # Safety
/// The processor has AVX-512; the unmasked elements from `at` on lie inside `source`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
unsafe fn get(source: Cells<'_>, at: usize, mask: __mmask16) -> __m512i {
    match source {
        // SAFETY: promised by the caller.
        Cells::Narrow(cells) => unsafe {
            _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, cells.as_ptr().add(at)))
        },
        // SAFETY: promised by the caller.
        Cells::Wide(cells) => unsafe { _mm512_maskz_loadu_epi32(mask, cells.as_ptr().add(at)) },
    }
}

/// Stores the unmasked lanes.
///
/// # Safety
/// The processor has AVX-512; the unmasked elements from `at` on lie inside `result`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
unsafe fn put(result: &mut CellsMut<'_>, at: usize, mask: __mmask16, value: __m512i) {
    match result {
        // SAFETY: promised by the caller.
        CellsMut::Narrow(cells) => unsafe {
            _mm512_mask_cvtepi32_storeu_epi16(cells.as_mut_ptr().add(at), mask, value);
        },
        // SAFETY: promised by the caller.
        CellsMut::Wide(cells) => unsafe {
            _mm512_mask_storeu_epi32(cells.as_mut_ptr().add(at), mask, value);
        },
    }
}
