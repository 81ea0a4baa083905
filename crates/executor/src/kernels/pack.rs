//! Brings right operands into panels, see [`super::gemm`].

use super::gemm::{LANES, PAIR, panel_len};

/// Elements of `count` packed columns over `k`.
pub(crate) fn packed_len(columns: usize, k: usize) -> usize {
    columns.div_ceil(LANES) * panel_len(k.div_ceil(2))
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
    let panel_len = panel_len(k.div_ceil(2));
    for (panel, first) in packed
        .chunks_exact_mut(panel_len)
        .zip((0..columns).step_by(LANES))
    {
        let real = LANES.min(columns - first);
        if real < LANES || k % 2 == 1 {
            panel.fill(0);
        }
        for lane in 0..real {
            let column = &source[(first + lane) * stride..][..k];
            let pairs = column.chunks_exact(2);
            if let &[last] = pairs.remainder() {
                panel[k / 2 * PAIR + 2 * lane] = last;
            }
            for (pair, from) in panel.chunks_exact_mut(PAIR).zip(pairs) {
                pair[2 * lane] = from[0];
                pair[2 * lane + 1] = from[1];
            }
        }
    }
}

/// Packs a matrix that is stored row after row: element `(k, n)` at `k * stride + n`.
///
/// This is how the right operand of `weighted_mean` lies in memory.
pub(crate) fn pack_rows(
    source: &[i16],
    stride: usize,
    columns: usize,
    k: usize,
    packed: &mut [i16],
) {
    let panel_len = panel_len(k.div_ceil(2));
    let panels = packed.chunks_exact_mut(panel_len);
    for (panel, first) in panels.zip((0..columns).step_by(LANES)) {
        let real = LANES.min(columns - first);
        for (t, pair) in panel.chunks_exact_mut(PAIR).take(k.div_ceil(2)).enumerate() {
            let row = |k: usize| &source[k * stride + first..][..real];
            let even = row(2 * t);
            let odd = if 2 * t + 1 < k { row(2 * t + 1) } else { &[] };
            if odd.len() < LANES {
                pair.fill(0);
            }
            for (pair, &value) in pair.chunks_exact_mut(2).zip(even) {
                pair[0] = value;
            }
            for (pair, &value) in pair.chunks_exact_mut(2).zip(odd) {
                pair[1] = value;
            }
        }
    }
}
