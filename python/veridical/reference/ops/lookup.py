"""`table`, `shift`, `clamp` and `softmax_numerator`.

Spec: spec/v1/program.md, sections 4.4, 4.5 and 4.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veridical.errors import InputError

if TYPE_CHECKING:
    from veridical.reference.ops.call import Call, Integers


def table(call: Call) -> Integers:
    """Look every element up, after a shift that may round."""
    (x,), (rows,) = call.operands, call.consts
    shift = call.integers["shift"]
    half = 1 << (shift - 1) if call.integers["round"] and shift else 0
    index = ((x.astype(np.int64) + half) >> shift) - call.integers["first"]
    result: Integers = rows[index]
    return result


def shift(call: Call) -> Integers:
    """Divide by a power of two and round half up."""
    (x,) = call.operands
    amount = call.integers["shift"]
    return (x.astype(np.int64) + (1 << (amount - 1))) >> amount


def clamp(call: Call) -> Integers:
    """Bring every element between two bounds."""
    (x,) = call.operands
    result: Integers = np.clip(x.astype(np.int64), call.integers["lo"], call.integers["hi"])
    return result


def softmax_numerator(call: Call) -> Integers:
    """Look the distance to the row maximum up; masked positions give 0."""
    x, (rows,) = call.operands[0].astype(np.int64), call.consts
    amount = call.integers["shift"]
    if len(call.operands) == 1:
        result: Integers = rows[(x.max(axis=-1, keepdims=True) - x) >> amount]
        return result
    kept = np.broadcast_to(call.operands[1] == 1, x.shape)
    if not kept.any(axis=-1).all():
        row = tuple(int(i) for i in np.argwhere(~kept.any(axis=-1))[0])
        message = "empty row: every position of a row is masked"
        raise InputError(message, f"{call.where}, row {row}", "empty_row")
    top = np.where(kept, x, -(2**31)).max(axis=-1, keepdims=True)
    # A masked element may exceed the maximum; its distance is replaced before the look-up.
    distance = np.where(kept, top - x, 0)
    return np.where(kept, rows[distance >> amount], 0)
