//! `layernorm`: the limbs and carries of the proof must hold every value that can occur.

use super::site::{Derived, Site, at_most, attribute};
use crate::error::NodeError;
use crate::exact::{Interval, exact, half, isqrt_ceil, power_above, power_of_two};
use crate::graph::P;

pub(super) struct Parameters {
    pub(super) shift: u32,
    pub(super) u: u32,
    pub(super) fx: u32,
    pub(super) epsilon: i128,
    pub(super) is_centered: bool,
}

pub(super) fn layernorm(site: &Site<'_>, p: &Parameters) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let d = exact(x.row()?);
    attribute("shift", p.shift.into(), 0, 11)?;
    attribute("d", d, 1, if p.is_centered { 1024 } else { 1000 })?;
    attribute("epsilon", p.epsilon, 1, 1 << 20)?;
    attribute("u", p.u.into(), 1, 23)?;
    let dropped = p.u.saturating_sub(p.fx);
    attribute("u - fx", i128::from(p.u).saturating_sub(p.fx.into()), 1, 16)?;

    // With 1024 high limbs and 11 dropped bits two inputs would share their residue.
    let limit: i128 = if p.shift == 11 { 508 << 10 } else { 1 << 19 };
    let bounds = Interval {
        lo: limit.saturating_neg(),
        hi: limit.saturating_sub(1),
    };
    let v = x.range.shift(p.shift, true);
    if !bounds.contains(v) {
        let scale = power_of_two(p.shift);
        let lo = bounds
            .lo
            .saturating_mul(scale)
            .saturating_sub(half(p.shift));
        let next = limit.saturating_mul(scale).saturating_sub(half(p.shift));
        return Err(x
            .within(lo, next.saturating_sub(1))
            .err()
            .unwrap_or(NodeError::Attribute {
                name: "v",
                value: v.magnitude(),
                lo: bounds.lo,
                hi: bounds.hi,
            }));
    }
    if d <= 1000 {
        let low = d.saturating_mul(1023 * 1023).saturating_add(p.epsilon);
        at_most(
            "d * 1023^2 + epsilon < 2^30",
            low,
            (1_i128 << 30).saturating_sub(1),
        )?;
    }
    let numerator = d.saturating_mul(power_of_two(p.u.saturating_mul(2)));
    let greatest_root = numerator
        .checked_div(p.epsilon)
        .unwrap_or(i128::MAX)
        .isqrt();
    let condition = "isqrt(d * 2^(2u) / epsilon) < 2^28";
    at_most(condition, greatest_root, (1_i128 << 28).saturating_sub(1))?;

    let bound = isqrt_ceil(numerator);
    let y = Interval::new(bound, bound).shift(dropped, true).hi;
    let images = power_above(y.saturating_mul(2).saturating_add(1));
    at_most(
        "2^w * 2^(u - fx) <= p",
        images.saturating_mul(power_of_two(dropped)),
        P,
    )?;
    let fact = d.saturating_mul(power_of_two(p.fx.saturating_mul(2)));
    Ok(Derived::new(
        x.shape,
        Interval {
            lo: y.saturating_neg(),
            hi: y,
        },
    )
    .with_fact(Some(fact)))
}
