//! Brings right operands into panels, see [`super::gemm`].

use super::Kernels;
use super::gemm::{LANES, PAIR};

/// Elements of `count` packed columns over `k`.
pub(crate) fn packed_len(columns: usize, k: usize) -> usize {
    columns.div_ceil(LANES) * k.div_ceil(2) * PAIR
}

/// Packs a matrix that is stored column after column: element `(k, n)` at `n * stride + k`.
///
/// This is how weights `(N, K)` and the transposed operand of a `matmul` lie in memory.
pub(crate) fn pack_columns(
    source: &[i16],
    stride: usize,
    columns: usize,
    k: usize,
    packed: &mut [i16],
) {
    let panel_len = k.div_ceil(2) * PAIR;
    for (panel, first) in packed.chunks_exact_mut(panel_len).zip((0..columns).step_by(LANES)) {
        let real = LANES.min(columns - first);
        if real < LANES || k % 2 == 1 {
            panel.fill(0);
        }
        for lane in 0..real {
            let column = &source[(first + lane) * stride..][..k];
            for (pair, from) in panel.chunks_exact_mut(PAIR).zip(column.chunks(2)) {
                pair[2 * lane..][..from.len()].copy_from_slice(from);
            }
        }
    }
}

impl Kernels {
    /// Packs a matrix that is stored row after row: element `(k, n)` at `k * stride + n`.
    ///
    /// This is how the right operand of `weighted_mean` lies in memory.
    pub(crate) fn pack_rows(
        self,
        source: &[i16],
        stride: usize,
        columns: usize,
        k: usize,
        packed: &mut [i16],
    ) {
        let panel_len = k.div_ceil(2) * PAIR;
        for (panel, first) in packed.chunks_exact_mut(panel_len).zip((0..columns).step_by(LANES)) {
            let real = LANES.min(columns - first);
            for (t, pair) in panel.chunks_exact_mut(PAIR).enumerate() {
                let even = &source[2 * t * stride + first..][..real];
                if real < LANES || 2 * t + 1 == k {
                    pair.fill(0);
                    let odd = if 2 * t + 1 == k { &[][..] } else { &source[(2 * t + 1) * stride + first..][..real] };
                    for (lane, &value) in even.iter().enumerate() {
                        pair[2 * lane] = value;
                    }
                    for (lane, &value) in odd.iter().enumerate() {
                        pair[2 * lane + 1] = value;
                    }
                } else {
                    let odd = &source[(2 * t + 1) * stride + first..][..LANES];
                    for ((pair, &even), &odd) in pair.chunks_exact_mut(2).zip(even).zip(odd) {
                        pair[0] = even;
                        pair[1] = odd;
                    }
                }
            }
        }
    }
}
