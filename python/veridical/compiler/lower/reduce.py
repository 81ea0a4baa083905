"""Pooling, reductions, selection and gather."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor, log2, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler import field as modulus
from veridical.compiler.lower.requantise import coarsen
from veridical.compiler.lower.value import Value

if TYPE_CHECKING:
    from veridical.compiler.ir import FloatNode
    from veridical.compiler.lower.context import Lowering


def _summable(low: Lowering, node: FloatNode, count: int) -> Value:
    """Return the operand, requantised only if `count` of its elements could wrap."""
    name = node.inputs[0]
    value = low.emitted(name)
    low_end, high_end = low.tensor(value).range
    if max(-low_end, high_end) * count <= modulus.REQUANTISABLE:
        return value
    bits = min(15, floor(log2(modulus.REQUANTISABLE) - log2(count)))
    return low.narrow(name, bits)


def _geometry(node: FloatNode) -> dict[str, Any]:
    return {key: list(node.attrs[key]) for key in ("kernel", "stride", "pad", "dilation")}


def sum_pool(low: Lowering, node: FloatNode) -> None:
    """Lower an average or sum pool; the divisor waits in the gain."""
    count = prod(node.attrs["kernel"])
    value = _summable(low, node, count)
    low_end, high_end = low.tensor(value).range
    if any(node.attrs["pad"]):
        low_end, high_end = min(0, low_end), max(0, high_end)
    emitted = low.builder.emit(
        "sum_pool",
        [value.tensor],
        low.graph.shapes[node.output],
        (low_end * count, high_end * count),
        source=node.output,
        **_geometry(node),
    )
    gain = value.gain / Fraction(float(node.attrs.get("divisor", 1)))
    low.values[node.output] = replace(value, tensor=emitted, gain=gain)


def max_pool(low: Lowering, node: FloatNode) -> None:
    """Lower a max pool; a wide operand is shifted to its table index first."""
    name = node.inputs[0]
    value = low.settled(name) if low.emitted(name).gain < 0 else low.emitted(name)
    tensor = low.tensor(value)
    if not tensor.is_narrow:
        bits = low.operand_bits(node.output)
        target = low.fit_exponent(low.inner_reach(name, value) / float(abs(value.gain)), bits)
        shift = max(1, value.exponent - target)
        while True:
            ends = tuple(modulus.shift_round(end, shift) for end in tensor.range)
            if ends[0] >= modulus.NARROW_LOW and ends[1] <= modulus.NARROW_HIGH:
                break
            shift += 1
        value = coarsen(low, name, value, shift)
    emitted = low.builder.emit(
        "max_pool",
        [value.tensor],
        low.graph.shapes[node.output],
        low.tensor(value).range,
        source=node.output,
        **_geometry(node),
    )
    low.values[node.output] = replace(value, tensor=emitted)


def reduce_sum(low: Lowering, node: FloatNode) -> None:
    """Lower a sum or mean over axes; the divisor waits in the gain."""
    axes = sorted(int(axis) for axis in node.attrs["axes"])
    shape = low.graph.shapes[node.inputs[0]]
    count = prod(shape[axis] for axis in axes)
    value = _summable(low, node, count)
    low_end, high_end = low.tensor(value).range
    emitted = low.builder.emit(
        "reduce_sum",
        [value.tensor],
        low.graph.shapes[node.output],
        (low_end * count, high_end * count),
        source=node.output,
        axes=axes,
    )
    gain = value.gain / Fraction(float(node.attrs.get("divisor", 1)))
    low.values[node.output] = replace(value, tensor=emitted, gain=gain)


def reduce_max(low: Lowering, node: FloatNode) -> None:
    """Lower a maximum over axes."""
    value = _ordered(low, node.inputs[0])
    emitted = low.builder.emit(
        "reduce_max",
        [value.tensor],
        low.graph.shapes[node.output],
        low.tensor(value).range,
        source=node.output,
        axes=sorted(int(axis) for axis in node.attrs["axes"]),
    )
    low.values[node.output] = replace(value, tensor=emitted)


def _ordered(low: Lowering, name: str) -> Value:
    """Return a value whose integers order as its reals do, and can be compared."""
    value = low.emitted(name)
    if value.gain < 0:
        return low.settled(name)
    least, greatest = low.tensor(value).range
    return value if greatest - least <= modulus.ORDERABLE_SPAN else low.narrow(name, 15)


def argmax(low: Lowering, node: FloatNode) -> None:
    """Lower ArgMax over the last axis."""
    value = _selectable(low, node.inputs[0])
    emitted = low.builder.emit(
        "argmax",
        [value.tensor],
        low.graph.shapes[node.output],
        (0, low.tensor(value).shape[-1] - 1),
        source=node.output,
    )
    low.values[node.output] = Value(tensor=emitted, exponent=0)


def topk(low: Lowering, node: FloatNode) -> None:
    """Lower TopK over the last axis: indices or values."""
    value = _selectable(low, node.inputs[0])
    values = bool(node.attrs["values"])
    tensor = low.tensor(value)
    emitted = low.builder.emit(
        "topk",
        [value.tensor],
        low.graph.shapes[node.output],
        tensor.range if values else (0, tensor.shape[-1] - 1),
        source=node.output,
        k=int(node.attrs["k"]),
        values=int(values),
    )
    low.values[node.output] = (
        replace(value, tensor=emitted) if values else Value(tensor=emitted, exponent=0)
    )


def _selectable(low: Lowering, name: str) -> Value:
    """Return a value whose spread leaves room for the order check."""
    value = _ordered(low, name)
    low_end, high_end = low.tensor(value).range
    spread = high_end - low_end
    if spread + 1 + (1 << modulus.bits_for_span(spread + 1)) <= modulus.P:
        return value
    return low.narrow(name, 15)


def gather(low: Lowering, node: FloatNode) -> None:
    """Lower a lookup of rows by integer ids."""
    ids = low.values[node.inputs[0]]
    table = node.params["table"]
    if node.output in low.graph.integers:
        exponent, rows = 0, table.astype(np.int64)
    else:
        bits = low.precision.weight_bits
        exponent = low.fit_exponent(float(np.abs(table).max()), bits)
        top = (1 << bits) - 1
        rows = np.clip(np.floor(table * 2.0**exponent + 0.5), -top - 1, top).astype(np.int64)
    emitted = low.builder.emit(
        "gather",
        [ids.tensor],
        low.graph.shapes[node.output],
        (int(rows.min()), int(rows.max())),
        consts=[low.builder.add_const(rows, "weight")],
        source=node.output,
    )
    low.values[node.output] = Value(tensor=emitted, exponent=exponent)
