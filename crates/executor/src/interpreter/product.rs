//! Sums of products and windows.

use super::index::{ravel, unravel};
use super::{Site, Value, last};
use veridical_program::Window;

impl Site<'_> {
    pub(super) fn linear(&self, k: usize) -> i64 {
        let &[outputs, inputs] = self.constant_shape(0) else {
            return 0;
        };
        let (row, n) = (k / outputs, k % outputs);
        let sum: i64 = (0..inputs)
            .map(|i| self.at(0, row * inputs + i) * self.constant(0, n * inputs + i))
            .sum();
        sum + self.constant(1, n)
    }

    pub(super) fn conv(&self, k: usize, window: &Window, groups: usize) -> i64 {
        let &[outputs, group_channels, kh, kw] = self.constant_shape(0) else {
            return 0;
        };
        let image = self.image();
        let place = Place::new(k, &self.result_shape());
        let output = place.channel % outputs;
        let first = output / (outputs / groups) * group_channels;
        let item = place.channel / outputs;
        let mut sum = self.constant(1, output);
        for c in 0..group_channels {
            let plane = (item * image.channels + first + c) * image.height * image.width;
            for (tap, position) in taps(window, [kh, kw], &place, &image) {
                sum += self.at(0, plane + position)
                    * self.constant(0, (output * group_channels + c) * kh * kw + tap);
            }
        }
        sum
    }

    pub(super) fn matmul(&self, k: usize, transpose_b: bool) -> i64 {
        let (a, b, n) = (self.shape(0), self.shape(1), self.result_width());
        let depth = last(&a);
        let (row, j) = (k / n, k % n);
        let matrix = row / a[a.len() - 2] * b[b.len() - 2] * b[b.len() - 1];
        (0..depth)
            .map(|i| {
                let right = if transpose_b {
                    j * depth + i
                } else {
                    i * n + j
                };
                self.at(0, row * depth + i) * self.at(1, matrix + right)
            })
            .sum()
    }

    pub(super) fn weighted_mean(&self, k: usize) -> Value {
        let (shape, n) = (self.shape(0), self.result_width());
        let depth = last(&shape);
        let row = k / n;
        let matrix = row / shape[shape.len() - 2] * depth * n;
        let weight = |i| self.at(0, row * depth + i);
        let total: i64 = (0..depth).map(weight).sum();
        if total == 0 {
            return Err(row);
        }
        let sum: i64 = (0..depth)
            .map(|i| weight(i) * self.at(1, matrix + i * n + k % n))
            .sum();
        Ok((sum + total / 2).div_euclid(total))
    }

    pub(super) fn max_pool(&self, k: usize, window: &Window) -> i64 {
        self.window_values(k, window).max().unwrap_or(0)
    }

    pub(super) fn sum_pool(&self, k: usize, window: &Window) -> i64 {
        self.window_values(k, window).sum()
    }

    fn window_values(&self, k: usize, window: &Window) -> impl Iterator<Item = i64> {
        let image = self.image();
        let place = Place::new(k, &self.result_shape());
        let plane = place.channel * image.height * image.width;
        let positions: Vec<usize> = taps(window, window.kernel, &place, &image)
            .map(|(_, position)| position)
            .collect();
        positions
            .into_iter()
            .map(move |position| self.at(0, plane + position))
    }

    fn image(&self) -> Image {
        let shape = self.shape(0);
        let rank = shape.len();
        Image {
            channels: shape[rank - 3],
            height: shape[rank - 2],
            width: shape[rank - 1],
        }
    }
}

struct Image {
    channels: usize,
    height: usize,
    width: usize,
}

/// Place of a result element; `channel` counts all leading axes.
struct Place {
    channel: usize,
    y: usize,
    x: usize,
}

impl Place {
    fn new(k: usize, shape: &[usize]) -> Self {
        let index = unravel(k, shape);
        let spatial = shape.len() - 2;
        Self {
            channel: ravel(&index[..spatial], &shape[..spatial]),
            y: index[spatial],
            x: index[spatial + 1],
        }
    }
}

/// The taps of a window that lie inside the image: tap number and position in the plane.
fn taps(
    window: &Window,
    kernel: [usize; 2],
    place: &Place,
    image: &Image,
) -> impl Iterator<Item = (usize, usize)> {
    let inside = |i: usize, tap: usize, axis: usize, size: usize| {
        (i * window.stride[axis] + tap * window.dilation[axis])
            .checked_sub(window.pad[axis])
            .filter(|&position| position < size)
    };
    (0..kernel[0] * kernel[1]).filter_map(move |tap| {
        let y = inside(place.y, tap / kernel[1], 0, image.height)?;
        let x = inside(place.x, tap % kernel[1], 1, image.width)?;
        Some((tap, y * image.width + x))
    })
}
