//! Random elements for tests, from a seed.

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use veridical_argument::field::{EF, F};

/// SplitMix64: equal seeds give equal elements everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % end
    }

    /// Any representative of least magnitude.
    pub(crate) fn integer(&mut self) -> i32 {
        i32::try_from(self.below(2_130_706_433)).unwrap() - 1_065_353_216
    }

    pub(crate) fn base(&mut self) -> F {
        F::from_u64(self.next())
    }

    pub(crate) fn extension(&mut self) -> EF {
        EF::from_basis_coefficients_fn(|_| self.base())
    }

    pub(crate) fn base_vec(&mut self, length: usize) -> Vec<F> {
        (0..length).map(|_| self.base()).collect()
    }

    pub(crate) fn extension_vec(&mut self, length: usize) -> Vec<EF> {
        (0..length).map(|_| self.extension()).collect()
    }
}
