"""Matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler.frontend import arithmetic, layout
from veridical.compiler.frontend.builder import MAX_OPERANDS, Lazy, OneHot
from veridical.compiler.frontend.convert import Context, converter

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import Array, GraphBuilder, Value


_MATRIX = 2


def linear(b: GraphBuilder, value: Value, weight: Array, bias: Array | None = None) -> Lazy:
    """Return ``x W^T + bias``, with a scale or offset of x folded into the weights.

    Shape: weight (N, K), bias (N).
    """
    value = b.lazy(value)
    weight = np.asarray(weight, np.float64)
    total = np.zeros(len(weight)) if bias is None else np.asarray(bias, np.float64).reshape(-1)
    if not (np.isfinite(weight).all() and np.isfinite(total).all()):
        b.unsupported("the weights hold an infinity or NaN")
    if b.shape(value)[-1] != weight.shape[1]:
        b.unsupported(f"operand {b.shape(value)} does not fit weights {weight.shape}")
    total = np.broadcast_to(total, (len(weight),))
    form = value.fn.is_affine()
    if form is None or form[0] == 0.0:
        value = Lazy(b.materialise(value))
    else:
        total = total + form[1] * weight.sum(axis=1)
        weight = weight * form[0] if form[0] != 1.0 else weight
    shape = (*b.shapes[value.base][:-1], len(weight))
    params = {"weight": weight, "bias": total}
    return Lazy(b.emit("Linear", (value.base,), shape, params=params))


def _swap(rank: int) -> list[int]:
    return [*range(rank - 2), rank - 1, rank - 2]


def matmul(b: GraphBuilder, left: Value, right: Value) -> Value:
    """Multiply matrices; at most one of them is a constant."""
    if isinstance(left, OneHot):
        if not isinstance(right, np.ndarray) or right.ndim != _MATRIX:
            b.unsupported("a one-hot comparison must multiply a constant matrix")
        return embedding(b, left, right)
    if isinstance(right, np.ndarray):
        return _times_constant(b, left, right)
    if isinstance(left, np.ndarray):
        return _constant_times(b, left, right)
    return _activations(b, b.lazy(left), b.lazy(right))


def _times_constant(b: GraphBuilder, left: Value, weight: Array) -> Value:
    if weight.ndim == 1:
        result = linear(b, left, weight.reshape(1, -1))
        return layout.reshape(b, result, b.shape(result)[:-1])
    shape = b.shape(left)
    if len(shape) == 1:
        result = linear(b, layout.reshape(b, left, (1, *shape)), _matrix(b, weight).T)
        return layout.reshape(b, result, (*weight.shape[:-2], weight.shape[-1]))
    if weight.ndim == _MATRIX:
        return linear(b, left, weight.T)
    return _batched_constant(b, left, weight)


def _matrix(b: GraphBuilder, weight: Array) -> Array:
    if any(n != 1 for n in weight.shape[:-2]):
        b.unsupported(f"a stack of constant matrices {weight.shape} times a vector")
    return weight.reshape(weight.shape[-2:])


def _batched_constant(b: GraphBuilder, left: Value, weight: Array) -> Value:
    """Multiply by a stack of constant matrices: one Linear per matrix."""
    rank = max(len(b.shape(left)), weight.ndim)
    left = layout.raise_rank(b, left, rank)
    weight = weight.reshape((1,) * (rank - weight.ndim) + weight.shape)
    if all(n == 1 for n in weight.shape[:-2]):
        return linear(b, left, weight.reshape(weight.shape[-2:]).T)
    axis = next(i for i, n in enumerate(weight.shape[:-2]) if n != 1)
    if weight.shape[axis] > MAX_OPERANDS:
        b.unsupported(f"a stack of {weight.shape[axis]} constant matrices")
    parts = []
    for i in range(weight.shape[axis]):
        own = b.shape(left)[axis] != 1
        piece = layout.slice_axis(b, left, axis, i, i + 1) if own else left
        parts.append(_batched_constant(b, piece, np.take(weight, [i], axis=axis)))
    return layout.concat(b, parts, axis)


def _constant_times(b: GraphBuilder, left: Array, right: Value) -> Value:
    """``C x = (x^T C^T)^T``."""
    rank = len(b.shape(right))
    if left.ndim == 1:
        result = _constant_times(b, left.reshape(1, -1), right)
        shape = b.shape(result)
        return layout.reshape(b, result, (*shape[:-2], shape[-1]))
    if rank == 1:
        return linear(b, right, left)
    flipped = layout.transpose(b, right, _swap(rank))
    product = _times_constant(b, flipped, np.swapaxes(left, -1, -2))
    return layout.transpose(b, product, _swap(len(b.shape(product))))


def _activations(b: GraphBuilder, left: Lazy, right: Lazy) -> Value:
    shapes = b.shape(left), b.shape(right)
    if min(len(shape) for shape in shapes) == 1:
        one = layout.reshape(b, left, (1, *shapes[0])) if len(shapes[0]) == 1 else left
        two = layout.reshape(b, right, (*shapes[1], 1)) if len(shapes[1]) == 1 else right
        product = _activations(b, b.lazy(one), b.lazy(two))
        shape = list(b.shape(product))
        if len(shapes[1]) == 1:
            del shape[-1]
        if len(shapes[0]) == 1:
            del shape[-1 if len(shapes[1]) == 1 else -2]
        return layout.reshape(b, product, shape)
    rank = max(len(shape) for shape in shapes)
    left = b.lazy(layout.raise_rank(b, left, rank))
    right = b.lazy(layout.raise_rank(b, right, rank))
    rows, columns = b.shape(left), b.shape(right)
    if rows[-1] != columns[-2]:
        b.unsupported(f"matrices {rows} and {columns} do not fit")
    try:
        lead = np.broadcast_shapes(rows[:-2], columns[:-2])
    except ValueError:
        b.unsupported(f"matrices {rows} and {columns} do not broadcast")
    left = b.lazy(layout.expand(b, left, (*lead, *rows[-2:])))
    right = b.lazy(layout.expand(b, right, (*lead, *columns[-2:])))
    (first, a), (second, c) = b.scaled_base(left), b.scaled_base(right)
    transposed = b.made_by(second, "Transpose")
    flip = False
    if transposed is not None:
        # Rows of the second operand along its last axis in memory: no copy across the grain.
        perm = transposed.attrs["perm"]
        if perm[-2] == rank - 1:
            second = b.materialise(layout.transpose(b, Lazy(second), _swap(rank)))
            flip = True
    result = (*lead, rows[-2], columns[-1])
    name = b.emit("MatMul", (first, second), result, transpose_b=int(flip))
    return Lazy(name, ex.X * (a * c))


def embedding(b: GraphBuilder, hot: OneHot, weight: Array) -> Value:
    """``one_hot(ids) W`` is a row of W; an id that is no code selects a row of zeros."""
    from veridical.compiler.frontend.ops_layout import gather

    codes = hot.codes.astype(np.int64)
    if not np.array_equal(codes, hot.codes) or codes.min() < 0 or codes.max() >= 2**20:
        b.unsupported("the codes of a one-hot comparison are not small whole numbers")
    name = b.materialise(hot.ids)
    bounds = b.ranges.get(name)
    rows = max(int(codes.max()), 0 if bounds is None else bounds[1]) + 1
    table = np.zeros((rows, weight.shape[1]))
    np.add.at(table, codes, weight.astype(np.float64))
    return gather(b, name, table)


@converter("MatMul")
def _matmul(c: Context) -> Value:
    return matmul(c.b, c.value(0), c.value(1))


@converter("Gemm")
def _gemm(c: Context) -> Value:
    b = c.b
    alpha, beta = float(c.attrs.get("alpha", 1.0)), float(c.attrs.get("beta", 1.0))
    left: Value = c.value(0)
    right: Value = c.value(1)
    if c.attrs.get("transA", 0):
        left = layout.transpose(b, left, (1, 0))
    if c.attrs.get("transB", 0):
        right = layout.transpose(b, right, (1, 0))
    bias = c.inputs[2] if c.has(2) else None
    if isinstance(right, np.ndarray) and (bias is None or isinstance(bias, np.ndarray)):
        width = right.shape[1]
        row = np.zeros(1) if bias is None else np.asarray(bias, np.float64)
        if row.size in (1, width) and row.shape[-1:] in ((), (1,), (width,)):
            return linear(b, left, right.T * alpha, np.broadcast_to(row.reshape(-1), width) * beta)
    product = b.apply(ex.X * alpha, matmul(b, left, right))
    if bias is None:
        return product
    if isinstance(bias, np.ndarray):
        return arithmetic.binary(b, "Add", product, bias.astype(np.float64) * beta)
    return arithmetic.binary(b, "Add", product, b.apply(ex.X * beta, bias))
