"""Canonical JSON: every value has one encoding, and the parser takes no other.

Spec: spec/v1/receipt.md, section 2. The standard parser is not used on untrusted bytes: it takes
white space, duplicate keys, floats and escapes, and its cost grows with the number of values. This
one refuses each of them by name and stops at a limit, so its time and memory are bounded.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, TypeAlias

from veridical.errors import (
    DuplicateKeyError,
    InternalError,
    MalformedError,
    NestingError,
    NonCanonicalError,
    OversizeError,
    TrailingBytesError,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER",
    "MAX_VALUES",
    "Value",
    "decode",
    "decode_base64",
    "encode",
    "encode_base64",
    "is_text",
]

Value: TypeAlias = "str | int | list[Value] | dict[str, Value]"

#: The format uses 5 levels; the parser recurses once for each.
MAX_DEPTH: Final = 8
#: 16 envelopes of 16 pieces of evidence fill less than half of this.
MAX_VALUES: Final = 4096
#: Beyond it JavaScript readers round integers, and two readers could disagree.
MAX_INTEGER: Final = 2**53 - 1

#: Printable ASCII without `"` and `\\`.
_STRING_BYTES: Final = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))
_CHUNK_BYTES: Final = 2**20
_INTEGER: Final = re.compile(rb"-?(?:0|[1-9][0-9]{0,15})(?![0-9.eE])")
_NUMBER_LIKE: Final = re.compile(rb"[-+0-9.]")
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def encode(value: Value) -> bytes:
    """Return the one encoding of a value.

    Raises:
        InternalError: the value has no canonical form; callers check what comes from outside.
    """
    _require_encodable(value)
    return _ENCODER.encode(value).encode("ascii")


def _require_encodable(value: object) -> None:
    if isinstance(value, str):
        if not is_text(value):
            raise InternalError(f"string {value[:40]!r} has no canonical form")
    elif isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > MAX_INTEGER:
            raise InternalError(f"integer {value} has no canonical form")
    elif isinstance(value, dict | Mapping):  # the first is found without asking for the second
        for key, member in value.items():
            _require_encodable(key)
            _require_encodable(member)
    elif isinstance(value, list | Sequence):
        for member in value:
            _require_encodable(member)
    else:
        raise InternalError(f"{type(value).__name__} has no canonical form")


def is_text(value: str) -> bool:
    """Return whether a string has a canonical form: printable ASCII without quote and backslash."""
    return value.isascii() and value.isprintable() and '"' not in value and "\\" not in value


def decode(untrusted: bytes, *, max_bytes: int, where: str) -> Value:
    """Parse one document; whatever it returns encodes to the same bytes again.

    Raises:
        MalformedError: one subclass per defect; `where` and the byte offset say where it is.
    """
    if len(untrusted) > max_bytes:
        raise OversizeError(
            f"{len(untrusted)} bytes; at most {max_bytes} are allowed", where=where, check="size"
        )
    parser = _Parser(untrusted, where)
    value = parser.value(depth=0)
    parser.require_end()
    return value


class _Parser:
    """One pass over the bytes; nothing is copied but the strings that are kept."""

    def __init__(self, untrusted: bytes, where: str) -> None:
        self._untrusted = untrusted
        self._where = where
        self._offset = 0
        self._num_values = 0

    def value(self, depth: int) -> Value:
        """Parse the value that starts here."""
        self._num_values += 1
        if self._num_values > MAX_VALUES:
            raise self._error(OversizeError, f"more than {MAX_VALUES} values")
        head = self._peek()
        if head == b'"':
            return self._string()
        if head in (b"{", b"["):
            if depth == MAX_DEPTH:
                raise self._error(NestingError, f"nested deeper than {MAX_DEPTH}")
            return self._object(depth) if head == b"{" else self._array(depth)
        return self._integer()

    def require_end(self) -> None:
        """Refuse anything after the document."""
        if self._offset != len(self._untrusted):
            extra = len(self._untrusted) - self._offset
            raise self._error(TrailingBytesError, f"{extra} bytes after the end of the document")

    def _object(self, depth: int) -> dict[str, Value]:
        members: dict[str, Value] = {}
        previous: str | None = None
        self._offset += 1
        if self._skip(b"}"):
            return members
        while True:
            if self._peek() != b'"':
                raise self._unexpected("a key")
            key = self._string()
            if key in members:
                raise self._error(DuplicateKeyError, f"key {key[:64]!r} stands twice")
            if previous is not None and key < previous:
                raise self._error(NonCanonicalError, f"key {key[:64]!r} is out of order")
            previous = key
            if not self._skip(b":"):
                raise self._unexpected("':'")
            members[key] = self.value(depth + 1)
            if self._skip(b"}"):
                return members
            if not self._skip(b","):
                raise self._unexpected("',' or '}'")

    def _array(self, depth: int) -> list[Value]:
        items: list[Value] = []
        self._offset += 1
        if self._skip(b"]"):
            return items
        while True:
            items.append(self.value(depth + 1))
            if self._skip(b"]"):
                return items
            if not self._skip(b","):
                raise self._unexpected("',' or ']'")

    def _string(self) -> str:
        start = self._offset + 1
        end = self._untrusted.find(b'"', start)
        if end < 0:
            raise self._error(MalformedError, "a string does not end")
        # In chunks: evidence may fill the whole document, and must not be copied at once.
        for position in range(start, end, _CHUNK_BYTES):
            chunk = self._untrusted[position : min(position + _CHUNK_BYTES, end)]
            foreign = chunk.translate(None, _STRING_BYTES)
            if foreign:
                self._refuse_string(foreign)
        self._offset = end + 1
        return str(memoryview(self._untrusted)[start:end], "ascii")

    def _refuse_string(self, foreign: bytes) -> NoReturn:
        """Name the defect of the string that starts here."""
        if foreign.startswith(b"\\"):
            raise self._error(NonCanonicalError, "a string has an escape")
        raise self._error(NonCanonicalError, "a string has a character outside printable ASCII")

    def _integer(self) -> int:
        match = _INTEGER.match(self._untrusted, self._offset)
        if match is None:
            if _NUMBER_LIKE.match(self._untrusted, self._offset):
                raise self._error(NonCanonicalError, "a number is not a shortest integer")
            raise self._unexpected("a value")
        value = int(match[0])
        if abs(value) > MAX_INTEGER or match[0] == b"-0":
            raise self._error(NonCanonicalError, f"integer {match[0].decode()} is out of range")
        self._offset = match.end()
        return value

    def _peek(self) -> bytes:
        return self._untrusted[self._offset : self._offset + 1]

    def _skip(self, token: bytes) -> bool:
        if self._peek() != token:
            return False
        self._offset += 1
        return True

    def _unexpected(self, expected: str) -> MalformedError:
        head = self._peek()
        if not head:
            return self._error(MalformedError, f"ends early; expected {expected}")
        if head.isspace():
            return self._error(NonCanonicalError, "white space outside a string")
        for word in (b"true", b"false", b"null", b"NaN", b"Infinity"):
            if self._untrusted.startswith(word, self._offset):
                return self._error(NonCanonicalError, f"{word.decode()} is not a value here")
        return self._error(MalformedError, f"expected {expected}, found {head!r}")

    def _error(self, kind: type[MalformedError], message: str) -> MalformedError:
        return kind(message, where=f"{self._where}, byte {self._offset}", check="encoding")


def encode_base64(content: bytes) -> str:
    """Return base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(content).decode("ascii")


def decode_base64(text: str, *, where: str) -> bytes:
    """Decode base64 that has the one canonical form.

    Raises:
        NonCanonicalError: another alphabet, missing padding, or non-zero unused bits.
    """
    try:
        content = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise NonCanonicalError(f"not base64: {error}", where=where, check="encoding") from error
    # Strict mode still takes non-zero bits in the last character: two texts for one value.
    if text[-4:] != encode_base64(content)[-4:]:
        raise NonCanonicalError("base64 has unused bits set", where=where, check="encoding")
    return content
