//! An element of the field between two bounds that are a whole field apart.
//!
//! Spec: spec/v1/zk.md, section 12.4.

use crate::plan::Fill;
use crate::plan::build::builder::Builder;
use crate::plan::build::exact::{P, power, power_of_two};
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;

/// Bits of the low limbs.
const LOW: u32 = 15;
/// Bits of the high limbs.
const HIGH: u32 = 16;

/// Shows that some `A = y (mod p)` has `A >= 0` and `A + t <= d`; `t` is an integer in `[0, d]` already, `None` is 0.
pub(super) fn between(
    b: &mut Builder<'_>,
    space: &[usize],
    y: &Expression,
    t: Option<&Expression>,
    d: i128,
) -> Result<(), PlanError> {
    b.require("H - L <= p - 1", d, P.saturating_sub(1))?;
    b.require("L <= H", d.saturating_neg(), 0)?;
    let what = "row between its bounds";
    let base = power(LOW);
    let mask = power_of_two(LOW).saturating_sub(1);
    let limb = |x: i128| i64::try_from(x).unwrap_or(i64::MAX);
    let (d_low, d_high) = (limb(d & mask), limb(d >> LOW));

    let mut low = Expression::default();
    // 2^15 (A_1 + T_1), and its subtrahend a + e.
    let mut high = Expression::default();
    for x in [Some(y), t].into_iter().flatten() {
        let fill = Fill::Low {
            of: x.clone().scaled(0),
            bits: LOW,
        };
        let wire = b.witness(space, fill, "low limb")?;
        b.range(space, Expression::of(wire), LOW, what)?;
        let rest = x.clone().minus(wire);
        b.range_scaled(space, rest.clone().scaled(LOW), HIGH, what)?;
        low = low.plus(1, wire);
        high = high.join(rest);
    }
    let excess = low
        .clone()
        .offset(base.saturating_sub(1).saturating_sub(d_low));
    let fill = Fill::Floor {
        of: excess.scaled(LOW),
    };
    let borrow = b.witness(space, fill, "borrow")?;
    b.range(space, Expression::of(borrow), 2, what)?;
    let low = low.subtracted_from(d_low).plus(base, borrow);
    b.range(space, low, LOW, what)?;
    let high = high
        .subtracted_from(d_high.saturating_mul(base))
        .plus(base.saturating_neg(), borrow);
    b.range_scaled(space, high.scaled(LOW), HIGH, what)
}
