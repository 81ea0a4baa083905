"""Both implementations read and write real numbers alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.differential.draft import Draft
from tests.differential.floats import adversarial_floats
from tests.differential.random_programs import random_inputs, random_program
from veridical import _core, reference
from veridical.errors import InputError
from veridical.reference.graph import MAX_MAGNITUDE, RealScale

DTYPES = ["f4", "f8", "?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


def both(
    mul: int, shift: int, lo: int, hi: int, size: int, *, integer: bool = False
) -> tuple[reference.ReferenceProgram, _core.Program]:
    draft = Draft()
    real = {"kind": "real", "mul": mul, "shift": shift}
    draft.add_input((size,), lo, hi, encode=None if integer else real)
    draft.add_output(draft.add_node("add", [0], coeff=[1]), mul=min(mul, 2**22 - 1), shift=shift)
    return both_of(draft.to_bytes())


def both_of(content: bytes) -> tuple[reference.ReferenceProgram, _core.Program]:
    return reference.load(content), _core.Program.from_bytes(content)


def assert_same_encoding(
    engines: tuple[reference.ReferenceProgram, _core.Program], values: NDArray[Any]
) -> None:
    expected = engines[0].encode({"in0": values})
    tensors, saturated = engines[1].encode({"in0": values})
    assert np.array_equal(tensors["in0"], expected.values["in0"])
    assert tensors["in0"].dtype == np.int32
    assert saturated == expected.saturation_count


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mul", [1, 2, 3, 12345, 2**30, 2**31 - 1])
@pytest.mark.parametrize("shift", [*range(-96, 97, 8), -1, 1, 31, 33, 63, 65])
def test_adversarial_floats_encode_alike(dtype: type, mul: int, shift: int) -> None:
    values = adversarial_floats(dtype, RealScale(mul=mul, shift=shift))[None]
    for lo, hi in [(-MAX_MAGNITUDE, MAX_MAGNITUDE), (-3, 1000)]:
        assert_same_encoding(both(mul, shift, lo, hi, values.size), values)


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=8, max_size=8),
    st.sampled_from(DTYPES),
    st.integers(1, 2**31 - 1),
    st.integers(-96, 96),
    st.tuples(st.integers(-MAX_MAGNITUDE, 0), st.integers(0, MAX_MAGNITUDE)),
)
def test_any_bits_of_any_dtype_encode_alike(
    bits: list[int], dtype: str, mul: int, shift: int, bounds: tuple[int, int]
) -> None:
    words = np.array(bits, "u8")
    values = words % 2 == 1 if dtype == "?" else words.view(dtype)[-8:]
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, 0).astype(dtype)
    engines = both(mul, shift, *bounds, 8)
    assert_same_encoding(engines, values[None])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("pattern", ["nan", "inf", "-inf", "payload"])
@pytest.mark.parametrize("place", [0, 4, 9])
def test_nan_and_infinities_are_refused_by_both(dtype: str, pattern: str, place: int) -> None:
    engines = both(1, 0, -5, 5, 10)
    values = np.zeros((1, 10), dtype)
    assert_same_encoding(engines, values)
    if pattern == "payload":  # a signalling NaN with the sign bit set
        bits = 0xFF800001 if dtype == "f4" else 0xFFF0000000000001
        values.view(f"u{values.itemsize}")[0, place] = bits
    else:
        values[0, place] = float(pattern)
    for encode in (engines[0].encode, engines[1].encode):
        with pytest.raises(InputError) as caught:
            encode({"in0": values})
        assert "in0" in str(caught.value)
        assert str(place) in str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES[2:])
def test_integer_inputs_encode_alike(dtype: str) -> None:
    top = 1 if dtype == "?" else min(np.iinfo(dtype).max, MAX_MAGNITUDE)
    bottom = 0 if dtype == "?" else max(np.iinfo(dtype).min, -MAX_MAGNITUDE)
    values = np.array([[top, bottom, 1, 0]]).astype(dtype)
    assert_same_encoding(both(1, 0, bottom, top, 4, integer=True), values)


@pytest.mark.parametrize("value", [6, -6, 2**31, 2**32 + 1, -(2**63), 2**63 - 1])
def test_integers_out_of_range_are_refused_by_both(value: int) -> None:
    engines = both(1, 0, -5, 5, 3, integer=True)
    values = np.array([[1, value, 2]], "i8")
    for encode in (engines[0].encode, engines[1].encode):
        with pytest.raises(InputError) as caught:
            encode({"in0": values})
        assert str(value) in str(caught.value)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
def test_floats_are_refused_by_integer_inputs_of_both(dtype: str) -> None:
    engines = both(1, 0, -5, 5, 3, integer=True)
    for encode in (engines[0].encode, engines[1].encode):
        with pytest.raises(InputError):
            encode({"in0": np.ones((1, 3), dtype)})


@pytest.mark.parametrize(
    "values",
    [np.ones((1, 3), "f2"), np.ones((1, 3), "c8"), np.ones((1, 4)), np.ones(3), np.ones((0, 3))],
    ids=["half", "complex", "shape", "no_batch", "empty_batch"],
)
def test_other_arrays_are_refused_by_both(values: NDArray[Any]) -> None:
    engines = both(1, 0, -5, 5, 3)
    assert_same_encoding(engines, np.ones((1, 3)))
    for encode in (engines[0].encode, engines[1].encode):
        with pytest.raises(InputError):
            encode({"in0": values})


def test_real_questions_get_the_same_real_answers() -> None:
    """The extension's one-step `infer` is encode, run and decode of the reference."""
    answered = 0
    for seed in range(60):
        draft, rng = random_program(seed), np.random.default_rng(seed)
        program, core = both_of(draft.to_bytes())
        inputs: dict[str, NDArray[Any]] = {}
        for name, values in random_inputs(draft, rng, 2).items():
            encode = next(item["encode"] for item in draft.inputs if item["name"] == name)
            inputs[name] = values
            if encode["kind"] == "real":
                noisy = (values + rng.normal(size=values.shape)) / encode["mul"]
                inputs[name] = np.ldexp(noisy, encode["shift"]).astype(
                    str(rng.choice(["f4", "f8"]))
                )
        try:
            run = program.run(program.encode(inputs).values)
        except InputError:
            with pytest.raises(InputError):
                _core.Executor(core).infer(inputs)
            continue
        expected, actual = program.decode(run.outputs), _core.Executor(core).infer(inputs)
        for name, reals in expected.items():
            assert actual[name].tobytes() == reals.tobytes(), f"seed {seed}, output {name}"
        answered += 1
    assert answered > 30


@given(
    st.lists(st.integers(-MAX_MAGNITUDE, MAX_MAGNITUDE), min_size=6, max_size=6),
    st.integers(1, 2**22 - 1),
    st.integers(-96, 96),
)
def test_outputs_decode_alike(values: list[int], mul: int, shift: int) -> None:
    engines = both(mul, shift, -MAX_MAGNITUDE, MAX_MAGNITUDE, 6)
    outputs = {"out0": np.array([values], np.int32)}
    expected, actual = engines[0].decode(outputs), engines[1].decode(outputs)
    assert expected["out0"].tobytes() == actual["out0"].tobytes()
