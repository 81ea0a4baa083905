"""Bytes that are no program are refused by name; their good neighbour is loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.differential.broken_files import BrokenFile, broken_files, good_draft, join, split
from veridical import reference
from veridical.errors import InputError, ProgramError

BROKEN = broken_files()


def test_the_good_file_runs() -> None:
    program = reference.load(good_draft().to_bytes())
    encoded = program.encode({"x": np.array([[1.0, -0.5, 2.0]]), "y": np.array([[3, 4]])})
    # 12 x + 1/2, floored and clamped to [-8, 7].
    assert encoded.values["x"].tolist() == [[7, -6, 7]]
    assert encoded.saturation_count == 2
    run = program.run(encoded.values)
    assert run.tensors[2].tolist() == [[7 - 12 + 21 + 7, 28 - 30 + 42 - 8]]
    assert run.tensors[3].tolist() == [[23 + 6, 32 + 8]]
    decoded = program.decode(run.outputs)
    assert decoded["out0"].dtype == np.float64


@pytest.mark.parametrize("broken", BROKEN, ids=[broken.name for broken in BROKEN])
def test_a_broken_file_is_refused(broken: BrokenFile) -> None:
    with pytest.raises(ProgramError) as caught:
        reference.load(broken.content)
    assert caught.value.check is not None
    assert caught.value.where is not None


def test_the_header_may_be_spaced_and_padded() -> None:
    header, body = split(good_draft().to_bytes())
    spaced = header.rstrip(b" ").replace(b'{"dtype"', b'{ "dtype"') + b"     "
    plain = reference.load(join(header, body))
    assert reference.load(join(spaced, body)).digest == plain.digest


def test_every_truncation_is_refused() -> None:
    good = good_draft().to_bytes()
    for length in range(0, len(good), 7):
        with pytest.raises(ProgramError):
            reference.load(good[:length])


def test_a_key_file_is_checked_without_weights() -> None:
    draft = good_draft()
    program = reference.load(draft.to_bytes())
    key = reference.load_key(draft.to_key_bytes(program.weight_root))
    assert key.digest == program.digest
    other = reference.load_key(draft.to_key_bytes(bytes(32)))
    assert other.digest != program.digest
    with pytest.raises(ProgramError, match="format"):
        reference.load_key(draft.to_bytes())
    draft.tensors[3]["hi"] -= 1  # `add` does not depend on weights
    with pytest.raises(ProgramError) as caught:
        reference.load_key(draft.to_key_bytes(program.weight_root))
    assert caught.value.check == "range"


def test_inputs_are_checked_by_name_shape_and_batch() -> None:
    program = reference.load(good_draft().to_bytes())
    good = {"x": np.zeros((2, 3), np.int32), "y": np.zeros((2, 2), np.int32)}
    program.run(good)
    refused: list[tuple[str, dict[str, NDArray[Any]]]] = [
        ("input_names", {"z": good["x"]}),
        ("input_shape", {"x": np.zeros((2, 4), np.int32)}),
        ("input_shape", {"x": np.zeros(3, np.int32)}),
        ("input_shape", {"x": np.zeros((0, 3), np.int32)}),
        ("input_batch", {"x": np.zeros((1, 3), np.int32)}),
        ("input_range", {"x": np.full((2, 3), 8)}),
        ("input_dtype", {"x": np.zeros((2, 3))}),
    ]
    for check, change in refused:
        with pytest.raises(InputError) as caught:
            program.run({**good, **change})
        assert caught.value.check == check


@pytest.mark.parametrize(
    "values", [[[1, 2], [3]], "abc", None, [["a", "b", "c"]], [[1j, 2, 3]], [[{}, 1, 2]], {}]
)
def test_things_that_are_no_arrays_are_refused_by_name(values: Any) -> None:
    program = reference.load(good_draft().to_bytes())
    for ask in (program.run, program.encode):
        with pytest.raises(InputError):
            ask({"x": values, "y": np.zeros((1, 2), np.int32)})


def test_outputs_are_checked_before_they_are_decoded() -> None:
    program = reference.load(good_draft().to_bytes())
    assert program.decode({"out0": np.array([[1, 2]], np.int32)})["out0"].tolist() == [[1, 2]]
    for outputs in ({}, {"other": np.array([1])}, {"out0": np.array([1.5])}):
        with pytest.raises(InputError):
            program.decode(outputs)
