//! Kernels without assumptions about the machine; the definition that the others must meet.

use super::gemm::{LANES, PAIR, Panels, Rows, Tile};

/// Sums of products modulo 2^32, see [`super::gemm`].
pub(super) fn tile(rows: Rows<'_>, panels: Panels<'_>, width: usize, tile: &mut Tile) {
    let stride = width * LANES;
    for row in 0..rows.count {
        let left = &rows.data[row * rows.stride..][..2 * panels.pairs];
        for panel in 0..width {
            let right = &panels.data[panel * panels.panel_len()..][..panels.panel_len()];
            let mut sums = [0_i32; LANES];
            for (a, b) in left.chunks_exact(2).zip(right.chunks_exact(PAIR)) {
                for (sum, pair) in sums.iter_mut().zip(b.chunks_exact(2)) {
                    let products = (i32::from(a[0]) * i32::from(pair[0]))
                        .wrapping_add(i32::from(a[1]) * i32::from(pair[1]));
                    *sum = sum.wrapping_add(products);
                }
            }
            tile.0[row * stride + panel * LANES..][..LANES].copy_from_slice(&sums);
        }
    }
}
