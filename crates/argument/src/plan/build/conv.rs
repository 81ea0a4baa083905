//! `conv` by virtual im2col, and `sum_pool`.
//!
//! Spec: spec/v1/zk.md, sections 4.2 and 4.14.

use veridical_program::Window as Geometry;

use crate::plan::build::builder::Builder;
use crate::plan::build::exact::exact;
use crate::plan::build::expression::Expression;
use crate::plan::build::layout::{joined, map_axis, reshaped};
use crate::plan::build::products::trailing;
use crate::plan::error::PlanError;
use crate::plan::{Factor, Pairs, Window, WireId};

/// An image `[.., channels, height, width]` under a window.
pub(super) struct Image {
    /// Batch and leading axes.
    pub(super) leading: Vec<usize>,
    pub(super) channels: usize,
    /// Along height and width.
    pub(super) windows: [Window; 2],
}

impl Image {
    /// Reads the geometry of an operand and the result of a node.
    pub(super) fn new(
        b: &Builder<'_>,
        shape: &[usize],
        geometry: &Geometry,
    ) -> Result<Self, PlanError> {
        let result = b.result_shape()?;
        let (Some((leading, &[channels, height, width])), Some(&[rows, columns])) =
            (shape.split_last_chunk(), result.last_chunk())
        else {
            return Err(b.inconsistent("an image has three axes"));
        };
        let [top, left, _, _] = geometry.pad;
        let ([kh, kw], [sh, sw]) = (geometry.kernel, geometry.stride);
        let [dh, dw] = geometry.dilation;
        let window = |size, windows, taps, stride, dilation, pad| Window {
            size,
            windows,
            taps,
            stride,
            dilation,
            pad,
        };
        Ok(Self {
            leading: leading.to_vec(),
            channels,
            windows: [
                window(height, rows, kh, sh, dh, top),
                window(width, columns, kw, sw, dw, left),
            ],
        })
    }

    /// Axes of the windows: `[rows, taps, columns, taps]`.
    pub(super) fn windowed(&self) -> [usize; 4] {
        let [h, w] = self.windows;
        [h.windows, h.taps, w.windows, w.taps]
    }
}

/// Whether every window is one cell, in order.
fn is_plain(window: &Window) -> bool {
    window.taps == 1 && window.stride == 1 && window.pad == 0 && window.size == window.windows
}

/// Whether some tap of some window lies outside the image.
pub(super) fn leaves_image(window: &Window) -> bool {
    let last = exact(window.windows)
        .saturating_sub(1)
        .saturating_mul(exact(window.stride));
    let tap = exact(window.taps)
        .saturating_sub(1)
        .saturating_mul(exact(window.dilation));
    let end = last.saturating_add(tap).saturating_sub(exact(window.pad));
    window.pad > 0 || end >= exact(window.size)
}

/// How channels fall into groups.
struct Groups {
    count: usize,
    /// Input channels of a group.
    inputs: usize,
    /// Output channels of a group.
    outputs: usize,
}

// Labels of the contraction; leading axes come first.
const GROUP: u8 = 100;
const INPUT: u8 = 101;
const OUTPUT: u8 = 102;
const ROW: u8 = 103;
const ROW_TAP: u8 = 104;
const COLUMN: u8 = 105;
const COLUMN_TAP: u8 = 106;

pub(super) fn conv(
    b: &mut Builder<'_>,
    geometry: &Geometry,
    groups: usize,
) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let image = Image::new(b, &x.shape, geometry)?;
    let ((weight, weight_shape), (bias, bias_shape)) = (b.constant(0)?, b.constant(1)?);
    let result = b.result_shape()?;
    let outputs = weight_shape.first().copied().unwrap_or(0);
    let split = |channels: usize| {
        let part = channels.checked_div(groups)?;
        (part.checked_mul(groups)? == channels && part > 0).then_some(part)
    };
    let (Some(inputs), Some(outputs)) = (split(image.channels), split(outputs)) else {
        return Err(b.inconsistent("channels do not fall into groups"));
    };
    let groups = Groups {
        count: groups,
        inputs,
        outputs,
    };
    let (patches, patch_labels) = patches(b, x.wire, &image, &groups)?;
    let (kernel, kernel_labels) = kernel(b, weight, &weight_shape, &groups)?;

    let leading = crate::plan::build::products::labels(image.leading.len());
    let joint: &[u8] = match (groups.count, groups.outputs) {
        (1, _) => &[OUTPUT],
        (_, 1) => &[GROUP],
        _ => &[GROUP, OUTPUT],
    };
    let out = [leading.as_slice(), joint, &[ROW, COLUMN]].concat();
    let product = b.einsum(
        (patches, &patch_labels),
        (kernel, &kernel_labels),
        &out,
        "product",
    )?;
    let kept = image.leading.len();
    let product = reshaped(b, product, &result, kept, "channels")?;
    let bias_axes = [bias_shape.as_slice(), &[1, 1]].concat();
    let bias = b.weight(bias, &trailing(result.len(), &bias_axes))?;
    let expression = Expression::of(product).plus(1, bias);
    b.combination(&result, expression, "conv")
}

