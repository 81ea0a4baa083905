//! Products with constant weights.

use std::ops::Range;

use super::{EmptyRow, Operands, Run, Scratch, Step, Units};
use crate::kernels::aligned::Aligned;
use crate::kernels::epilogue::{Bias, CellsMut, Map};
use crate::kernels::gemm::{LANES, Panels, Rows, gemm, panel_len};
use crate::kernels::pack::{pack_columns, packed_len};
use veridical_program::ConstData;

/// `map(x w^T + b)`, the map being the only reader of the sums.
#[derive(Debug)]
pub(crate) struct Linear {
    panels: Aligned<i16>,
    bias: Aligned<i32>,
    map: Map,
    /// Rows of one item.
    rows: usize,
    depth: usize,
    columns: usize,
}

impl Linear {
    /// Packs the weights `(columns, depth)`.
    pub(crate) fn new(
        weight: &ConstData,
        bias: &ConstData,
        rows: usize,
        [columns, depth]: [usize; 2],
        map: Map,
    ) -> Self {
        let mut panels = Aligned::zeros(packed_len(columns, depth));
        pack_columns(&narrow(weight), depth, columns, depth, &mut panels);
        let mut padded = Aligned::zeros(columns.next_multiple_of(LANES) + super::SLACK);
        for (i, value) in padded.iter_mut().take(columns).enumerate() {
            *value = bias.get(i).unwrap_or(0);
        }
        Self {
            panels,
            bias: padded,
            map,
            rows,
            depth,
            columns,
        }
    }
}

impl Step for Linear {
    /// Rows; of a single row, panels of columns.
    fn units(&self, batch: usize) -> Units {
        let rows = batch * self.rows;
        if rows > 1 {
            Units {
                count: rows,
                len: self.columns,
                work: self.columns * self.depth,
            }
        } else {
            let count = self.columns.div_ceil(LANES);
            Units {
                count,
                len: LANES,
                work: LANES * self.depth,
            }
        }
    }

    fn run(
        &self,
        operands: Operands<'_>,
        mut result: CellsMut<'_>,
        units: Range<usize>,
        _scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow> {
        let pairs = self.depth.div_ceil(2);
        let single = run.batch * self.rows == 1;
        let first = if single { units.start } else { 0 };
        let (row, count) = if single {
            (0, 1)
        } else {
            (units.start, units.len())
        };
        let columns = if single { result.len() } else { self.columns };
        let data = &operands.narrow(0)[row * self.depth..];
        let rows = Rows {
            data,
            stride: self.depth,
            count,
        };
        let panels = Panels {
            data: &self.panels[first * panel_len(pairs)..],
            pairs,
        };
        let bias = Bias::Column(&self.bias[first * LANES..]);
        gemm(run.kernels, rows, panels, columns, |window, tile| {
            run.kernels
                .store(tile, window, bias, &self.map, &mut result, columns);
        });
        Ok(())
    }
}

/// Weights as 16-bit integers; the loader allows no wider ones.
pub(crate) fn narrow(weight: &ConstData) -> Vec<i16> {
    match weight {
        ConstData::I8(data) => data.iter().map(|&w| w.into()).collect(),
        ConstData::I16(data) => data.to_vec(),
        ConstData::I32(data) => data
            .iter()
            .map(|&w| i16::try_from(w).unwrap_or(0))
            .collect(),
    }
}
