"""Conditions of `linear`, `conv` and `matmul`.

Spec: spec/v1/program.md, sections 4.1 to 4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veridical.reference.conditions.view import (
    Bounds,
    ConstView,
    Derived,
    NodeView,
    hull,
    isqrt_ceil,
    product_bounds,
)
from veridical.reference.window import Axis

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Greatest kernel, stride, dilation and padding; bounds the work of checking windows.
MAX_WINDOW = 2**15


def linear(view: NodeView) -> Derived:
    """Derive `y = w x + b`; the row-norm fact of `x` may tighten the range."""
    (x,), (weight, bias) = view.operands, view.consts
    view.require_narrow(x)
    _require_weight(view, weight, 2)
    _require_bias(view, weight, bias)
    depth = x.shape[-1]
    view.require(
        weight.shape[1] == depth,
        "weight_shape",
        f"w has {weight.shape[1]} columns and x has rows of {depth}",
    )
    shape = (*x.shape[:-1], weight.shape[0])
    if weight.values is None or bias.values is None:
        return Derived(shape=shape, bounds=None)
    lows, highs = _interval_rows(weight.values, bias.values, (x.lo, x.hi))
    if x.row_norm is not None:
        spread = _norm_rows(weight.values, x.row_norm)
        offsets = bias.values.tolist()
        lows = [max(low, b - s) for low, b, s in zip(lows, offsets, spread, strict=True)]
        highs = [min(high, b + s) for high, b, s in zip(highs, offsets, spread, strict=True)]
    return Derived(shape=shape, bounds=(min(lows), max(highs)))


def conv(view: NodeView) -> Derived:
    """Derive a cross-correlation over the last two axes."""
    (x,), (weight, bias) = view.operands, view.consts
    view.require_narrow(x)
    view.require_rank(x, 3)
    _require_weight(view, weight, 4)
    _require_bias(view, weight, bias)
    out_channels, depth, *kernel = weight.shape
    channels = x.shape[-3]
    groups = view.require_between("groups", 1, channels)
    view.require(
        channels % groups == 0 and out_channels % groups == 0 and depth == channels // groups,
        "groups",
        f"{channels} to {out_channels} channels in {groups} groups of depth {depth}",
    )
    rows, columns = window_axes(view, (kernel[0], kernel[1]))
    shape = (*x.shape[:-3], out_channels, rows.outputs, columns.outputs)
    if weight.values is None or bias.values is None:
        return Derived(shape=shape, bounds=None)
    bounds = with_padding_zero(view, (x.lo, x.hi))
    lows, highs = _interval_rows(weight.values.reshape(out_channels, -1), bias.values, bounds)
    return Derived(shape=shape, bounds=(min(lows), max(highs)))


def matmul(view: NodeView) -> Derived:
    """Derive the product of two activations."""
    a, b = view.operands
    view.require_narrow(a)
    view.require_narrow(b)
    view.require_rank(a, 2)
    view.require_rank(b, 2)
    transposed = view.require_between("transpose_b", 0, 1)
    depth, columns = (b.shape[-1], b.shape[-2]) if transposed else (b.shape[-2], b.shape[-1])
    view.require(
        a.shape[:-2] == b.shape[:-2] and a.shape[-1] == depth,
        "matmul_shape",
        f"{list(a.shape)} times {list(b.shape)}",
    )
    low, high = product_bounds((a.lo, a.hi), (b.lo, b.hi))
    return Derived(shape=(*a.shape[:-1], columns), bounds=(depth * low, depth * high))


def window_axes(view: NodeView, kernel: tuple[int, int]) -> tuple[Axis, Axis]:
    """Return the geometry over the last two axes, every size at least 1."""
    (x,) = view.operands
    strides = view.require_length("stride", 2)
    dilations = view.require_length("dilation", 2)
    pads = view.require_length("pad", 4)
    for name, low, entries in (
        ("stride", 1, strides),
        ("dilation", 1, dilations),
        ("pad", 0, pads),
    ):
        fits = low <= min(entries) and max(entries) <= MAX_WINDOW
        view.require(fits, name, f"{name} {list(entries)}")
    rows, columns = (
        Axis(
            size=x.shape[axis - 2],
            kernel=kernel[axis],
            stride=strides[axis],
            before=pads[axis],
            after=pads[axis + 2],
            dilation=dilations[axis],
        )
        for axis in (0, 1)
    )
    view.require(
        min(rows.outputs, columns.outputs) >= 1,
        "window",
        f"a window of {list(kernel)} does not fit {list(x.shape[-2:])}",
    )
    return rows, columns


def with_padding_zero(view: NodeView, bounds: Bounds) -> Bounds:
    """Return the range with 0 in it if a window may hold padding."""
    return hull((*bounds, 0)) if any(view.lists["pad"]) else bounds


def _require_weight(view: NodeView, weight: ConstView, rank: int) -> None:
    view.require_dtype(weight, "i8", "i16")
    view.require(len(weight.shape) == rank, "weight_shape", f"w has rank {len(weight.shape)}")


def _require_bias(view: NodeView, weight: ConstView, bias: ConstView) -> None:
    view.require_dtype(bias, "i32")
    expected = weight.shape[:1]
    view.require(bias.shape == expected, "bias_shape", f"b is {list(bias.shape)}, w {expected}")


def _interval_rows(
    weight: NDArray[np.signedinteger], bias: NDArray[np.signedinteger], bounds: Bounds
) -> tuple[list[int], list[int]]:
    """Bound every row of `w x + b` by interval arithmetic.

    |w| <= 2^15 over at most 2^28 elements, |x| <= 2^15: every sum is below 2^59, exact in int64.
    """
    positive = np.maximum(weight, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(weight, 0).sum(axis=1, dtype=np.int64)
    lo, hi = bounds
    wide = bias.astype(np.int64)
    lows = positive * lo + negative * hi + wide
    highs = positive * hi + negative * lo + wide
    return lows.tolist(), highs.tolist()


def _norm_rows(weight: NDArray[np.signedinteger], row_norm: int) -> list[int]:
    """Bound `|w x|` of every row by Cauchy-Schwarz, plus the rounding of `x` itself.

    The sums stay below 2^58 (2^28 elements of at most 2^30), exact in int64.
    """
    wide = weight.astype(np.int64)
    squares = np.square(wide).sum(axis=1).tolist()
    magnitudes = np.abs(wide).sum(axis=1).tolist()
    return [
        isqrt_ceil(row_norm * square) + (magnitude + 1) // 2
        for square, magnitude in zip(squares, magnitudes, strict=True)
    ]
