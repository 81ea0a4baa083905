//! The operations of a plan: prepared once, run on one chunk of a batch at a time.
//!
//! | Module     | Purpose                                                              |
//! |------------|----------------------------------------------------------------------|
//! | `linear`   | products with packed weights                                         |
//! | `conv`     | convolutions over patches packed on the way                          |
//! | `attention`| `matmul` and `weighted_mean`, operands and results as strided views  |
//! | `pool`     | windows                                                              |
//! | `reduce`   | sums and maxima over axes, largest elements                          |
//! | `row`      | softmax numerator, layer norm and other row operations               |
//! | `pointwise`| `add`, `affine`, `mul`, tables and shifts                            |
//! | `layout`   | moves of integers                                                    |
//! | `oracle`   | anything else, by the interpreter                                    |

pub(crate) mod attention;
pub(crate) mod broadcast;
pub(crate) mod conv;
pub(crate) mod layout;
pub(crate) mod linear;
pub(crate) mod oracle;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod reduce;
pub(crate) mod row;

use std::ops::Range;

use crate::kernels::Kernels;
use crate::kernels::aligned::Aligned;
use crate::kernels::epilogue::{Cells, CellsMut};
use crate::kernels::vector::Divisor;

/// Elements that every buffer has beyond its tensor: a pair of `k` may be read past an odd row.
pub(crate) const SLACK: usize = 64;

/// Storage of one or more tensors whose lives do not overlap.
#[derive(Debug)]
pub(crate) enum Buffer {
    /// Narrow tensors.
    Narrow(Aligned<i16>),
    /// All others.
    Wide(Aligned<i32>),
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Narrow(Aligned::default())
    }
}

impl Buffer {
    pub(crate) fn cells(&self) -> Cells<'_> {
        match self {
            Self::Narrow(cells) => Cells::Narrow(cells),
            Self::Wide(cells) => Cells::Wide(cells),
        }
    }

    pub(crate) fn cells_mut(&mut self) -> CellsMut<'_> {
        match self {
            Self::Narrow(cells) => CellsMut::Narrow(cells),
            Self::Wide(cells) => CellsMut::Wide(cells),
        }
    }
}

/// Buffers that a step may use while it runs; their contents do not outlive it.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) panels: Aligned<i16>,
    pub(crate) image: Aligned<i16>,
    pub(crate) sums: Aligned<i32>,
    pub(crate) divisors: Vec<Divisor>,
}

/// Operands of a step: whole buffers, slack included.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    pub(crate) buffers: &'a [Buffer],
    pub(crate) ids: &'a [usize],
}

impl<'a> Operands<'a> {
    pub(crate) fn get(&self, i: usize) -> Cells<'a> {
        self.buffers[self.ids[i]].cells()
    }

    /// An operand that the plan knows to be narrow.
    pub(crate) fn narrow(&self, i: usize) -> &'a [i16] {
        match self.get(i) {
            Cells::Narrow(cells) => cells,
            // The loader has checked narrowness of the operands of products.
            Cells::Wide(_) => &[],
        }
    }
}

/// Circumstances of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) kernels: Kernels,
    /// Items of the chunk.
    pub(crate) batch: usize,
}

/// Row of the result that has no weight; see [`crate::ExecutorError::EmptyRow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EmptyRow(pub(crate) usize);

/// Independent parts of a step, which follow each other in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) count: usize,
    /// Elements of one unit in the result; the last unit may be shorter.
    pub(crate) len: usize,
    /// Products or similar of one unit, roughly.
    pub(crate) work: usize,
}

/// One prepared operation.
pub(crate) trait Step: std::fmt::Debug + Send + Sync {
    /// How the result for `batch` items can be divided among threads.
    fn units(&self, batch: usize) -> Units;

    /// Computes some units, for `run.batch` items in all. `result` is exactly their place.
    fn run(
        &self,
        operands: Operands<'_>,
        result: CellsMut<'_>,
        units: Range<usize>,
        scratch: &mut Scratch,
        run: Run,
    ) -> Result<(), EmptyRow>;
}
