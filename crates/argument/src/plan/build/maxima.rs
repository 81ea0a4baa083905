//! `max_pool` and `reduce_max`: attained maxima whose distances are looked up.
//!
//! Spec: spec/v1/zk.md, section 4.9.

use veridical_program::Window as Geometry;

use crate::plan::build::builder::Builder;
use crate::plan::build::conv::{Image, leaves_image};
use crate::plan::build::exact::{power_of_two, width_above};
use crate::plan::build::expression::Expression;
use crate::plan::build::products::batched;
use crate::plan::build::range::Maximum;
use crate::plan::error::PlanError;
use crate::plan::{Factor, Fill, Pairs, WireId};

pub(super) fn reduce_max(b: &mut Builder<'_>, axes: &[usize]) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    if b.result_shape()? == x.shape {
        return Ok(x.wire);
    }
    let max = b.witness_result("reduce_max")?;
    let maximum = Maximum {
        of: x.wire,
        max,
        axes: &batched(axes),
        mask: None,
    };
    let width = width_above(x.spread());
    b.attained(&maximum, x.spread(), power_of_two(width))?;
    let below = Expression::of(max).minus(x.wire);
    b.range(&x.shape, below, width, "distance to the maximum")?;
    Ok(max)
}

pub(super) fn max_pool(b: &mut Builder<'_>, geometry: &Geometry) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let image = Image::new(b, &x.shape, geometry)?;
    let [rows, row_taps, columns, column_taps] = image.windowed();
    let leading = [image.leading.as_slice(), &[image.channels]].concat();
    let same = Factor::Same {
        axes: leading.len(),
    };
    let space = [leading.as_slice(), &[rows, row_taps, columns, column_taps]].concat();
    let related = |pairs: fn(_) -> Pairs| {
        let [h, w] = image.windows.map(|window| Factor::Related(pairs(window)));
        vec![same.clone(), h, w]
    };
    let windows = b.map(x.wire, space.clone(), related(Pairs::Window), "windows")?;
    let shape = [leading.as_slice(), &[rows, 1, columns, 1]].concat();
    let fill = Fill::Tensor(b.result());
    let max = b.witness(&shape, fill, "max_pool")?;
    let y = b.view_in_order(max, b.result_shape()?, "max_pool")?;

    let is_padded = image.windows.iter().any(leaves_image);
    let (mask, below) = if is_padded {
        let one = b.one(leading.len().saturating_add(2))?;
        let ones = leading.iter().map(|_| 1);
        let axes = ones.chain([rows, row_taps, columns, column_taps]).collect();
        let real = b.map(one, axes, related(Pairs::WindowMask), "real positions")?;
        let maxima = related(Pairs::WindowReal);
        let spread = b.map(y, space.clone(), maxima, "maximum at real positions")?;
        (Some(real), Expression::of(spread).minus(windows))
    } else {
        (None, Expression::of(max).minus(windows))
    };
    let first_tap = leading.len().saturating_add(1);
    let maximum = Maximum {
        of: windows,
        max,
        axes: &[first_tap, first_tap.saturating_add(2)],
        mask,
    };
    let width = width_above(x.spread());
    b.attained(&maximum, x.spread(), power_of_two(width))?;
    b.range(&space, below, width, "distance to the maximum")?;
    Ok(y)
}
