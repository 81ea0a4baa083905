//! `conv`, `max_pool`, `sum_pool`: geometry and ranges.

use super::arithmetic::ordered;
use super::linear::range_of_rows;
use super::rows::RowSums;
use super::site::{Derived, Operand, Site};
use crate::constant::Dtype;
use crate::error::NodeError;
use crate::exact::{Interval, exact};
use crate::graph::{ConstKind, Window};

pub(super) fn conv(
    site: &Site<'_>,
    rows: &mut RowSums,
    window: &Window,
    groups: usize,
) -> Result<Derived, NodeError> {
    let ([x], [w, b]) = site.take(ConstKind::Weight)?;
    let x = x.narrow()?;
    let (leading, [channels, height, width]) = x.trailing()?;
    let [outputs, per_group, kernel_height, kernel_width] = *w.info.shape.as_slice() else {
        return Err(w.misfit([0, 0, 0, 0]));
    };
    for count in [channels, outputs] {
        if count.checked_rem(groups) != Some(0) {
            return Err(NodeError::Groups {
                groups,
                channels: count,
            });
        }
    }
    let expected = channels.checked_div(groups).unwrap_or(0);
    if per_group != expected {
        return Err(w.misfit([outputs, expected, kernel_height, kernel_width]));
    }
    let w = w.dtype(&[Dtype::I8, Dtype::I16])?;
    let b = b.dtype(&[Dtype::I32])?.shape(&[outputs])?;
    let image = output_size(window, [height, width])?;
    let length = per_group
        .saturating_mul(kernel_height)
        .saturating_mul(kernel_width);
    let x_range = padded(window, x.range);
    let range = range_of_rows(rows, (w, length), b, x_range, None);
    Ok(Derived {
        shape: [leading, &[outputs], &image].concat(),
        range,
        fact: None,
    })
}

pub(super) fn max_pool(site: &Site<'_>, window: &Window) -> Result<Derived, NodeError> {
    let x = site.only()?;
    ordered(x.range)?;
    Ok(Derived::new(pooled_shape(x, window)?, x.range))
}

pub(super) fn sum_pool(site: &Site<'_>, window: &Window) -> Result<Derived, NodeError> {
    let x = site.only()?;
    let [height, width] = window.kernel;
    let taps = exact(height).saturating_mul(exact(width));
    Ok(Derived::new(
        pooled_shape(x, window)?,
        padded(window, x.range).scale(taps),
    ))
}

/// A padded position contributes 0.
fn padded(window: &Window, x: Interval) -> Interval {
    if window.pad == [0; 4] {
        x
    } else {
        x.with_zero()
    }
}

fn pooled_shape(x: Operand<'_>, window: &Window) -> Result<Vec<usize>, NodeError> {
    let (leading, [channels, height, width]) = x.trailing()?;
    let image = output_size(window, [height, width])?;
    let axes = axes_of(window, [height, width]);
    for (index, (axis, count)) in axes.iter().zip(image).enumerate() {
        axis.check_real(index, exact(count))?;
    }
    Ok([leading, &[channels], &image].concat())
}

/// Geometry along one axis, in exact integers.
struct Axis {
    length: i128,
    kernel: i128,
    stride: i128,
    dilation: i128,
    before: i128,
    after: i128,
}

fn axes_of(window: &Window, image: [usize; 2]) -> [Axis; 2] {
    let [top, left, bottom, right] = window.pad;
    let axis = |length, kernel, stride, dilation, before, after| Axis {
        length: exact(length),
        kernel: exact(kernel),
        // Both are at least 1 in a decoded graph; `max` keeps a hand-made one from dividing by 0.
        stride: exact(stride).max(1),
        dilation: exact(dilation).max(1),
        before: exact(before),
        after: exact(after),
    };
    let ([h, w], [kh, kw]) = (image, window.kernel);
    let ([sh, sw], [dh, dw]) = (window.stride, window.dilation);
    [
        axis(h, kh, sh, dh, top, bottom),
        axis(w, kw, sw, dw, left, right),
    ]
}

fn output_size(window: &Window, image: [usize; 2]) -> Result<[usize; 2], NodeError> {
    let [height, width] = axes_of(window, image);
    Ok([height.count(0)?, width.count(1)?])
}

impl Axis {
    /// Number of windows.
    fn count(&self, axis: usize) -> Result<usize, NodeError> {
        let span = self
            .dilation
            .saturating_mul(self.kernel.saturating_sub(1))
            .saturating_add(1);
        let length = self
            .length
            .saturating_add(self.before)
            .saturating_add(self.after);
        let free = length.saturating_sub(span);
        let count = free.div_euclid(self.stride).saturating_add(1);
        let too_large = NodeError::WindowSize {
            axis,
            window: span,
            length,
        };
        if self.kernel < 1 || free < 0 {
            return Err(too_large);
        }
        usize::try_from(count).ok().ok_or(too_large)
    }

    /// Fails if one of `count` windows lies in the padding alone.
    fn check_real(&self, axis: usize, count: i128) -> Result<(), NodeError> {
        let start = |o: i128| o.saturating_mul(self.stride).saturating_sub(self.before);
        let last = count.saturating_sub(1);
        if start(last) >= self.length {
            return Err(NodeError::EmptyWindow { axis, index: last });
        }
        // Windows that begin inside hold their first tap; only those that begin before are left,
        // at most as many as the padding is long.
        for o in 0..count {
            let start = start(o);
            if start >= 0 {
                break;
            }
            let first_real_tap = start.div_euclid(self.dilation).saturating_neg();
            let position = start.rem_euclid(self.dilation);
            if first_real_tap >= self.kernel || position >= self.length {
                return Err(NodeError::EmptyWindow { axis, index: o });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the definition on every small geometry.
    #[test]
    fn a_window_is_called_empty_exactly_if_no_tap_is_real() {
        let mut num_empty = 0;
        for length in 1..=6 {
            for (kernel, stride) in pairs(1..=4) {
                for ((before, after), dilation) in
                    pairs(0..=5).flat_map(|pad| (1..=4).map(move |d| (pad, d)))
                {
                    let axis = Axis {
                        length,
                        kernel,
                        stride,
                        dilation,
                        before,
                        after,
                    };
                    let Ok(count) = axis.count(0) else { continue };
                    let is_real = |o: i128, k: i128| {
                        (0..length).contains(&(o * stride - before + k * dilation))
                    };
                    let is_empty = |o: &i128| (0..kernel).all(|k| !is_real(*o, k));
                    let first_empty = (0..exact(count)).find(is_empty);
                    let result = axis.check_real(0, exact(count));
                    assert_eq!(result.is_err(), first_empty.is_some(), "{length} {kernel}");
                    num_empty += i32::from(first_empty.is_some());
                }
            }
        }
        assert!(num_empty > 1000, "{num_empty}");
    }

    fn pairs(range: std::ops::RangeInclusive<i128>) -> impl Iterator<Item = (i128, i128)> {
        range
            .clone()
            .flat_map(move |a| range.clone().map(move |b| (a, b)))
    }
}
