//! Loops over rows, written once and compiled for every instruction set.
//!
//! The compiler turns plain loops into vector code as wide as the enabled features allow. There is one
//! source for all instruction sets, so the results are equal by construction.

use veridical_program::Window;

use super::epilogue::{Cells, CellsMut};
use super::portable::truncate;
use super::{Isa, Kernels};

/// Defines methods of [`Kernels`] whose body is compiled for every instruction set.
macro_rules! per_isa {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {
        mod body {
            use super::*;
            $(
                #[inline(always)]
                pub(super) fn $name($($arg: $type),*) $(-> $result)? $body
            )*
        }

        #[cfg(target_arch = "x86_64")]
        mod wide {
            use super::*;
            $(
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
                pub(super) fn $name($($arg: $type),*) $(-> $result)? { body::$name($($arg),*) }
            )*
        }

        #[cfg(target_arch = "x86_64")]
        mod medium {
            use super::*;
            $(
                #[target_feature(enable = "avx2")]
                pub(super) fn $name($($arg: $type),*) $(-> $result)? { body::$name($($arg),*) }
            )*
        }

        impl Kernels {
            $(
                $(#[$doc])*
                pub(crate) fn $name(self, $($arg: $type),*) $(-> $result)? {
                    match self.isa() {
                        // SAFETY: `Kernels` exists for AVX-512 only if the processor has it.
                        #[cfg(target_arch = "x86_64")]
                        Isa::Avx512 => unsafe { wide::$name($($arg),*) },
                        // SAFETY: `Kernels` exists for AVX2 only if the processor has it.
                        #[cfg(target_arch = "x86_64")]
                        Isa::Avx2 => unsafe { medium::$name($($arg),*) },
                        Isa::Portable => body::$name($($arg),*),
                        #[cfg(not(target_arch = "x86_64"))]
                        Isa::Avx2 | Isa::Avx512 => body::$name($($arg),*),
                    }
                }
            )*
        }
    };
}

/// Parameters of `layernorm`, section 4.10.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm {
    pub(crate) shift: u32,
    pub(crate) u: u32,
    pub(crate) fx: u32,
    pub(crate) epsilon: i64,
    pub(crate) centered: bool,
}

/// Division of many sums by one divisor `Z`, rounded down, for quotients of at least `lo`.
///
/// With `n = sum + floor(Z / 2) - lo * Z`, which lies in `[0, 2^31)` by the conditions of section 4.11, the
/// quotient is `floor(n / Z) + lo`. Let `2^(l-1) < Z <= 2^l` and `m = floor(2^(31+l) / Z) + 1`. Then
/// `m Z = 2^(31+l) + e` with `0 < e <= Z <= 2^l`, so `m n / 2^(31+l) = n / Z + e n / (Z 2^(31+l))`, and the
/// last term is below `1 / Z` because `e n < 2^l 2^31`: the floor is that of `n / Z`. For `Z < 2^31`,
/// `m <= 2^32 - 1`. (Granlund and Montgomery 1994, theorem 4.2.)
#[derive(Debug, Clone, Copy)]
pub(crate) struct Divisor {
    pub(super) add: i32,
    pub(super) multiplier: u32,
    pub(super) shift: u32,
    pub(super) lo: i32,
}

impl Divisor {
    /// A divisor in `[1, 2^31)`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the multiplier fits 32 bits, see the type"
    )]
    pub(crate) fn new(z: i32, lo: i32) -> Self {
        let divisor = u64::from(z.cast_unsigned());
        let l = u64::BITS - (divisor - 1).leading_zeros();
        let shift = 31 + l;
        let multiplier = ((1_u64 << shift) / divisor + 1) as u32;
        Self {
            add: (z / 2).wrapping_sub(lo.wrapping_mul(z)),
            multiplier,
            shift,
            lo,
        }
    }

    /// The quotient of one sum.
    #[expect(clippy::cast_possible_truncation, reason = "quotients fit 31 bits")]
    pub(crate) fn divide(self, sum: i32) -> i32 {
        let n = u64::from(sum.wrapping_add(self.add).cast_unsigned());
        let quotient = (n * u64::from(self.multiplier)) >> self.shift;
        (quotient as u32).cast_signed().wrapping_add(self.lo)
    }
}

