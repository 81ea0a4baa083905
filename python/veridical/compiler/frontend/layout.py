"""Layout operators on values: they move to the tensor below the function of a `Lazy`."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler.frontend.builder import MAX_OPERANDS, Lazy, OneHot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from veridical.compiler.frontend.builder import GraphBuilder, Range, Value

MASKED = "Masked"
"""Temporary operator (x, mask): positions that a Softmax below leaves out."""


def _move(
    b: GraphBuilder, value: Value, on_tensor: Callable[[str], str], *, same_size: bool = True
) -> Lazy:
    """Apply a layout operator to the tensor of a value."""
    value = b.lazy(value)
    if not same_size and value.base not in b.ranges and value.fn.is_affine() is None:
        value = Lazy(b.materialise(value))  # fewer elements before the copy than after
    masked = b.made_by(value.base, MASKED)
    if masked is None:
        return Lazy(on_tensor(value.base), value.fn)
    x, mask = masked.inputs
    mask = b.materialise(expand(b, Lazy(mask), b.shapes[x]))
    moved = on_tensor(x)
    mask = on_tensor(mask)
    return Lazy(b.emit(MASKED, (moved, mask), b.shapes[moved]), value.fn)


def reshape(b: GraphBuilder, value: Value, shape: Sequence[int]) -> Value:
    """Reshape; chains collapse, and a reshape to the same shape vanishes."""
    target = tuple(int(n) for n in shape)
    if isinstance(value, np.ndarray):
        return value.reshape(target)
    if b.shape(value) == target:
        return value
    if isinstance(value, OneHot):
        if target[-1] != value.shape[-1]:
            b.unsupported("a one-hot comparison changes its last axis before MatMul")
        ids = b.lazy(reshape(b, value.ids, target[:-1]))
        return OneHot(ids, value.codes, target)
    if prod(target) != prod(b.shape(value)):
        b.unsupported(f"cannot reshape {b.shape(value)} to {target}")

    def on_tensor(name: str) -> str:
        previous = b.made_by(name, "Reshape")
        if previous is not None:
            name = previous.inputs[0]
            if b.shapes[name] == target:
                return name
        return b.emit("Reshape", (name,), target, integers=b.ranges.get(name), shape=target)

    return _keep_unknown(b, value, _move(b, value, on_tensor))


def _keep_unknown(b: GraphBuilder, before: Value, after: Lazy) -> Lazy:
    """Carry an integer tensor whose range is not yet known through a layout operator."""
    if isinstance(before, Lazy) and before.base in b.ranges and after.base not in b.ranges:
        b.ranges[after.base] = b.ranges[before.base]
    return after


def transpose(b: GraphBuilder, value: Value, perm: Sequence[int]) -> Value:
    """Permute axes; two in a row become one."""
    order = tuple(int(axis) for axis in perm)
    if isinstance(value, np.ndarray):
        return value.transpose(order)
    if order == tuple(range(len(order))):
        return value

    def on_tensor(name: str) -> str:
        total = order
        previous = b.made_by(name, "Transpose")
        if previous is not None:
            name = previous.inputs[0]
            total = tuple(previous.attrs["perm"][axis] for axis in order)
            if total == tuple(range(len(total))):
                return name
        source = b.shapes[name]
        shape = tuple(source[axis] for axis in total)
        # Moving axes of size 1 only is a reshape.
        if [a for a in total if source[a] > 1] == sorted(a for a in total if source[a] > 1):
            return b.materialise(reshape(b, Lazy(name), shape))
        return b.emit("Transpose", (name,), shape, integers=b.ranges.get(name), perm=total)

    return _keep_unknown(b, value, _move(b, value, on_tensor))


def expand(b: GraphBuilder, value: Value, shape: Sequence[int]) -> Value:
    """Broadcast to a shape, raising the rank if needed."""
    target = tuple(int(n) for n in shape)
    if isinstance(value, np.ndarray):
        return np.broadcast_to(value, target)
    value = raise_rank(b, value, len(target))
    if b.shape(value) == target:
        return value

    def on_tensor(name: str) -> str:
        previous = b.made_by(name, "Expand")
        if previous is not None:
            name = previous.inputs[0]
        return b.emit("Expand", (name,), target, integers=b.ranges.get(name), shape=target)

    return _keep_unknown(b, value, _move(b, value, on_tensor, same_size=False))


def raise_rank(b: GraphBuilder, value: Value, rank: int) -> Value:
    """Prepend axes of size 1."""
    shape = b.shape(value)
    return reshape(b, value, (1,) * (rank - len(shape)) + shape) if len(shape) < rank else value


def slice_axis(
    b: GraphBuilder, value: Value, axis: int, start: int, stop: int, step: int = 1
) -> Value:
    """Take ``start:stop:step`` along one axis; a full range vanishes."""
    shape = b.shape(value)
    if isinstance(value, np.ndarray):
        return value[(slice(None),) * axis + (slice(start, stop, step),)]
    if (start, step) == (0, 1) and stop >= shape[axis]:
        return value
    size = len(range(start, stop, step))
    result = (*shape[:axis], size, *shape[axis + 1 :])

    def on_tensor(name: str) -> str:
        return b.emit(
            "Slice", (name,), result, integers=b.ranges.get(name),
            axis=axis, start=start, stop=stop, step=step,
        )  # fmt: skip

    return _keep_unknown(b, value, _move(b, value, on_tensor))


def concat(b: GraphBuilder, values: Sequence[Value], axis: int) -> Value:
    """Concatenate activations; constants among them become tensors of the graph."""
    if all(isinstance(v, np.ndarray) for v in values):
        return np.concatenate([np.asarray(v) for v in values], axis=axis)
    parts = [v for v in values if isinstance(v, Lazy)]
    if len(parts) != len(values):
        return _pad_constants(b, values, axis)
    if len(values) == 1:
        return values[0]
    first = parts[0].fn
    common = all(part.fn == first for part in parts)
    names = tuple(part.base if common else b.materialise(part) for part in parts)
    shape = list(b.shapes[names[0]])
    shape[axis] = sum(b.shapes[name][axis] for name in names)
    bounds: Range | None = None
    known = [b.ranges.get(name) for name in names]
    if all(r is not None for r in known):
        real = [r for r in known if r is not None]
        bounds = min(r[0] for r in real), max(r[1] for r in real)
    name = b.emit("Concat", names, tuple(shape), integers=bounds, axis=axis)
    return Lazy(name, first) if common else Lazy(name)


def _pad_constants(b: GraphBuilder, values: Sequence[Value], axis: int) -> Value:
    """Concatenate constants with activations: a padded tensor plus an offset."""
    from veridical.compiler.frontend.arithmetic import add_constant

    parts = [v for v in values if not isinstance(v, np.ndarray)]
    at = next(i for i, v in enumerate(values) if not isinstance(v, np.ndarray))
    end = max(i for i, v in enumerate(values) if not isinstance(v, np.ndarray))
    if any(isinstance(v, np.ndarray) for v in values[at : end + 1]):
        b.unsupported("a constant stands between two activations in Concat")
    body = concat(b, parts, axis)
    before = sum(b.shape(v)[axis] for v in values[:at])
    after = sum(b.shape(v)[axis] for v in values[end + 1 :])
    rank = len(b.shape(body))
    padded = pad(
        b, body,
        [before if a == axis else 0 for a in range(rank)],
        [after if a == axis else 0 for a in range(rank)], 0.0,
    )  # fmt: skip
    fill = [
        np.zeros(b.shape(v)) if not isinstance(v, np.ndarray) else v.astype(np.float64)
        for v in values
    ]
    return add_constant(b, padded, np.concatenate(fill, axis=axis))


def pad(
    b: GraphBuilder, value: Value, before: Sequence[int], after: Sequence[int], fill: float
) -> Value:
    """Pad with a constant."""
    if not any(before) and not any(after):
        return value
    name = b.materialise(value)
    shape = tuple(lo + n + hi for lo, n, hi in zip(before, b.shapes[name], after, strict=True))
    bounds = b.ranges.get(name)
    if bounds is not None:
        bounds = min(bounds[0], int(fill)), max(bounds[1], int(fill))
    attrs: dict[str, Any] = {"before": tuple(before), "after": tuple(after), "value": float(fill)}
    return Lazy(b.emit("Pad", (name,), shape, integers=bounds, **attrs))


def take(b: GraphBuilder, value: Value, indices: Sequence[int], axis: int) -> Value:
    """Select constant positions along an axis, as slices where they run evenly."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    if len(runs) > MAX_OPERANDS:
        b.unsupported(f"a constant selection of {len(runs)} separate runs on an activation")
    parts = [slice_axis(b, value, axis, run[0], run[-1] + 1) for run in runs]
    return concat(b, parts, axis)
