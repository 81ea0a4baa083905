//! AVX-512 VNNI: `vpdpwssd` adds two products to each of 16 lanes, modulo 2^32.

#![expect(
    clippy::cast_ptr_alignment,
    reason = "vector loads, stores and gathers take pointers of any alignment"
)]

use std::arch::asm;
use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
};

use super::gemm::{LANES, PAIR, Panels, Rows, Tile};

/// Sums of products modulo 2^32, see [`super::gemm`].
///
/// # Safety
/// The processor has AVX-512 F and VNNI. `rows` has `count >= 1` rows of `2 * pairs` elements, `panels`
/// has `width` panels, and `count * width * LANES` accumulators fit in the tile.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn tile(rows: Rows<'_>, panels: Panels<'_>, width: usize, tile: &mut Tile) {
    macro_rules! choose {
        ($(($r:literal, $p:literal)),* $(,)?) => {
            match (rows.count, width) {
                // SAFETY: the caller's promises are those of `fixed` for this height and width.
                $(($r, $p) => unsafe { fixed::<$r, $p>(rows, panels, tile) },)*
                // Shapes without an instance of their own: panel by panel, in the same layout.
                _ => super::portable::tile(rows, panels, width, tile),
            }
        };
    }
    choose!(
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 1),
        (5, 1),
        (6, 1),
        (7, 1),
        (8, 1),
        (9, 1),
        (10, 1),
        (11, 1),
        (12, 1),
        (1, 2),
        (2, 2),
        (3, 2),
        (4, 2),
        (5, 2),
        (6, 2),
        (7, 2),
        (8, 2),
        (9, 2),
        (10, 2),
        (1, 3),
        (2, 3),
        (3, 3),
        (4, 3),
        (5, 3),
        (6, 3),
        (7, 3),
        (8, 3),
        (1, 4),
        (2, 4),
        (3, 4),
        (4, 4),
        (5, 4),
        (6, 4),
        (1, 5),
        (2, 5),
        (3, 5),
        (1, 6),
        (2, 6),
        (3, 6),
        (1, 7),
        (2, 7),
        (3, 7),
        (1, 8),
        (2, 8),
        (3, 8),
    );
}

/// A tile of constant height `R` and width `P`, held in registers.
///
/// # Safety
/// As for [`tile`], with `R` rows and `P` panels.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn fixed<const R: usize, const P: usize>(
    rows: Rows<'_>,
    panels: Panels<'_>,
    tile: &mut Tile,
) {
    let (a, b) = (rows.data.as_ptr(), panels.data.as_ptr());
    let panel_len = panels.panel_len();
    let mut sums = [[_mm512_setzero_si512(); P]; R];
    for t in 0..panels.pairs {
        let mut right = [_mm512_setzero_si512(); P];
        let mut p = 0;
        while p < P {
            // SAFETY: pair `t` of panel `p` lies inside `panels.data`.
            right[p] =
                unsafe { _mm512_loadu_si512(b.add(p * panel_len + t * PAIR).cast::<__m512i>()) };
            p += 1;
        }
        let mut r = 0;
        while r < R {
            // SAFETY: elements `2t` and `2t + 1` of row `r` lie inside `rows.data`.
            let pair = unsafe {
                a.add(r * rows.stride + 2 * t)
                    .cast::<i32>()
                    .read_unaligned()
            };
            let left = _mm512_set1_epi32(pair);
            let mut p = 0;
            while p < P {
                sums[r][p] = multiply_add(sums[r][p], left, right[p]);
                p += 1;
            }
            r += 1;
        }
    }
    let out = tile.0.as_mut_ptr();
    for (r, sums) in sums.iter().enumerate() {
        for (p, sum) in sums.iter().enumerate() {
            let cells = out.wrapping_add((r * P + p) * LANES);
            // SAFETY: `R * P * LANES` accumulators fit in the tile.
            unsafe { _mm512_storeu_si512(cells.cast::<__m512i>(), *sum) };
        }
    }
}

/// `vpdpwssd`: adds the products of two pairs of 16-bit integers to every lane, modulo 2^32.
///
/// Written as assembly because the compiler replaces the intrinsic by a multiplication and an addition,
/// to shorten a chain which is not the bottleneck here; that halves the throughput.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
fn multiply_add(mut sum: __m512i, left: __m512i, right: __m512i) -> __m512i {
    // SAFETY: the processor has AVX-512 VNNI; the instruction reads and writes registers only.
    unsafe {
        asm!(
            "vpdpwssd {sum}, {left}, {right}",
            sum = inout(zmm_reg) sum,
            left = in(zmm_reg) left,
            right = in(zmm_reg) right,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}
