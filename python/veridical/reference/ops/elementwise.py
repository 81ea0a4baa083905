"""`add`, `affine` and `mul`.

Spec: spec/v1/program.md, sections 4.6 to 4.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from veridical.reference.ops.call import Call, Integers


def add(call: Call) -> Integers:
    """Sum the operands with their coefficients.

    At most 64 terms of at most 2^24 * 2^30, so partial sums stay below 2^60.
    """
    shape = np.broadcast_shapes(*(x.shape for x in call.operands))
    result = np.zeros(shape, np.int64)
    for coefficient, x in zip(call.lists["coeff"], call.operands, strict=True):
        result += coefficient * x.astype(np.int64)
    return result


def affine(call: Call) -> Integers:
    """Multiply by the gain and add the offset: below 2^31 * 2^30 + 2^31."""
    (x,), (gain, offset) = call.operands, call.consts
    return gain.astype(np.int64) * x + offset


def mul(call: Call) -> Integers:
    """Multiply, below 2^60."""
    a, b = call.operands
    return a.astype(np.int64) * b
