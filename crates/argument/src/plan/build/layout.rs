//! What only moves integers: `reshape`, `transpose`, `expand`, `concat`, `slice`, `pad`.
//!
//! Spec: spec/v1/zk.md, sections 2.4, 2.5 and 4.6.

use crate::plan::build::builder::Builder;
use crate::plan::build::expression::Expression;
use crate::plan::error::PlanError;
use crate::plan::shape::variables;
use crate::plan::{Factor, Layout, Pairs, WireId};

/// Corresponding groups of axes of two shapes with equal products.
struct Group {
    from: Vec<usize>,
    to: Vec<usize>,
}

impl Group {
    /// Whether both sides number the same variables in the same order (section 2.4).
    fn is_view(&self) -> bool {
        let inner = |axes: &[usize]| axes.iter().skip(1).all(|n| n.is_power_of_two());
        (self.from.len() == 1 && self.to.len() == 1) || (inner(&self.from) && inner(&self.to))
    }
}

/// The wire of the current node's result, if no relation is needed for it.
///
/// A layout operation that moves nothing is its operand, and one that moves an input's integers alone the verifier
/// computes itself.
pub(super) fn without_relation(b: &mut Builder<'_>) -> Result<Option<WireId>, PlanError> {
    match b.layout() {
        None => Ok(None),
        Some(Layout::Still) => Ok(Some(b.operand(0)?.wire)),
        Some(Layout::Moves) => b.public_layout(),
    }
}

pub(super) fn reshape(b: &mut Builder<'_>) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let shape = b.result_shape()?;
    reshaped(b, x.wire, &shape, 1, "reshape")
}

/// The same cells in row-major order; the first `kept` axes stay as they are.
pub(super) fn reshaped(
    b: &mut Builder<'_>,
    of: WireId,
    shape: &[usize],
    kept: usize,
    what: &'static str,
) -> Result<WireId, PlanError> {
    let from = b.shape(of).to_vec();
    let (Some((head, from)), Some((same, to))) =
        (from.split_at_checked(kept), shape.split_at_checked(kept))
    else {
        return Err(b.inconsistent("a reshape drops an axis"));
    };
    let groups = groups(from, to).filter(|_| head == same);
    let groups = groups.ok_or_else(|| b.inconsistent("a reshape changes the number of cells"))?;
    if groups.iter().all(Group::is_view) {
        return b.view_in_order(of, shape.to_vec(), what);
    }
    // Groups that are views, and axes of size 1, are rearranged around a map of the others.
    let (mut before, mut after) = (head.to_vec(), head.to_vec());
    let mut factors = vec![Factor::Same { axes: kept }];
    for group in &groups {
        if group.is_view() {
            before.extend(&group.to);
            after.extend(&group.to);
            let axes = group.to.len();
            factors.push(Factor::Same { axes });
        } else {
            before.extend(&group.from);
            after.extend(&group.to);
            let (from, to) = (group.from.clone(), group.to.clone());
            factors.push(Factor::Related(Pairs::Reshape { from, to }));
        }
    }
    let of = b.view_in_order(of, before, what)?;
    let moved = b.map(of, after, joined(factors), what)?;
    b.view_in_order(moved, shape.to_vec(), what)
}

/// Least groups with equal products, without axes of size 1; `None` if the products differ.
fn groups(from: &[usize], to: &[usize]) -> Option<Vec<Group>> {
    let mut from = from.iter().copied().filter(|&n| n > 1);
    let mut to = to.iter().copied().filter(|&n| n > 1);
    let mut groups = Vec::new();
    loop {
        let (m, n) = match (from.next(), to.next()) {
            (Some(m), Some(n)) => (m, n),
            (None, None) => return Some(groups),
            _ => return None,
        };
        let mut group = Group {
            from: vec![m],
            to: vec![n],
        };
        let (mut left, mut right) = (m, n);
        while left != right {
            if left < right {
                let n = from.next()?;
                left = left.checked_mul(n)?;
                group.from.push(n);
            } else {
                let n = to.next()?;
                right = right.checked_mul(n)?;
                group.to.push(n);
            }
        }
        groups.push(group);
    }
}

