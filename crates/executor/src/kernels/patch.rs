//! Packs image patches into panels: the right operand of a convolution.
//!
//! Column `j` of the panels is an output position, row `k` a tap (channel, kernel row, kernel column);
//! element `(k, j)` is `image[bases[j] + taps[k]]`.

use super::gemm::{LANES, PAIR, panel_len};
use super::{Isa, Kernels};

/// Positions of an image that a convolution reads.
#[derive(Debug, Clone)]
pub(crate) struct Patches {
    /// Position of the first tap, for every output position; filled up to whole panels.
    bases: Vec<u32>,
    /// Distance of a tap from the first, filled up to a whole pair.
    taps: Vec<u32>,
    /// Elements that an image must have.
    image_len: usize,
}

impl Patches {
    /// Neither list is empty.
    pub(crate) fn new(mut bases: Vec<u32>, mut taps: Vec<u32>) -> Self {
        let greatest = |list: &[u32]| list.iter().copied().max().unwrap_or(0) as usize;
        // One more: a tap may be read together with its neighbour.
        let image_len = greatest(&bases) + greatest(&taps) + 2;
        // The fill is never used: no output position, and a weight of zero.
        bases.resize(
            bases.len().next_multiple_of(LANES),
            bases.last().copied().unwrap_or(0),
        );
        taps.resize(
            taps.len().next_multiple_of(2),
            taps.last().copied().unwrap_or(0),
        );
        Self {
            bases,
            taps,
            image_len,
        }
    }

    pub(crate) fn pairs(&self) -> usize {
        self.taps.len() / 2
    }

    pub(crate) fn panels(&self) -> usize {
        self.bases.len() / LANES
    }
}

/// Output positions of one panel with all taps.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    pub(super) image: &'a [i16],
    pub(super) bases: &'a [u32],
    pub(super) taps: &'a [u32],
}

impl Kernels {
    /// Packs as many panels as `packed` has room for, from panel `first` on.
    pub(crate) fn pack_patches(
        self,
        image: &[i16],
        patches: &Patches,
        first: usize,
        packed: &mut [i16],
    ) {
        assert!(
            image.len() >= patches.image_len,
            "image is shorter than its patches"
        );
        let panels = packed.chunks_exact_mut(panel_len(patches.pairs()));
        for (packed, bases) in panels.zip(patches.bases[first * LANES..].chunks_exact(LANES)) {
            let panel = Panel {
                image,
                bases,
                taps: &patches.taps,
            };
            match self.isa() {
                // SAFETY: `Kernels` exists for AVX-512 only if the processor has it; every base and tap together
                // are at least 2 elements before the end of the image, as checked above.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => unsafe { super::avx512_patch::pack(panel, packed) },
                Isa::Portable | Isa::Avx2 => pack(panel, packed),
                #[cfg(not(target_arch = "x86_64"))]
                Isa::Avx512 => pack(panel, packed),
            }
        }
    }
}

/// Packs one panel, element by element.
fn pack(panel: Panel<'_>, packed: &mut [i16]) {
    for (pair, taps) in packed
        .chunks_exact_mut(PAIR)
        .zip(panel.taps.chunks_exact(2))
    {
        for (pair, &base) in pair.chunks_exact_mut(2).zip(panel.bases) {
            pair[0] = panel.image[(base + taps[0]) as usize];
            pair[1] = panel.image[(base + taps[1]) as usize];
        }
    }
}
