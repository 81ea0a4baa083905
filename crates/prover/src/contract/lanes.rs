//! The few vector operations that contractions are made of.
//!
//! Each instruction set has a token which can only be had by asking the processor first; the
//! operations are its methods, so that they are sound wherever the token is.

#![expect(
    unsafe_code,
    reason = "vector instructions; each block says why it is sound"
)]
#![expect(
    clippy::inline_always,
    reason = "an operation that is not inlined into its kernel is compiled without the instruction set"
)]

use super::cell::Cell;

/// Digit `(x >> shift) & mask` of an integer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digit {
    /// Position, below 32.
    pub shift: u32,
    /// All ones for the highest digit, which has the sign.
    pub mask: i32,
}

/// Bits that the low limb of a coordinate takes.
pub(super) const LIMB_BITS: u32 = 15;

/// Vectors of `N` lanes of 32 bits.
pub(super) trait Lanes<const N: usize>: Copy + Send + Sync {
    /// A register.
    type Vector: Copy;

    /// All lanes 0.
    fn zero(self) -> Self::Vector;
    /// All lanes `value`.
    fn splat(self, value: i32) -> Self::Vector;
    /// Lane `i` is `lanes[i]`.
    fn get(self, lanes: &[i32; N]) -> Self::Vector;
    /// Lane `i` is cell `i`.
    fn load<T: Cell>(self, cells: &[T; N]) -> Self::Vector;
    /// A digit of every lane.
    fn digit(self, lanes: Self::Vector, digit: Digit) -> Self::Vector;
    /// The low halves of `low` and `high` as the two halves of every lane.
    fn pair(self, low: Self::Vector, high: Self::Vector) -> Self::Vector;
    /// Adds the products of the two 16-bit halves of every lane, modulo 2^32.
    fn multiply_add(
        self,
        sum: Self::Vector,
        left: Self::Vector,
        right: Self::Vector,
    ) -> Self::Vector;
    /// `wide[i] += low[i] + high[i] * 2^LIMB_BITS`.
    fn flush(self, low: Self::Vector, high: Self::Vector, wide: &mut [i64; N]);
}

/// No assumption about the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

/// The low 16 bits with their sign.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the high half is another factor"
)]
#[inline(always)]
fn low_half(lane: i32) -> i32 {
    i32::from(lane as i16)
}

impl Lanes<8> for Portable {
    type Vector = [i32; 8];

    #[inline(always)]
    fn zero(self) -> [i32; 8] {
        [0; 8]
    }

    #[inline(always)]
    fn splat(self, value: i32) -> [i32; 8] {
        [value; 8]
    }

    #[inline(always)]
    fn get(self, lanes: &[i32; 8]) -> [i32; 8] {
        *lanes
    }

    #[inline(always)]
    fn load<T: Cell>(self, cells: &[T; 8]) -> [i32; 8] {
        cells.map(T::integer)
    }

    #[inline(always)]
    fn digit(self, lanes: [i32; 8], digit: Digit) -> [i32; 8] {
        lanes.map(|lane| (lane >> digit.shift) & digit.mask)
    }

    #[inline(always)]
    fn pair(self, low: [i32; 8], high: [i32; 8]) -> [i32; 8] {
        std::array::from_fn(|i| (low[i] & 0xffff) | (high[i] << 16))
    }

    #[inline(always)]
    fn multiply_add(self, sum: [i32; 8], left: [i32; 8], right: [i32; 8]) -> [i32; 8] {
        std::array::from_fn(|i| {
            let low = low_half(left[i]) * low_half(right[i]);
            let high = (left[i] >> 16) * (right[i] >> 16);
            sum[i].wrapping_add(low.wrapping_add(high))
        })
    }

