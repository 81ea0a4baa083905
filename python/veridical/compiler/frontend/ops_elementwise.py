"""Elementwise ONNX operators."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler.frontend import arithmetic, masks
from veridical.compiler.frontend.builder import Lazy
from veridical.compiler.frontend.convert import Context, converter, unary
from veridical.compiler.frontend.external import type_name
from veridical.compiler.frontend.types import FLOATS, INTEGERS

if TYPE_CHECKING:
    from veridical.compiler.expression import Expression
    from veridical.compiler.frontend.builder import Value

_X = ex.X
_SELU_ALPHA = 1.67326319217681884765625
_SELU_GAMMA = 1.05070102214813232421875
_TANH_GELU = 0.044715


def _exp(e: Expression) -> Expression:
    return e.call("exp")


def _trunc() -> Expression:
    return _X.less(0.0).where(_X.call("ceil"), _X.call("floor"))


_PLAIN: dict[str, Expression] = {
    "Abs": _X.call("abs"),
    "Neg": -_X,
    "Exp": _exp(_X),
    "Log": _X.call("log"),
    "Sqrt": _X.call("sqrt"),
    "Reciprocal": 1.0 / _X,
    "Erf": _X.call("erf"),
    "Tanh": _X.call("tanh"),
    "Sigmoid": _X.call("sigmoid"),
    "Softplus": _X.call("softplus"),
    "Softsign": _X / (_X.call("abs") + 1.0),
    "Relu": _X.relu(),
    "Floor": _X.call("floor"),
    "Ceil": _X.call("ceil"),
    "Round": _X.call("round"),
    "Sign": _X.call("sign"),
    "Sin": _X.call("sin"),
    "Cos": _X.call("cos"),
    "Tan": _X.call("sin") / _X.call("cos"),
    "Sinh": (_exp(_X) - _exp(-_X)) * 0.5,
    "Cosh": (_exp(_X) + _exp(-_X)) * 0.5,
    "Atan": _X.call("atan"),
    "HardSwish": _X * ex.hard_sigmoid(1.0 / 6.0, 0.5),
    "Mish": _X * _X.call("softplus").call("tanh"),
    "Not": _X.equals(0.0),
    "Identity": _X,
}


@converter(*_PLAIN)
def _plain(c: Context) -> Value:
    value = c.value(0)
    return value if c.op == "Identity" else unary(c, _PLAIN[c.op])


@converter("Dropout")
def _dropout(c: Context) -> Value:
    if c.has(2) and bool(c.constant(2, "training_mode").any()):
        c.b.unsupported("training mode is on")
    return c.value(0)


@converter("Cast", "CastLike")
def _cast(c: Context) -> Value:
    value = c.value(0)
    target = c.types[1] if c.op == "CastLike" else type_name(c.attrs["to"])
    if target in FLOATS:
        return value
    if target == "BOOL":
        if not isinstance(value, Lazy):
            return value
        domain = c.b.domain(value)
        if domain is not None and set(domain.tolist()) <= {0.0, 1.0}:
            return value
        return unary(c, 1.0 - _X.equals(0.0))
    if target not in INTEGERS:
        c.b.unsupported(f"a cast to {target or 'an unknown type'}")
    if not isinstance(value, Lazy):
        return value
    if value.base in c.b.ranges and value.fn.is_identity():
        return value
    if value.base in c.b.ranges:
        domain = c.b.domain(value)
        if domain is not None and np.array_equal(domain, np.rint(domain)):
            return value
    return unary(c, _trunc())


def _attribute(c: Context, name: str, default: float) -> float:
    return float(c.attrs.get(name, default))


@converter("LeakyRelu")
def _leaky_relu(c: Context) -> Value:
    return unary(c, _X.less(0.0).where(_X * _attribute(c, "alpha", 0.01), _X))


@converter("Elu", "Celu")
def _elu(c: Context) -> Value:
    alpha = _attribute(c, "alpha", 1.0)
    inner = _X if c.op == "Elu" else _X / alpha
    return unary(c, _X.less(0.0).where((_exp(inner) - 1.0) * alpha, _X))


@converter("Selu")
def _selu(c: Context) -> Value:
    alpha, gamma = _attribute(c, "alpha", _SELU_ALPHA), _attribute(c, "gamma", _SELU_GAMMA)
    return unary(c, _X.less_equal(0.0).where((_exp(_X) - 1.0) * alpha * gamma, _X * gamma))


@converter("HardSigmoid")
def _hard_sigmoid(c: Context) -> Value:
    return unary(c, ex.hard_sigmoid(_attribute(c, "alpha", 0.2), _attribute(c, "beta", 0.5)))


@converter("ThresholdedRelu")
def _thresholded_relu(c: Context) -> Value:
    alpha = ex.constant(_attribute(c, "alpha", 1.0))
    return unary(c, alpha.less(_X).where(_X, 0.0))


@converter("Shrink")
def _shrink(c: Context) -> Value:
    bias, limit = _attribute(c, "bias", 0.0), _attribute(c, "lambd", 0.5)
    high = ex.constant(limit).less(_X).where(_X - bias, 0.0)
    return unary(c, _X.less(-limit).where(_X + bias, high))


@converter("Swish")
def _swish(c: Context) -> Value:
    return unary(c, _X * (_X * _attribute(c, "alpha", 1.0)).call("sigmoid"))


@converter("Gelu")
def _gelu(c: Context) -> Value:
    kind = c.attrs.get("approximate", b"none").decode()
    if kind == "tanh":
        inner = (_X + _X.power(3.0) * _TANH_GELU) * math.sqrt(2.0 / math.pi)
        return unary(c, _X * 0.5 * (inner.call("tanh") + 1.0))
    return unary(c, _X * 0.5 * ((_X / math.sqrt(2.0)).call("erf") + 1.0))


@converter("Clip")
def _clip(c: Context) -> Value:
    ends = []
    for index, name in ((1, "min"), (2, "max")):
        if c.has(index):
            ends.append(float(c.constant(index, name).reshape(-1)[0]))
        else:
            ends.append(float(c.attrs.get(name, -math.inf if name == "min" else math.inf)))
    return unary(c, _X.clip(*ends))


@converter("PRelu")
def _prelu(c: Context) -> Value:
    slope = c.constant(1, "slope")
    b = c.b
    negative = arithmetic.binary(b, "Mul", unary(c, _X.minimum(0.0)), slope)
    if isinstance(negative, Lazy) and negative.base == b.lazy(c.value(0)).base:
        return arithmetic.binary(b, "Add", unary(c, _X.relu()), negative)
    return arithmetic.add(b, unary(c, _X.relu()), negative, 1.0)


_BINARY = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "And",
    "Or",
    "Xor",
    "Equal",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
]


@converter(*_BINARY)
def _binary(c: Context) -> Value:
    result = arithmetic.binary(c.b, c.op, c.value(0), c.value(1))
    # Division of integers drops the fraction.
    return c.b.apply(_trunc(), result) if c.op == "Div" and c.makes_integers else result


@converter("Max", "Min", "Sum", "Mean")
def _variadic(c: Context) -> Value:
    op = {"Sum": "Add", "Mean": "Add"}.get(c.op, c.op)
    constants = [v for v in c.inputs if isinstance(v, np.ndarray)]
    result: Value = next(v for v in c.inputs if v is not None and not isinstance(v, np.ndarray))
    rest = [v for v in c.inputs if v is not None and v is not result]
    for value in [v for v in rest if not isinstance(v, np.ndarray)] + constants:
        result = arithmetic.binary(c.b, op, result, value)
    return c.b.apply(_X / len(c.inputs), result) if c.op == "Mean" else result


@converter("Where")
def _where(c: Context) -> Value:
    b = c.b
    condition, one, two = (c.value(i) for i in range(3))
    if isinstance(condition, np.ndarray):
        return _where_constant(c, condition, one, two)
    condition = b.lazy(condition)
    joint = _where_of_one_tensor(c, condition, one, two)
    if joint is not None:
        return joint
    if condition.base not in b.ranges:
        condition = Lazy(b.materialise(condition))
    scalars = [_scalar(v) for v in (one, two)]
    if scalars[0] is not None and scalars[1] is not None:
        shape = np.broadcast_shapes(b.shape(condition), b.shape(one), b.shape(two))
        wide = arithmetic.binary(b, "Add", condition, np.zeros(shape))
        return b.apply(_X.where(scalars[0], scalars[1]), wide)
    for scalar, other, when in ((scalars[0], two, True), (scalars[1], one, False)):
        if scalar is not None:
            filled = masks.fill(b, condition, other, scalar, when=when)
            if filled is not None:
                return filled
    keep = b.apply(1.0 - _X.equals(0.0), condition)
    first = arithmetic.binary(b, "Mul", keep, one)
    second = arithmetic.binary(b, "Mul", b.apply(1.0 - _X, keep), two)
    return arithmetic.binary(b, "Add", first, second)


def _where_of_one_tensor(c: Context, condition: Lazy, one: Value, two: Value) -> Value | None:
    """Fuse a choice between functions of the tensor that the condition looks at."""
    b = c.b
    shape = b.shape(condition)
    choices = []
    for value in (one, two):
        scalar = _scalar(value)
        if isinstance(value, Lazy) and value.base == condition.base:
            choices.append(value.fn)
        elif scalar is not None and np.broadcast_shapes(shape, b.shape(value)) == shape:
            choices.append(ex.constant(scalar))
        else:
            return None
    return b.settle(Lazy(condition.base, condition.fn.where(*choices)))


def _scalar(value: Value) -> float | None:
    if isinstance(value, np.ndarray) and value.size and np.all(value == value.flat[0]):
        return float(value.flat[0])
    return None


def _where_constant(c: Context, condition: np.ndarray[Any, Any], one: Value, two: Value) -> Value:
    b = c.b
    for value, hidden, other in ((one, condition, two), (two, ~condition, one)):
        scalar = _scalar(value)
        if scalar is not None and scalar <= -masks.HIDING and isinstance(other, Lazy):
            return masks.apply_constant(b, other, np.where(hidden, 0.0, 1.0), 0.0)
    keep = condition.astype(np.float64)
    first = arithmetic.binary(b, "Mul", one, keep)
    second = arithmetic.binary(b, "Mul", two, 1.0 - keep)
    return arithmetic.binary(b, "Add", first, second)


def _quantisation(c: Context) -> tuple[float, float, float, float]:
    """Return scale, zero point and the ends of the integer type."""
    import onnx

    scale = c.constant(1, "scale")
    zero = c.constant(2, "zero point") if c.has(2) else None
    if scale.size != 1 or c.attrs.get("block_size", 0):
        c.b.unsupported("per-axis or blocked quantisation of an activation")
    if zero is not None:
        kind = zero.dtype
    elif c.attrs.get("output_dtype"):
        kind = onnx.helper.tensor_dtype_to_np_dtype(c.attrs["output_dtype"])
    else:
        kind = np.dtype(np.uint8)
    if not np.issubdtype(kind, np.integer):
        c.b.unsupported(f"quantisation to {kind}")
    ends = np.iinfo(kind)
    offset = 0.0 if zero is None else float(zero.reshape(-1)[0])
    return float(scale.reshape(-1)[0]), offset, float(ends.min), float(ends.max)


@converter("QuantizeLinear")
def _quantize(c: Context) -> Value:
    scale, zero, low, high = _quantisation(c)
    return unary(c, ((_X / scale).call("round") + zero).clip(low, high))


@converter("DequantizeLinear")
def _dequantize(c: Context) -> Value:
    scale, zero, _, _ = _quantisation(c)
    return unary(c, (_X - zero) * scale)
