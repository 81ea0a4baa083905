"""Derived integer ranges, op by op, in exact integers.

The loader derives them again (`crates/program`); this copy lets the compiler choose widths.
Source: spec/v1/program.md, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from veridical.compiler.field import P, bits_for_span, isqrt_ceil

if TYPE_CHECKING:
    from numpy.typing import NDArray

Range: TypeAlias = tuple[int, int]


def linear_rows(
    weight: NDArray[np.int64], bias: NDArray[np.int64], x: Range, row_norm: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return per-row lower and upper bounds of `weight @ x + bias`.

    Shape: weight (N, K), bias (N); results (N).
    """
    low, high = x
    positive = np.where(weight > 0, weight, 0).sum(axis=1)
    negative = np.where(weight < 0, weight, 0).sum(axis=1)
    upper = bias + positive * high + negative * low
    lower = bias + positive * low + negative * high
    if row_norm is not None:
        squares = (weight * weight).sum(axis=1)
        absolute = positive - negative
        reach = np.array(
            [
                isqrt_ceil(row_norm * int(square)) + (int(total) + 1) // 2
                for square, total in zip(squares, absolute, strict=True)
            ],
            dtype=np.int64,
        )
        upper = np.minimum(upper, bias + reach)
        lower = np.maximum(lower, bias - reach)
    return lower, upper


def linear(
    weight: NDArray[np.int64], bias: NDArray[np.int64], x: Range, row_norm: int | None
) -> Range:
    """Return the range of a linear op over all rows."""
    lower, upper = linear_rows(weight, bias, x, row_norm)
    return int(lower.min()), int(upper.max())


def product(a: Range, b: Range) -> Range:
    """Return the interval product."""
    ends = [i * j for i in a for j in b]
    return min(ends), max(ends)


def scaled_sum(parts: list[tuple[int, Range]]) -> Range:
    """Return the interval of `sum c_i x_i`."""
    low = sum(min(c * r[0], c * r[1]) for c, r in parts)
    high = sum(max(c * r[0], c * r[1]) for c, r in parts)
    return low, high


def affine(gain: NDArray[np.int64], offset: NDArray[np.int64], x: Range) -> Range:
    """Return the interval of `gain * x + offset`, paired by broadcast."""
    a, b = gain * x[0] + offset, gain * x[1] + offset
    return int(min(a.min(), b.min())), int(max(a.max(), b.max()))


def can_clamp(x: Range, limits: Range) -> bool:
    """Whether a clamp to `limits` meets the loader's condition at every end that it cuts."""
    low, high = x
    for cut in limits:
        if not low < cut < high:
            continue
        above, below = high - cut, cut - low
        for a, b in ((above, below), (below, above)):
            if (1 << bits_for_span(a)) + b > P:
                return False
        low = max(low, limits[0])
    return True


def union(ranges: list[Range]) -> Range:
    """Return the least interval that contains all of `ranges`."""
    return min(r[0] for r in ranges), max(r[1] for r in ranges)