    #[inline(always)]
    fn flush(self, low: [i32; 8], high: [i32; 8], wide: &mut [i64; 8]) {
        for (wide, (low, high)) in wide.iter_mut().zip(low.into_iter().zip(high)) {
            *wide += i64::from(low) + (i64::from(high) << LIMB_BITS);
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
#[expect(
    clippy::cast_ptr_alignment,
    reason = "vector loads and stores take pointers of any alignment"
)]
mod x86 {
    use std::arch::asm;
    use std::arch::x86_64::{
        __m128i, __m256i, __m512i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_add_epi64,
        _mm256_and_si256, _mm256_blend_epi16, _mm256_castsi256_si128, _mm256_cvtepi32_epi64,
        _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32,
        _mm256_setzero_si256, _mm256_slli_epi32, _mm256_slli_epi64, _mm256_sra_epi32,
        _mm256_storeu_si256, _mm512_add_epi64, _mm512_and_si512, _mm512_castsi512_si256,
        _mm512_cvtepi32_epi64, _mm512_extracti64x4_epi64, _mm512_loadu_si512,
        _mm512_mask_blend_epi16, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_slli_epi32,
        _mm512_slli_epi64, _mm512_sra_epi32, _mm512_storeu_si512,
    };

    use veridical_executor::Isa;

    use super::super::cell::Cell;
    use super::{Digit, LIMB_BITS, Lanes};

    /// The machine has AVX2.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Avx2(());

    impl Avx2 {
        /// Asks the processor.
        pub(in super::super) fn new() -> Option<Self> {
            Isa::Avx2.is_available().then_some(Self(()))
        }
    }

    /// The machine has AVX-512 F, BW, DQ, VL and VNNI.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Avx512(());

    impl Avx512 {
        /// Asks the processor.
        pub(in super::super) fn new() -> Option<Self> {
            Isa::Avx512.is_available().then_some(Self(()))
        }
    }

    /// The shift count of a digit in the form that shifts take.
    #[expect(clippy::cast_possible_wrap, reason = "a shift count is below 32")]
    #[inline(always)]
    fn count(digit: Digit) -> i32 {
        digit.shift as i32
    }

