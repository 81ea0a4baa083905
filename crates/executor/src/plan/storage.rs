//! Which tensors share a buffer.

use veridical_program::TensorInfo;

use crate::kernels::aligned::Aligned;
use crate::steps::{Buffer, SLACK};

/// Life of a tensor that has storage of its own, in steps: written at `from`, last read at `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) tensor: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// A buffer by element width and elements of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    narrow: bool,
    len: usize,
}

impl Slot {
    /// Bytes of one item.
    pub(crate) fn bytes(&self) -> usize {
        self.len.saturating_mul(if self.narrow { 2 } else { 4 })
    }

    /// Makes a buffer hold `batch` items.
    pub(crate) fn prepare(&self, buffer: &mut Buffer, batch: usize) {
        let len = self.len * batch + SLACK;
        match (buffer, self.narrow) {
            (Buffer::Narrow(cells), true) => cells.reserve(len),
            (Buffer::Wide(cells), false) => cells.reserve(len),
            (buffer, true) => *buffer = Buffer::Narrow(Aligned::zeros(len)),
            (buffer, false) => *buffer = Buffer::Wide(Aligned::zeros(len)),
        }
    }
}

/// Gives every tensor of `lives` a slot; tensors whose lives meet get different ones.
///
/// `lives` is ordered by `from`. A result never shares the buffer of an operand of the same step.
pub(super) fn assign(tensors: &[TensorInfo], lives: &[Life]) -> (Vec<Slot>, Vec<Option<usize>>) {
    let mut slots: Vec<Slot> = Vec::new();
    let mut busy_until: Vec<usize> = Vec::new();
    let mut assigned = vec![None; tensors.len()];
    for life in lives {
        let info = &tensors[life.tensor];
        let (narrow, len) = (info.is_narrow(), info.len());
        // The free slot whose size is nearest; it grows if need be.
        let free = (0..slots.len())
            .filter(|&s| slots[s].narrow == narrow && busy_until[s] < life.from)
            .min_by_key(|&s| slots[s].len.abs_diff(len));
        let slot = free.unwrap_or_else(|| {
            slots.push(Slot { narrow, len });
            busy_until.push(0);
            slots.len() - 1
        });
        slots[slot].len = slots[slot].len.max(len);
        busy_until[slot] = life.to;
        assigned[life.tensor] = Some(slot);
    }
    (slots, assigned)
}
