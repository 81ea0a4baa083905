"""Real values to integers and back: integer arithmetic on the bits, no floating-point operation.

Spec: spec/v1/program.md, section 7. A value is `mantissa * 2^exponent`. The product with `mul` has
up to 96 bits and is kept as two limbs, `high * 2^32 + low` with `0 <= low < 2^32`, so that floor
division by a power of two is a shift of the high limb.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from veridical.errors import InputError

if TYPE_CHECKING:
    from veridical.reference.graph import RealScale

Int64: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]

_LIMB_BITS = 32
_LIMB_MASK = 2**32 - 1


def encode_real(
    values: NDArray[np.generic], scale: RealScale, bounds: tuple[int, int], where: str
) -> tuple[NDArray[np.int32], int]:
    """Return `floor(x * mul / 2^shift + 1/2)`, clamped, and how many elements the clamp changed.

    Raises:
        InputError: the dtype is not accepted, or an element is NaN or infinite.
    """
    negative, mantissa, exponent = _decompose(values, where)
    high, low = _product(negative, mantissa, scale.mul)
    rounded = _rounded_shift(high, low, scale.shift - exponent)
    clamped = np.clip(rounded, *bounds)
    return clamped.astype(np.int32), int(np.count_nonzero(clamped != rounded))


def encode_integer(
    values: NDArray[np.generic], bounds: tuple[int, int], where: str
) -> NDArray[np.int32]:
    """Return the values themselves.

    Raises:
        InputError: the dtype is no integer or boolean one, or a value is out of range.
    """
    if values.dtype.kind not in "iub":
        message = f"dtype {values.dtype}, expected an integer or boolean one"
        raise InputError(message, where, "input_dtype")
    integers: NDArray[Any] = values.astype(np.int8) if values.dtype.kind == "b" else values
    low, high = bounds
    # Bounds that the dtype cannot hold are compared by NumPy as Python integers, without wrapping.
    outside = (integers < low) | (integers > high)
    if outside.any():
        position = _first(outside)
        message = f"value {integers[position]} is outside [{low}, {high}]"
        raise InputError(message, f"{where}{list(position)}", "input_range")
    return integers.astype(np.int32)


def decode(values: NDArray[np.signedinteger], scale: RealScale) -> NDArray[np.float64]:
    """Return `q * mul / 2^shift`; below 2^31 * 2^22 and then a power of two, so exact."""
    return np.ldexp((values.astype(np.int64) * scale.mul).astype(np.float64), -scale.shift)


def _first(found: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(found)[0])


def _decompose(
    values: NDArray[np.generic], where: str
) -> tuple[NDArray[np.bool_], Words, Int64 | int]:
    """Split into sign, magnitude mantissa and exponent of two."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "f" and size in (4, 8):
        return _decompose_float(values, where)
    if kind == "i":
        wide = values.astype(np.int64)
        # The magnitude of -2^63 has no int64; two's complement in unsigned words gives it.
        words = wide.view(np.uint64)
        return wide < 0, np.where(wide < 0, ~words + np.uint64(1), words), 0
    if kind in "ub":
        return np.zeros(values.shape, np.bool_), values.astype(np.uint64), 0
    message = f"dtype {values.dtype}, expected float32, float64, an integer or a boolean one"
    raise InputError(message, where, "input_dtype")


def _decompose_float(
    values: NDArray[np.generic], where: str
) -> tuple[NDArray[np.bool_], Words, Int64]:
    fraction_bits, exponent_bits = (23, 8) if values.dtype.itemsize == 4 else (52, 11)  # noqa: PLR2004
    native = values.astype(values.dtype.newbyteorder("="), order="C")
    bits = native.view(np.uint32 if fraction_bits == 23 else np.uint64).astype(np.uint64)  # noqa: PLR2004
    fraction = bits & np.uint64(2**fraction_bits - 1)
    field = (bits >> np.uint64(fraction_bits)) & np.uint64(2**exponent_bits - 1)
    special = field == np.uint64(2**exponent_bits - 1)
    if special.any():
        position = _first(special)
        name = "NaN" if fraction[position] else "an infinity"
        raise InputError(f"{name} has no integer", f"{where}{list(position)}", "input_finite")
    normal = field > 0
    mantissa = fraction | np.where(normal, np.uint64(2**fraction_bits), np.uint64(0))
    # A subnormal has the exponent of the least normal number and no hidden bit.
    bias = 2 ** (exponent_bits - 1) - 1
    exponent = np.where(normal, field, np.uint64(1)).astype(np.int64) - (bias + fraction_bits)
    negative = (bits >> np.uint64(fraction_bits + exponent_bits)) == np.uint64(1)
    return negative, mantissa, exponent


def _product(negative: NDArray[np.bool_], mantissa: Words, mul: int) -> tuple[Int64, Int64]:
    """Return the limbs of `+-mantissa * mul`: each partial product is below 2^63."""
    factor = np.uint64(mul)
    lower = (mantissa & np.uint64(_LIMB_MASK)) * factor
    upper = (mantissa >> np.uint64(_LIMB_BITS)) * factor + (lower >> np.uint64(_LIMB_BITS))
    high = upper.astype(np.int64)
    low = (lower & np.uint64(_LIMB_MASK)).astype(np.int64)
    # -(high * 2^32 + low) = (-high - 1) * 2^32 + (2^32 - low) unless low is 0.
    borrow = low > 0
    high = np.where(negative, -high - borrow, high)
    low = np.where(negative & borrow, 2**_LIMB_BITS - low, low)
    return high, low


def _rounded_shift(high: Int64, low: Int64, shift: Int64 | int) -> Int64:
    """Return `floor((high * 2^32 + low) / 2^shift + 1/2)`, exact below 2^31 in magnitude.

    Beyond, the result is only known to be at least 2^31 - 1 in magnitude and of the right sign;
    every range ends before that.
    """
    amount = np.broadcast_to(np.asarray(shift, np.int64), high.shape)
    # Above one limb: floor(high / 2^(s-1)), plus 1, halved. A shift of 63 already leaves the sign.
    beyond = np.clip(amount - _LIMB_BITS - 1, 0, 63)
    large = ((high >> beyond) + 1) >> 1
    # Within one limb both parts are exact. The cap is beyond every range for any shift <= 32, and
    # (2^31 - 1) * 2^32 + low is still below 2^63.
    capped = np.clip(high, -(2**31), 2**31 - 1)
    within = np.clip(amount, 0, _LIMB_BITS)
    half = np.where(within > 0, np.int64(1) << np.maximum(within - 1, 0), 0)
    middle = (capped << (_LIMB_BITS - within)) + ((low + half) >> within)
    # Negative shift: multiply what `within = 0` left, capped so that 31 more bits cannot overflow.
    small = np.clip(middle, -(2**31), 2**31) << np.clip(-amount, 0, 31)
    return np.where(amount > _LIMB_BITS, large, np.where(amount >= 0, middle, small))
