"""The pooling ops and the reductions.

Spec: spec/v1/program.md, sections 4.13 and 4.14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veridical.reference.ops.product import axes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.reference.ops.call import Call, Integers


def max_pool(call: Call) -> Integers:
    """Take the maximum over the positions of a window that exist."""
    return _pool(call, np.iinfo(np.int64).min, np.maximum)


def sum_pool(call: Call) -> Integers:
    """Sum over the positions of a window that exist."""
    return _pool(call, 0, np.add)


def reduce_sum(call: Call) -> Integers:
    """Sum over axes; at most 2^28 elements of 2^30."""
    (x,) = call.operands
    result: Integers = x.sum(axis=_axes(call), keepdims=True, dtype=np.int64)
    return result


def reduce_max(call: Call) -> Integers:
    """Take the maximum over axes."""
    (x,) = call.operands
    result: Integers = x.max(axis=_axes(call), keepdims=True)
    return result


def argmax(call: Call) -> Integers:
    """Return the index of the first maximum of every row."""
    (x,) = call.operands
    result: Integers = x.argmax(axis=-1, keepdims=True)
    return result


def topk(call: Call) -> Integers:
    """Return the largest of every row; a stable order gives equal values the lowest index first."""
    (x,) = call.operands
    order = np.argsort(-x.astype(np.int64), axis=-1, kind="stable")[..., : call.integers["k"]]
    return np.take_along_axis(x, order, axis=-1) if call.integers["values"] else order


def _pool(call: Call, start: int, join: Callable[..., Integers]) -> Integers:
    (x,) = call.operands
    rows, columns = axes_of(call, call.lists["kernel"])
    result = np.full((*x.shape[:-2], rows.outputs, columns.outputs), start, np.int64)
    for row in rows.spans():
        for column in columns.spans():
            target = result[..., row.outputs, column.outputs]
            join(target, x[..., row.inputs, column.inputs], out=target)
    return result


def _axes(call: Call) -> tuple[int, ...]:
    return tuple(axis + 1 for axis in call.lists["axes"])
