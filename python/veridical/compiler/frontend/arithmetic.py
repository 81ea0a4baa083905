"""Arithmetic on values: two functions of one tensor become one function of it.

Constants are scalars of a function, or the gain and offset of an Affine; sums and products of two
tensors become Add and Mul. Division is multiplication by a reciprocal. The patterns that need a
joint view (normalisation, masks) are recognised here, where both operands are at hand.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler.frontend import layout, masks, normalise
from veridical.compiler.frontend.builder import Lazy, OneHot

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.compiler.expression import Expression
    from veridical.compiler.frontend.builder import Array, GraphBuilder, Range, Value

_COMBINE: dict[str, Callable[[Expression, Expression], Expression]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
    "Max": lambda a, b: a.maximum(b),
    "Min": lambda a, b: a.minimum(b),
    "Pow": lambda a, b: a.power(b),
    "Less": lambda a, b: a.less(b),
    "LessOrEqual": lambda a, b: a.less_equal(b),
    "Greater": lambda a, b: b.less(a),
    "GreaterOrEqual": lambda a, b: b.less_equal(a),
    "Equal": lambda a, b: a.equals(b),
    "And": lambda a, b: a * b,
    "Or": lambda a, b: a.maximum(b),
    "Xor": lambda a, b: (a - b).call("sign").power(2.0),
}
COMPARISONS = frozenset(["Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"])


def binary(b: GraphBuilder, op: str, left: Value, right: Value) -> Value:
    """Apply a two-operand elementwise operator with broadcasting."""
    if isinstance(left, OneHot) or isinstance(right, OneHot):
        b.lazy(left), b.lazy(right)
    rank = max(len(b.shape(left)), len(b.shape(right)))
    left, right = layout.raise_rank(b, left, rank), layout.raise_rank(b, right, rank)
    left, right = _scalar(left), _scalar(right)
    if isinstance(right, np.ndarray) and isinstance(left, Lazy):
        return _with_constant(b, op, left, right, swapped=False)
    if isinstance(left, np.ndarray) and isinstance(right, Lazy):
        return _with_constant(b, op, right, left, swapped=True)
    if isinstance(left, Lazy) and isinstance(right, Lazy):
        return _with_tensor(b, op, left, right)
    return b.unsupported("both operands are constants that were not folded")


def _scalar(value: Value) -> Value:
    """Turn a constant with one distinct element into that element, keeping its shape lazily."""
    if isinstance(value, np.ndarray):
        array = np.asarray(value, np.float64)
        if array.size and np.all(array == array.flat[0]):
            return np.broadcast_to(array.flat[0], array.shape)
        return array
    return value


def _broadcast(b: GraphBuilder, one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(np.broadcast_shapes(one, two))
    except ValueError:
        return b.unsupported(f"shapes {one} and {two} do not broadcast")


def _with_constant(  # noqa: PLR0911 - one return per operator
    b: GraphBuilder, op: str, value: Lazy, constant: Array, *, swapped: bool
) -> Value:
    shape = _broadcast(b, b.shape(value), constant.shape)
    if constant.size and not any(constant.strides):
        number = ex.constant(float(constant.flat[0]))
        value = b.lazy(layout.expand(b, value, shape))
        operands = (number, ex.X) if swapped else (ex.X, number)
        return b.apply(_COMBINE[op](*operands), value)
    if op == "Equal":
        hot = one_hot(b, value, constant)
        if hot is not None:
            return hot
    if op == "Add":
        return add_constant(b, value, constant)
    if op == "Sub":
        return (
            add_constant(b, b.apply(-ex.X, value), constant)
            if swapped
            else add_constant(b, value, -constant)
        )
    if op in ("Mul", "And"):
        return affine(b, value, constant, np.zeros(()))
    if op == "Div":
        if swapped:
            return affine(b, b.apply(1.0 / ex.X, value), constant, np.zeros(()))
        return affine(b, value, 1.0 / constant, np.zeros(()))
    if op in ("Max", "Min") or op in COMPARISONS:
        difference = add_constant(b, value, -constant)
        if op == "Max":
            return add_constant(b, b.apply(ex.X.relu(), difference), constant)
        if op == "Min":
            return add_constant(b, b.apply(ex.X.minimum(0.0), difference), constant)
        zero = ex.ZERO
        return b.apply(_COMBINE[op](*((zero, ex.X) if swapped else (ex.X, zero))), difference)
    return b.unsupported("an operand is a constant with more than one distinct element")


def one_hot(b: GraphBuilder, value: Lazy, codes: Array) -> OneHot | None:
    """Recognise ``Equal(ids[.., 1], codes[K])``."""
    shape = b.shape(value)
    if value.base not in b.ranges or not shape or shape[-1] != 1:
        return None
    if codes.ndim == 0 or codes.size != codes.shape[-1]:
        return None
    ids = b.lazy(layout.reshape(b, value, shape[:-1]))
    return OneHot(ids, codes.reshape(-1), (*shape[:-1], codes.shape[-1]))


def affine(b: GraphBuilder, value: Value, gain: Array, offset: Array) -> Value:
    """Return ``gain * value + offset``, joined with an Affine right below."""
    value = b.lazy(value)
    if not (np.isfinite(gain).all() and np.isfinite(offset).all()):
        b.unsupported("a constant operand holds an infinity or NaN")
    rank = len(b.shape(value))
    rank = max(rank, np.ndim(gain), np.ndim(offset))
    value = b.lazy(layout.raise_rank(b, value, rank))
    gain = np.asarray(gain, np.float64).reshape((1,) * (rank - np.ndim(gain)) + np.shape(gain))
    offset = np.asarray(offset, np.float64)
    offset = offset.reshape((1,) * (rank - offset.ndim) + offset.shape)
    form = value.fn.is_affine()
    if form is None:
        base = b.materialise(value)
    else:
        base = value.base
        offset = gain * form[1] + offset
        gain = gain * form[0]
    shape = _broadcast(b, b.shapes[base], _broadcast(b, gain.shape, offset.shape))
    base = b.materialise(layout.expand(b, Lazy(base), shape))
    masked = b.made_by(base, layout.MASKED)
    if masked is not None:  # what a mask removes stays removed
        inner = affine(b, Lazy(masked.inputs[0]), gain, offset)
        return masks.hide(b, b.lazy(inner), Lazy(masked.inputs[1]))
    below = b.made_by(base, "Affine")
    if below is not None:
        base = below.inputs[0]
        offset = gain * below.params["offset"] + offset
        gain = gain * below.params["gain"]
    if gain.size == 1 and offset.size == 1:
        return Lazy(base, ex.affine(float(gain.flat[0]), float(offset.flat[0])))
    return Lazy(b.emit("Affine", (base,), shape, params={"gain": gain, "offset": offset}))


def add_constant(b: GraphBuilder, value: Value, constant: Array) -> Value:
    """Add a constant tensor; one that only masks becomes a mask."""
    value = b.lazy(value)
    hidden = masks.constant_mask(constant)
    if hidden is not None:
        return masks.apply_constant(b, value, hidden, float(constant.max()))
    return affine(b, value, np.ones(()), constant)


def _with_tensor(  # noqa: PLR0911 - one return per operator
    b: GraphBuilder, op: str, left: Lazy, right: Lazy
) -> Value:
    shape = _broadcast(b, b.shape(left), b.shape(right))
    if left.base == right.base:
        return b.settle(Lazy(left.base, _COMBINE[op](left.fn, right.fn)))
    if op in ("Add", "Sub"):
        masked = masks.additive(b, op, left, right, shape)
        if masked is not None:
            return masked
        return add(b, left, right, -1.0 if op == "Sub" else 1.0)
    if op in ("Mul", "And"):
        return multiply(b, left, right)
    if op == "Div":
        return multiply(b, left, b.apply(1.0 / ex.X, right))
    if op == "Max":
        difference = add(b, left, right, -1.0)
        return add(b, b.apply(ex.X.relu(), difference), right, 1.0)
    if op == "Or":
        total = add(b, left, right, 1.0)
        return b.apply(ex.X.minimum(1.0), total)
    if op == "Min":
        difference = add(b, left, right, -1.0)
        return add(b, b.apply(ex.X.minimum(0.0), difference), right, 1.0)
    if op in COMPARISONS:
        return b.apply(_COMBINE[op](ex.X, ex.ZERO), add(b, left, right, -1.0))
    return b.unsupported("both operands are computed from the inputs")


def _operand(b: GraphBuilder, value: Lazy, other: tuple[int, ...], shape: tuple[int, ...]) -> Lazy:
    """Drop an Expand that broadcasting does anyway."""
    wide = b.made_by(value.base, "Expand")
    if wide is not None:
        inner = wide.inputs[0]
        if tuple(np.broadcast_shapes(b.shapes[inner], other)) == shape:
            return Lazy(inner, value.fn)
    return value


def add(b: GraphBuilder, left: Value, right: Value, sign: float) -> Lazy:
    """Return ``left + sign * right`` as one Add of two tensors."""
    left, right = b.lazy(left), b.lazy(right)
    rank = max(len(b.shape(left)), len(b.shape(right)))
    left = b.lazy(layout.raise_rank(b, left, rank))
    right = b.lazy(layout.raise_rank(b, right, rank))
    shape = _broadcast(b, b.shape(left), b.shape(right))
    left = _operand(b, left, b.shape(right), shape)
    right = _operand(b, right, b.shape(left), shape)
    names, coefficients, offset = [], [], 0.0
    for value, factor in ((left, 1.0), (right, sign)):
        form = value.fn.is_affine()
        if form is None or form[0] == 0.0:
            names.append(b.materialise(value))
            coefficients.append(factor)
        else:
            names.append(value.base)
            coefficients.append(factor * form[0])
            offset += factor * form[1]
    scale = 1.0
    if abs(coefficients[0]) == abs(coefficients[1]) or coefficients[0] < 0:
        # A common factor (and the sign) of a sum belongs to whoever reads the sum.
        common = abs(coefficients[0]) == abs(coefficients[1])
        scale = coefficients[0] if common else -1.0
        coefficients = [c / scale for c in coefficients]
    bounds = _sum_range(b, names, coefficients)
    name = b.emit("Add", tuple(names), shape, integers=bounds, coeff=tuple(coefficients))
    return Lazy(name, ex.affine(scale, offset))


def _sum_range(b: GraphBuilder, names: list[str], coefficients: list[float]) -> Range | None:
    low = high = 0
    for name, coefficient in zip(names, coefficients, strict=True):
        bounds = b.ranges.get(name)
        if bounds is None or coefficient != int(coefficient):
            return None
        ends = [int(coefficient) * end for end in bounds]
        low, high = low + min(ends), high + max(ends)
    return low, high


def multiply(b: GraphBuilder, left: Value, right: Value) -> Value:
    """Multiply two activations, unless together they are a normalisation."""
    left, right = b.lazy(left), b.lazy(right)
    rank = max(len(b.shape(left)), len(b.shape(right)))
    left = b.lazy(layout.raise_rank(b, left, rank))
    right = b.lazy(layout.raise_rank(b, right, rank))
    shape = _broadcast(b, b.shape(left), b.shape(right))
    for numerator, divisor in ((left, right), (right, left)):
        pattern = normalise.recognise(b, numerator, divisor, shape)
        if pattern is not None:
            return pattern
    left = _operand(b, left, b.shape(right), shape)
    right = _operand(b, right, b.shape(left), shape)
    (one, a), (two, c) = b.scaled_base(left), b.scaled_base(right)
    bounds = None
    ranges = (b.ranges.get(one), b.ranges.get(two))
    if ranges[0] is not None and ranges[1] is not None:
        ends = [i * j for i in ranges[0] for j in ranges[1]]
        bounds = min(ends), max(ends)
    name = b.emit("Mul", (one, two), shape, integers=bounds)
    factor = a * c
    return Lazy(name, ex.X * factor) if math.isfinite(factor) else b.unsupported("overflow")
