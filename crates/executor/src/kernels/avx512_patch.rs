//! AVX-512 form of [`super::patch`]: neighbouring positions by vector loads, scattered ones by gathers.

use std::arch::x86_64::{
    __m256i, __m512i, __mmask16, _mm256_mask_loadu_epi16, _mm256_setzero_si256, _mm512_add_epi32,
    _mm512_cvtepu16_epi32, _mm512_i32gather_epi32, _mm512_loadu_si512, _mm512_mask_mov_epi16,
    _mm512_or_si512, _mm512_set1_epi32, _mm512_slli_epi32, _mm512_storeu_si512,
};

use super::gemm::{LANES, PAIR};
use super::patch::Panel;

/// Neighbouring positions among the lanes of a panel.
#[derive(Clone, Copy, Default)]
struct Segment {
    lanes: __mmask16,
    /// Position that lane 0 would have.
    start: isize,
}

/// Segments beyond which gathers are faster.
const MAX_SEGMENTS: usize = 4;

/// The lanes of a panel as few segments, if they are.
fn segments(bases: &[u32]) -> Option<([Segment; MAX_SEGMENTS], usize)> {
    let mut found = [Segment::default(); MAX_SEGMENTS];
    let mut count = 0;
    for (lane, &base) in bases.iter().enumerate() {
        let start = base as isize - isize::try_from(lane).unwrap_or(0);
        if count == 0 || found[count - 1].start != start {
            if count == MAX_SEGMENTS {
                return None;
            }
            found[count].start = start;
            count += 1;
        }
        found[count - 1].lanes |= 1 << lane;
    }
    Some((found, count))
}

/// Packs one panel.
///
/// # Safety
/// The processor has AVX-512. For every base and tap, `base + tap + 1` is inside the image. There are
/// `LANES` bases, and `packed` has `PAIR` elements for every two taps.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn pack(panel: Panel<'_>, packed: &mut [i16]) {
    let image = panel.image.as_ptr();
    let pairs = packed.chunks_exact_mut(PAIR).zip(panel.taps.chunks_exact(2));
    if let Some((segments, count)) = segments(panel.bases) {
        for (pair, taps) in pairs {
            let [low, high] = [taps[0], taps[1]].map(|tap| {
                let mut row: __m256i = _mm256_setzero_si256();
                for segment in &segments[..count] {
                    let start = image.wrapping_offset(segment.start + tap as isize);
                    // SAFETY: the lanes of the segment are inside the image, the others are not read.
                    row = unsafe { _mm256_mask_loadu_epi16(row, segment.lanes, start) };
                }
                _mm512_cvtepu16_epi32(row)
            });
            let value = _mm512_or_si512(low, _mm512_slli_epi32::<16>(high));
            // SAFETY: a pair of rows has `PAIR` elements, 64 bytes.
            unsafe { _mm512_storeu_si512(pair.as_mut_ptr().cast::<__m512i>(), value) };
        }
        return;
    }
    debug_assert!(panel.bases.len() == LANES);
    // SAFETY: there are `LANES` bases.
    let bases = unsafe { _mm512_loadu_si512(panel.bases.as_ptr().cast::<__m512i>()) };
    for (pair, taps) in pairs {
        let [low, high] = [taps[0], taps[1]].map(|tap| {
            let index = _mm512_add_epi32(bases, _mm512_set1_epi32(tap.cast_signed()));
            // SAFETY: `base + tap` and the element after it are inside the image.
            unsafe { _mm512_i32gather_epi32::<2>(index, image.cast::<i32>()) }
        });
        // The low halves of both: odd 16-bit lanes come from the second, shifted up.
        let value = _mm512_mask_mov_epi16(low, 0xaaaa_aaaa, _mm512_slli_epi32::<16>(high));
        // SAFETY: a pair of rows has `PAIR` elements, 64 bytes.
        unsafe { _mm512_storeu_si512(pair.as_mut_ptr().cast::<__m512i>(), value) };
    }
}
