//! Loops over rows, written once and compiled for every instruction set.
//!
//! The compiler turns plain loops into vector code as wide as the enabled features allow. There is one
//! source for all instruction sets, so the results are equal by construction.

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
                        _ => body::$name($($arg),*),
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

per_isa! {
    /// Sum of a row modulo 2^32.
    fn sum(row: &[i16]) -> i32 {
        row.iter().fold(0_i32, |sum, &x| sum.wrapping_add(i32::from(x)))
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
