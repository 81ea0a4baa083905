//! Convolutions as products of the weights with patches of the image.

use std::ops::Range;

use veridical_program::{ConstData, Window};

use super::linear::narrow;
use super::{EmptyRow, Operands, Run, SLACK, Scratch, Step, Units};
use crate::kernels::aligned::Aligned;
use crate::kernels::epilogue::{Bias, Cells, CellsMut, Map};
use crate::kernels::gemm::{LANES, Panels, Rows, gemm, panel_len};
use crate::kernels::patch::Patches;

/// Packed patches stay below this many elements, so that they are read from a near cache.
const PACKED_ELEMENTS: usize = 1 << 15;

/// Sizes of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    pub(crate) window: Window,
    pub(crate) groups: usize,
    /// Images of one item: the leading axes together.
    pub(crate) images: usize,
    /// Channels, height and width of an image.
    pub(crate) input: [usize; 3],
    /// Channels, height and width of a result.
    pub(crate) output: [usize; 3],
}

impl Geometry {
    /// Height and width of an image with its padding.
    fn padded(&self) -> [usize; 2] {
        let [_, height, width] = self.input;
        let [top, left, bottom, right] = self.window.pad;
        [height + top + bottom, width + left + right]
    }

    /// Whether every position of a padded image is a positive 32-bit integer.
    pub(crate) fn is_addressable(&self) -> bool {
        let [height, width] = self.padded();
        let len = self.input[0]
            .checked_mul(height)
            .and_then(|len| len.checked_mul(width));
        len.is_some_and(|len| i32::try_from(len.saturating_add(SLACK)).is_ok())
    }

    fn has_padding(&self) -> bool {
        self.window.pad.iter().any(|&pad| pad > 0)
    }

    /// Input and output channels of a group.
    fn group(&self) -> [usize; 2] {
        [self.input[0] / self.groups, self.output[0] / self.groups]
    }

    /// Positions of a result.
    fn positions(&self) -> usize {
        self.output[1] * self.output[2]
    }

    /// Taps of a group.
    fn taps_len(&self) -> usize {
        self.group()[0] * self.window.kernel[0] * self.window.kernel[1]
    }

    /// Position of every tap of a group, relative to the first.
    fn taps(&self) -> Vec<u32> {
        let [height, width] = self.padded();
        let ([kh, kw], [dh, dw]) = (self.window.kernel, self.window.dilation);
        let channels = 0..self.group()[0];
        let taps = channels.flat_map(|c| {
            (0..kh * kw).map(move |tap| (c * height + tap / kw * dh) * width + tap % kw * dw)
        });
        taps.filter_map(|tap| u32::try_from(tap).ok()).collect()
    }

    /// Position of the first tap, for every output position.
    fn bases(&self) -> Vec<u32> {
        let width = self.padded()[1];
        let [_, rows, columns] = self.output;
        let [sh, sw] = self.window.stride;
        let bases = (0..rows * columns).map(|p| p / columns * sh * width + p % columns * sw);
        bases.filter_map(|base| u32::try_from(base).ok()).collect()
    }
}

/// `map(x * w + b)`, `*` being the cross-correlation.
#[derive(Debug)]
pub(crate) struct Conv {
    geometry: Geometry,
    /// One row per output channel, filled up to whole pairs.
    weights: Aligned<i16>,
    bias: Vec<i32>,
    map: Map,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// One input and one output channel per group: too little for a product of matrices.
    Depthwise { taps: Vec<u32> },
    /// Anything else.
    Patches { patches: Patches, panels: usize },
}

impl Conv {
    pub(crate) fn new(weight: &ConstData, bias: &ConstData, geometry: Geometry, map: Map) -> Self {
        let taps = geometry.taps();
        let depth = taps.len();
        let stride = depth.next_multiple_of(2);
        let mut weights = Aligned::zeros(geometry.output[0] * stride + SLACK);
        for (row, from) in weights
            .chunks_exact_mut(stride)
            .zip(narrow(weight).chunks_exact(depth))
        {
            row[..depth].copy_from_slice(from);
        }
        let bias = (0..geometry.output[0])
            .map(|o| bias.get(o).unwrap_or(0))
            .collect();
        let kind = if geometry.group() == [1, 1] {
            Kind::Depthwise { taps }
        } else {
            let patches = Patches::new(geometry.bases(), taps);
            // A multiple of 3 panels, the width of the tallest tiles.
            let panels = (PACKED_ELEMENTS / panel_len(patches.pairs())).clamp(3, 24) / 3 * 3;
            Kind::Patches { patches, panels }
        };
        Self {
            geometry,
            weights,
            bias,
            map,
            kind,
        }
    }

