"""Data of a request in JSON: numbers of the stated shape, or refused before they cost memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from veridical.inference_protocol import ProtocolError, _from_json

FLOAT, INT, BOOL = np.dtype("<f4"), np.dtype("<i4"), np.dtype("?")


@pytest.mark.parametrize(
    ("data", "dtype", "expected"),
    [
        ([1, 2.5, 3, 4], FLOAT, [1, 2.5, 3, 4]),
        ([[1, 2], [3, 4]], INT, [1, 2, 3, 4]),
        ([[[1], [2]], [[3], [4]]], INT, [1, 2, 3, 4]),
        ([True, False, True, True], BOOL, [True, False, True, True]),
    ],
)
def test_numbers_of_the_shape_are_taken(data: Any, dtype: Any, expected: list[Any]) -> None:
    assert _from_json("x", data, dtype, 4).tolist() == expected


@pytest.mark.parametrize(
    "data",
    [
        [1, 2, 3],
        [1, 2, 3, 4, 5],
        [[1, 2], [3]],
        [[1, 2], [3], [4]],
        [[1, 2], 3, 4],
        [1, 2, 3, "4"],
        [1, 2, 3, None],
        [1, 2, 3, {}],
        [True, 2, 3, 4],
        [[[[[[[[[[[1, 2, 3, 4]]]]]]]]]]],
        {"0": 1},
    ],
)
def test_everything_else_is_refused(data: Any) -> None:
    for dtype in (FLOAT, INT):
        with pytest.raises(ProtocolError):
            _from_json("x", data, dtype, 4)


def test_a_long_string_among_many_costs_nothing() -> None:
    data = ["x" * 2**20, *([""] * 500)]
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            _from_json("x", data, FLOAT, 501)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20
