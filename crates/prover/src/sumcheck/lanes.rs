//! One extension element, or one vector of them: what a pass works on.

use p3_field::extension::PackedQuinticTrinomialExtensionField;
use p3_field::{Algebra, BasedVectorSpace, PackedValue, PrimeCharacteristicRing};
use veridical_argument::field::{EF, F};

use super::PackedF;
use super::equality::{equality_table, packed_equality_table};

/// Extension elements side by side.
pub(super) trait Lanes: Algebra<EF> + Copy + Send + Sync {
    /// Number of lanes.
    const WIDTH: usize;

    /// Sum of the lanes.
    fn total(self) -> EF;

    /// Every lane times a base element.
    fn scale(self, factor: F) -> Self;

    /// `eq(point, .)`.
    fn equality(point: &[EF]) -> Vec<Self>;

    /// `sum of a_i b_i`, lane by lane.
    fn dot(a: &[Self], b: &[Self]) -> Self {
        a.iter()
            .zip(b)
            .fold(Self::ZERO, |sum, (a, b)| sum + *a * *b)
    }
}

impl Lanes for EF {
    const WIDTH: usize = 1;

    fn total(self) -> EF {
        self
    }

    fn scale(self, factor: F) -> Self {
        self * factor
    }

    fn equality(point: &[EF]) -> Vec<Self> {
        equality_table(point, EF::ONE)
    }
}

impl Lanes for PackedQuinticTrinomialExtensionField<F, PackedF> {
    const WIDTH: usize = PackedF::WIDTH;

    fn total(self) -> EF {
        let sums: &[PackedF] = self.as_basis_coefficients_slice();
        EF::from_basis_coefficients_fn(|at| sums[at].as_slice().iter().copied().sum::<F>())
    }

    fn scale(self, factor: F) -> Self {
        self * PackedF::from(factor)
    }

    fn equality(point: &[EF]) -> Vec<Self> {
        packed_equality_table(point, EF::ONE)
    }
}
