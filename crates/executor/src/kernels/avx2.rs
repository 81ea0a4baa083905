//! AVX2: `vpmaddwd` gives two products summed in each of 8 lanes; the only sum of two products that
//! does not fit, `2 * (-2^15)^2`, wraps as modulo 2^32.

#![expect(
    clippy::cast_ptr_alignment,
    reason = "vector loads, stores and gathers take pointers of any alignment"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_storeu_si256,
};

use super::gemm::{LANES, PAIR, Panels, Rows, Tile};

/// Sums of products modulo 2^32, see [`super::gemm`].
///
/// # Safety
/// The processor has AVX2. `rows` has `count >= 1` rows of `2 * pairs` elements, `panels` has `width`
/// panels, and `count * width * LANES` accumulators fit in the tile.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn tile(rows: Rows<'_>, panels: Panels<'_>, width: usize, tile: &mut Tile) {
    macro_rules! choose {
        ($($r:literal),*) => {
            match (rows.count, width) {
                // SAFETY: the caller's promises are those of `fixed` for this height.
                $(($r, 1) => unsafe { fixed::<$r>(rows, panels, tile) },)*
                _ => super::portable::tile(rows, panels, width, tile),
            }
        };
    }
    choose!(1, 2, 3, 4, 5, 6);
}

/// A tile of `R` rows and one panel (two registers a row).
///
/// # Safety
/// As for [`tile`], with `R` rows.
#[target_feature(enable = "avx2")]
unsafe fn fixed<const R: usize>(rows: Rows<'_>, panels: Panels<'_>, tile: &mut Tile) {
    let (a, b) = (rows.data.as_ptr(), panels.data.as_ptr());
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    for t in 0..panels.pairs {
        // SAFETY: pair `t` of the panel lies inside `panels.data`.
        let right = unsafe {
            let pair = b.add(t * PAIR);
            [
                _mm256_loadu_si256(pair.cast::<__m256i>()),
                _mm256_loadu_si256(pair.add(LANES).cast::<__m256i>()),
            ]
        };
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: elements `2t` and `2t + 1` of row `r` lie inside `rows.data`.
            let pair = unsafe {
                a.add(r * rows.stride + 2 * t)
                    .cast::<i32>()
                    .read_unaligned()
            };
            let left = _mm256_set1_epi32(pair);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(left, right));
            }
        }
    }
    let out = tile.0.as_mut_ptr();
    for (r, sums) in sums.iter().enumerate() {
        for (half, sum) in sums.iter().enumerate() {
            // SAFETY: `R * LANES` accumulators fit in the tile.
            unsafe { _mm256_storeu_si256(out.add(r * LANES + 8 * half).cast::<__m256i>(), *sum) };
        }
    }
}
