"""`layernorm`, `weighted_mean` and `normalize`.

Spec: spec/v1/program.md, sections 4.10 to 4.12.
"""

from __future__ import annotations

import numpy as np

from veridical.reference.ops.call import Call, Integers, exact_matmul, rounded_division


def layernorm(call: Call) -> Integers:
    """Centre every row and divide it by its root mean square.

    |c| <= 2^20 and d <= 2^10, so the sum of squares is below 2^51; d * 2^(2u) <= 2^56; r < 2^28,
    so c * r is below 2^48. All exact in int64.
    """
    (x,) = call.operands
    shift, u, fx = (call.integers[key] for key in ("shift", "u", "fx"))
    length = x.shape[-1]
    rounding = 1 << (shift - 1) if shift else 0
    v = (x.astype(np.int64) + rounding) >> shift
    if call.integers["centered"]:
        v -= (v.sum(axis=-1, keepdims=True) + length // 2) // length
    spread = np.square(v).sum(axis=-1, keepdims=True) + call.integers["epsilon"]
    root = floor_root((length << (2 * u)) // spread)
    return (v * root + (1 << (u - fx - 1))) >> (u - fx)


def weighted_mean(call: Call) -> Integers:
    """Average the rows of `v` under the weights `e`, rounding half up."""
    e, v = call.operands
    total = e.sum(axis=-1, keepdims=True, dtype=np.int64)
    return rounded_division(exact_matmul(e, v), total, call.where)


def normalize(call: Call) -> Integers:
    """Divide every element by the sum of its row: below 2^15 * 2^29 before the division."""
    (e,) = call.operands
    total = e.sum(axis=-1, keepdims=True, dtype=np.int64)
    return rounded_division(e.astype(np.int64) << sum(call.lists["digits"]), total, call.where)


def floor_root(values: Integers) -> Integers:
    """Return the integer square root of values below 2^57.

    The rounded float root is off by at most 1 either way; exact integers then decide.
    """
    root = np.sqrt(values.astype(np.float64)).astype(np.int64)
    root -= root * root > values
    root += (root + 1) * (root + 1) <= values
    return root
