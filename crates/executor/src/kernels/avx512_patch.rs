//! AVX-512 form of [`super::patch`]: neighbouring positions by vector loads, scattered ones by gathers.

#![expect(
    clippy::cast_ptr_alignment,
    reason = "vector loads, stores and gathers take pointers of any alignment"
)]

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

/// Positions are below `2^31`: the plan takes no larger image.
fn position(offset: u32) -> isize {
    isize::try_from(offset).unwrap_or(isize::MAX)
}

/// Segments beyond which gathers are faster.
const MAX_SEGMENTS: usize = 4;

/// The lanes of a panel as few segments, if they are.
fn segments(bases: &[u32]) -> Option<([Segment; MAX_SEGMENTS], usize)> {
    let mut found = [Segment::default(); MAX_SEGMENTS];
    let mut count = 0;
    for (lane, &base) in bases.iter().enumerate() {
        let start = position(base) - isize::try_from(lane).unwrap_or(0);
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
    // Plain loops and functions, no closures: what passes through a generic function of the standard
    // library is compiled without the features of this one.
    let image = panel.image.as_ptr();
    let pairs = panel.taps.len() / 2;
    debug_assert!(panel.bases.len() == LANES && packed.len() >= pairs * PAIR);
    let split = segments(panel.bases);
    // SAFETY: there are `LANES` bases.
    let bases = unsafe { _mm512_loadu_si512(panel.bases.as_ptr().cast::<__m512i>()) };
    for t in 0..pairs {
        let (even, odd) = (panel.taps[2 * t], panel.taps[2 * t + 1]);
        let value = if let Some((segments, count)) = &split {
            // SAFETY: the lanes of the segments are the positions of the panel.
            let (low, high) = unsafe {
                (
                    row(image, &segments[..*count], even),
                    row(image, &segments[..*count], odd),
                )
            };
            _mm512_or_si512(low, _mm512_slli_epi32::<16>(high))
        } else {
            // SAFETY: `base + tap` and the element after it are inside the image.
            let low = unsafe { gather(image, bases, even) };
            if odd == even + 1 {
                low
            } else {
                // SAFETY: as above.
                let high = unsafe { gather(image, bases, odd) };
                // The low halves of both: odd 16-bit lanes come from the second, shifted up.
                _mm512_mask_mov_epi16(low, 0xaaaa_aaaa, _mm512_slli_epi32::<16>(high))
            }
        };
        // SAFETY: a pair of rows has `PAIR` elements, 64 bytes.
        unsafe { _mm512_storeu_si512(packed.as_mut_ptr().add(t * PAIR).cast::<__m512i>(), value) };
    }
}

/// One tap of all positions, in the low halves of the lanes.
///
/// # Safety
/// The processor has AVX-512; the lanes of the segments, moved by the tap, are inside the image.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
unsafe fn row(image: *const i16, segments: &[Segment], tap: u32) -> __m512i {
    let mut row: __m256i = _mm256_setzero_si256();
    for segment in segments {
        let start = image.wrapping_offset(segment.start + position(tap));
        // SAFETY: unmasked lanes are inside the image, the others are not read.
        row = unsafe { _mm256_mask_loadu_epi16(row, segment.lanes, start) };
    }
    _mm512_cvtepu16_epi32(row)
}

/// One tap of all positions and the element after it, in the lanes.
///
/// # Safety
/// The processor has AVX-512; `base + tap + 1` is inside the image for every base.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[inline]
unsafe fn gather(image: *const i16, bases: __m512i, tap: u32) -> __m512i {
    let index = _mm512_add_epi32(bases, _mm512_set1_epi32(tap.cast_signed()));
    // SAFETY: promised by the caller.
    unsafe { _mm512_i32gather_epi32::<2>(index, image.cast::<i32>()) }
}
