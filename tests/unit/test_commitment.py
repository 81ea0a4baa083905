"""Commitments and canonical tensor bytes."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.conftest import FULL_CAMPAIGN
from veridical.commitment import (
    FIELDS,
    Commitment,
    frame,
    sha256_digest,
    tensors_from_bytes,
    tensors_to_bytes,
)
from veridical.errors import FieldError, InputError, MalformedError, NonCanonicalError

pytestmark = pytest.mark.timeout(1800 if FULL_CAMPAIGN else 60)


SALT = bytes(range(32))
DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"]
names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, max_side=4))
)
tensor_sets = st.dictionaries(names, arrays, min_size=1, max_size=4)


def test_a_plain_commitment_is_the_hash_that_the_specification_writes() -> None:
    parts = [b"veridical.commitment.v1", b"output.decoded", b"plain", b"", b"content"]
    expected = hashlib.sha256(b"".join(len(p).to_bytes(8, "little") + p for p in parts)).hexdigest()
    assert str(Commitment.commit("output.decoded", b"content")) == f"sha256:{expected}"


def test_a_salted_commitment_is_the_hash_that_the_specification_writes() -> None:
    parts = [b"veridical.commitment.v1", b"input.received", b"salted", SALT, b"content"]
    expected = hashlib.sha256(b"".join(len(p).to_bytes(8, "little") + p for p in parts)).hexdigest()
    commitment = Commitment.commit("input.received", b"content", salt=SALT)
    assert str(commitment) == f"sha256-salted:{expected}"
    assert commitment.opens_to("input.received", b"content", salt=SALT)
    assert not commitment.opens_to("input.received", b"content", salt=SALT[::-1])
    with pytest.raises(InputError, match="only with its salt"):
        commitment.opens_to("input.received", b"content", salt=None)


def test_no_field_and_no_form_gives_the_digest_of_another() -> None:
    made = [Commitment.commit(field, b"c") for field in FIELDS]
    made += [Commitment.commit(field, b"c", salt=SALT) for field in FIELDS]
    assert len({commitment.digest for commitment in made}) == 2 * len(FIELDS)


def test_an_unknown_field_and_a_short_salt_are_refused() -> None:
    with pytest.raises(InputError, match="unknown commitment field"):
        Commitment.commit("output", b"")
    with pytest.raises(InputError, match="32 bytes"):
        Commitment.commit("input.received", b"", salt=b"short")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:" + "0" * 63,
        "sha256:" + "A" * 64,
        "sha512:" + "0" * 64,
        "sha256-salted" + "0" * 64,
        "sha256:" + "0" * 64 + "\n",
    ],
)
def test_text_that_is_no_commitment_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match="not a commitment"):
        Commitment.from_text(text, where="here")


def test_frames_keep_fields_apart() -> None:
    assert frame(b"ab", b"c") != frame(b"a", b"bc")
    assert sha256_digest("tag", b"ab", b"c") != sha256_digest("tag", b"a", b"bc")


@given(tensor_sets)
def test_tensors_are_read_back_bit_for_bit(tensors: dict[str, Any]) -> None:
    encoded = tensors_to_bytes(tensors)
    again = tensors_from_bytes(encoded)
    assert list(again) == sorted(tensors)
    for name, array in again.items():
        assert array.dtype == tensors[name].dtype
        assert array.shape == tensors[name].shape
        assert array.tobytes() == tensors[name].tobytes()
    assert tensors_to_bytes(again) == encoded


def test_memory_layout_and_byte_order_do_not_matter() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    layouts = [array, np.asfortranarray(array), array.astype(">f4"), np.repeat(array, 2, 1)[:, ::2]]
    assert len({tensors_to_bytes({"x": layout}) for layout in layouts}) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"x": np.array([[1, 2]], np.float32).T},
        {"x": np.array([[1, 2]], np.float64)},
        {"x": np.array([[1, 2]], np.int32)},
        {"y": np.array([[1, 2]], np.float32)},
        {"x": np.array([1, 2], np.float32)},
        {"x": np.array([[1, 2]], np.float32), "y": np.array([1], np.float32)},
        {"x": np.array([[1, np.nextafter(np.float32(2), np.float32(3))]], np.float32)},
    ],
)
def test_another_name_shape_dtype_or_bit_gives_other_bytes(other: dict[str, Any]) -> None:
    assert tensors_to_bytes(other) != tensors_to_bytes({"x": np.array([[1, 2]], np.float32)})


def test_negative_zero_is_another_value() -> None:
    assert tensors_to_bytes({"x": np.array([0.0], np.float32)}) != tensors_to_bytes(
        {"x": np.array([-0.0], np.float32)}
    )


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "1 to 256"),
        ({"x": np.zeros(2, np.complex64)}, "cannot be committed"),
        ({"x": np.zeros(2, np.float16)}, "cannot be committed"),
        ({"x": np.array(["a"])}, "cannot be committed"),
        ({"x": np.array([None])}, "cannot be committed"),
        ({"x": np.zeros((1,) * 10)}, "more than 9 axes"),
        ({"x": np.zeros((2, 0))}, "empty"),
        ({"": np.zeros(1)}, "printable"),
        ({'"': np.zeros(1)}, "printable"),
        ({"ä": np.zeros(1)}, "printable"),
    ],
)
def test_what_has_no_canonical_form_is_refused(tensors: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tensors_to_bytes(tensors)


def test_every_changed_byte_of_tensors_is_another_value_or_refused() -> None:
    honest = tensors_to_bytes({"a": np.array([[1, 2]], np.int32), "b": np.array([True])})
    refused = 0
    for offset in range(len(honest)):
        for flip in (1, 0x80, 0xFF):
            mutant = bytearray(honest)
            mutant[offset] ^= flip
            try:
                tensors = tensors_from_bytes(bytes(mutant))
            except MalformedError:
                refused += 1
            else:
                assert tensors_to_bytes(tensors) == bytes(mutant)
    assert refused > len(honest)


def test_bytes_of_another_form_are_refused_by_name() -> None:
    one = tensors_to_bytes({"a": np.array([1], np.int32)})
    head = frame(b"veridical.tensors.v1")
    two = (2).to_bytes(8, "little")
    item_a, item_b = (
        frame(name, b"i32", (1).to_bytes(8, "little"), bytes(4)) for name in (b"a", b"b")
    )
    assert tensors_from_bytes(head + two + item_a + item_b)
    cases = {
        b"": FieldError,
        b"\xff" * 64: FieldError,
        one[:-1]: FieldError,
        one + b"\0": NonCanonicalError,
        head + two + item_b + item_a: NonCanonicalError,
        head + two + item_a + item_a: NonCanonicalError,
        head + (0).to_bytes(8, "little"): FieldError,
        head + (2**63).to_bytes(8, "little"): FieldError,
    }
    for untrusted, expected in cases.items():
        with pytest.raises(expected):
            tensors_from_bytes(untrusted)


def test_a_huge_dimension_allocates_nothing() -> None:
    huge = (2**63 - 1).to_bytes(8, "little")
    for shape in (huge, huge + (0).to_bytes(8, "little"), huge * 9):
        item = frame(b"a", b"i8", shape, b"")
        untrusted = frame(b"veridical.tensors.v1") + (1).to_bytes(8, "little") + item
        with pytest.raises(FieldError, match="does not fit"):
            tensors_from_bytes(untrusted)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_a_named_error(untrusted: bytes) -> None:
    prefix = frame(b"veridical.tensors.v1")
    for candidate in (
        untrusted,
        prefix + untrusted,
        prefix + (1).to_bytes(8, "little") + untrusted,
    ):
        try:
            tensors_from_bytes(candidate)
        except MalformedError:
            continue


def test_a_true_that_is_not_one_is_written_as_one() -> None:
    odd = np.array([2, 0, 255], np.uint8).view(np.bool_)
    assert tensors_to_bytes({"x": odd}) == tensors_to_bytes({"x": np.array([True, False, True])})


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="printable"):
        tensors_to_bytes({"\ud800": np.zeros(1)})


def test_the_highest_rank_and_the_longest_name_are_committed_to() -> None:
    tensors = {"n" * 128: np.zeros((1,) * 9, np.int8)}
    assert tensors_from_bytes(tensors_to_bytes(tensors))["n" * 128].ndim == 9
    with pytest.raises(InputError, match="printable"):
        tensors_to_bytes({"n" * 129: np.zeros(1)})


def test_the_largest_number_of_tensors_is_read_back() -> None:
    tensors = {f"t{i:03}": np.zeros(1, np.int8) for i in range(256)}
    assert len(tensors_from_bytes(tensors_to_bytes(tensors))) == 256
    with pytest.raises(InputError, match="1 to 256"):
        tensors_to_bytes({**tensors, "u": np.zeros(1, np.int8)})
