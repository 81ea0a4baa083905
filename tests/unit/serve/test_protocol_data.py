"""Data of a request in JSON: numbers of the stated shape, or refused before they cost memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veridical.inference_protocol import DATATYPES, ProtocolError, _from_json, parse_request
from veridical.origins import Origins

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


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "data", "binary_data_size"]), inner, max_size=3)
    ),
    max_leaves=8,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["x", "y"]) | VALUES,
        "shape": st.lists(st.integers(-1, 3), max_size=4) | VALUES,
        "datatype": st.sampled_from([*DATATYPES, "BYTES"]) | VALUES,
        "data": VALUES,
        "parameters": VALUES
        | st.fixed_dictionaries({"binary_data_size": st.integers(0, 40) | VALUES}),
    },
)
REQUESTS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=3) | VALUES},
    optional={"id": VALUES, "parameters": VALUES, "outputs": st.lists(VALUES, max_size=2) | VALUES},
)


@settings(max_examples=150, deadline=None)
@given(REQUESTS, st.binary(max_size=40), st.booleans())
def test_a_request_is_read_or_refused(document: Any, tail: bytes, is_compared: bool) -> None:
    head = orjson.dumps(document)
    shapes = {"x": (3,)} if is_compared else None
    try:
        request = parse_request(head + tail, str(len(head)), shapes=shapes, max_items=2)
    except ProtocolError:  # and nothing else
        return
    for array in request.inputs.values():
        assert array.dtype in DATATYPES.values()
        assert array.size > 0
    if is_compared:
        assert request.inputs["x"].shape == (request.items, 3)
        assert 1 <= request.items <= 2


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=20) | st.from_regex(rb"[a-z0-9.\[\]:]{1,20}", fullmatch=True))
def test_few_names_are_loopback(host: bytes) -> None:
    problem = Origins().problem("GET", {b"host": host})
    name = host.lower().decode("latin-1")
    if problem is None:
        assert name.startswith(("localhost", "127.", "[", "[::1]"))
    else:
        assert problem[0] == "bad_host"
