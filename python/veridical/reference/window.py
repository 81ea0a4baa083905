"""Geometry of sliding windows along one axis, shared by the conditions and the ops.

Spec: spec/v1/program.md, sections 4.2 and 4.13. Nothing is padded physically: a position outside
the axis is simply not visited, so that hostile padding costs no memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One offset of the window, where it meets the axis: outputs and the inputs they read."""

    offset: int
    outputs: slice
    inputs: slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis: its size, and the window that moves along it."""

    size: int
    kernel: int
    stride: int
    before: int
    after: int
    dilation: int

    @property
    def outputs(self) -> int:
        """Number of window positions; 0 or less if the window does not fit."""
        reach = self.dilation * (self.kernel - 1) + 1
        return (self.size + self.before + self.after - reach) // self.stride + 1

    def every_window_is_real(self) -> bool:
        """Return whether each window holds a position inside the axis."""
        # The largest start is below size + padding <= 2^55, so int64 is exact.
        starts = np.arange(self.outputs, dtype=np.int64) * self.stride - self.before
        first = np.maximum(0, -(starts // self.dilation))
        last = np.minimum(self.kernel - 1, (self.size - 1 - starts) // self.dilation)
        return bool(np.all(first <= last))

    def spans(self) -> Iterator[Span]:
        """Yield the offsets that meet the axis, ascending."""
        last_start = (self.outputs - 1) * self.stride - self.before
        lowest = max(0, -(last_start // self.dilation))
        highest = min(self.kernel - 1, (self.size - 1 + self.before) // self.dilation)
        for offset in range(lowest, highest + 1):
            shift = offset * self.dilation - self.before
            first = max(0, -(shift // self.stride))
            last = min(self.outputs - 1, (self.size - 1 - shift) // self.stride)
            if first > last:
                continue
            start = first * self.stride + shift
            stop = last * self.stride + shift + 1
            yield Span(
                offset=offset,
                outputs=slice(first, last + 1),
                inputs=slice(start, stop, self.stride),
            )
