//! Buffers whose first element starts a cache line, so that a vector load never touches two.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

const LINE: usize = 64;

/// Element types of which every bit pattern is a value.
///
/// # Safety
/// Implemented only for integers of at most 64 bits.
pub(crate) unsafe trait Integer: Copy + Default + 'static {}

// SAFETY: 16-bit integers.
unsafe impl Integer for i16 {}
// SAFETY: 32-bit integers.
unsafe impl Integer for i32 {}

/// A vector of integers at a cache-line boundary.
#[derive(Clone)]
pub(crate) struct Aligned<T> {
    lines: Vec<Line>,
    len: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Integer> Aligned<T> {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let lines = vec![Line([0; LINE]); len.div_ceil(LINE / size_of::<T>())];
        Self {
            lines,
            len,
            element: std::marker::PhantomData,
        }
    }

    /// Grows to at least `len` elements; what was in it is lost.
    pub(crate) fn reserve(&mut self, len: usize) {
        if self.len < len {
            *self = Self::zeros(len);
        }
    }
}

impl<T: Integer> Default for Aligned<T> {
    fn default() -> Self {
        Self::zeros(0)
    }
}

impl<T: Integer> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold at least `len` elements, are aligned for `T` and initialised, and every bit
        // pattern is a value of `T`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast::<T>(), self.len) }
    }
}

impl<T: Integer> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`; the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast::<T>(), self.len) }
    }
}

impl<T> fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aligned({})", self.len)
    }
}