/// Windows of a plane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pooling {
    pub(crate) window: Window,
    /// Whether windows are summed.
    pub(crate) sum: bool,
    /// Height and width of a plane.
    pub(crate) size: [usize; 2],
    /// Height and width of the result.
    pub(crate) result: [usize; 2],
    /// Whether elements of operand and result have the same width.
    pub(crate) same_width: bool,
}

impl Pooling {
    /// Position of a tap along an axis, if it is inside the plane.
    fn tap(&self, i: usize, tap: usize, axis: usize) -> Option<usize> {
        (i * self.window.stride[axis] + tap * self.window.dilation[axis])
            .checked_sub(self.window.pad[axis])
            .filter(|&position| position < self.size[axis])
    }

    /// Whether windows are the maxima of 2 by 2 elements, side by side and all inside.
    fn is_pairs(&self) -> bool {
        let Window {
            kernel,
            stride,
            pad,
            dilation,
        } = self.window;
        (kernel, stride, pad, dilation) == ([2, 2], [2, 2], [0; 4], [1, 1])
            && !self.sum
            && self.same_width
    }
}

/// Maxima of 2 by 2 elements of two rows.
#[inline]
fn pairs<T: Copy + Ord>(top: &[T], bottom: &[T], result: &mut [T]) {
    let rows = top.chunks_exact(2).zip(bottom.chunks_exact(2));
    for (y, (a, b)) in result.iter_mut().zip(rows) {
        *y = a[0].max(a[1]).max(b[0].max(b[1]));
    }
}

/// Adds a row to a line, or takes the maximum of both.
#[inline]
fn combine<T: Copy + Into<i32>>(line: &mut [i32], row: &[T], sum: bool) {
    for (y, &x) in line.iter_mut().zip(row) {
        *y = if sum {
            y.wrapping_add(x.into())
        } else {
            (*y).max(x.into())
        };
    }
}

