"""LayerNorm, RMS norm and Softmax."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, isqrt, log2
from typing import TYPE_CHECKING

from veridical.compiler import expression as ex
from veridical.compiler import field as modulus
from veridical.compiler.expression import round_table
from veridical.compiler.lower.multiply import SOFTMAX_LIMIT
from veridical.compiler.lower.requantise import coarsen
from veridical.compiler.lower.value import Value
from veridical.errors import CompileError, UnsupportedOpError

if TYPE_CHECKING:
    from veridical.compiler.ir import FloatNode
    from veridical.compiler.lower.context import Lowering

_LIMB = 2**10
_ROWS_AT_11 = 508
_MAX_ROW, _MAX_ROW_RMS = 1024, 1000
_MAX_EPSILON = 2**20
_MAX_SHIFT = 11
_EXP_CAP = (1 << 15) - 1


def layernorm(low: Lowering, node: FloatNode) -> None:
    """Lower a LayerNorm or RMS norm without gain over the last axis."""
    value = low.emitted(node.inputs[0])
    tensor = low.tensor(value)
    d = tensor.shape[-1]
    centered = bool(node.attrs["centered"])
    most = _MAX_ROW if centered else _MAX_ROW_RMS
    if d > most:
        raise UnsupportedOpError(
            node=node.source or node.output, op="LayerNorm", reason=f"rows of {d} exceed {most}"
        )
    # A step so coarse that the integer epsilon is small enough: four times less a bit.
    share = float(node.attrs["epsilon"]) * d / float(value.gain) ** 2
    shift = 0
    while not _is_small(d, _epsilon(share, value.exponent - shift)):
        shift += 1
    if shift > _MAX_SHIFT:
        exponent = value.exponent - shift
        value = coarsen(low, node.inputs[0], value, shift - _MAX_SHIFT)
        tensor, shift = low.tensor(value), max(0, value.exponent - exponent)
    while not _fits(tensor.range, shift):
        shift += 1
    epsilon = _epsilon(share, value.exponent - shift)
    u = 23
    while isqrt((d << (2 * u)) // epsilon) >= 2**28:
        u -= 1
    fx = max(u - 16, low.precision.norm_bits - 1 - ceil(log2(d) / 2))
    fx = min(fx, u - 1)
    while True:
        reach = modulus.shift_round(modulus.isqrt_ceil(d << (2 * u)), u - fx)
        width = modulus.bits_for_span(2 * reach + 1)
        if reach <= modulus.NARROW_HIGH and (1 << (width + u - fx)) <= modulus.P:
            break
        if u - fx < 16:  # noqa: PLR2004
            fx -= 1
        else:
            u -= 1
            fx = min(fx, u - 1)
    emitted = low.builder.emit(
        "layernorm",
        [value.tensor],
        tensor.shape,
        (-reach, reach),
        row_norm=d << (2 * fx),
        source=node.output,
        shift=shift,
        u=u,
        fx=fx,
        epsilon=epsilon,
        centered=int(centered),
    )
    sign = Fraction(1) if value.gain > 0 else Fraction(-1)
    low.values[node.output] = Value(tensor=emitted, exponent=fx, gain=sign)


def _epsilon(share: float, exponent: int) -> int:
    """Return the integer epsilon at a step of `2^-exponent`."""
    return max(1, round(share * 4.0**exponent))


def _is_small(d: int, epsilon: int) -> bool:
    fits = d > _MAX_ROW_RMS or d * 1023**2 + epsilon < 2**30
    return epsilon <= _MAX_EPSILON and fits


def _fits(bounds: tuple[int, int], shift: int) -> bool:
    low, high = (modulus.shift_round(end, shift) for end in bounds)
    rows = _ROWS_AT_11 if shift == _MAX_SHIFT else _LIMB // 2
    if shift > _MAX_SHIFT:
        msg = f"LayerNorm input {bounds} exceeds the no-wrap range"
        raise CompileError(msg)
    return -rows * _LIMB <= low and high <= rows * _LIMB - 1


def softmax(low: Lowering, node: FloatNode) -> None:
    """Lower a softmax: a numerator by table, then a division here or behind the next matmul."""
    name = node.inputs[0]
    value = low.emitted(name)
    scale = float(value.gain) * float(node.attrs.get("scale", 1.0))
    if scale == 0:
        raise UnsupportedOpError(
            node=node.source or node.output, op="Softmax", reason="the logits are scaled by zero"
        )
    if scale < 0:
        value, scale = _negated(low, value, name), -scale
    tensor = low.tensor(value)
    n = tensor.shape[-1]
    deferred = low.is_deferred_softmax(node)
    if deferred:
        user = low.consumers[node.output][0]
        width = low.matmul_bits(user, user.inputs[1])
        cap = min(modulus.M // (n << width), modulus.P // (n << (width + 1)))
        digits: list[int] = []
    else:
        digits, cap = _digits(low, n)
    cap = min(cap, _EXP_CAP)
    if cap < 2**6:
        raise UnsupportedOpError(
            node=node.source or node.output,
            op="Softmax",
            reason=f"rows of {n} leave the numerator fewer than 6 bits",
        )
    value = _within_spread(low, node, value)
    spread = low.tensor(value).range[1] - low.tensor(value).range[0]
    shift = min(16, max(0, value.exponent - _useful_exponent(scale)))
    while (spread >> shift) >= 1 << low.precision.table_bits:
        shift += 1
    rows = (spread >> shift) + 1
    step = Fraction(1, 1) / Fraction(2) ** (value.exponent - shift)
    table = round_table(ex.exponential(-Fraction(scale)), step, 0, rows, Fraction(1, cap), 0, cap)
    const = low.builder.add_const(table, "table", dtype="i16")
    operands = [value.tensor]
    if len(node.inputs) > 1:
        operands.append(low.values[node.inputs[1]].tensor)
    emitted = low.builder.emit(
        "softmax_numerator",
        operands,
        tensor.shape,
        (0, cap),
        consts=[const],
        source=node.output,
        shift=shift,
    )
    if deferred:
        low.values[node.output] = Value(tensor=emitted, exponent=0)
        return
    total = sum(digits)
    emitted = low.builder.emit(
        "normalize",
        [emitted],
        tensor.shape,
        (0, 1 << total),
        source=node.output,
        digits=digits,
    )
    low.values[node.output] = Value(tensor=emitted, exponent=total)


def _negated(low: Lowering, value: Value, name: str) -> Value:
    """Return the operand with its sign turned, exactly."""
    tensor = low.tensor(value)
    least, greatest = tensor.range
    emitted = low.builder.emit(
        "add", [value.tensor], tensor.shape, (-greatest, -least), coeff=[-1], source=name
    )
    return replace(value, tensor=emitted, gain=-value.gain)


def _within_spread(low: Lowering, node: FloatNode, value: Value) -> Value:
    """Shift logits whose spread would leave no room for the exponential table."""
    tensor = low.tensor(value)
    shift, (least, greatest) = 0, tensor.range
    while greatest - least > 2 * SOFTMAX_LIMIT:
        shift += 1
        least, greatest = (modulus.shift_round(end, shift) for end in tensor.range)
    if shift == 0:
        return value
    return coarsen(low, node.inputs[0], value, shift)


def _useful_exponent(scale: float) -> int:
    """Return the index exponent beyond which a finer exponential table gains nothing."""
    return ceil(16 + log2(scale))


def _digits(low: Lowering, n: int) -> tuple[list[int], int]:
    """Return quotient digits and numerator cap of an immediate division for rows of `n`."""
    bits = low.precision.activation_bits
    for numerator_bits in range(min(15, bits + 7), 5, -1):
        cap = (1 << numerator_bits) - 1
        for first in range(min(bits + 1, 16), 3, -1):
            if ((1 << first) + 1) * n * cap <= modulus.P:
                second = min(first, bits + 1 - first)
                if first + second >= min(numerator_bits, bits + 1):
                    return [first, max(0, second)], cap
                break
    return [4, 4], modulus.P // (17 * n)
