"""Conditions of `add`, `affine` and `mul`.

Spec: spec/v1/program.md, sections 4.6 to 4.8.
"""

from __future__ import annotations

import numpy as np

from veridical.reference.conditions.view import Derived, NodeView, broadcast, product_bounds

MAX_COEFFICIENT = 2**24


def add(view: NodeView) -> Derived:
    """Derive a sum with integer coefficients."""
    coefficients = view.require_length("coeff", len(view.operands))
    low = high = 0
    for coefficient, x in zip(coefficients, view.operands, strict=True):
        view.require(
            1 <= abs(coefficient) <= MAX_COEFFICIENT,
            "coeff",
            f"coefficient {coefficient} is 0 or above 2^24",
        )
        ends = sorted((coefficient * x.lo, coefficient * x.hi))
        low, high = low + ends[0], high + ends[1]
    shape = broadcast(view, [x.shape for x in view.operands])
    return Derived(shape=shape, bounds=(low, high))


def affine(view: NodeView) -> Derived:
    """Derive `g x + b` over all pairs of gain and offset."""
    (x,), (gain, offset) = view.operands, view.consts
    for const in view.consts:
        view.require(
            len(const.shape) == len(x.shape)
            and all(a in (1, b) for a, b in zip(const.shape, x.shape, strict=True)),
            "affine_shape",
            f"a const of {list(const.shape)} for {list(x.shape)}",
        )
    if gain.values is None or offset.values is None:
        return Derived(shape=x.shape, bounds=None)
    # |g| <= 2^31, |x| < 2^30 and |b| <= 2^31, so int64 is exact.
    factor, added = gain.values.astype(np.int64), offset.values.astype(np.int64)
    # Along an axis that only one of the two has, every pair occurs: the ends can be taken before
    # the sum, which keeps a small file from asking for a large array of pairs.
    only_gain = tuple(axis for axis, size in enumerate(added.shape) if size == 1)
    only_offset = tuple(axis for axis, size in enumerate(factor.shape) if size == 1)
    lows = np.minimum(factor * x.lo, factor * x.hi).min(axis=only_gain, keepdims=True)
    highs = np.maximum(factor * x.lo, factor * x.hi).max(axis=only_gain, keepdims=True)
    lows = lows + added.min(axis=only_offset, keepdims=True)
    highs = highs + added.max(axis=only_offset, keepdims=True)
    return Derived(shape=x.shape, bounds=(int(lows.min()), int(highs.max())))


def mul(view: NodeView) -> Derived:
    """Derive a product; that of a tensor with itself is a square."""
    a, b = view.operands
    low, high = product_bounds((a.lo, a.hi), (b.lo, b.hi))
    if a.tensor == b.tensor:
        high = max(a.lo * a.lo, a.hi * a.hi)
        low = 0 if a.lo <= 0 <= a.hi else min(a.lo * a.lo, a.hi * a.hi)
    return Derived(shape=broadcast(view, [a.shape, b.shape]), bounds=(low, high))
