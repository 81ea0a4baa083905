"""Linear, Conv, MatMul and Mul: products that accumulate without requantisation."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, log2
from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler import field as modulus
from veridical.compiler import ranges
from veridical.compiler.lower.value import Value
from veridical.errors import CompileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from veridical.compiler.ir import FloatNode
    from veridical.compiler.lower.context import Lowering
    from veridical.compiler.ranges import Range

SOFTMAX_LIMIT = modulus.M // 2 - 2**15
"""Logits: spread plus exponential table stay within p (spec/v1/program.md, section 4.9)."""
_LEAST_OPERAND_BITS = 7
_MAX_EXPONENT = 90
_NEGLIGIBLE = 2.0**-10
_CONSTANT = 2.0**-20


def linear(low: Lowering, node: FloatNode) -> None:
    """Lower `x W^T + b`; a waiting per-column affine map is folded into the weight."""
    name = node.inputs[0]
    weight, bias = node.params["weight"], node.params["bias"]
    value = low.values[name]
    if value.factor is not None and value.offset is not None and _is_columnwise(value):
        columns = weight.shape[1]
        factor = np.broadcast_to(value.factor.reshape(-1), (columns,))
        offset = np.broadcast_to(value.offset.reshape(-1), (columns,))
        bias = bias + weight @ offset
        weight = weight * factor
        base = replace(value, factor=None, offset=None)
        if low.tensor(base).is_narrow:
            _accumulate_linear(low, node, base, weight, bias)
            return
    _search(low, node, weight, bias)


def _is_columnwise(value: Value) -> bool:
    assert value.factor is not None  # noqa: S101  (checked by the caller)
    assert value.offset is not None  # noqa: S101
    return all(part.size == part.shape[-1] for part in (value.factor, value.offset))


def _search(
    low: Lowering, node: FloatNode, weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> None:
    """Lower with the widest operand that leaves the weight its minimum width."""
    name = node.inputs[0]
    bits = low.operand_bits(name)
    accumulate = _accumulate_linear if node.op == "Linear" else _accumulate_conv
    while True:
        value = low.narrow(name, bits)
        try:
            accumulate(low, node, value, weight, bias)
        except WeightWidthError as error:
            bits -= 1
            if bits < _LEAST_OPERAND_BITS:
                raise CompileError(str(error)) from error
        else:
            return


class WeightWidthError(CompileError):
    """The no-wrap rule leaves a weight less than its minimum width."""


def _quantise(
    low: Lowering,
    node: FloatNode,
    value: Value,
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    x_range: Range,
) -> tuple[NDArray[np.int64], NDArray[np.int64], Value, Range]:
    """Choose the finest weight step under the no-wrap rule.

    Returns integer weight and bias, the accumulator as a value without tensor, and its range.
    """
    rows = weight.reshape(weight.shape[0], -1) * float(value.gain)
    reach = float(np.abs(rows).max())
    bits = low.precision.weight_bits
    limit, beside, is_free = _limit(low, node)
    row_norm = low.tensor(value).row_norm if node.op == "Linear" else None
    top = (1 << bits) - 1
    scale = 2.0 ** min(low.fit_exponent(reach, bits), _MAX_EXPONENT - value.exponent)
    if is_free and reach > 0:
        scale = top / reach
    while True:
        w = np.clip(np.floor(rows * scale + 0.5), -top - 1, top).astype(np.int64)
        b = np.floor(bias * 2.0**value.exponent * scale + 0.5)
        magnitude = float(np.abs(b).max(initial=0))
        if magnitude <= limit:
            bounds = ranges.linear(w, b.astype(np.int64), x_range, row_norm)
            magnitude = float(max(-bounds[0], bounds[1])) + beside * 2.0**value.exponent * scale
            if magnitude <= limit:
                break
        if is_free:
            scale *= min(limit / magnitude, 1 - 2**-12) * (1 - 2**-12)
        else:
            scale *= 2.0 ** -max(1, ceil(log2(magnitude / limit)) - 1)
    width = int(np.abs(w).max()).bit_length()
    if width < low.precision.minimum_weight_bits and not _is_negligible(
        low, node, rows, w / scale, x_range, value.exponent
    ):
        msg = (
            f"{node.source or node.output}: op {node.op} would leave its weight {width} magnitude "
            f"bits (minimum {low.precision.minimum_weight_bits}): the bias or the row sums are too "
            "large for the no-wrap rule"
        )
        raise WeightWidthError(msg)
    exponent = floor(log2(scale))
    gain = Fraction(2) ** exponent / Fraction(scale)
    result = Value(tensor=-1, exponent=value.exponent + exponent, gain=gain)
    return w.reshape(weight.shape), b.astype(np.int64), result, bounds


def _is_negligible(
    low: Lowering,
    node: FloatNode,
    weight: NDArray[np.float64],
    rounded: NDArray[np.float64],
    x_range: Range,
    exponent: int,
) -> bool:
    """Whether what rounding takes from a weight cannot be seen beside what the layer computes.

    So it is where a large bias meets an operand that is next to nothing.
    """
    operand = max(-x_range[0], x_range[1]) * 2.0**-exponent
    error = float(np.abs(weight - rounded).sum(axis=1).max()) * operand
    spread = low.calibrated[node.output]
    varies = spread.high - spread.low
    scale = varies if varies > _CONSTANT * spread.reach else spread.reach
    return error <= _NEGLIGIBLE * scale


def _limit(low: Lowering, node: FloatNode) -> tuple[int, float, bool]:
    """Return what consumers demand of an accumulator.

    The bound of its magnitude, a real magnitude to leave room for beside it, and whether its step
    need not be a power of two.
    """
    users = low.final_consumers(node.output)
    kinds = {user.op for user in users}
    if "Add" in kinds:
        sums = [user for user in users if user.op == "Add"]
        limit = min(low.sum_limit(user) for user in sums)
        others = [
            low.real_reach(name) for user in sums for name in user.inputs if name != node.output
        ]
        known = [reach for reach in others if reach is not None]
        if len(known) < len(others):
            return limit // 4, 0.0, False
        return limit, sum(known), False
    limit = SOFTMAX_LIMIT if "Softmax" in kinds else modulus.REQUANTISABLE
    if kinds == {"Unary"}:
        # What a clamp to the calibrated range, and then a table, can take.
        return modulus.ORDERABLE_SPAN, _clamp_reach(low, node, users), low.is_small
    if kinds & {"ArgMax", "MaxPool", "ReduceMax", "TopK", "Unary"}:
        limit = modulus.ROOMY
    # A table or a decoding absorbs any factor; sums and shared tables want powers of two.
    return limit, 0.0, low.is_small and kinds <= {"Softmax"}


def _clamp_reach(low: Lowering, node: FloatNode, users: list[FloatNode]) -> float:
    """Return the magnitude of the lower end at which a clamp would cut an accumulator."""
    if all(user.attrs["fn"].is_relu() for user in users):
        return 0.0
    spread = low.calibrated[node.output]
    return abs(spread.low - (low.margin - 1) * spread.reach)


def _weight_consts(
    low: Lowering, weight: NDArray[np.int64], bias: NDArray[np.int64]
) -> tuple[int, int]:
    """Store weight (i8 or i16) and bias (i32)."""
    return (
        low.builder.add_const(weight, "weight"),
        low.builder.add_const(bias, "weight", dtype="i32"),
    )


def _accumulate_linear(
    low: Lowering,
    node: FloatNode,
    value: Value,
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
) -> None:
    tensor = low.tensor(value)
    w, b, accumulator, bounds = _quantise(low, node, value, weight, bias, tensor.range)
    emitted = low.builder.emit(
        "linear",
        [value.tensor],
        (*tensor.shape[:-1], weight.shape[0]),
        bounds,
        consts=_weight_consts(low, w, b),
        source=node.output,
    )
    low.values[node.output] = replace(accumulator, tensor=emitted)


def conv(low: Lowering, node: FloatNode) -> None:
    """Lower a 2-D convolution."""
    _search(low, node, node.params["weight"], node.params["bias"])


def _accumulate_conv(
    low: Lowering,
    node: FloatNode,
    value: Value,
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
) -> None:
    x_range = low.tensor(value).range
    if any(node.attrs["pad"]):
        x_range = (min(0, x_range[0]), max(0, x_range[1]))
    w, b, accumulator, bounds = _quantise(low, node, value, weight, bias, x_range)
    emitted = low.builder.emit(
        "conv",
        [value.tensor],
        low.graph.shapes[node.output],
        bounds,
        consts=_weight_consts(low, w, b),
        source=node.output,
        stride=list(node.attrs["stride"]),
        pad=list(node.attrs["pad"]),
        dilation=list(node.attrs["dilation"]),
        groups=int(node.attrs["groups"]),
    )
    low.values[node.output] = replace(accumulator, tensor=emitted)


def matmul(low: Lowering, node: FloatNode) -> None:
    """Lower a product of two activations; behind a softmax it carries the division too."""
    left, right = node.inputs
    transpose_b = bool(node.attrs.get("transpose_b", False))
    producer = low.producer(left)
    if producer is not None and low.is_deferred_softmax(producer):
        _deferred(low, node, transpose_b=transpose_b)
        return
    a = low.narrow(left, low.matmul_bits(node, left))
    b = low.narrow(right, low.matmul_bits(node, right))
    inner = low.tensor(a).shape[-1]
    one = ranges.product(low.tensor(a).range, low.tensor(b).range)
    emitted = low.builder.emit(
        "matmul",
        [a.tensor, b.tensor],
        low.graph.shapes[node.output],
        (inner * one[0], inner * one[1]),
        source=node.output,
        transpose_b=int(transpose_b),
    )
    low.values[node.output] = Value(
        tensor=emitted, exponent=a.exponent + b.exponent, gain=a.gain * b.gain
    )


def _deferred(low: Lowering, node: FloatNode, *, transpose_b: bool) -> None:
    e = low.values[node.inputs[0]]
    v = low.narrow(node.inputs[1], low.matmul_bits(node, node.inputs[1]))
    tensor = low.tensor(v)
    operand = v.tensor
    if transpose_b:
        rank = len(tensor.shape)
        perm = [*range(rank - 2), rank - 1, rank - 2]
        operand = low.builder.emit(
            "transpose",
            [operand],
            tuple(tensor.shape[axis] for axis in perm),
            tensor.range,
            source=node.inputs[1],
            perm=perm,
        )
    emitted = low.builder.emit(
        "weighted_mean",
        [e.tensor, operand],
        low.graph.shapes[node.output],
        tensor.range,
        source=node.output,
    )
    low.values[node.output] = Value(tensor=emitted, exponent=v.exponent, gain=v.gain)


def weighted_mean(low: Lowering, node: FloatNode) -> None:
    """Lower `sum e v / sum e` for integer weights `e` (a mask or a count)."""
    e = low.values[node.inputs[0]]
    inner = low.tensor(e).shape[-1]
    top = low.tensor(e).range[1]
    budget = log2(modulus.REQUANTISABLE) - log2(max(1, inner * top))
    bits = min(low.precision.activation_bits, int(budget) - 1)
    v = low.narrow(node.inputs[1], bits)
    emitted = low.builder.emit(
        "weighted_mean",
        [e.tensor, v.tensor],
        low.graph.shapes[node.output],
        low.tensor(v).range,
        source=node.output,
    )
    low.values[node.output] = Value(tensor=emitted, exponent=v.exponent, gain=v.gain)


def mul(low: Lowering, node: FloatNode) -> None:
    """Lower an elementwise product of two activations."""
    left, right = node.inputs
    bits = low.precision.activation_bits
    if left == right:
        a = b = low.narrow(left, min(bits, 14))
    else:
        a = low.narrow(left, bits)
        b = low.narrow(right, min(bits, 14))
    bounds = ranges.product(low.tensor(a).range, low.tensor(b).range)
    if a.tensor == b.tensor:
        ends = [end * end for end in low.tensor(a).range]
        bounds = (
            0 if low.tensor(a).range[0] <= 0 <= low.tensor(a).range[1] else min(ends),
            max(ends),
        )
    emitted = low.builder.emit(
        "mul",
        [a.tensor, b.tensor],
        low.graph.shapes[node.output],
        bounds,
        source=node.output,
    )
    gain: Fraction = a.gain * b.gain
    low.values[node.output] = Value(tensor=emitted, exponent=a.exponent + b.exponent, gain=gain)
