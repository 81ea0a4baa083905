//! Kernels without assumptions about the machine; the definition that the others must meet.

use super::epilogue::{Bias, Cells, CellsMut, Map, Table};
use super::gemm::{LANES, PAIR, Panels, Rows, Tile, Window};

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

/// See [`Kernels::store`](super::Kernels::store).
pub(super) fn store(
    tile: &Tile,
    window: Window,
    bias: Bias<'_>,
    map: &Map,
    result: &mut CellsMut<'_>,
    stride: usize,
) {
    for row in 0..window.rows {
        let sums = &tile.0[row * window.stride..][..window.columns];
        let start = (window.row + row) * stride + window.column;
        let biased = |j: usize| {
            let bias = match bias {
                Bias::None => 0,
                Bias::Column(bias) => bias[window.column + j],
                Bias::Row(bias) => bias[window.row + row],
            };
            map.apply(sums[j].wrapping_add(bias))
        };
        match result {
            CellsMut::Narrow(cells) => {
                for (j, cell) in cells[start..][..window.columns].iter_mut().enumerate() {
                    *cell = truncate(biased(j));
                }
            }
            CellsMut::Wide(cells) => {
                for (j, cell) in cells[start..][..window.columns].iter_mut().enumerate() {
                    *cell = biased(j);
                }
            }
        }
    }
}

/// See [`Kernels::map`](super::Kernels::map).
pub(super) fn map(map: &Map, source: Cells<'_>, result: &mut CellsMut<'_>) {
    each(source, result, |x| map.apply(x));
}

/// See [`Kernels::lookup_below`](super::Kernels::lookup_below).
pub(super) fn lookup_below(
    greatest: i32,
    shift: u32,
    table: &Table,
    source: Cells<'_>,
    result: &mut CellsMut<'_>,
) {
    each(source, result, |x| {
        table.entry(greatest.wrapping_sub(x) >> shift)
    });
}

/// Applies a function to every element.
fn each(source: Cells<'_>, result: &mut CellsMut<'_>, f: impl Fn(i32) -> i32) {
    match (source, result) {
        (Cells::Narrow(source), CellsMut::Narrow(result)) => {
            result
                .iter_mut()
                .zip(source)
                .for_each(|(y, &x)| *y = truncate(f(x.into())));
        }
        (Cells::Wide(source), CellsMut::Narrow(result)) => {
            result
                .iter_mut()
                .zip(source)
                .for_each(|(y, &x)| *y = truncate(f(x)));
        }
        (Cells::Narrow(source), CellsMut::Wide(result)) => {
            result
                .iter_mut()
                .zip(source)
                .for_each(|(y, &x)| *y = f(x.into()));
        }
        (Cells::Wide(source), CellsMut::Wide(result)) => {
            result.iter_mut().zip(source).for_each(|(y, &x)| *y = f(x));
        }
    }
}

/// The low 16 bits, as the vector stores do; values of narrow tensors fit.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the vector twins drop the high half as well"
)]
#[inline]
pub(super) fn truncate(x: i32) -> i16 {
    x as i16
}
