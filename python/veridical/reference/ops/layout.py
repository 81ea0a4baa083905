"""`gather` and the ops that only move integers.

Spec: spec/v1/program.md, sections 4.15 and 4.16. Axes of the spec start after the batch axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from veridical.reference.ops.call import Call, Integers


def gather(call: Call) -> Integers:
    """Look rows of a weight up."""
    (ids,), (weight,) = call.operands, call.consts
    return weight[ids]


def reshape(call: Call) -> Integers:
    """Keep the row-major order."""
    (x,) = call.operands
    return x.reshape(len(x), *call.lists["shape"])


def transpose(call: Call) -> Integers:
    """Permute the axes."""
    (x,) = call.operands
    return x.transpose(0, *(axis + 1 for axis in call.lists["perm"]))


def expand(call: Call) -> Integers:
    """Repeat along axes of size 1."""
    (x,) = call.operands
    return np.broadcast_to(x, (len(x), *call.lists["shape"]))


def concat(call: Call) -> Integers:
    """Join along an axis."""
    return np.concatenate(call.operands, axis=call.integers["axis"] + 1)


def slice_(call: Call) -> Integers:
    """Take a part of an axis."""
    (x,) = call.operands
    part = slice(*(call.integers[key] for key in ("start", "stop", "step")))
    return x[(slice(None),) * (call.integers["axis"] + 1) + (part,)]


def pad(call: Call) -> Integers:
    """Add a constant border."""
    (x,) = call.operands
    widths = ((0, 0), *zip(call.lists["before"], call.lists["after"], strict=True))
    return np.pad(x, widths, constant_values=call.integers["value"])