/// Neighbouring kept axes as one factor.
pub(super) fn joined(factors: Vec<Factor>) -> Vec<Factor> {
    let mut all: Vec<Factor> = Vec::new();
    for factor in factors {
        match (all.last_mut(), &factor) {
            (_, Factor::Same { axes: 0 }) => {}
            (Some(Factor::Same { axes }), Factor::Same { axes: more }) => {
                *axes = axes.saturating_add(*more);
            }
            _ => all.push(factor),
        }
    }
    all
}

pub(super) fn transpose(b: &mut Builder<'_>, perm: &[usize]) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let perm: Vec<usize> = std::iter::once(0)
        .chain(perm.iter().map(|axis| axis.saturating_add(1)))
        .collect();
    let size = |axis: usize| x.shape.get(axis).map_or(0, |&n| variables(n));
    let mut bits = Vec::new();
    for axis in 0..x.shape.len() {
        // Where the axis begins in the result.
        let before = perm.iter().take_while(|&&p| p != axis);
        let start: u32 = before.map(|&p| size(p)).sum();
        let range = start..start.saturating_add(size(axis));
        bits.extend(range.filter_map(|bit| usize::try_from(bit).ok()));
    }
    let shape = b.result_shape()?;
    b.view(x.wire, shape, bits, "transpose")
}

pub(super) fn expand(b: &mut Builder<'_>) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let shape = b.result_shape()?;
    b.combination(&shape, Expression::of(x.wire), "expand")
}

/// A map of one axis, the others as they are.
pub(super) fn map_axis(
    b: &mut Builder<'_>,
    of: WireId,
    axis: usize,
    pairs: Pairs,
    what: &'static str,
) -> Result<WireId, PlanError> {
    let mut shape = b.shape(of).to_vec();
    let size = match &pairs {
        Pairs::Place { to, .. } | Pairs::Slice { to, .. } => Some(*to),
        Pairs::WindowSum(window) => Some(window.windows),
        Pairs::Reshape { .. }
        | Pairs::Window(_)
        | Pairs::WindowReal(_)
        | Pairs::WindowMask(_)
        | Pairs::Rows { .. } => None,
    };
    let (Some(n), Some(size)) = (shape.get_mut(axis), size) else {
        return Err(b.inconsistent("a map has no such axis"));
    };
    *n = size;
    let behind = shape.len().saturating_sub(axis.saturating_add(1));
    let factors = vec![
        Factor::Same { axes: axis },
        Factor::Related(pairs),
        Factor::Same { axes: behind },
    ];
    b.map(of, shape, joined(factors), what)
}

pub(super) fn concat(b: &mut Builder<'_>, axis: usize) -> Result<WireId, PlanError> {
    let operands = b.operands()?;
    let shape = b.result_shape()?;
    let axis = axis.saturating_add(1);
    let to = shape.get(axis).copied().unwrap_or(0);
    let mut expression = Expression::default();
    let mut offset = 0_usize;
    for x in &operands {
        let from = x.shape.get(axis).copied().unwrap_or(0);
        let pairs = Pairs::Place { from, to, offset };
        let part = map_axis(b, x.wire, axis, pairs, "part of a concat")?;
        expression = expression.plus(1, part);
        offset = offset.saturating_add(from);
    }
    b.combination(&shape, expression, "concat")
}

pub(super) fn slice(
    b: &mut Builder<'_>,
    axis: usize,
    start: usize,
    step: usize,
) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let shape = b.result_shape()?;
    let axis = axis.saturating_add(1);
    let size = |shape: &[usize]| shape.get(axis).copied().unwrap_or(0);
    let pairs = Pairs::Slice {
        from: size(&x.shape),
        to: size(&shape),
        start,
        step,
    };
    map_axis(b, x.wire, axis, pairs, "slice")
}

pub(super) fn pad(b: &mut Builder<'_>, before: &[usize], value: i64) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let shape = b.result_shape()?;
    let above = Expression::of(x.wire).offset(value.saturating_neg());
    let above = b.combination(&x.shape, above, "above the padding")?;
    let offsets = std::iter::once(0).chain(before.iter().copied());
    let mut factors = Vec::new();
    for ((&from, &to), offset) in x.shape.iter().zip(&shape).zip(offsets) {
        factors.push(if from == to {
            Factor::Same { axes: 1 }
        } else {
            Factor::Related(Pairs::Place { from, to, offset })
        });
    }
    let placed = b.map(above, shape.clone(), joined(factors), "placed")?;
    b.combination(&shape, Expression::of(placed).offset(value), "pad")
}
