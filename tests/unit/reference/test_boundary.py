"""The float boundary against exact rationals; spec/v1/program.md, section 7."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.differential.floats import adversarial_floats
from veridical.errors import InputError
from veridical.reference import boundary
from veridical.reference.graph import MAX_MAGNITUDE, RealScale

FULL = (-MAX_MAGNITUDE, MAX_MAGNITUDE)

SCALES = st.builds(
    RealScale,
    mul=st.one_of(st.integers(1, 2**31 - 1), st.sampled_from([1, 2, 3, 2**30, 2**31 - 1])),
    shift=st.integers(-96, 96),
)


def by_rationals(values: NDArray[Any], scale: RealScale, bounds: tuple[int, int]) -> list[int]:
    factor = Fraction(scale.mul) / Fraction(2) ** scale.shift
    exact = [math.floor(Fraction(x) * factor + Fraction(1, 2)) for x in values.ravel().tolist()]
    return [min(max(q, bounds[0]), bounds[1]) for q in exact]


@given(st.floats(allow_nan=False, allow_infinity=False), SCALES)
def test_float64_is_the_floor_of_the_exact_rational(value: float, scale: RealScale) -> None:
    values = np.array([value, -value])
    encoded, _ = boundary.encode_real(values, scale, FULL, "x")
    assert encoded.tolist() == by_rationals(values, scale, FULL)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), SCALES)
def test_float32_is_the_floor_of_the_exact_rational(value: float, scale: RealScale) -> None:
    values = np.array([value, -value], np.float32)
    encoded, _ = boundary.encode_real(values, scale, FULL, "x")
    assert encoded.tolist() == by_rationals(values, scale, FULL)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1), SCALES)
def test_integers_of_64_bits_are_exact(signed: int, unsigned: int, scale: RealScale) -> None:
    for values in (np.array([signed], np.int64), np.array([unsigned], np.uint64)):
        encoded, _ = boundary.encode_real(values, scale, FULL, "x")
        assert encoded.tolist() == by_rationals(values, scale, FULL)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [-96, -33, -32, -31, -1, 0, 1, 31, 32, 33, 63, 64, 65, 95, 96])
@pytest.mark.parametrize("mul", [1, 3, 2**16, 2**31 - 1])
def test_adversarial_floats(dtype: type, shift: int, mul: int) -> None:
    scale, bounds = RealScale(mul=mul, shift=shift), (-1000, 2**20)
    values = adversarial_floats(dtype, scale)
    encoded, saturated = boundary.encode_real(values, scale, bounds, "x")
    expected = by_rationals(values, scale, bounds)
    assert encoded.tolist() == expected
    exact = by_rationals(values, scale, (-(2**4000), 2**4000))
    assert saturated == sum(a != b for a, b in zip(exact, expected, strict=True))


def test_halves_go_up_and_negative_zero_is_zero() -> None:
    values = np.array([-1.5, -0.5, -0.0, 0.5, 1.5, 2.4999999])
    encoded, saturated = boundary.encode_real(values, RealScale(mul=1, shift=0), FULL, "x")
    assert encoded.tolist() == [-1, 0, 0, 1, 2, 2]
    assert saturated == 0


def test_saturation_counts_what_the_clamp_changed() -> None:
    values = np.array([-7.0, -5.0, 5.0, 5.4, 5.5, 1e300])
    encoded, saturated = boundary.encode_real(values, RealScale(mul=1, shift=0), (-5, 5), "x")
    assert encoded.tolist() == [-5, -5, 5, 5, 5, 5]
    assert saturated == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("bad", "name"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")]
)
def test_nan_and_infinities_are_named_with_their_position(
    dtype: type, bad: float, name: str
) -> None:
    values: NDArray[Any] = np.ones((2, 3), dtype)
    scale = RealScale(mul=1, shift=0)
    boundary.encode_real(values, scale, FULL, "input 'x'")
    values[1, 2] = bad
    with pytest.raises(InputError, match=name) as caught:
        boundary.encode_real(values, scale, FULL, "input 'x'")
    assert caught.value.where == "input 'x'[1, 2]"


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.complex64, "U3", "O"])
def test_other_dtypes_are_refused(dtype: Any) -> None:
    with pytest.raises(InputError) as caught:
        boundary.encode_real(np.ones(2).astype(dtype), RealScale(mul=1, shift=0), FULL, "x")
    assert caught.value.check == "input_dtype"


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4"])
def test_integer_inputs_pass_unchanged(dtype: str) -> None:
    values = np.array([0, 1, 1], dtype)
    assert boundary.encode_integer(values, (0, 1), "x").tolist() == [0, 1, 1]
    encoded, _ = boundary.encode_real(values, RealScale(mul=3, shift=0), FULL, "x")
    assert encoded.tolist() == [0, 3, 3]


def test_integer_inputs_out_of_range_are_named() -> None:
    with pytest.raises(InputError, match="value 6 ") as caught:
        boundary.encode_integer(np.array([[1, 2], [3, 6]]), (-5, 5), "input 'x'")
    assert caught.value.where == "input 'x'[1, 1]"
    with pytest.raises(InputError, match="dtype float64"):
        boundary.encode_integer(np.array([1.0]), (-5, 5), "x")
    with pytest.raises(InputError, match="value 18446744073709551615 "):
        boundary.encode_integer(np.array([2**64 - 1], np.uint64), (-5, 5), "x")


@given(st.integers(-MAX_MAGNITUDE, MAX_MAGNITUDE), st.integers(1, 2**22 - 1), SCALES)
def test_decoding_is_exact(value: int, mul: int, scale: RealScale) -> None:
    used = RealScale(mul=mul, shift=scale.shift)
    (decoded,) = boundary.decode(np.array([value], np.int32), used).tolist()
    assert Fraction(decoded) == Fraction(value * mul) / Fraction(2) ** used.shift
