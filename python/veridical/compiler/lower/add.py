"""Add and Affine: exact sums on a common power-of-two step."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler import field as modulus
from veridical.compiler import ranges
from veridical.compiler.lower.requantise import coarsen, requantise
from veridical.compiler.lower.value import Value

if TYPE_CHECKING:
    from veridical.compiler.ir import FloatNode
    from veridical.compiler.lower.context import Lowering
    from veridical.compiler.ranges import Range

_MAX_COEFFICIENT_BITS = 24
_GAIN_BITS = 14


def affine(low: Lowering, node: FloatNode) -> None:
    """Keep `gain * x + offset` waiting for a consumer; a bare scalar becomes part of the value."""
    gain, offset = node.params["gain"], node.params["offset"]
    value = low.emitted(node.inputs[0])
    if node.output in low.graph.integers:  # a constant mask: gain 0, offset 0 or 1
        waiting = replace(value, gain=Fraction(1), factor=gain, offset=offset)
        low.values[node.output] = Value(tensor=low.emit_affine(waiting, 0, node.output), exponent=0)
        return
    if gain.size >= 1 and np.all(gain == gain.flat[0]) and not offset.any() and gain.flat[0] != 0:
        factor = Fraction(float(gain.flat[0]))
        low.values[node.output] = replace(value, gain=value.gain * factor)
        return
    if np.any(gain != gain.flat[0]) and not low.tensor(value).is_narrow:
        # Gain and operand share the 30 bits of the product.
        value = low.narrow(node.inputs[0], 15)
    low.values[node.output] = replace(value, factor=gain, offset=offset)


def _is_power_of_two(value: Fraction) -> bool:
    return value > 0 and all(n & (n - 1) == 0 for n in (value.numerator, value.denominator))


def _log2(value: Fraction) -> int:
    return value.numerator.bit_length() - value.denominator.bit_length()


def _operand(low: Lowering, name: str, coefficient: float) -> tuple[Value, int]:
    """Return an operand as `sign * 2^k * value` with gain 1: the value and the sign."""
    sign = -1 if coefficient < 0 else 1
    value = low.values[name]
    if value.slope is not None and not low.tensor(value).is_narrow:
        value = low.emitted(name)
    if value.factor is not None and value.offset is not None:
        scale = abs(coefficient)
        return replace(value, factor=value.factor * scale, offset=value.offset * scale), sign
    factor = Fraction(abs(coefficient)) * value.gain
    if factor < 0:
        factor, sign = -factor, -sign
    if _is_power_of_two(factor):
        return replace(value, gain=Fraction(1), exponent=value.exponent - _log2(factor)), sign
    bare = replace(value, gain=Fraction(1))
    reach = low.inner_reach(name, value) * abs(coefficient)
    scaled = requantise(low, name, bare, ex.scaled(factor), bits=15, reach=reach,
                        gain=value.gain)  # fmt: skip
    return scaled, sign


def _range_at(low: Lowering, value: Value, exponent: int) -> tuple[int, Range]:
    """Return coefficient and operand range at a common exponent."""
    if value.factor is not None:
        bounds, _ = low.affine_range(value, exponent)
        return 1, bounds
    operand = low.tensor(value).range
    if value.exponent <= exponent:
        return 1 << (exponent - value.exponent), operand
    shift = value.exponent - exponent
    return 1, (modulus.shift_round(operand[0], shift), modulus.shift_round(operand[1], shift))


def add(low: Lowering, node: FloatNode) -> None:
    """Lower `sum c_i x_i` at the finest step at which the sum does not wrap."""
    terms = [
        _operand(low, name, coefficient)
        for name, coefficient in zip(node.inputs, node.attrs["coeff"], strict=True)
    ]
    # A waiting gain is rounded at the step of the sum, so it needs bits below that of its operand.
    exponent = max(
        value.exponent + (_GAIN_BITS if value.factor is not None else 0) for value, _ in terms
    )
    limit = low.sum_limit(node)
    while True:
        parts = [_range_at(low, value, exponent) for value, _ in terms]
        bounds = ranges.scaled_sum(
            [(sign * c, r) for (_, sign), (c, r) in zip(terms, parts, strict=True)]
        )
        fits = bounds[0] >= -limit and bounds[1] <= limit
        each = all(
            c.bit_length() <= _MAX_COEFFICIENT_BITS and max(-r[0], r[1]) <= modulus.REQUANTISABLE
            for c, r in parts
        )
        if fits and each:
            break
        exponent -= 1
    operands, coefficients = [], []
    for (value, sign), (coefficient, _) in zip(terms, parts, strict=True):
        if value.factor is not None:
            operands.append(low.emit_affine(value, exponent, node.output))
            coefficients.append(sign * coefficient)
        elif value.exponent > exponent:
            coarse = coarsen(low, node.output, value, value.exponent - exponent)
            operands.append(coarse.tensor)
            coefficients.append(sign << (exponent - coarse.exponent))
        else:
            operands.append(value.tensor)
            coefficients.append(sign * coefficient)
    bounds = ranges.scaled_sum(
        [(c, low.builder.tensors[t].range) for c, t in zip(coefficients, operands, strict=True)]
    )
    emitted = low.builder.emit(
        "add",
        operands,
        low.graph.shapes[node.output],
        bounds,
        coeff=coefficients,
        source=node.output,
    )
    low.values[node.output] = Value(tensor=emitted, exponent=exponent)
