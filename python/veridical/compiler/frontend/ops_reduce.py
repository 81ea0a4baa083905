"""ONNX reductions, softmax, arg-max and top-k."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from veridical.compiler import expression as ex
from veridical.compiler.frontend import arithmetic, layout, normalise
from veridical.compiler.frontend.builder import Lazy
from veridical.compiler.frontend.convert import Context, converter

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import GraphBuilder, Value

_LAST_OPSET_OF_COERCED_SOFTMAX = 12


def reduce_sum(b: GraphBuilder, value: Value, axes: tuple[int, ...], *, mean: bool = False) -> Lazy:
    """Sum (or mean) over axes, which stay as size 1; scale and offset pass through."""
    value = b.lazy(value)
    count = prod(b.shape(value)[axis] for axis in axes)
    form = value.fn.is_affine()
    fn = ex.X
    if form is None or form[0] == 0.0:
        value = Lazy(b.materialise(value))
    else:
        fn = ex.affine(form[0], form[1] if mean else form[1] * count)
    source = b.shapes[value.base]
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(source))
    bounds = b.ranges.get(value.base)
    whole = None if bounds is None or mean else (bounds[0] * count, bounds[1] * count)
    name = b.emit(
        "ReduceSum", (value.base,), shape, integers=whole,
        axes=axes, divisor=float(count) if mean else 1.0,
    )  # fmt: skip
    return Lazy(name, fn)


def reduce_max(b: GraphBuilder, value: Value, axes: tuple[int, ...]) -> Lazy:
    """Maximum over axes, which stay as size 1; a rising scale passes through."""
    value = b.lazy(value)
    form = value.fn.is_affine()
    fn = ex.X
    if form is not None and form[0] > 0.0:
        fn = value.fn
        value = Lazy(value.base)
    name = b.materialise(value)
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(b.shapes[name]))
    return Lazy(b.emit("ReduceMax", (name,), shape, integers=b.ranges.get(name), axes=axes), fn)


def _axes(c: Context) -> tuple[int, ...]:
    rank = len(c.b.shape(c.value(0)))
    axes = c.integers(1, "axes")
    if not axes:
        return () if c.attrs.get("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({c.wrap(axis) for axis in axes}))


@converter(
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2",
    "ReduceSumSquare", "ReduceLogSumExp", "ReduceLogSum",
)  # fmt: skip
def _reduce(c: Context) -> Value:
    b, value, axes = c.b, c.value(0), _axes(c)
    if not axes:
        return value
    if c.makes_integers and c.op not in ("ReduceSum", "ReduceMax", "ReduceMin"):
        b.unsupported("a reduction of integers that rounds")
    result: Value
    if c.op in ("ReduceSum", "ReduceMean"):
        result = reduce_sum(b, value, axes, mean=c.op == "ReduceMean")
    elif c.op == "ReduceMax":
        result = reduce_max(b, value, axes)
    elif c.op == "ReduceMin":
        result = b.apply(-ex.X, reduce_max(b, b.apply(-ex.X, value), axes))
    elif c.op == "ReduceL1":
        result = reduce_sum(b, b.apply(ex.X.call("abs"), value), axes)
    elif c.op in ("ReduceL2", "ReduceSumSquare"):
        result = reduce_sum(b, b.apply(ex.X * ex.X, value), axes)
        if c.op == "ReduceL2":
            result = b.apply(ex.X.call("sqrt"), result)
    elif c.op == "ReduceLogSum":
        result = b.apply(ex.X.call("log"), reduce_sum(b, value, axes))
    else:
        result = log_sum_exp(b, value, axes)
    if c.attrs.get("keepdims", 1):
        return result
    shape = b.shape(result)
    return layout.reshape(b, result, [n for i, n in enumerate(shape) if i not in axes])


def log_sum_exp(b: GraphBuilder, value: Value, axes: tuple[int, ...]) -> Value:
    """``max + log(sum(exp(x - max)))``, every step of which has a small range."""
    top = reduce_max(b, value, axes)
    shifted = arithmetic.add(b, value, top, -1.0)
    total = reduce_sum(b, b.apply(ex.X.call("exp"), shifted), axes)
    return arithmetic.add(b, b.apply(ex.X.call("log"), total), top, 1.0)


@converter("Softmax", "LogSoftmax")
def _softmax(c: Context) -> Value:
    b, value = c.b, c.value(0)
    shape = b.shape(value)
    coerced = c.opset <= _LAST_OPSET_OF_COERCED_SOFTMAX
    axis = c.axis(1 if coerced else -1)
    if coerced:
        # Before opset 13 softmax ran over all axes from `axis` on.
        value = layout.reshape(b, value, (prod(shape[:axis]), prod(shape[axis:])))
        axis = 1
    if c.op == "Softmax":
        result = normalise.softmax(b, value, axis)
    else:
        result = arithmetic.add(b, value, log_sum_exp(b, value, (axis,)), -1.0)
    return layout.reshape(b, result, shape)


@converter("ArgMax", "ArgMin")
def _argmax(c: Context) -> Value:
    b = c.b
    if c.attrs.get("select_last_index", 0):
        b.unsupported("select_last_index; ties take the lowest index")
    axis = c.axis(0)
    value = c.value(0) if c.op == "ArgMax" else b.apply(-ex.X, c.value(0))
    shape = b.shape(value)
    value = Lazy(_rising(b, value))

    def operator(rows: str) -> str:
        size = b.shapes[rows][-1]
        return b.emit("ArgMax", (rows,), (*b.shapes[rows][:-1], 1), integers=(0, size - 1))

    result = normalise.on_last_axis(b, value, (axis,), operator)
    if c.attrs.get("keepdims", 1):
        return result
    return layout.reshape(b, result, [n for i, n in enumerate(shape) if i != axis])


def _rising(b: GraphBuilder, value: Value) -> str:
    """Return a tensor with the same order: a rising scale does not change who is greatest."""
    value = b.lazy(value)
    form = value.fn.is_affine()
    return value.base if form is not None and form[0] > 0 else b.materialise(value)


@converter("TopK")
def _topk(c: Context) -> list[Value]:
    b = c.b
    k = int(c.constant(1, "k").reshape(-1)[0]) if c.has(1) else int(c.attrs.get("k", 0))
    axis = c.axis(-1)
    size = b.shape(c.value(0))[axis]
    if not 1 <= k <= size:
        b.unsupported(f"k = {k} of {size} elements")
    largest = bool(c.attrs.get("largest", 1))
    name = b.materialise(c.value(0) if largest else b.apply(-ex.X, c.value(0)))
    results: list[Value] = []
    order = [a for a in range(len(b.shapes[name])) if a != axis] + [axis]
    rows = b.materialise(layout.transpose(b, Lazy(name), order))
    shape = (*b.shapes[rows][:-1], k)
    for values in (1, 0):
        bounds = b.ranges.get(rows) if values else (0, size - 1)
        found = Lazy(b.emit("TopK", (rows,), shape, integers=bounds, k=k, values=values))
        restored = layout.transpose(b, found, [order.index(a) for a in range(len(order))])
        results.append(b.apply(-ex.X, restored) if values and not largest else restored)
    return results
