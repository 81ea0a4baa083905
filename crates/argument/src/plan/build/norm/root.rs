//! The reciprocal root of a row: long multiplication in limbs of 14 bits.
//!
//! Spec: spec/v1/zk.md, section 4.13, J1 to J3.

use crate::plan::build::builder::Builder;
use crate::plan::build::exact::power_of_two;
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;
use crate::plan::{Fill, WideLimb, WidePart, WireId};

/// `r` with `r^2 V <= D < (r + 1)^2 V`, from the limbs of `V`.
pub(super) fn reciprocal_root(
    b: &mut Builder<'_>,
    row: &[usize],
    variance: [WireId; 4],
    target: i128,
) -> Result<WireId, PlanError> {
    let d = limbs(target);
    let mut limb = |part: WidePart, bits: u32, what| {
        let limb = WideLimb {
            variance,
            target: d,
            part,
        };
        let wire = b.witness(row, Fill::Wide { limb }, what)?;
        b.range(row, Expression::of(wire), bits, what)?;
        Ok::<WireId, PlanError>(wire)
    };
    let r0 = limb(WidePart::Root(0), 14, "limb of the root")?;
    let r1 = limb(WidePart::Root(1), 14, "limb of the root")?;
    let t = four(|i| limb(WidePart::Product(i), 14, "limb of the product"))?;
    let f = four(|i| limb(WidePart::Slack(i), 14, "limb of the slack"))?;
    let g = four(|i| limb(WidePart::Gap(i), 14, "limb of the gap"))?;
    let product_carries = three(|i| limb(WidePart::ProductCarry(i), 16, "carry of the product"))?;
    let target_carries = three(|i| limb(WidePart::TargetCarry(i), 16, "carry of the target"))?;
    let gap_carry = {
        let part = WidePart::GapCarry;
        let limb = WideLimb {
            variance,
            target: d,
            part,
        };
        b.witness(row, Fill::Wide { limb }, "carry of the gap")?
    };

    let zero = [0; 4];
    long_product(
        b,
        row,
        [r0, r1],
        variance,
        (&[], zero),
        (Some(t), product_carries),
    )?;
    long_product(b, row, [r0, r1], t, (&f, d), (None, target_carries))?;

    // Both halves of f + g + 1 = 2 t + V.
    let half = |wires: [WireId; 4], at: usize, coeff: i64| {
        let pair = wires.get(at..).unwrap_or(&[]);
        let scaled = coeff.saturating_mul(1 << 14);
        let terms = pair.iter().zip([coeff, scaled]);
        terms.fold(Expression::default(), |e, (&w, c)| e.plus(c, w))
    };
    let sides = |at: usize| {
        half(f, at, 1)
            .join(half(g, at, 1))
            .join(half(t, at, -2))
            .join(half(variance, at, -1))
    };
    let low = sides(0).offset(1).plus(-(1 << 28), gap_carry);
    let high = sides(2).plus(1, gap_carry);
    let table = b.range_table(3);
    let carry = Expression::of(gap_carry).offset(4).scaled(0);
    let vanishing = vec![low.scaled(0), high.scaled(0)];
    b.site(row, vec![table, carry], vanishing, "carry of the gap")?;

    let root = Expression::of(r0).plus(1 << 14, r1);
    b.combination(row, root, "reciprocal root")
}

fn four<E>(mut limb: impl FnMut(usize) -> Result<WireId, E>) -> Result<[WireId; 4], E> {
    Ok([limb(0)?, limb(1)?, limb(2)?, limb(3)?])
}

fn three<E>(mut limb: impl FnMut(usize) -> Result<WireId, E>) -> Result<[WireId; 3], E> {
    Ok([limb(0)?, limb(1)?, limb(2)?])
}

/// `r * v + added = result + target` in limbs of 14 bits, without a carry out of the last: J1 and J2.
fn long_product(
    b: &mut Builder<'_>,
    row: &[usize],
    [r0, r1]: [WireId; 2],
    v: [WireId; 4],
    (added, target): (&[WireId], [i64; 4]),
    (result, carries): (Option<[WireId; 4]>, [WireId; 3]),
) -> Result<(), PlanError> {
    for (i, limb) in target.iter().enumerate() {
        let at = |wires: &[WireId], i: usize| wires.get(i).copied();
        let below = i.checked_sub(1);
        let mut products = Vec::new();
        products.extend(at(&v, i).map(|v| (1, [r0, v])));
        products.extend(below.and_then(|i| at(&v, i)).map(|v| (1, [r1, v])));
        let mut linear = Expression::constant(limb.saturating_neg());
        for (coeff, wire) in [
            (1, at(added, i)),
            (1, below.and_then(|i| at(&carries, i))),
            (-1, result.and_then(|result| at(&result, i))),
            (-(1 << 14), at(&carries, i)),
        ] {
            if let Some(wire) = wire {
                linear = linear.plus(coeff, wire);
            }
        }
        b.quadratic(row, linear, &products, "limb of a product")?;
    }
    let [.., top] = v;
    b.quadratic(
        row,
        Expression::default(),
        &[(1, [r1, top])],
        "no further limb",
    )
}

/// Limbs of 14 bits, low first, the last with the rest.
fn limbs(value: i128) -> [i64; 4] {
    let mask = power_of_two(14).saturating_sub(1);
    [0_u32, 14, 28, 42].map(|shift| {
        let limb = value >> shift;
        let limb = if shift < 42 { limb & mask } else { limb };
        i64::try_from(limb).unwrap_or(i64::MAX)
    })
}
