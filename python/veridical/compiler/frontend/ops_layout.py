"""ONNX operators that move elements."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler.frontend import layout
from veridical.compiler.frontend.builder import Lazy
from veridical.compiler.frontend.convert import Context, converter

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import Array, GraphBuilder, Value


@converter("Reshape")
def _reshape(c: Context) -> Value:
    value = c.value(0)
    shape = c.b.shape(value)
    target = [int(n) for n in c.constant(1, "shape").reshape(-1)]
    if not c.attrs.get("allowzero", 0):
        if any(n == 0 and i >= len(shape) for i, n in enumerate(target)):
            c.b.unsupported(f"cannot reshape {shape} to {target}")
        target = [shape[i] if n == 0 else n for i, n in enumerate(target)]
    if target.count(-1) == 1:
        rest = prod(n for n in target if n != -1)
        target[target.index(-1)] = prod(shape) // rest if rest else 0
    if prod(target) != prod(shape) or min(target, default=1) < 1:
        c.b.unsupported(f"cannot reshape {shape} to {target}")
    return layout.reshape(c.b, value, target)


@converter("Flatten")
def _flatten(c: Context) -> Value:
    shape = c.b.shape(c.value(0))
    axis = int(c.attrs.get("axis", 1))
    axis = axis + len(shape) if axis < 0 else axis
    return layout.reshape(c.b, c.value(0), (prod(shape[:axis]), prod(shape[axis:])))


@converter("Squeeze")
def _squeeze(c: Context) -> Value:
    shape = c.b.shape(c.value(0))
    axes = c.integers(1, "axes")
    chosen = (
        {c.wrap(a) for a in axes}
        if axes is not None
        else {i for i, n in enumerate(shape) if n == 1}
    )
    if any(shape[a] != 1 for a in chosen):
        c.b.unsupported(f"squeezes an axis of {shape} that is not 1")
    return layout.reshape(c.b, c.value(0), [n for i, n in enumerate(shape) if i not in chosen])


@converter("Unsqueeze")
def _unsqueeze(c: Context) -> Value:
    shape = list(c.b.shape(c.value(0)))
    axes = c.integers(1, "axes") or []
    rank = len(shape) + len(axes)
    for axis in sorted(c.wrap(a, rank) for a in axes):
        shape.insert(axis, 1)
    return layout.reshape(c.b, c.value(0), shape)


@converter("Transpose")
def _transpose(c: Context) -> Value:
    rank = len(c.b.shape(c.value(0)))
    perm = [int(a) for a in c.attrs.get("perm", range(rank - 1, -1, -1))]
    if sorted(perm) != list(range(rank)):
        c.b.unsupported(f"perm {perm} is no permutation of {rank} axes")
    return layout.transpose(c.b, c.value(0), perm)


@converter("Expand")
def _expand(c: Context) -> Value:
    shape = tuple(int(n) for n in c.constant(1, "shape").reshape(-1))
    return _grow(c, shape)


def _grow(c: Context, shape: tuple[int, ...]) -> Value:
    source = c.b.shape(c.value(0))
    try:
        target = np.broadcast_shapes(source, shape)
    except ValueError:
        c.b.unsupported(f"cannot expand {source} to {shape}")
    return layout.expand(c.b, c.value(0), target)


@converter("Tile")
def _tile(c: Context) -> Value:
    b, value = c.b, c.value(0)
    shape = b.shape(value)
    repeats = [int(n) for n in c.constant(1, "repeats").reshape(-1)]
    if len(repeats) != len(shape) or min(repeats, default=1) < 1:
        b.unsupported(f"repeats {repeats} do not fit shape {shape}")
    if all(n == 1 or r == 1 for n, r in zip(shape, repeats, strict=True)):
        return layout.expand(b, value, [n * r for n, r in zip(shape, repeats, strict=True)])
    for axis, count in enumerate(repeats):
        if count > 1:
            # [.., n, ..] -> [.., 1, n, ..] -> [.., count, n, ..] -> [.., count * n, ..]
            now = b.shape(value)
            value = layout.reshape(b, value, (*now[:axis], 1, *now[axis:]))
            value = layout.expand(b, value, (*now[:axis], count, *now[axis:]))
            value = layout.reshape(b, value, (*now[:axis], count * now[axis], *now[axis + 1 :]))
    return value


@converter("Slice")
def _slice(c: Context) -> Value:
    value = c.value(0)
    shape = c.b.shape(value)
    starts, ends = c.integers(1, "starts"), c.integers(2, "ends")
    if starts is None or ends is None or len(starts) != len(ends):
        c.b.unsupported("starts and ends are missing or differ in length")
    axes = c.integers(3, "axes") or list(range(len(starts)))
    steps = c.integers(4, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        where = c.wrap(axis)
        if step < 1:
            c.b.unsupported(f"a slice with step {step}; only positive steps are supported")
        first, last, _ = slice(start, end, step).indices(shape[where])
        if first >= last:
            c.b.unsupported("an empty slice")
        value = layout.slice_axis(c.b, value, where, first, last, step)
    return value


@converter("Split")
def _split(c: Context) -> list[Value]:
    value = c.value(0)
    axis = c.axis(0)
    size = c.b.shape(value)[axis]
    parts = c.integers(1, "split")
    if parts is None:
        count = int(c.attrs.get("num_outputs", c.output_count))
        each = -(-size // count)
        parts = [each] * (count - 1) + [size - each * (count - 1)]
    if sum(parts) != size or min(parts) < 1:
        c.b.unsupported(f"parts {parts} do not add up to axis size {size}")
    results, start = [], 0
    for part in parts:
        results.append(layout.slice_axis(c.b, value, axis, start, start + part))
        start += part
    return results


@converter("Concat")
def _concat(c: Context) -> Value:
    values = [v for v in c.inputs if v is not None]
    rank = len(c.b.shape(values[0]))
    return layout.concat(c.b, values, c.axis(0, rank))


@converter("Pad")
def _pad(c: Context) -> Value:
    mode = c.attrs.get("mode", b"constant").decode()
    if mode != "constant":
        c.b.unsupported(f"padding mode {mode!r}; only 'constant' is supported")
    shape = c.b.shape(c.value(0))
    pads = c.integers(1, "pads")
    if pads is None:
        c.b.unsupported("pads are missing")
    fill = float(c.constant(2, "value").reshape(-1)[0]) if c.has(2) else 0.0
    fill = float(c.attrs.get("value", fill))
    rank = len(shape)
    axes = [c.wrap(a) for a in c.integers(3, "axes") or range(rank)]
    if len(pads) != 2 * len(axes):
        c.b.unsupported(f"{len(pads)} pads for {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = pads[i], pads[i + len(axes)]
    value = c.value(0)
    for axis in range(rank):
        # A negative pad cuts.
        first = max(0, -before[axis])
        last = shape[axis] - max(0, -after[axis])
        if first >= last:
            c.b.unsupported("padding removes a whole axis")
        value = layout.slice_axis(c.b, value, axis, first, last)
    return layout.pad(c.b, value, [max(0, n) for n in before], [max(0, n) for n in after], fill)


@converter("Gather")
def _gather(c: Context) -> Value:
    b, data, indices = c.b, c.value(0), c.value(1)
    shape = b.shape(data)
    axis = c.axis(0, len(shape))
    if isinstance(data, np.ndarray):
        return _lookup(c, data, b.lazy(indices), axis)
    if not isinstance(indices, np.ndarray):
        b.unsupported("both data and indices are computed from the inputs")
    chosen = [int(i) + shape[axis] if i < 0 else int(i) for i in indices.reshape(-1)]
    if any(not 0 <= i < shape[axis] for i in chosen):
        b.unsupported(f"an index is outside axis {axis} of {shape}")
    taken = layout.take(b, data, chosen, axis)
    return layout.reshape(b, taken, (*shape[:axis], *indices.shape, *shape[axis + 1 :]))


def _lookup(c: Context, table: Array, ids: Lazy, axis: int) -> Value:
    b = c.b
    rows = np.moveaxis(table.astype(np.float64), axis, 0)
    name = b.materialise(ids)
    result = gather(b, name, rows)
    rank = len(b.shapes[name])
    order = list(range(rank, rank + axis)) + list(range(rank))
    order += list(range(rank + axis, rank + rows.ndim - 1))
    return layout.transpose(b, result, order)


def gather(b: GraphBuilder, name: str, rows: Array) -> Lazy:
    """Look rows up by an integer tensor, whose range must fit the table."""
    if name not in b.ranges:
        b.unsupported("the indices are not integers; a float tensor cannot index a table")
    b.infer_range(name, (0, len(rows) - 1))
    bounds = b.ranges[name] or (0, 0)
    if bounds[0] < 0 or bounds[1] >= len(rows):
        b.unsupported(f"indices in {bounds} leave a table of {len(rows)} rows")
    shape = (*b.shapes[name], *rows.shape[1:])
    return Lazy(b.emit("Gather", (name,), shape, params={"table": rows}))


@converter("DepthToSpace", "SpaceToDepth")
def _depth_space(c: Context) -> Value:
    b, value, size = c.b, c.value(0), int(c.attrs["blocksize"])
    n, depth, height, width = b.shape(value)
    if c.op == "SpaceToDepth":
        split = (n, depth, height // size, size, width // size, size)
        moved = layout.transpose(b, layout.reshape(b, value, split), (0, 3, 5, 1, 2, 4))
        return layout.reshape(b, moved, (n, depth * size * size, height // size, width // size))
    out = depth // (size * size)
    if c.attrs.get("mode", b"DCR") == b"DCR":
        split, perm = (n, size, size, out, height, width), (0, 3, 4, 1, 5, 2)
    else:
        split, perm = (n, out, size, size, height, width), (0, 1, 4, 2, 5, 3)
    moved = layout.transpose(b, layout.reshape(b, value, split), perm)
    return layout.reshape(b, moved, (n, out, height * size, width * size))


@converter("Trilu")
def _trilu(c: Context) -> Value:
    from veridical.compiler.frontend.arithmetic import affine

    rows, columns = c.b.shape(c.value(0))[-2:]
    k = int(c.constant(1, "k").reshape(-1)[0]) if c.has(1) else 0
    ones = np.ones((rows, columns))
    keep = np.triu(ones, k) if c.attrs.get("upper", 1) else np.tril(ones, k)
    return affine(c.b, c.b.apply(ex.X, c.value(0)), keep, np.zeros(()))
