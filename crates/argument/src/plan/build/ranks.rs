//! `argmax`, `topk`: positions as step columns.
//!
//! Spec: spec/v1/zk.md, section 4.15.

use crate::plan::build::builder::{Builder, Operand};
use crate::plan::build::exact::{P, coefficient, exact, power_of_two, width_above, width_of};
use crate::plan::build::expression::Expression;
use crate::plan::build::layout::map_axis;
use crate::plan::build::products::labels;
use crate::plan::error::PlanError;
use crate::plan::{Fill, Pairs, WireId};

/// The ranks of a row: axis of ranks before the last axis.
struct Ranks {
    /// Axes `[.., 1, n]` of the operand.
    row: Vec<usize>,
    /// The operand with an axis of ranks of size 1.
    x: WireId,
    /// `[j >= J_t]`.
    steps: WireId,
    /// `[j = J_t]`.
    positions: WireId,
    /// `x[J_t]`, last axis of size 1.
    values: WireId,
    /// `J_t`, last axis of size 1.
    indices: WireId,
    /// Axis of ranks.
    axis: usize,
    /// Width of true differences.
    width: u32,
}

pub(super) fn argmax(b: &mut Builder<'_>) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let ranks = ranks(b, &x, 1)?;
    first_of_all(b, &ranks)?;
    let shape = b.result_shape()?;
    b.view_in_order(ranks.indices, shape, "argmax")
}

pub(super) fn topk(b: &mut Builder<'_>, k: usize, values: bool) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let ranks = ranks(b, &x, k)?;
    if k == 1 {
        first_of_all(b, &ranks)?;
    } else {
        in_order(b, &ranks, k)?;
        if k < x.last().1 {
            unselected(b, &ranks, k)?;
        }
    }
    let shape = b.result_shape()?;
    let wire = if values { ranks.values } else { ranks.indices };
    b.view_in_order(wire, shape, "topk")
}

/// One position per rank, its value and index.
fn ranks(b: &mut Builder<'_>, x: &Operand, k: usize) -> Result<Ranks, PlanError> {
    let width = width_above(x.spread());
    let reach = x.spread().saturating_add(1);
    let reach = reach.saturating_add(power_of_two(width));
    b.require("H - L + 1 + 2^w <= p", reach, P)?;
    let Some((&n, leading)) = x.shape.split_last() else {
        return Err(b.inconsistent("a row has no axis"));
    };
    let axis = leading.len();
    let space = [leading, &[k, n]].concat();
    let fill = Fill::Ranks { of: x.wire };
    let steps = b.witness(&space, fill, "positions at or behind")?;
    let place = Pairs::Place {
        from: n,
        to: n,
        offset: 1,
    };
    let last = axis.saturating_add(1);
    let before = map_axis(b, steps, last, place, "positions behind")?;
    let positions = Expression::of(steps).minus(before);
    let positions = b.combination(&space, positions, "positions")?;
    b.one_hot(positions, &[last])?;

    let row = [leading, &[1, n]].concat();
    let labels = labels(space.len());
    let without = |label: usize| {
        let label = u8::try_from(label).unwrap_or(u8::MAX);
        labels.iter().copied().filter(move |&l| l != label)
    };
    let (x_labels, out): (Vec<u8>, Vec<u8>) = (without(axis).collect(), without(last).collect());
    let values = b.einsum((positions, &labels), (x.wire, &x_labels), &out, "values")?;
    let column = [leading, &[k, 1]].concat();
    let values = b.view_in_order(values, column.clone(), "values")?;
    let sum = b.sum(steps, &[last], "positions behind")?;
    let indices = Expression::of(sum).subtracted_from(coefficient(n));
    Ok(Ranks {
        x: b.view_in_order(x.wire, row.clone(), "row")?,
        row,
        steps,
        positions,
        values,
        indices: b.combination(&column, indices, "indices")?,
        axis,
        width,
    })
}

