"""Conditions of `gather` and of the ops that only move integers.

Spec: spec/v1/program.md, sections 4.15 and 4.16.
"""

from __future__ import annotations

from math import prod

from veridical.reference.conditions.view import Derived, NodeView, hull
from veridical.reference.graph import MAX_DIMENSION, MAX_MAGNITUDE


def gather(view: NodeView) -> Derived:
    """Derive the rows of a weight that the operand names."""
    (ids,), (weight,) = view.operands, view.consts
    num_rows = weight.shape[0]
    view.require(
        ids.lo >= 0 and ids.hi < num_rows,
        "gather_range",
        f"ids in [{ids.lo}, {ids.hi}] for {num_rows} rows",
    )
    shape = (*ids.shape, *weight.shape[1:])
    if weight.values is None:
        return Derived(shape=shape, bounds=None)
    return Derived(shape=shape, bounds=(int(weight.values.min()), int(weight.values.max())))


def reshape(view: NodeView) -> Derived:
    """Derive the same elements under another shape; rows survive if their length does."""
    (x,) = view.operands
    shape = _target_shape(view)
    view.require(
        prod(shape) == prod(x.shape),
        "reshape",
        f"{list(x.shape)} has not the elements of {list(shape)}",
    )
    row_norm = x.row_norm if shape[-1] == x.shape[-1] else None
    return Derived(shape=shape, bounds=(x.lo, x.hi), row_norm=row_norm)


def transpose(view: NodeView) -> Derived:
    """Derive a permutation of axes."""
    (x,) = view.operands
    perm, rank = view.lists["perm"], len(x.shape)
    view.require(sorted(perm) == list(range(rank)), "perm", f"{list(perm)} for rank {rank}")
    row_norm = x.row_norm if perm[-1] == rank - 1 else None
    shape = tuple(x.shape[axis] for axis in perm)
    return Derived(shape=shape, bounds=(x.lo, x.hi), row_norm=row_norm)


def expand(view: NodeView) -> Derived:
    """Derive a repetition along axes of size 1."""
    (x,) = view.operands
    shape = _target_shape(view)
    view.require(
        len(shape) == len(x.shape)
        and all(old in (1, new) for old, new in zip(x.shape, shape, strict=True)),
        "expand",
        f"{list(x.shape)} cannot grow to {list(shape)}",
    )
    row_norm = x.row_norm if shape[-1] == x.shape[-1] else None
    return Derived(shape=shape, bounds=(x.lo, x.hi), row_norm=row_norm)


def concat(view: NodeView) -> Derived:
    """Derive operands one after another along an axis."""
    parts = view.operands
    rank = len(parts[0].shape)
    axis = view.require_between("axis", 0, rank - 1)
    rest = [(*part.shape[:axis], *part.shape[axis + 1 :]) for part in parts]
    view.require(
        all(len(part.shape) == rank for part in parts) and len(set(rest)) == 1,
        "concat",
        f"{[list(part.shape) for part in parts]} on axis {axis}",
    )
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    norms = [part.row_norm for part in parts if part.row_norm is not None]
    kept = axis != rank - 1 and len(norms) == len(parts)
    return Derived(
        shape=tuple(shape),
        bounds=(min(part.lo for part in parts), max(part.hi for part in parts)),
        row_norm=max(norms) if kept else None,
    )


def slice_(view: NodeView) -> Derived:
    """Derive every `step`-th position of a part of an axis."""
    (x,) = view.operands
    axis = view.require_between("axis", 0, len(x.shape) - 1)
    start, stop, step = (view.integers[key] for key in ("start", "stop", "step"))
    size = x.shape[axis]
    view.require(
        0 <= start < stop <= size and 1 <= step <= MAX_DIMENSION,
        "slice",
        f"[{start}:{stop}:{step}] of {size}",
    )
    shape = list(x.shape)
    shape[axis] = len(range(start, stop, step))
    row_norm = x.row_norm if axis != len(x.shape) - 1 else None
    return Derived(shape=tuple(shape), bounds=(x.lo, x.hi), row_norm=row_norm)


def pad(view: NodeView) -> Derived:
    """Derive a constant border; its value joins the range even where the border is empty."""
    (x,) = view.operands
    before = view.require_length("before", len(x.shape))
    after = view.require_length("after", len(x.shape))
    view.require(min(*before, *after) >= 0, "pad", "a border is negative")
    value = view.require_between("value", -MAX_MAGNITUDE, MAX_MAGNITUDE)
    shape = tuple(sum(sizes) for sizes in zip(before, x.shape, after, strict=True))
    return Derived(shape=shape, bounds=hull((x.lo, x.hi, value)))


def _target_shape(view: NodeView) -> tuple[int, ...]:
    shape = view.lists["shape"]
    view.require(
        bool(shape) and all(1 <= size <= MAX_DIMENSION for size in shape),
        "shape",
        f"shape {list(shape)}",
    )
    return shape
