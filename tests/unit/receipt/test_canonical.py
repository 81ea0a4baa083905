"""Canonical JSON and base64: one encoding of each value, every other refused by name."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import FULL_CAMPAIGN
from veridical.errors import (
    DuplicateKeyError,
    InternalError,
    MalformedError,
    NestingError,
    NonCanonicalError,
    OversizeError,
    TrailingBytesError,
)
from veridical.receipt import canonical
from veridical.receipt.canonical import MAX_DEPTH, MAX_INTEGER, MAX_VALUES, Value

pytestmark = pytest.mark.timeout(1800 if FULL_CAMPAIGN else 60)


texts = st.text(st.sampled_from([chr(c) for c in range(0x20, 0x7F) if chr(c) not in '"\\']))
integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
values = st.recursive(
    texts | integers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def decode(untrusted: bytes) -> Value:
    return canonical.decode(untrusted, max_bytes=2**20, where="test")


def depth(value: Value) -> int:
    if isinstance(value, dict):
        return 1 + max((depth(member) for member in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(item) for item in value), default=0)
    return 0


@given(values)
def test_what_is_encoded_is_read_back(value: Value) -> None:
    if depth(value) > MAX_DEPTH:
        with pytest.raises(NestingError):
            decode(canonical.encode(value))
    else:
        assert decode(canonical.encode(value)) == value


@given(values, st.data())
def test_whatever_is_read_encodes_to_the_same_bytes(value: Value, data: st.DataObject) -> None:
    mutant = bytearray(canonical.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        offset = data.draw(st.integers(0, len(mutant)))
        kind = data.draw(st.sampled_from(["insert", "delete", "replace"]))
        byte = data.draw(st.sampled_from(b' ":,[]{}\\0123-.etrufalsn\n\t\x00\xff'))
        if kind == "insert":
            mutant.insert(offset, byte)
        elif offset < len(mutant):
            if kind == "delete":
                del mutant[offset]
            else:
                mutant[offset] = byte
    try:
        parsed = decode(bytes(mutant))
    except MalformedError:
        return
    assert canonical.encode(parsed) == bytes(mutant)


@given(st.binary(max_size=64))
def test_arbitrary_bytes_raise_nothing_but_a_named_error(untrusted: bytes) -> None:
    try:
        parsed = decode(untrusted)
    except MalformedError:
        return
    assert canonical.encode(parsed) == untrusted


@given(values)
def test_it_agrees_with_the_standard_parser(value: Value) -> None:
    encoded = canonical.encode(value)
    if depth(value) <= MAX_DEPTH:
        assert json.loads(encoded) == decode(encoded)


@pytest.mark.parametrize(
    ("untrusted", "error", "message"),
    [
        (b'{"a":1,"a":2}', DuplicateKeyError, "'a' stands twice"),
        (b'{"b":1,"a":2}', NonCanonicalError, "out of order"),
        (b'{"a":1} ', TrailingBytesError, "1 bytes"),
        (b'{"a":1}{"a":1}', TrailingBytesError, "7 bytes"),
        (b'{"a":1}\n', TrailingBytesError, "1 bytes"),
        (b"[" * 9 + b"]" * 9, NestingError, "deeper than 8"),
        (b"[" * 100_000, NestingError, "deeper than 8"),
        (b'{"a":' * 100_000, NestingError, "deeper than 8"),
        (b' {"a":1}', NonCanonicalError, "white space"),
        (b'{ "a":1}', NonCanonicalError, "white space"),
        (b'{"a" :1}', NonCanonicalError, "white space"),
        (b'{"a": 1}', NonCanonicalError, "white space"),
        (b"[1, 2]", NonCanonicalError, "white space"),
        (b'"\\u0041"', NonCanonicalError, "escape"),
        (b'"\\""', NonCanonicalError, "escape"),
        (b'"\xc3\xa4"', NonCanonicalError, "printable ASCII"),
        (b'"\x00"', NonCanonicalError, "printable ASCII"),
        (b'"\x7f"', NonCanonicalError, "printable ASCII"),
        (b"1.0", NonCanonicalError, "shortest integer"),
        (b"1e3", NonCanonicalError, "shortest integer"),
        (b"01", NonCanonicalError, "shortest integer"),
        (b"+1", NonCanonicalError, "shortest integer"),
        (b"-0", NonCanonicalError, "out of range"),
        (b"9007199254740992", NonCanonicalError, "out of range"),
        (b"-9007199254740992", NonCanonicalError, "out of range"),
        (b"1" * 5000, NonCanonicalError, "shortest integer"),
        (b"true", NonCanonicalError, "true is not a value"),
        (b"[false]", NonCanonicalError, "false is not a value"),
        (b'{"a":null}', NonCanonicalError, "null is not a value"),
        (b"NaN", NonCanonicalError, "NaN is not a value"),
        (b"-Infinity", NonCanonicalError, "shortest integer"),
        (b"", MalformedError, "ends early"),
        (b'{"a"', MalformedError, "ends early"),
        (b'{"a":', MalformedError, "ends early"),
        (b"[1,", MalformedError, "ends early"),
        (b'"abc', MalformedError, "does not end"),
        (b"[1,]", MalformedError, "expected a value"),
        (b'{"a":1,}', MalformedError, "expected a key"),
        (b"{1:2}", MalformedError, "expected a key"),
        (b"\xef\xbb\xbf{}", MalformedError, "expected a value"),
        (b"{}\x00", TrailingBytesError, "1 bytes"),
        (b"[" + b"1," * MAX_VALUES + b"1]", OversizeError, "more than 4096 values"),
    ],
)
def test_every_other_encoding_is_refused_by_name(
    untrusted: bytes, error: type[MalformedError], message: str
) -> None:
    with pytest.raises(MalformedError, match=message) as caught:
        decode(untrusted)
    assert type(caught.value) is error
    assert caught.value.where is not None


def test_size_is_checked_before_anything_is_parsed() -> None:
    with pytest.raises(OversizeError, match="at most 10"):
        canonical.decode(b"[" * 11, max_bytes=10, where="test")


def test_time_is_bounded_for_hostile_documents_of_full_size() -> None:
    size = 32 * 2**20
    hostile = [
        b"[" * size,
        b"[" + b"1," * (size // 2 - 1),
        b"{" * size,
        b'["' + b"a" * (size - 2),
        b'["' + b"\\" * (size - 2),
        b" " * size,
        b"9" * size,
        b"\xff" * size,
    ]
    for untrusted in hostile:
        start = time.perf_counter()
        with pytest.raises(MalformedError):
            canonical.decode(untrusted, max_bytes=size, where="test")
        assert time.perf_counter() - start < 1.0, untrusted[:4]


@pytest.mark.parametrize(
    "value", ["\n", "ä", '"', "\\", 2**53, -(2**53), 1.5, None, True, [None], {"a": 1.0}, {"\t": 1}]
)
def test_a_value_without_canonical_form_is_not_encoded(value: Value) -> None:
    with pytest.raises(InternalError, match="no canonical form"):
        canonical.encode(value)


@given(st.binary(max_size=80))
def test_base64_has_one_form(content: bytes) -> None:
    text = canonical.encode_base64(content)
    assert canonical.decode_base64(text, where="test") == content


@pytest.mark.parametrize(
    "text",
    ["A", "AA", "AA=", "AAA", "AA==A", "AA==\n", "A A=", "AB==", "AAB=", "-_==", "====", "AA=A"],
)
def test_other_forms_of_base64_are_refused(text: str) -> None:
    with pytest.raises(NonCanonicalError):
        canonical.decode_base64(text, where="test")


@given(st.text(st.sampled_from("AB/+=\n -_"), max_size=12))
def test_base64_that_is_read_encodes_to_the_same_text(text: str) -> None:
    try:
        content = canonical.decode_base64(text, where="test")
    except NonCanonicalError:
        return
    assert canonical.encode_base64(content) == text
