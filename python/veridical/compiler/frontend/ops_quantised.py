"""Operators on quantised tensors with given scales, written with their float twins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler.frontend.convert import CONVERTERS, Context, converter

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import Array, Value


def _run(c: Context, op: str, inputs: list[Value | None], **attrs: Any) -> Value:  # noqa: ANN401 - any attribute
    context = Context(b=c.b, op=op, opset=c.opset, inputs=inputs, attrs=attrs)
    result = CONVERTERS[op](context)
    return result[0] if isinstance(result, list) else result


def _operand(c: Context, index: int, axis: int) -> tuple[Value, Array]:
    """Return an operand in real units, and its scale; ``index`` is followed by scale and zero."""
    scale = c.constant(index + 1, "scale").astype(np.float64)
    value = c.value(index)
    if isinstance(value, np.ndarray):
        zero = c.constant(index + 2, "zero point").astype(np.float64)
        shape = [1] * value.ndim
        if scale.size > 1:
            shape[axis] = -1
        factors = (a.reshape(shape if a.size > 1 else ()) for a in (scale, zero))
        by, offset = factors
        return (value.astype(np.float64) - offset) * by, scale
    return _run(c, "DequantizeLinear", c.inputs[index : index + 3]), scale


@converter("QLinearMatMul")
def _matmul(c: Context) -> Value:
    left, _ = _operand(c, 0, axis=-2)
    right, _ = _operand(c, 3, axis=-1)
    product = _run(c, "MatMul", [left, right])
    return _run(c, "QuantizeLinear", [product, *c.inputs[6:8]])


@converter("QLinearConv")
def _conv(c: Context) -> Value:
    image, scale = _operand(c, 0, axis=1)
    weight, weight_scale = _operand(c, 3, axis=0)
    operands: list[Value | None] = [image, weight]
    if c.has(8):
        operands.append(c.constant(8, "bias").astype(np.float64) * scale * weight_scale)
    result = _run(c, "Conv", operands, **c.attrs)
    return _run(c, "QuantizeLinear", [result, *c.inputs[6:8]])