/// One rank: everything before its position is smaller, everything behind not greater.
fn first_of_all(b: &mut Builder<'_>, ranks: &Ranks) -> Result<(), PlanError> {
    let below = Expression::of(ranks.values)
        .minus(ranks.x)
        .plus(1, ranks.steps)
        .offset(-1);
    b.range(&ranks.row, below, ranks.width, "distance to the maximum")
}

/// Neighbouring ranks are in order: by value, then by index.
fn in_order(b: &mut Builder<'_>, ranks: &Ranks, k: usize) -> Result<(), PlanError> {
    let to = k.saturating_sub(1);
    let mut neighbours = |wire: WireId, what| -> Result<Expression, PlanError> {
        let mut slice = |start| {
            let pairs = Pairs::Slice {
                from: k,
                to,
                start,
                step: 1,
            };
            map_axis(b, wire, ranks.axis, pairs, what)
        };
        Ok(Expression::of(slice(1)?).minus(slice(0)?))
    };
    let moved = neighbours(ranks.indices, "neighbouring indices")?;
    let fallen = neighbours(ranks.values, "neighbouring values")?;
    let mut space = ranks.row.clone();
    if let Some((axes, [rank, last])) = space.split_last_chunk_mut() {
        let _: &mut [usize] = axes;
        (*rank, *last) = (to, 1);
    }
    let moved = b.combination(&space, moved, "distance of neighbours")?;
    let rises = b.witness(&space, Fill::Positive(moved), "index rises")?;
    let terms: [(i64, &[WireId]); 2] = [(1, &[rises, rises]), (-1, &[rises])];
    b.identity(&space, &terms, "index rises or not")?;
    // (2 b - 1) (J' - J) - b is not negative: b = [J < J'].
    let sign = Expression::default().plus(2, rises).offset(-1);
    let sign = b.combination(&space, sign, "sign of the distance")?;
    let fill = Fill::Product(sign, moved);
    let distance = b.witness(&space, fill, "absolute distance")?;
    let terms: [(i64, &[WireId]); 2] = [(1, &[sign, moved]), (-1, &[distance])];
    b.identity(&space, &terms, "absolute distance")?;
    let length = ranks.row.last().copied().unwrap_or(1);
    let width = width_of(exact(length));
    let distance = Expression::of(distance).minus(rises);
    b.range(&space, distance, width, "absolute distance")?;
    // v - v' - 1 + b.
    let fallen = fallen.subtracted_from(-1).plus(1, rises);
    b.range(&space, fallen, ranks.width, "values in order")
}

/// What has no rank comes behind the last rank.
fn unselected(b: &mut Builder<'_>, ranks: &Ranks, k: usize) -> Result<(), PlanError> {
    let mut last = |wire: WireId, what| {
        let pairs = Pairs::Slice {
            from: k,
            to: 1,
            start: k.saturating_sub(1),
            step: 1,
        };
        map_axis(b, wire, ranks.axis, pairs, what)
    };
    let value = last(ranks.values, "value of the last rank")?;
    let step = last(ranks.steps, "position of the last rank")?;
    let selected = b.sum(ranks.positions, &[ranks.axis], "selected")?;
    let below = Expression::of(value)
        .minus(ranks.x)
        .plus(1, step)
        .offset(-1);
    let below = b.combination(&ranks.row, below, "distance to the last rank")?;
    let others = Expression::of(selected).subtracted_from(1);
    let others = b.combination(&ranks.row, others, "not selected")?;
    let fill = Fill::Product(others, below);
    let distance = b.witness(&ranks.row, fill, "distance of others")?;
    let terms: [(i64, &[WireId]); 2] = [(1, &[others, below]), (-1, &[distance])];
    b.identity(&ranks.row, &terms, "distance of others")?;
    let distance = Expression::of(distance);
    b.range(&ranks.row, distance, ranks.width, "distance of others")
}