per_isa! {
    /// Sum of a row modulo 2^32.
    fn total(row: Cells<'_>) -> i32 {
        match row {
            Cells::Narrow(row) => row.iter().fold(0_i32, |sum, &x| sum.wrapping_add(i32::from(x))),
            Cells::Wide(row) => row.iter().fold(0_i32, |sum, &x| sum.wrapping_add(x)),
        }
    }

    /// Greatest element of a row that is not empty.
    fn greatest(row: Cells<'_>) -> i32 {
        match row {
            Cells::Narrow(row) => row.iter().fold(i16::MIN, |m, &x| m.max(x)).into(),
            Cells::Wide(row) => row.iter().fold(i32::MIN, |m, &x| m.max(x)),
        }
    }

    /// Divides sums in place.
    fn divide(sums: &mut [i32], divisor: Divisor) {
        for sum in sums {
            *sum = divisor.divide(*sum);
        }
    }

    /// Normalises one row; `centred` holds intermediate values and is as long as the row.
    ///
    /// All products fit 32 bits: `sum (c r)^2 <= d 2^(2u)` gives `|c r| <= 2^5 2^23`.
    fn normalise(row: Cells<'_>, norm: Norm, centred: &mut [i32], result: &mut CellsMut<'_>) {
        let half = if norm.shift == 0 { 0 } else { 1_i32 << (norm.shift - 1) };
        match row {
            Cells::Narrow(row) => {
                for (c, &x) in centred.iter_mut().zip(row) {
                    *c = (i32::from(x) + half) >> norm.shift;
                }
            }
            Cells::Wide(row) => {
                for (c, &x) in centred.iter_mut().zip(row) {
                    *c = (x + half) >> norm.shift;
                }
            }
        }
        let d = i64::try_from(centred.len()).unwrap_or(1);
        if norm.centered {
            // At most 2^10 values below 2^19: the sum fits.
            let sum = centred.iter().fold(0_i32, |sum, &c| sum.wrapping_add(c));
            let mean = (i64::from(sum) + d / 2).div_euclid(d);
            let mean = i32::try_from(mean).unwrap_or(0);
            for c in centred.iter_mut() {
                *c -= mean;
            }
        }
        let squares = centred.iter().fold(0_i64, |sum, &c| sum + i64::from(c) * i64::from(c));
        let root = ((d << (2 * norm.u)) / (squares + norm.epsilon)).isqrt();
        let root = i32::try_from(root).unwrap_or(0);
        let last = norm.u - norm.fx;
        let half = 1_i32 << (last - 1);
        match result {
            CellsMut::Narrow(result) => {
                for (y, &c) in result.iter_mut().zip(centred.iter()) {
                    *y = truncate(c.wrapping_mul(root).wrapping_add(half) >> last);
                }
            }
            CellsMut::Wide(result) => {
                for (y, &c) in result.iter_mut().zip(centred.iter()) {
                    *y = c.wrapping_mul(root).wrapping_add(half) >> last;
                }
            }
        }
    }

    /// Greatest unmasked element of a row, or `None` if all are masked.
    fn greatest_unmasked(row: Cells<'_>, mask: &[i16]) -> Option<i32> {
        // Declared ranges exclude `i32::MIN`, so it stands for "none".
        let greatest = match row {
            Cells::Narrow(row) => row.iter().zip(mask).fold(i32::MIN, |m, (&x, &open)| {
                m.max(if open == 0 { i32::MIN } else { x.into() })
            }),
            Cells::Wide(row) => row.iter().zip(mask).fold(i32::MIN, |m, (&x, &open)| {
                m.max(if open == 0 { i32::MIN } else { x })
            }),
        };
        (greatest != i32::MIN).then_some(greatest)
    }

    /// Sets masked elements to 0; the mask is 0 or 1.
    fn clear_masked(mask: &[i16], row: &mut CellsMut<'_>) {
        match row {
            CellsMut::Narrow(row) => row.iter_mut().zip(mask).for_each(|(y, &o)| *y &= -o),
            CellsMut::Wide(row) => row.iter_mut().zip(mask).for_each(|(y, &o)| *y &= -i32::from(o)),
        }
    }

    /// `sums += factor * x`, modulo 2^32.
    fn add_scaled(sums: &mut [i32], factor: i32, x: Cells<'_>) {
        match x {
            Cells::Narrow(x) => {
                for (sum, &x) in sums.iter_mut().zip(x) {
                    *sum = sum.wrapping_add(factor.wrapping_mul(x.into()));
                }
            }
            Cells::Wide(x) => {
                for (sum, &x) in sums.iter_mut().zip(x) {
                    *sum = sum.wrapping_add(factor.wrapping_mul(x));
                }
            }
        }
    }

    /// `sums += factors * x`, modulo 2^32.
    fn add_product(sums: &mut [i32], factors: &[i32], x: Cells<'_>) {
        match x {
            Cells::Narrow(x) => {
                for ((sum, &factor), &x) in sums.iter_mut().zip(factors).zip(x) {
                    *sum = sum.wrapping_add(factor.wrapping_mul(x.into()));
                }
            }
            Cells::Wide(x) => {
                for ((sum, &factor), &x) in sums.iter_mut().zip(factors).zip(x) {
                    *sum = sum.wrapping_add(factor.wrapping_mul(x));
                }
            }
        }
    }

    /// `sums[j] = bias + sum_k weights[k] * image[start + j * step + taps[k]]`, modulo 2^32.
    fn correlate(
        sums: &mut [i32],
        bias: i32,
        image: &[i16],
        step: usize,
        taps: &[u32],
        weights: &[i16],
    ) {
        sums.fill(bias);
        for (&tap, &weight) in taps.iter().zip(weights) {
            let row = &image[tap as usize..];
            if step == 1 {
                for (sum, &x) in sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(i32::from(weight) * i32::from(x));
                }
            } else {
                for (sum, &x) in sums.iter_mut().zip(row.iter().step_by(step)) {
                    *sum = sum.wrapping_add(i32::from(weight) * i32::from(x));
                }
            }
        }
    }

    /// Greatest value or sum of every window of a plane; `line` is as long as a row of the plane.
    fn pool(
        source: Cells<'_>,
        pooling: &Pooling,
        line: &mut [i32],
        result: &mut CellsMut<'_>,
    ) {
        let width = pooling.size[1];
        let [rows, columns] = pooling.result;
        for y in 0..rows {
            let at = y * columns..(y + 1) * columns;
            if pooling.is_pairs() {
                let top = 2 * y * width..(2 * y + 1) * width;
                let bottom = (2 * y + 1) * width..(2 * y + 2) * width;
                match (source, &mut *result) {
                    (Cells::Narrow(x), CellsMut::Narrow(y)) => {
                        pairs(&x[top], &x[bottom], &mut y[at]);
                    }
                    (Cells::Wide(x), CellsMut::Wide(y)) => {
                        pairs(&x[top], &x[bottom], &mut y[at]);
                    }
                    // A maximum has the range of its operand, so it has its width, too.
                    _ => {}
                }
                continue;
            }
            line.fill(if pooling.sum { 0 } else { i32::MIN });
            for tap in 0..pooling.window.kernel[0] {
                if let Some(row) = pooling.tap(y, tap, 0) {
                    let row = row * width..(row + 1) * width;
                    match source {
                        Cells::Narrow(x) => combine(line, &x[row], pooling.sum),
                        Cells::Wide(x) => combine(line, &x[row], pooling.sum),
                    }
                }
            }
            for x in 0..columns {
                let mut value = if pooling.sum { 0 } else { i32::MIN };
                for tap in 0..pooling.window.kernel[1] {
                    if let Some(i) = pooling.tap(x, tap, 1) {
                        value =
                            if pooling.sum { value.wrapping_add(line[i]) } else { value.max(line[i]) };
                    }
                }
                match result {
                    CellsMut::Narrow(cells) => cells[y * columns + x] = truncate(value),
                    CellsMut::Wide(cells) => cells[y * columns + x] = value,
                }
            }
        }
    }

    /// `values *= x`, modulo 2^32.
    fn multiply(values: &mut [i32], x: Cells<'_>) {
        match x {
            Cells::Narrow(x) => {
                values.iter_mut().zip(x).for_each(|(y, &x)| *y = y.wrapping_mul(x.into()));
            }
            Cells::Wide(x) => values.iter_mut().zip(x).for_each(|(y, &x)| *y = y.wrapping_mul(x)),
        }
    }

    /// `values[i] = max(values[i], x[i])`.
    fn maximum(values: &mut CellsMut<'_>, x: Cells<'_>) {
        match (values, x) {
            (CellsMut::Narrow(values), Cells::Narrow(x)) => {
                values.iter_mut().zip(x).for_each(|(y, &x)| *y = (*y).max(x));
            }
            (CellsMut::Wide(values), Cells::Wide(x)) => {
                values.iter_mut().zip(x).for_each(|(y, &x)| *y = (*y).max(x));
            }
            (CellsMut::Wide(values), Cells::Narrow(x)) => {
                values.iter_mut().zip(x).for_each(|(y, &x)| *y = (*y).max(x.into()));
            }
            (CellsMut::Narrow(values), Cells::Wide(x)) => {
                values.iter_mut().zip(x).for_each(|(y, &x)| *y = (*y).max(truncate(x)));
            }
        }
    }
}
