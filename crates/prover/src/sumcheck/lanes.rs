//! One extension element, or one vector of them: what a pass works on.

use p3_field::extension::PackedQuinticTrinomialExtensionField;
use p3_field::{Algebra, BasedVectorSpace, PackedValue, PrimeCharacteristicRing};
use veridical_argument::field::{DEGREE, EF, F};

use super::PackedF;
use super::equality::{equality_table, packed_equality_table};

/// Extension elements side by side.
pub(crate) trait Lanes: Algebra<EF> + Copy + Send + Sync {
    /// Number of lanes.
    const WIDTH: usize;

    /// An element prepared for many products.
    type Factor: Copy + Send + Sync;

    /// Prepares an element.
    fn factor(element: EF) -> Self::Factor;

    /// Every lane times an element.
    fn times(self, factor: &Self::Factor) -> Self;

    /// Sum of the lanes.
    fn total(self) -> EF;

    /// Every lane times a base element.
    fn scale(self, factor: F) -> Self;

    /// `eq(point, .)`.
    fn equality(point: &[EF]) -> Vec<Self>;

    /// `sum of a_i b_i`, lane by lane.
    fn dot(a: &[Self], b: &[Self]) -> Self {
        let products = a.iter().zip(b).map(|(a, b)| *a * *b);
        products.fold(Self::ZERO, |sum, product| sum + product)
    }
}

impl Lanes for EF {
    const WIDTH: usize = 1;

    type Factor = EF;

    fn factor(element: EF) -> EF {
        element
    }

    fn times(self, factor: &EF) -> Self {
        self * *factor
    }

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

    /// The matrix of the product: row `k` gives coordinate `k`. One reduction each instead of one per power of the
    /// indeterminate.
    type Factor = [[F; DEGREE]; DEGREE];

    fn factor(element: EF) -> Self::Factor {
        let columns: [EF; DEGREE] = std::array::from_fn(|power| {
            element * EF::from_basis_coefficients_fn(|at| F::from_bool(at == power))
        });
        std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                let coordinates: &[F] = columns[column].as_basis_coefficients_slice();
                coordinates[row]
            })
        })
    }

    #[inline]
    fn times(self, factor: &Self::Factor) -> Self {
        let cells = coordinates(&self);
        Self::from_basis_coefficients_fn(|row| PackedF::mixed_dot_product(&cells, &factor[row]))
    }

    fn total(self) -> EF {
        let sums = coordinates(&self);
        EF::from_basis_coefficients_fn(|at| sums[at].as_slice().iter().copied().sum::<F>())
    }

    fn scale(self, factor: F) -> Self {
        self * PackedF::from(factor)
    }

    fn equality(point: &[EF]) -> Vec<Self> {
        packed_equality_table(point, EF::ONE)
    }
}

fn coordinates(element: &PackedQuinticTrinomialExtensionField<F, PackedF>) -> [PackedF; DEGREE] {
    let coordinates: &[PackedF] = element.as_basis_coefficients_slice();
    std::array::from_fn(|at| coordinates[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sumcheck::{PackedEF, first};
    use crate::testing::Random;

    #[test]
    fn prepared_factors_multiply() {
        let mut random = Random::new(13);
        for _ in 0..20 {
            let vector = first::pack(&random.extension_vec(PackedF::WIDTH))[0];
            let element = random.extension();
            let factor = <PackedEF as Lanes>::factor(element);
            assert_eq!(vector.times(&factor), vector * PackedEF::from(element));
        }
    }
}
