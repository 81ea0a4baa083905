"""Conditions of `layernorm`, `weighted_mean` and `normalize`.

Spec: spec/v1/program.md, sections 4.10 to 4.12.
"""

from __future__ import annotations

from math import isqrt

from veridical.reference.conditions.view import (
    Derived,
    NodeView,
    OperandView,
    bit_width,
    isqrt_ceil,
    rounded_shift,
)
from veridical.reference.graph import FIELD_PRIME, MAX_MAGNITUDE

MAX_NORM_SHIFT = 11
MAX_CENTERED_ROW, MAX_UNCENTERED_ROW = 1024, 1000
MAX_EPSILON = 2**20
MAX_PRECISION = 23
MAX_RECIPROCAL_ROOT = 2**28
MAX_QUOTIENT_BITS = 29


def layernorm(view: NodeView) -> Derived:
    """Derive a normalisation of rows, and the row-norm fact of its result."""
    (x,) = view.operands
    shift = view.require_between("shift", 0, MAX_NORM_SHIFT)
    low, high = rounded_shift(x.lo, shift), rounded_shift(x.hi, shift)
    bound = 508 * 2**10 if shift == MAX_NORM_SHIFT else 2**19
    view.require(
        -bound <= low and high <= bound - 1,
        "norm_input",
        f"v range [{low}, {high}] is not inside [{-bound}, {bound - 1}]",
    )
    centered = view.require_between("centered", 0, 1)
    longest = MAX_CENTERED_ROW if centered else MAX_UNCENTERED_ROW
    length = x.shape[-1]
    view.require(length <= longest, "norm_row", f"rows of {length} exceed {longest}")
    epsilon = view.require_between("epsilon", 1, MAX_EPSILON)
    view.require(
        length > MAX_UNCENTERED_ROW or length * 1023**2 + epsilon < 2**30,
        "norm_sum",
        f"{length} * 1023^2 + {epsilon} reaches 2^30",
    )
    fx, u = view.integers["fx"], view.integers["u"]
    view.require(
        fx >= 0 and u <= MAX_PRECISION and 1 <= u - fx <= 16,  # noqa: PLR2004 - as in the spec
        "norm_precision",
        f"u {u} and fx {fx}",
    )
    scaled = length << (2 * u)
    view.require(
        isqrt(scaled // epsilon) < MAX_RECIPROCAL_ROOT,
        "norm_root",
        f"the root of {scaled} / {epsilon} reaches 2^28",
    )
    top = rounded_shift(isqrt_ceil(scaled), u - fx)
    width = bit_width(2 * top + 1)
    view.require(
        1 << (width + u - fx) <= FIELD_PRIME,
        "norm_range",
        f"2^{width} times 2^{u - fx} exceeds p",
    )
    return Derived(shape=x.shape, bounds=(-top, top), row_norm=length << (2 * fx))


def weighted_mean(view: NodeView) -> Derived:
    """Derive the mean of rows of `v` under the weights of `e`."""
    e, v = view.operands
    view.require_narrow(e)
    view.require_narrow(v)
    view.require_rank(e, 2)
    view.require_rank(v, 2)
    view.require(
        e.shape[:-2] == v.shape[:-2] and e.shape[-1] == v.shape[-2],
        "mean_shape",
        f"{list(e.shape)} over {list(v.shape)}",
    )
    total = e.shape[-1] * _require_weights(view, e)
    largest = max(abs(v.lo), abs(v.hi))
    view.require(
        total * largest <= MAX_MAGNITUDE,
        "mean_sum",
        f"{total} times {largest} exceeds M",
    )
    width = bit_width(v.hi - v.lo)
    view.require(
        total << width <= FIELD_PRIME,
        "mean_range",
        f"2^{width} times {total} exceeds p",
    )
    return Derived(shape=(*e.shape[:-1], v.shape[-1]), bounds=(v.lo, v.hi))


def normalize(view: NodeView) -> Derived:
    """Derive the quotient of every element by the sum of its row."""
    (e,) = view.operands
    view.require_narrow(e)
    total = e.shape[-1] * _require_weights(view, e)
    high, low = view.require_length("digits", 2)
    view.require(
        high >= 1 and low >= 0 and high + low <= MAX_QUOTIENT_BITS,
        "digits",
        f"digits [{high}, {low}]",
    )
    for digits in (high, low) if low > 0 else (high,):
        view.require(
            (2**digits + 1) * total <= FIELD_PRIME,
            "digit_range",
            f"2^{digits} + 1 times {total} exceeds p",
        )
    return Derived(shape=e.shape, bounds=(0, 2 ** (high + low)))


def _require_weights(view: NodeView, e: OperandView) -> int:
    """Return the upper bound of weights, which are never negative and not all 0 by declaration."""
    view.require(e.lo >= 0, "weight_sign", f"weights may be {e.lo}")
    view.require(e.hi >= 1, "weight_bound", "weights are all 0")
    return e.hi
