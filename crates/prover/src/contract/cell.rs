//! Integer types of the tensors that are contracted.

#![expect(
    unsafe_code,
    reason = "vector instructions; each block says why it is sound"
)]
#![expect(
    clippy::inline_always,
    reason = "an operation that is not inlined into its kernel is compiled without the instruction set"
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256i, __m512i, _mm_loadl_epi64, _mm_loadu_si128, _mm256_cvtepi8_epi32,
    _mm256_cvtepi16_epi32, _mm256_loadu_si256, _mm512_cvtepi8_epi32, _mm512_cvtepi16_epi32,
    _mm512_loadu_si512,
};

/// An element of a tensor.
pub trait Cell: sealed::Cell {}

impl<T: sealed::Cell> Cell for T {}

pub(super) mod sealed {
    /// What kernels need of an element.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(unused, reason = "no vector loads")
    )]
    pub trait Cell: Copy + Default + Send + Sync {
        /// The integer.
        fn integer(self) -> i32;

        /// Eight elements, one per lane.
        ///
        /// # Safety
        /// The processor has AVX2.
        #[cfg(target_arch = "x86_64")]
        unsafe fn load_avx2(cells: &[Self; 8]) -> super::__m256i;

        /// Sixteen elements, one per lane.
        ///
        /// # Safety
        /// The processor has AVX-512 F.
        #[cfg(target_arch = "x86_64")]
        unsafe fn load_avx512(cells: &[Self; 16]) -> super::__m512i;
    }
}

impl sealed::Cell for i32 {
    #[inline(always)]
    fn integer(self) -> i32 {
        self
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_avx2(cells: &[Self; 8]) -> __m256i {
        // SAFETY: the caller's promise; the array has 32 bytes.
        unsafe { _mm256_loadu_si256(cells.as_ptr().cast()) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_avx512(cells: &[Self; 16]) -> __m512i {
        // SAFETY: the caller's promise; the array has 64 bytes.
        unsafe { _mm512_loadu_si512(cells.as_ptr().cast()) }
    }
}

impl sealed::Cell for i16 {
    #[inline(always)]
    fn integer(self) -> i32 {
        self.into()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_avx2(cells: &[Self; 8]) -> __m256i {
        // SAFETY: the caller's promise; the array has 16 bytes.
        unsafe { _mm256_cvtepi16_epi32(_mm_loadu_si128(cells.as_ptr().cast())) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_avx512(cells: &[Self; 16]) -> __m512i {
        // SAFETY: the caller's promise; the array has 32 bytes.
        unsafe { _mm512_cvtepi16_epi32(_mm256_loadu_si256(cells.as_ptr().cast())) }
    }
}

impl sealed::Cell for i8 {
    #[inline(always)]
    fn integer(self) -> i32 {
        self.into()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_avx2(cells: &[Self; 8]) -> __m256i {
        // SAFETY: the caller's promise; the array has 8 bytes.
        unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(cells.as_ptr().cast())) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_avx512(cells: &[Self; 16]) -> __m512i {
        // SAFETY: the caller's promise; the array has 16 bytes.
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(cells.as_ptr().cast())) }
    }
}