    /// `low + high * 2^LIMB_BITS` in lanes of 64 bits.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    unsafe fn widen_avx2(low: __m128i, high: __m128i) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let high = _mm256_cvtepi32_epi64(high);
            let high = _mm256_slli_epi64::<{ LIMB_BITS.cast_signed() }>(high);
            _mm256_add_epi64(_mm256_cvtepi32_epi64(low), high)
        }
    }

    /// `low + high * 2^LIMB_BITS` in lanes of 64 bits.
    ///
    /// # Safety
    /// The processor has AVX-512 F.
    #[inline(always)]
    unsafe fn widen_avx512(low: __m256i, high: __m256i) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            let high = _mm512_slli_epi64::<LIMB_BITS>(_mm512_cvtepi32_epi64(high));
            _mm512_add_epi64(_mm512_cvtepi32_epi64(low), high)
        }
    }

    impl Lanes<8> for Avx2 {
        type Vector = __m256i;

        #[inline(always)]
        fn zero(self) -> __m256i {
            // SAFETY: the token says that the processor has AVX2.
            unsafe { _mm256_setzero_si256() }
        }

        #[inline(always)]
        fn splat(self, value: i32) -> __m256i {
            // SAFETY: the token says that the processor has AVX2.
            unsafe { _mm256_set1_epi32(value) }
        }

        #[inline(always)]
        fn get(self, lanes: &[i32; 8]) -> __m256i {
            // SAFETY: the processor has AVX2, and the array has 32 bytes.
            unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
        }

        #[inline(always)]
        fn load<T: Cell>(self, cells: &[T; 8]) -> __m256i {
            // SAFETY: the token says that the processor has AVX2.
            unsafe { T::load_avx2(cells) }
        }

        #[inline(always)]
        fn digit(self, lanes: __m256i, digit: Digit) -> __m256i {
            // SAFETY: the token says that the processor has AVX2.
            unsafe {
                let shifted = _mm256_sra_epi32(lanes, _mm_cvtsi32_si128(count(digit)));
                _mm256_and_si256(shifted, _mm256_set1_epi32(digit.mask))
            }
        }

        #[inline(always)]
        fn pair(self, low: __m256i, high: __m256i) -> __m256i {
            // SAFETY: the token says that the processor has AVX2.
            unsafe { _mm256_blend_epi16::<0b1010_1010>(low, _mm256_slli_epi32::<16>(high)) }
        }

        #[inline(always)]
        fn multiply_add(self, sum: __m256i, left: __m256i, right: __m256i) -> __m256i {
            // SAFETY: the token says that the processor has AVX2.
            unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(left, right)) }
        }

        #[inline(always)]
        fn flush(self, low: __m256i, high: __m256i, wide: &mut [i64; 8]) {
            // SAFETY: the processor has AVX2, and the array has room for two registers.
            unsafe {
                let at = wide.as_mut_ptr().cast::<__m256i>();
                let first = widen_avx2(_mm256_castsi256_si128(low), _mm256_castsi256_si128(high));
                let second = widen_avx2(
                    _mm256_extracti128_si256::<1>(low),
                    _mm256_extracti128_si256::<1>(high),
                );
                _mm256_storeu_si256(at, _mm256_add_epi64(_mm256_loadu_si256(at), first));
                let at = at.add(1);
                _mm256_storeu_si256(at, _mm256_add_epi64(_mm256_loadu_si256(at), second));
            }
        }
    }

    /// `vpdpwssd`, as assembly: the compiler replaces the intrinsic by a multiplication and an
    /// addition, to shorten a chain which is not the bottleneck here.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn dot_product(mut sum: __m512i, left: __m512i, right: __m512i) -> __m512i {
        // SAFETY: the processor has AVX-512 VNNI; the instruction reads and writes registers.
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

    impl Lanes<16> for Avx512 {
        type Vector = __m512i;

        #[inline(always)]
        fn zero(self) -> __m512i {
            // SAFETY: the token says that the processor has AVX-512.
            unsafe { _mm512_setzero_si512() }
        }

        #[inline(always)]
        fn splat(self, value: i32) -> __m512i {
            // SAFETY: the token says that the processor has AVX-512.
            unsafe { _mm512_set1_epi32(value) }
        }

        #[inline(always)]
        fn get(self, lanes: &[i32; 16]) -> __m512i {
            // SAFETY: the processor has AVX-512, and the array has 64 bytes.
            unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
        }

        #[inline(always)]
        fn load<T: Cell>(self, cells: &[T; 16]) -> __m512i {
            // SAFETY: the token says that the processor has AVX-512.
            unsafe { T::load_avx512(cells) }
        }

        #[inline(always)]
        fn digit(self, lanes: __m512i, digit: Digit) -> __m512i {
            // SAFETY: the token says that the processor has AVX-512.
            unsafe {
                let shifted = _mm512_sra_epi32(lanes, _mm_cvtsi32_si128(count(digit)));
                _mm512_and_si512(shifted, _mm512_set1_epi32(digit.mask))
            }
        }

        #[inline(always)]
        fn pair(self, low: __m512i, high: __m512i) -> __m512i {
            // SAFETY: the token says that the processor has AVX-512.
            unsafe { _mm512_mask_blend_epi16(0xaaaa_aaaa, low, _mm512_slli_epi32::<16>(high)) }
        }

        #[inline(always)]
        fn multiply_add(self, sum: __m512i, left: __m512i, right: __m512i) -> __m512i {
            // SAFETY: the token says that the processor has AVX-512 VNNI.
            unsafe { dot_product(sum, left, right) }
        }

        #[inline(always)]
        fn flush(self, low: __m512i, high: __m512i, wide: &mut [i64; 16]) {
            // SAFETY: the processor has AVX-512, and the array has room for two registers.
            unsafe {
                let at = wide.as_mut_ptr().cast::<__m512i>();
                let first = widen_avx512(_mm512_castsi512_si256(low), _mm512_castsi512_si256(high));
                let second = widen_avx512(
                    _mm512_extracti64x4_epi64::<1>(low),
                    _mm512_extracti64x4_epi64::<1>(high),
                );
                _mm512_storeu_si512(at, _mm512_add_epi64(_mm512_loadu_si512(at), first));
                let at = at.add(1);
                _mm512_storeu_si512(at, _mm512_add_epi64(_mm512_loadu_si512(at), second));
            }
        }
    }
}
