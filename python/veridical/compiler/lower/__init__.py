"""Lowering: the float graph, with calibrated ranges, to ops of the integer program."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Final

from veridical.compiler.builder import ProgramBuilder
from veridical.compiler.lower import add, elementwise, layout, multiply, normal, reduce
from veridical.compiler.lower.context import Lowering
from veridical.compiler.lower.value import Value
from veridical.errors import UnsupportedOpError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from veridical.compiler.calibrate import Spread
    from veridical.compiler.ir import FloatGraph, FloatNode, GraphInput
    from veridical.compiler.precision import Precision

__all__ = ["Lowering", "Value", "lower"]

LOWERINGS: Final[Mapping[str, Callable[[Lowering, FloatNode], None]]] = {
    "Add": add.add,
    "Affine": add.affine,
    "ArgMax": reduce.argmax,
    "Concat": layout.concat,
    "Conv": multiply.conv,
    "Expand": layout.layout,
    "Gather": reduce.gather,
    "LayerNorm": normal.layernorm,
    "Linear": multiply.linear,
    "MatMul": multiply.matmul,
    "MaxPool": reduce.max_pool,
    "Mul": multiply.mul,
    "Pad": layout.layout,
    "ReduceMax": reduce.reduce_max,
    "ReduceSum": reduce.reduce_sum,
    "Reshape": layout.layout,
    "Slice": layout.layout,
    "Softmax": normal.softmax,
    "SumPool": reduce.sum_pool,
    "TopK": reduce.topk,
    "Transpose": layout.layout,
    "Unary": elementwise.unary,
    "WeightedMean": multiply.weighted_mean,
}

_MAX_DECODE_MUL = 2**22
_INPUT_UNIT: Final = 2**16


def lower(
    graph: FloatGraph,
    calibrated: dict[str, Spread],
    precision: Precision,
    input_ranges: Mapping[str, tuple[float, float]],
) -> Lowering:
    """Lower a float graph; `input_ranges` replaces the calibrated range of real inputs.

    Raises:
        CompileError: a layer cannot be expressed under the no-wrap rule.
        UnsupportedOpError: an operator has no integer form.
    """
    low = Lowering(graph, ProgramBuilder(), precision, calibrated)
    declared = {entry.name: _add_input(low, entry, input_ranges) for entry in graph.inputs}
    for entry in graph.inputs:
        low.values[entry.name] = _full_shape(low, entry, declared[entry.name])
    for node in graph.nodes:
        function = LOWERINGS.get(node.op)
        if function is None:
            raise UnsupportedOpError(
                node=node.source or node.output, op=node.op, reason="no integer form"
            )
        function(low, node)
    for public, name in graph.outputs:
        _add_output(low, public, name)
    low.pool.finish(low.builder)
    return low


def _item_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Drop the batch axis of size 1 that ONNX models carry."""
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


def _add_input(
    low: Lowering, entry: GraphInput, input_ranges: Mapping[str, tuple[float, float]]
) -> Value:
    shape = _item_shape(entry.shape)
    if entry.is_integer:
        tensor = low.builder.add_input(
            entry.name, shape, (entry.low, entry.high), {"kind": "integer"}
        )
        return Value(tensor=tensor, exponent=0)
    margin = low.precision.input_margin
    spread = low.calibrated[entry.name]
    least, greatest = spread.low, spread.high
    least = least * margin if least < 0 else least / margin
    greatest = greatest * margin if greatest > 0 else greatest / margin
    if entry.name in input_ranges:
        least, greatest = input_ranges[entry.name]
    least, greatest = min(0.0, least), max(0.0, greatest)
    bits = low.operand_bits(entry.name)
    exponent = low.fit_exponent(max(-least, greatest), bits)
    top = (1 << bits) - 1
    mul, shift = 1, -exponent
    reach = max(-least, greatest)
    if low.is_free(entry.name) and reach > 0.0:
        # The next weight absorbs any factor, so the whole width can be used.
        wanted = top / (reach * 2.0**exponent)
        if 1.0 < wanted < 1 << 1:  # else the exponent is at its limit
            mul, shift = floor(wanted * _INPUT_UNIT), shift + _INPUT_UNIT.bit_length() - 1
    scale = mul * 2.0**-shift
    bounds = (max(-top - 1, floor(least * scale)), min(top, ceil(greatest * scale)))
    encode = {"kind": "real", "mul": mul, "shift": shift}
    tensor = low.builder.add_input(entry.name, shape, bounds, encode)
    return Value(tensor=tensor, exponent=-shift, gain=Fraction(1, mul))


def _full_shape(low: Lowering, entry: GraphInput, value: Value) -> Value:
    tensor = low.tensor(value)
    if tensor.shape == entry.shape:
        return value
    emitted = low.builder.emit(
        "reshape",
        [value.tensor],
        entry.shape,
        tensor.range,
        shape=list(entry.shape),
        source=entry.name,
    )
    return Value(tensor=emitted, exponent=value.exponent, gain=value.gain)


def _add_output(low: Lowering, public: str, name: str) -> None:
    value = low.emitted(name)
    if value.gain < 0:
        value = low.settled(name)
    tensor = low.tensor(value)
    low.values[name] = value
    emitted = value.tensor
    shape = _item_shape(tensor.shape)
    if shape != tensor.shape:
        emitted = low.builder.emit(
            "reshape", [emitted], shape, tensor.range, shape=list(shape), source=name
        )
    mul, shift = _decoding(value)
    low.builder.add_output(public, emitted, mul=mul, shift=shift)


def _decoding(value: Value) -> tuple[int, int]:
    """Return `mul`, `shift` with `gain * 2^-exponent = mul / 2^shift`, exactly or to 21 bits."""
    gain, shift = value.gain, value.exponent
    while gain.denominator > 1 and gain < _MAX_DECODE_MUL // 2:
        gain, shift = gain * 2, shift + 1
    while gain > _MAX_DECODE_MUL - 1:
        gain, shift = gain / 2, shift - 1
    return floor(gain + Fraction(1, 2)), shift
