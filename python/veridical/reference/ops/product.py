"""`linear`, `conv` and `matmul`.

Spec: spec/v1/program.md, sections 4.1 to 4.3.
"""

from __future__ import annotations

from math import prod

import numpy as np

from veridical.reference.ops.call import Call, Integers, exact_matmul
from veridical.reference.window import Axis

#: Columns are gathered for as many items at once as stay below this many elements.
MAX_COLUMN_ELEMENTS = 2**23


def linear(call: Call) -> Integers:
    """Shape: x (batch, .., K), w (N, K), b (N); result (batch, .., N)."""
    (x,), (weight, bias) = call.operands, call.consts
    rows = exact_matmul(x.reshape(-1, x.shape[-1]), weight.T) + bias
    return rows.reshape(*x.shape[:-1], weight.shape[0])


def conv(call: Call) -> Integers:
    """Shape: x (batch, .., C, H, W), w (O, C / groups, KH, KW); result (batch, .., O, OH, OW)."""
    (x,), (weight, bias) = call.operands, call.consts
    rows, columns = axes_of(call, weight.shape[2:])
    groups = call.integers["groups"]
    images = x.reshape(-1, *x.shape[-3:])
    filters = weight.reshape(groups, weight.shape[0] // groups, -1)
    area = rows.outputs * columns.outputs
    result = np.empty((len(images), groups, filters.shape[1], area), np.int64)
    per_item = images.shape[1] * prod(weight.shape[2:]) * area
    step = max(1, MAX_COLUMN_ELEMENTS // per_item)
    for start in range(0, len(images), step):
        part = _columns(images[start : start + step], rows, columns)
        patches = part.reshape(len(part), groups, -1, area)
        result[start : start + step] = exact_matmul(filters, patches)
    result = result.reshape(len(images), weight.shape[0], area) + bias[:, None]
    return result.reshape(*x.shape[:-3], weight.shape[0], rows.outputs, columns.outputs)


def matmul(call: Call) -> Integers:
    """Shape: a (batch, .., m, K), b (batch, .., K, n) or (batch, .., n, K)."""
    a, b = call.operands
    return exact_matmul(a, b.swapaxes(-1, -2) if call.integers["transpose_b"] else b)


def axes_of(call: Call, kernel: tuple[int, ...]) -> tuple[Axis, Axis]:
    """Return the geometry over the last two axes."""
    (x,) = call.operands
    rows, columns = (
        Axis(
            size=x.shape[axis - 2],
            kernel=kernel[axis],
            stride=call.lists["stride"][axis],
            before=call.lists["pad"][axis],
            after=call.lists["pad"][axis + 2],
            dilation=call.lists["dilation"][axis],
        )
        for axis in (0, 1)
    )
    return rows, columns


def _columns(images: Integers, rows: Axis, columns: Axis) -> Integers:
    """Gather the window of every output position (im2col); positions outside stay 0.

    Shape: (n, C, H, W) to (n, C, KH, KW, OH, OW).
    """
    shape = (*images.shape[:2], rows.kernel, columns.kernel, rows.outputs, columns.outputs)
    result = np.zeros(shape, np.int16)  # operands of `conv` are narrow
    for row in rows.spans():
        for column in columns.spans():
            target = result[:, :, row.offset, column.offset, row.outputs, column.outputs]
            target[...] = images[:, :, row.inputs, column.inputs]
    return result
