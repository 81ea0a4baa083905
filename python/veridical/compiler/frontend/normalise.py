"""Normalisations written out: softmax, LayerNorm, RMS and L2 norm, masked mean.

All of them end in a product of some tensor with a function of a sum over it. Functions are compared
by their values on a few points, not by their form, so that `Pow(x, 2)`, `Mul(x, x)`, `Sqrt` and
`Reciprocal`, `Div` and any order of constants are one case.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler.frontend import layout
from veridical.compiler.frontend.builder import Lazy
from veridical.compiler.frontend.layout import MASKED

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.compiler.expression import Expression
    from veridical.compiler.frontend.builder import Array, GraphBuilder, Value
    from veridical.compiler.ir import FloatNode

_POINTS = np.array([1e-3, 0.02, 0.3, 1.0, 1.7, 5.0, 23.0, 110.0, 1e3, 1e4])
_SIGNED = np.array([-3.7, -1.3, -0.6, 0.4, 0.9, 2.2, 5.1])
_TOLERANCE = 1e-7
#: Constants such as 1/512 or 1/sqrt(d) are float32 in the model.
_FLOAT32 = 1e-6
#: An offset below this is rounding noise of the evaluation.
_NOISE = 1e-9
_PAIR = 2


def _ratio(values: Array, reference: Array) -> float | None:
    """Return the constant ``k`` with values = k * reference, if there is one."""
    if not np.isfinite(values).all() or not np.isfinite(reference).all():
        return None
    scale = float(values @ reference / (reference @ reference))
    error = np.abs(values - scale * reference)
    if scale == 0.0 or (error > _TOLERANCE * np.abs(scale * reference)).any():
        return None
    return scale


def _reciprocal(fn: Expression, points: Array) -> float | None:
    """Return k if fn(v) = k / v."""
    return _ratio(fn.evaluate(points), 1.0 / points)


def _inverse_root(fn: Expression) -> tuple[float, float] | None:
    """Return (k, e) if fn(v) = k / sqrt(v + e) for positive v."""
    values = fn.evaluate(_POINTS)
    if not np.isfinite(values).all() or (values <= 0).any():
        return None
    inverse = values**-2.0
    slope = float((inverse[-1] - inverse[0]) / (_POINTS[-1] - _POINTS[0]))
    if slope <= 0:
        return None
    # The least point shows the offset best: there it is not drowned.
    epsilon = float(inverse[0] / slope - _POINTS[0])
    if abs(epsilon) < _TOLERANCE * _POINTS[0]:
        epsilon = max(epsilon, 0.0)
    if epsilon < 0:
        return None
    error = np.abs(inverse - slope * (_POINTS + epsilon))
    if (error > _TOLERANCE * inverse).any():
        return None
    return 1.0 / sqrt(slope), _exact_offset(fn, slope, epsilon)


def _exact_offset(fn: Expression, slope: float, epsilon: float) -> float:
    """Read the offset at a point as small as itself, where float64 does not drown it."""
    at_zero = fn.evaluate(np.array([0.0]))
    if np.isfinite(at_zero[0]) and at_zero[0] > 0:
        return float(at_zero[0] ** -2.0 / slope)
    return epsilon if epsilon > _NOISE else 0.0


@dataclass(frozen=True, slots=True)
class _Divisor:
    """``gain * fn(base)``, aligned with the numerator by broadcasting."""

    base: str
    fn: Expression
    gain: Array | None


def _peel(b: GraphBuilder, value: Lazy) -> _Divisor:
    """Look through Expand, a gain (Affine without offset) and a materialised function."""
    base, fn, gain = value.base, value.fn, None
    affine = b.made_by(base, "Affine")
    if affine is not None and fn.is_identity() and not affine.params["offset"].any():
        base, gain = affine.inputs[0], affine.params["gain"]
    base = _without(b, base, "Expand")
    unary = b.made_by(base, "Unary")
    if unary is not None and base not in b.ranges:
        base, fn = unary.inputs[0], ex.compose(fn, unary.attrs["fn"])
    return _Divisor(_without(b, base, "Expand"), fn, gain)


def _without(b: GraphBuilder, name: str, op: str) -> str:
    node = b.made_by(name, op)
    return node.inputs[0] if node is not None else name


def _root(b: GraphBuilder, name: str) -> str:
    """Look through Expand and through Reshape that only moves axes of size 1."""
    while True:
        node = b.producer.get(name)
        if node is None or node.op not in ("Expand", "Reshape"):
            return name
        source, target = b.shapes[node.inputs[0]], b.shapes[name]
        if node.op == "Reshape" and [n for n in source if n > 1] != [n for n in target if n > 1]:
            return name
        name = node.inputs[0]


def _sum_of(b: GraphBuilder, name: str) -> FloatNode | None:
    return b.made_by(_root(b, name), "ReduceSum")


def _kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if axis in axes else n for axis, n in enumerate(shape))


def recognise(
    b: GraphBuilder, numerator: Lazy, divisor: Lazy, shape: tuple[int, ...]
) -> Value | None:
    """Return the normalised value of ``numerator * divisor``, or None."""
    part = _peel(b, divisor)
    result: Value | None = None
    if numerator.fn.is_constant() or (part.base in b.ranges and numerator.base in b.ranges):
        return None
    total = _sum_of(b, part.base)
    if total is not None and _reciprocal(part.fn, _POINTS[3:]) is not None:
        result = _masked_mean(b, numerator, part, total)
    if result is None and b.shape(numerator) == shape:
        if total is not None and _reciprocal(part.fn, _POINTS[3:]) is not None:
            result = _softmax(b, numerator, part, total)
        elif _inverse_root(part.fn) is not None:
            result = _norm(b, numerator, part)
    if result is not None and part.gain is not None:
        from veridical.compiler.frontend.arithmetic import affine

        return affine(b, result, part.gain, np.zeros(()))
    return result


def on_last_axis(
    b: GraphBuilder, value: Value, axes: tuple[int, ...], operator: Callable[[str], str]
) -> Value:
    """Move ``axes`` behind the others as one axis, apply an operator of rows, move back."""
    shape = b.shape(value)
    rank = len(shape)
    others = [axis for axis in range(rank) if axis not in axes]
    order = [*others, *axes]
    moved = layout.transpose(b, value, order)
    joined = (*(shape[a] for a in others), prod(shape[a] for a in axes))
    rows = b.materialise(layout.reshape(b, moved, joined))
    result = Lazy(operator(rows))
    if b.shapes[result.base] != joined:  # the operator shortened the rows to one element
        restored: Value = layout.reshape(
            b, result, (*(shape[a] for a in others), *(1 for _ in axes))
        )
    else:
        restored = layout.reshape(b, result, tuple(shape[a] for a in order))
    return layout.transpose(b, restored, [order.index(a) for a in range(rank)])


def softmax(b: GraphBuilder, value: Value, axis: int) -> Value:
    """Softmax over one axis, with the mask that waits below."""
    value = b.lazy(value)
    mask: str | None = None
    masked = b.made_by(value.base, MASKED)
    if masked is not None:
        value = Lazy(masked.inputs[0], value.fn)
        rank = len(b.shape(value))
        swap = [a for a in range(rank) if a != axis] + [axis]
        mask = b.materialise(layout.transpose(b, Lazy(masked.inputs[1]), swap))
    form = value.fn.is_affine()
    if form is None or form[0] == 0.0:
        value, scale = Lazy(b.materialise(value)), 1.0
    else:
        value, scale = Lazy(value.base), form[0]

    def operator(rows: str) -> str:
        inputs = (rows,) if mask is None else (rows, mask)
        return b.emit("Softmax", inputs, b.shapes[rows], scale=scale)

    return on_last_axis(b, value, (axis,), operator)


def layer_norm(
    b: GraphBuilder, value: Value, axes: tuple[int, ...], epsilon: float, *, centered: bool
) -> Value:
    """LayerNorm (RMS norm if not centered) over some axes, without gain and offset."""

    def operator(rows: str) -> str:
        return b.emit("LayerNorm", (rows,), b.shapes[rows], epsilon=epsilon, centered=int(centered))

    return on_last_axis(b, value, axes, operator)


def _softmax(b: GraphBuilder, numerator: Lazy, part: _Divisor, total: FloatNode) -> Value | None:
    """``exp(a z) / sum exp(a z)``, with or without the maximum taken off."""
    factor = _reciprocal(part.fn, _POINTS[3:])
    rows = b.made_by(total.inputs[0], "Unary")
    axes = total.attrs["axes"]
    if factor is None or rows is None or len(axes) != 1 or numerator.base != rows.inputs[0]:
        return None
    if b.shapes[part.base] != _kept(b.shape(numerator), axes):
        return None
    with np.errstate(all="ignore"):
        logs = np.log(rows.attrs["fn"].evaluate(_SIGNED))
        same = _ratio(numerator.fn.evaluate(_SIGNED), rows.attrs["fn"].evaluate(_SIGNED))
    if same is None or not np.isfinite(logs).all():
        return None
    slope = float((logs[-1] - logs[0]) / (_SIGNED[-1] - _SIGNED[0]))
    line = logs[0] + slope * (_SIGNED - _SIGNED[0])
    if slope == 0.0 or np.abs(logs - line).max() > _NOISE * max(1.0, np.abs(logs).max()):
        return None
    logits = _without_maximum(b, rows.inputs[0], axes)
    result = softmax(b, b.apply(ex.X * slope, Lazy(logits)), axes[0])
    return b.apply(ex.X * (same * factor * total.attrs["divisor"]), result)


def _without_maximum(b: GraphBuilder, name: str, axes: tuple[int, ...]) -> str:
    """Return z of ``z - max z``, which softmax subtracts itself."""
    node = b.made_by(name, "Add")
    if node is None or len(node.inputs) != _PAIR or node.attrs["coeff"] != (1.0, -1.0):
        return name
    maximum = b.made_by(_root(b, node.inputs[1]), "ReduceMax")
    same = maximum is not None and maximum.inputs[0] == node.inputs[0]
    return node.inputs[0] if same and maximum and maximum.attrs["axes"] == axes else name


def _norm(b: GraphBuilder, numerator: Lazy, part: _Divisor) -> Value | None:
    """``c / sqrt(mean c^2 + e)`` where c may be ``x - mean x``."""
    root = _inverse_root(part.fn)
    if root is None:
        return None
    centre = _centre(b, numerator.base)
    source = Lazy(numerator.base)
    found = _mean_square(b, part.base, numerator)
    centered = False
    if centre is not None:
        x, axes = centre
        if found is not None and found[0] == axes:
            found = (axes, found[1] * found[2] ** 2, found[2])
            source, centered = Lazy(x), True
        elif found is None and numerator.fn.is_affine() is not None:
            found = _variance(b, part.base, x, axes, numerator)
            source, centered = Lazy(x), True
    if found is None:
        return None
    axes, spread, square = found
    if b.shapes[part.base] != _kept(b.shape(numerator), axes):
        return None
    # The divisor's argument is spread * mean c^2, and the numerator is square * c.
    factor, epsilon = root
    if not centered:
        source = Lazy(b.materialise(numerator))
        square = 1.0
    result = layer_norm(b, source, axes, epsilon / spread, centered=centered)
    scale = square * factor / sqrt(spread)
    if abs(scale - 1.0) < _FLOAT32:
        return result
    return b.apply(ex.X * scale, result)


def _centre(b: GraphBuilder, name: str) -> tuple[str, tuple[int, ...]] | None:
    """Return (x, axes) if the tensor is ``x - mean(x)``."""
    node = b.made_by(name, "Add")
    if node is None or len(node.inputs) != _PAIR:
        return None
    for one, two in ((0, 1), (1, 0)):
        x, other = node.inputs[one], node.inputs[two]
        total = _sum_of(b, other)
        if total is None or total.inputs[0] != x or node.attrs["coeff"][one] != 1.0:
            continue
        axes = total.attrs["axes"]
        count = prod(b.shapes[x][axis] for axis in axes)
        share = -node.attrs["coeff"][two] / total.attrs["divisor"] * count
        wide = b.made_by(other, "Expand")
        narrow = wide.inputs[0] if wide is not None else other
        if abs(share - 1.0) < _FLOAT32 and b.shapes[narrow] == _kept(b.shapes[x], axes):
            return x, axes
    return None


def _mean_square(
    b: GraphBuilder, name: str, numerator: Lazy
) -> tuple[tuple[int, ...], float, float] | None:
    """Return (axes, spread, square): ``spread * mean(numerator^2)``, numerator = square * c."""
    total = _sum_of(b, name)
    if total is None:
        return None
    squares = b.made_by(total.inputs[0], "Unary")
    if squares is None or squares.inputs[0] != numerator.base:
        return None
    values = numerator.fn.evaluate(_SIGNED)
    scale = _ratio(squares.attrs["fn"].evaluate(_SIGNED), values * values)
    if scale is None or scale <= 0:
        return None
    axes = total.attrs["axes"]
    count = prod(b.shapes[squares.inputs[0]][axis] for axis in axes)
    form = numerator.fn.is_affine()
    square = form[0] if form is not None and form[1] == 0.0 else 1.0
    return axes, scale * count / total.attrs["divisor"], square


def _variance(
    b: GraphBuilder, name: str, x: str, axes: tuple[int, ...], numerator: Lazy
) -> tuple[tuple[int, ...], float, float] | None:
    """The form E[x^2] - (E x)^2 of the variance."""
    form = numerator.fn.is_affine()
    node = b.made_by(_root(b, name), "Add")
    if form is None or form[1] != 0.0 or node is None or len(node.inputs) != _PAIR:
        return None
    if node.attrs["coeff"][0] <= 0 or node.attrs["coeff"][1] >= 0:
        return None
    count = prod(b.shapes[x][axis] for axis in axes)
    squares, mean = _sum_of(b, node.inputs[0]), b.made_by(_root(b, node.inputs[1]), "Unary")
    if squares is None or mean is None:
        return None
    each, total = b.made_by(squares.inputs[0], "Unary"), _sum_of(b, mean.inputs[0])
    if each is None or total is None or total.inputs[0] != x:
        return None
    if squares.attrs["axes"] != axes or total.attrs["axes"] != axes:
        return None
    first = _square_ratio(b, each, x)
    second = _ratio(mean.attrs["fn"].evaluate(_SIGNED), _SIGNED**2)
    if first is None or second is None:
        return None
    # spread * (E x^2 - (E x)^2), from both terms; they must agree.
    spread = first * node.attrs["coeff"][0] * count / squares.attrs["divisor"]
    other = -second * node.attrs["coeff"][1] * (count / total.attrs["divisor"]) ** 2
    if abs(spread - other) > _FLOAT32 * spread:
        return None
    return axes, spread, form[0]


def _square_ratio(b: GraphBuilder, squares: FloatNode, x: str) -> float | None:
    """Return k if the node computes ``k x^2``, from x or from what x is a function of."""
    values = _SIGNED
    if squares.inputs[0] != x:
        unary = b.made_by(x, "Unary")
        if unary is None or unary.inputs[0] != squares.inputs[0]:
            return None
        values = unary.attrs["fn"].evaluate(_SIGNED)
    return _ratio(squares.attrs["fn"].evaluate(_SIGNED), values * values)


def _masked_mean(
    b: GraphBuilder, numerator: Lazy, part: _Divisor, total: FloatNode
) -> Value | None:
    """``sum(h * m) / max(sum(m), tiny)`` with weights m that are the same along the last axis."""
    whole = _sum_of(b, numerator.base)
    form = numerator.fn.is_affine()
    if whole is None or form is None or form[1] != 0.0 or len(whole.attrs["axes"]) != 1:
        return None
    product = b.made_by(whole.inputs[0], "Mul")
    axis = whole.attrs["axes"][0]
    shape = b.shapes[whole.inputs[0]]
    if product is None or axis != len(shape) - 2 or total is whole:
        return None
    count = shape[axis]
    factor = _reciprocal(part.fn, np.arange(1.0, min(count, 64) + 1.0))
    weights = _root(b, total.inputs[0])
    sides = [name for name in product.inputs if _root(b, name) == weights]
    if factor is None or len(sides) != 1 or weights not in b.ranges:
        return None
    bounds = b.ranges[weights]
    side = _without(b, sides[0], "Expand")
    inner = b.shapes[side]
    reduced = prod(b.shapes[total.inputs[0]][a] for a in total.attrs["axes"])
    if bounds is None or bounds[0] < 0 or inner[-1] != 1 or inner[axis] != count:
        return None
    if reduced != count:
        return None
    h = next(name for name in product.inputs if name != sides[0])
    h = b.materialise(layout.expand(b, Lazy(h), shape))
    rows = layout.reshape(b, Lazy(side), (*inner[:-2], 1, count))
    e = b.materialise(layout.expand(b, rows, (*shape[:-2], 1, count)))
    result = Lazy(b.emit("WeightedMean", (e, h), (*shape[:-2], 1, shape[-1])))
    restored = layout.reshape(b, result, b.shape(numerator))
    scale = form[0] * factor * total.attrs["divisor"] / whole.attrs["divisor"]
    return b.apply(ex.X * scale, restored)
