"""Requantisation: one table takes a wide accumulator to a narrow operand, through any function.

The index of a table has at most 16 bits and covers the worst case of its operand. Where the worst
case lies far above what calibration saw, the steps would be coarse; a clamp comes first then.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, log2
from typing import TYPE_CHECKING, Final

from veridical.compiler import expression as ex
from veridical.compiler import field as modulus
from veridical.compiler import ranges
from veridical.compiler.lower.value import Value
from veridical.errors import CompileError

if TYPE_CHECKING:
    from fractions import Fraction

    from veridical.compiler.lower.context import Lowering
    from veridical.compiler.ranges import Range

_MAX_SHIFT: Final = 16
_SMALL_TENSOR: Final = 4096
_MARGIN_BITS: Final = 2


def requantise(
    low: Lowering,
    name: str,
    value: Value,
    function: ex.Expression,
    *,
    bits: int,
    reach: float,
    gain: Fraction | None = None,
) -> Value:
    """Apply a function of one variable to the tensor `name` and return a value of `bits` bits.

    `value` is what stands for `name` now, up to the factor `gain` if one is given that the caller
    keeps outside; the result has at most `bits` magnitude bits and covers `reach`.

    Raises:
        CompileError: the range does not fit a table.
    """
    is_linear = function.is_piecewise_linear()
    is_unit = function.is_identity() or function.is_relu() or function.is_clip() is not None
    out_exponent = low.fit_exponent(reach, bits)
    # An index finer than the result gains little, and puts points of the function on ties.
    extra = 2 if low.is_small and not is_linear else 0
    wanted = max(0, min(_MAX_SHIFT, value.exponent - out_exponent - extra))
    value = _clamped(low, name, value, wanted, gain=gain or value.gain, is_relu=function.is_relu())
    if value.gain != 1:
        function = ex.compose(function, ex.scaled(value.gain))
    tensor = low.tensor(value)
    shift = _least_shift(low, tensor.range, wanted)
    if shift > _MAX_SHIFT:
        raise CompileError(f"{name}: range {tensor.range} does not fit a table", where=name)
    index_exponent = value.exponent - shift
    if is_unit and value.gain == 1:
        # A slope of at most one: an output step below the index step would say nothing.
        out_exponent = min(out_exponent, index_exponent)
    elif is_unit:
        finer = 1 - floor(log2(abs(value.gain)))
        out_exponent = min(out_exponent, index_exponent + finer)
    first, last = (modulus.shift_round(end, shift) for end in tensor.range)
    limits = (-(1 << bits), (1 << bits) - 1)
    if low.is_small:
        # Tables are not shared, so a tight limit costs nothing and leaves the next weight room.
        most = ceil(reach * 2.0**out_exponent)
        limits = (max(limits[0], -most), min(limits[1], most))
    if (
        function.is_identity()
        and index_exponent == out_exponent
        and shift > 0
        and 1 << (modulus.bits_for_span(last - first) + shift) <= modulus.P
        and limits[0] <= first
        and last <= limits[1]
    ):
        emitted = low.builder.emit(
            "shift", [value.tensor], tensor.shape, (first, last), shift=shift, source=name
        )
        return Value(tensor=emitted, exponent=out_exponent)
    group, bounds = low.pool.add_site(
        function,
        indices=(first, last),
        shift=shift,
        index_exponent=index_exponent,
        output_exponent=out_exponent,
        clamp=limits,
    )
    emitted = low.builder.emit(
        "table",
        [value.tensor],
        tensor.shape,
        bounds,
        shift=shift,
        first=0,
        round=1,
        source=name,
    )
    group.sites.append(low.builder.nodes[-1])
    return Value(tensor=emitted, exponent=out_exponent)


def coarsen(low: Lowering, name: str, value: Value, shift: int) -> Value:
    """Round a value to a step that is `2^shift` coarser; more where nothing finer can be had."""
    target = value.exponent - shift
    while value.exponent > target:
        tensor = low.tensor(value)
        step = min(_MAX_SHIFT, value.exponent - target)
        first, last = (modulus.shift_round(end, step) for end in tensor.range)
        if 1 << (modulus.bits_for_span(last - first) + step) <= modulus.P:
            emitted = low.builder.emit(
                "shift", [value.tensor], tensor.shape, (first, last), shift=step, source=name
            )
        else:
            # Too wide for a range check of the result: a table names every result instead.
            step = _least_shift(low, tensor.range, step)
            first, last = (modulus.shift_round(end, step) for end in tensor.range)
            group, bounds = low.pool.add_site(
                ex.identity(),
                indices=(first, last),
                shift=step,
                index_exponent=value.exponent - step,
                output_exponent=value.exponent - step,
                clamp=(-modulus.M, modulus.M),
            )
            emitted = low.builder.emit(
                "table", [value.tensor], tensor.shape, bounds,
                shift=step, first=0, round=1, source=name,
            )  # fmt: skip
            group.sites.append(low.builder.nodes[-1])
        value = replace(value, tensor=emitted, exponent=value.exponent - step)
    return value


def _least_shift(low: Lowering, bounds: Range, wanted: int) -> int:
    """Return the least shift from `wanted` on at which a table covers the range."""
    shift = wanted
    while shift <= _MAX_SHIFT:
        first, last = (modulus.shift_round(end, shift) for end in bounds)
        rows = last - first + 1
        if rows <= 1 << low.precision.table_bits and rows << shift <= modulus.P:
            break
        shift += 1
    return shift


def _clamped(
    low: Lowering, name: str, value: Value, wanted: int, *, gain: Fraction, is_relu: bool
) -> Value:
    """Clamp to the calibrated range if that makes the index at least two bits finer.

    `gain` is the whole factor between `value` and the real tensor that calibration saw.
    In a small model one bit is enough: its few elements are cheap to clamp.
    """
    tensor = low.tensor(value)
    spread = low.calibrated.get(name)
    if spread is None:
        return value
    unit = 2.0**value.exponent / float(gain)
    room = (low.margin - 1) * spread.reach
    ends = sorted(((spread.low - room) * unit, (spread.high + room) * unit))
    least, greatest = max(tensor.range[0], floor(ends[0])), min(tensor.range[1], ceil(ends[1]))
    if is_relu and gain > 0:
        least = 0
    if least >= greatest or not ranges.can_clamp(tensor.range, (least, greatest)):
        return value
    before = _least_shift(low, tensor.range, wanted)
    after = _least_shift(low, (least, greatest), wanted)
    is_cheap = low.is_small and _size(tensor.shape) <= _SMALL_TENSOR
    if before - after < (1 if is_cheap else _MARGIN_BITS):
        return value
    emitted = low.builder.emit(
        "clamp",
        [value.tensor],
        tensor.shape,
        (least, greatest),
        lo=least,
        hi=greatest,
        source=name,
    )
    return Value(tensor=emitted, exponent=value.exponent, gain=value.gain)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for dimension in shape:
        size *= dimension
    return size
