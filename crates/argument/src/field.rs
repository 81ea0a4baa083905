//! The field of the argument and its extension.
//!
//! Spec: spec/v1/zk.md, section 1.

use p3_field::PrimeCharacteristicRing;
use p3_field::extension::QuinticTrinomialExtensionField;
use p3_koala_bear::KoalaBear;

/// Base field, `p = 2^31 - 2^24 + 1`: every integer of a program is one element.
pub type F = KoalaBear;

/// Extension of degree 5, 154.94 bits: every challenge is one element.
pub type EF = QuinticTrinomialExtensionField<KoalaBear>;

/// Coordinates of an extension element.
pub const DEGREE: usize = 5;

/// The element that an integer represents modulo `p`.
pub fn from_integer(value: i64) -> F {
    F::from_i64(value)
}