    /// The image with a border of zeros.
    fn pad(&self, image: &[i16], padded: &mut [i16]) {
        let [channels, height, width] = self.geometry.input;
        let [rows, columns] = self.geometry.padded();
        let [top, left, ..] = self.geometry.window.pad;
        padded[..channels * rows * columns].fill(0);
        for c in 0..channels {
            for y in 0..height {
                let to = (c * rows + top + y) * columns + left;
                padded[to..to + width].copy_from_slice(&image[(c * height + y) * width..][..width]);
            }
        }
    }

    /// Output channels of one group by patches; `image` starts at the first channel of the group.
    fn product(
        &self,
        (patches, panels): (&Patches, usize),
        image: &[i16],
        channels: Range<usize>,
        result: &mut CellsMut<'_>,
        packed: &mut [i16],
        run: Run,
    ) {
        let positions = self.geometry.positions();
        let stride = 2 * patches.pairs();
        let data = &self.weights[channels.start * stride..];
        let rows = Rows {
            data,
            stride,
            count: channels.len(),
        };
        let bias = Bias::Row(&self.bias[channels]);
        for first in (0..patches.panels()).step_by(panels) {
            let count = panels.min(patches.panels() - first);
            let packed = &mut packed[..count * panel_len(patches.pairs())];
            run.kernels.pack_patches(image, patches, first, packed);
            let right = Panels {
                data: packed,
                pairs: patches.pairs(),
            };
            let columns = (positions - first * LANES).min(count * LANES);
            let end = result.len();
            let mut part = result.part(first * LANES..end);
            gemm(run.kernels, rows, right, columns, |window, tile| {
                run.kernels
                    .store(tile, window, bias, &self.map, &mut part, positions);
            });
        }
    }

    /// One channel by its own kernel; `plane` starts at its image.
    fn depthwise(
        &self,
        taps: &[u32],
        plane: &[i16],
        channel: usize,
        result: &mut CellsMut<'_>,
        sums: &mut Aligned<i32>,
        run: Run,
    ) {
        let width = self.geometry.padded()[1];
        let [_, _, columns] = self.geometry.output;
        let [sh, sw] = self.geometry.window.stride;
        let weights = &self.weights[channel * taps.len().next_multiple_of(2)..][..taps.len()];
        sums.reserve(result.len());
        let sums = &mut sums[..result.len()];
        for (y, sums) in sums.chunks_exact_mut(columns).enumerate() {
            let from = &plane[y * sh * width..];
            run.kernels
                .correlate(sums, self.bias[channel], from, sw, taps, weights);
        }
        run.kernels.map(&self.map, Cells::Wide(sums), result);
    }
}

impl Step for Conv {
    /// Output channels.
    fn units(&self, batch: usize) -> Units {
        let len = self.geometry.positions();
        let work = len * self.geometry.taps_len();
        Units {
            count: batch * self.geometry.images * self.geometry.output[0],
            len,
            work,
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        units: Range<usize>,
        scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        let source = operands.narrow(0);
        let item: usize = self.geometry.input.iter().product();
        let plane: usize = self.geometry.padded().iter().product();
        let [inputs, outputs] = self.geometry.group();
        let channels = self.geometry.output[0];
        let positions = self.geometry.positions();
        let mut unit = units.start;
        let mut padded = None;
        while unit < units.end {
            // As many channels of one group of one image as the range has.
            let (i, first) = (unit / channels, unit % channels);
            let group = first / outputs;
            let count = ((group + 1) * outputs - first).min(units.end - unit);
            let mut image = &source[i * item..];
            if self.geometry.has_padding() {
                if padded != Some(i) {
                    scratch
                        .image
                        .reserve(self.geometry.input[0] * plane + SLACK);
                    self.pad(image, &mut scratch.image);
                    padded = Some(i);
                }
                image = &scratch.image;
            }
            let image = &image[group * inputs * plane..];
            let at = (unit - units.start) * positions;
            let part = &mut result.part(at..at + count * positions);
            match &self.kind {
                Kind::Depthwise { taps } => {
                    self.depthwise(taps, image, first, part, &mut scratch.sums, run);
                }
                Kind::Patches { patches, panels } => {
                    scratch.panels.reserve(panels * panel_len(patches.pairs()));
                    let packed = &mut scratch.panels;
                    self.product(
                        (patches, *panels),
                        image,
                        first..first + count,
                        part,
                        packed,
                        run,
                    );
                }
            }
            unit += count;
        }
        Ok(())
    }
}