/// The image as `[.., group, input, row, row tap, column, column tap]`; axes that would have size 1 are left out.
fn patches(
    b: &mut Builder<'_>,
    x: WireId,
    image: &Image,
    groups: &Groups,
) -> Result<(WireId, Vec<u8>), PlanError> {
    let mut labels = crate::plan::build::products::labels(image.leading.len());
    let mut shape = image.leading.clone();
    let [h, w] = image.windows;
    let mut factors = vec![Factor::Same { axes: shape.len() }];
    let mut x = x;
    match (groups.count, groups.inputs) {
        (1, _) | (_, 1) => {
            labels.push(if groups.count == 1 { INPUT } else { GROUP });
            shape.push(image.channels);
            factors.push(Factor::Same { axes: 1 });
        }
        (count, inputs) => {
            labels.extend([GROUP, INPUT]);
            shape.extend([count, inputs]);
            if inputs.is_power_of_two() {
                let split = [shape.as_slice(), &[h.size, w.size]].concat();
                x = b.view_in_order(x, split, "groups")?;
                factors.push(Factor::Same { axes: 2 });
            } else {
                let (from, to) = (vec![image.channels], vec![count, inputs]);
                factors.push(Factor::Related(Pairs::Reshape { from, to }));
            }
        }
    }
    for (window, [position, tap]) in [(h, [ROW, ROW_TAP]), (w, [COLUMN, COLUMN_TAP])] {
        if is_plain(&window) {
            labels.push(position);
            shape.push(window.size);
            factors.push(Factor::Same { axes: 1 });
        } else {
            labels.extend([position, tap]);
            shape.extend([window.windows, window.taps]);
            factors.push(Factor::Related(Pairs::Window(window)));
        }
    }
    let factors = joined(factors);
    if !factors.iter().all(|f| matches!(f, Factor::Same { .. })) {
        x = b.map(x, shape, factors, "patches")?;
    }
    Ok((x, labels))
}

/// The weight with its output channels split into groups.
fn kernel(
    b: &mut Builder<'_>,
    weight: usize,
    shape: &[usize],
    groups: &Groups,
) -> Result<(WireId, Vec<u8>), PlanError> {
    let wire = b.weight(weight, shape)?;
    let taps = [INPUT, ROW_TAP, COLUMN_TAP];
    match (groups.count, groups.outputs) {
        (1, _) => Ok((wire, [&[OUTPUT], taps.as_slice()].concat())),
        (_, 1) => Ok((wire, [&[GROUP], taps.as_slice()].concat())),
        (count, outputs) => {
            let rest = shape.get(1..).unwrap_or(&[]);
            let split = [&[count, outputs], rest].concat();
            let wire = reshaped(b, wire, &split, 0, "groups of outputs")?;
            Ok((wire, [&[GROUP, OUTPUT], taps.as_slice()].concat()))
        }
    }
}

pub(super) fn sum_pool(b: &mut Builder<'_>, geometry: &Geometry) -> Result<WireId, PlanError> {
    let x = b.operand(0)?;
    let image = Image::new(b, &x.shape, geometry)?;
    let mut wire = x.wire;
    for (window, back) in image.windows.into_iter().zip([2_usize, 1]) {
        if !is_plain(&window) {
            let axis = x.shape.len().saturating_sub(back);
            wire = map_axis(b, wire, axis, Pairs::WindowSum(window), "sums of windows")?;
        }
    }
    Ok(wire)
}
