"""Conditions of the pooling ops and the reductions.

Spec: spec/v1/program.md, sections 4.13 and 4.14.
"""

from __future__ import annotations

import itertools
from math import prod

from veridical.reference.conditions.product import MAX_WINDOW, window_axes, with_padding_zero
from veridical.reference.conditions.view import Derived, NodeView, OperandView, bit_width
from veridical.reference.graph import FIELD_PRIME


def max_pool(view: NodeView) -> Derived:
    """Derive the maximum over a window."""
    (x,) = view.operands
    _require_difference(view, x.lo, x.hi)
    return Derived(shape=_pooled_shape(view), bounds=(x.lo, x.hi))


def sum_pool(view: NodeView) -> Derived:
    """Derive the sum over a window; padding makes windows shorter."""
    (x,) = view.operands
    shape = _pooled_shape(view)
    low, high = with_padding_zero(view, (x.lo, x.hi))
    count = prod(view.lists["kernel"])
    return Derived(shape=shape, bounds=(low * count, high * count))


def reduce_sum(view: NodeView) -> Derived:
    """Derive the sum over some axes."""
    (x,) = view.operands
    shape, count = _reduced(view)
    return Derived(shape=shape, bounds=(count * x.lo, count * x.hi))


def reduce_max(view: NodeView) -> Derived:
    """Derive the maximum over some axes."""
    (x,) = view.operands
    _require_difference(view, x.lo, x.hi)
    return Derived(shape=_reduced(view)[0], bounds=(x.lo, x.hi))


def _require_difference(view: NodeView, low: int, high: int) -> None:
    """A maximum is pinned by differences that are true integers in the field."""
    spread = high - low
    view.require(
        spread + (1 << bit_width(spread)) <= FIELD_PRIME,
        "max_spread",
        f"a spread of {spread} leaves no room for differences",
    )


def argmax(view: NodeView) -> Derived:
    """Derive the index of the first maximum of every row."""
    (x,) = view.operands
    _require_order(view, x)
    return Derived(shape=(*x.shape[:-1], 1), bounds=(0, x.shape[-1] - 1))


def topk(view: NodeView) -> Derived:
    """Derive the `k` largest of every row, as indices or values."""
    (x,) = view.operands
    _require_order(view, x)
    count = view.require_between("k", 1, x.shape[-1])
    bounds = (x.lo, x.hi) if view.require_between("values", 0, 1) else (0, x.shape[-1] - 1)
    return Derived(shape=(*x.shape[:-1], count), bounds=bounds)


def _require_order(view: NodeView, x: OperandView) -> None:
    span = x.hi - x.lo + 1
    view.require(
        span + (1 << bit_width(span)) <= FIELD_PRIME,
        "order_range",
        f"a range of {span} values is too wide to compare",
    )


def _pooled_shape(view: NodeView) -> tuple[int, ...]:
    (x,) = view.operands
    view.require_rank(x, 3)
    kernel = view.require_length("kernel", 2)
    fits = min(kernel) >= 1 and max(kernel) <= MAX_WINDOW
    view.require(fits, "kernel", f"kernel {list(kernel)}")
    axes = window_axes(view, (kernel[0], kernel[1]))
    for axis in axes:
        # Only a shape that can be declared is worth walking over.
        view.require(axis.outputs <= 2**24, "window", f"{axis.outputs} windows on an axis")
        view.require(axis.every_window_is_real(), "window", "a window holds padding only")
    return (*x.shape[:-2], *(axis.outputs for axis in axes))


def _reduced(view: NodeView) -> tuple[tuple[int, ...], int]:
    """Return the shape with reduced axes of size 1, and the number of elements summed."""
    (x,) = view.operands
    axes = view.lists["axes"]
    view.require(
        bool(axes)
        and axes[0] >= 0
        and axes[-1] < len(x.shape)
        and all(a < b for a, b in itertools.pairwise(axes)),
        "axes",
        f"axes {list(axes)} of rank {len(x.shape)}",
    )
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    return shape, prod(x.shape[axis] for axis in axes)
