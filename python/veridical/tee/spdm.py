"""SPDM 1.1 measurements as NVIDIA's GPUs and switches sign them.

Spec: spec/v1/tee.md, section 3.4; DMTF DSP0274 1.1, sections 10.11.1 and 10.11.2. A report is the
request and the response that answers it; the signature covers both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from veridical.tee.quote import refused

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REPORT_MAX_BYTES", "MeasurementReport"]

REPORT_MAX_BYTES: Final = 16 * 1024
SIGNATURE_BYTES: Final = 96
#: SPDM 1.1, GET_MEASUREMENTS with a signature, of everything.
_REQUEST: Final = bytes.fromhex("11e001ff")
#: SPDM 1.1, MEASUREMENTS, of slot 0.
_RESPONSE: Final = bytes.fromhex("11600000")
_NONCE: Final = 32
_SLOT: Final = b"\x00"
_DMTF: Final = 1
#: Of a measurement's value: a digest.
_DIGEST_TYPE: Final = 1
_DIGEST_BYTES: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementReport:
    """One request with its response."""

    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    nonce: bytes
    #: Index, from 1, to a SHA-384 digest.
    measurements: Mapping[int, bytes]
    #: Number of a field of the device's own data to its content.
    opaque: Mapping[int, bytes]

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse a report.

        Raises:
            QuoteError: it has another form, or a byte too many.
        """
        if len(untrusted) > REPORT_MAX_BYTES:
            raise refused("format", f"{len(untrusted)} bytes; at most {REPORT_MAX_BYTES}")
        cursor = _Cursor(untrusted)
        cursor.require(_REQUEST, "the request")
        nonce = cursor.take(_NONCE, "the nonce")
        cursor.require(_SLOT, "the slot")
        cursor.require(_RESPONSE, "the response")
        count = cursor.number(1, "the number of measurements")
        end = cursor.number(3, "the size of the measurements") + cursor.offset
        measurements: dict[int, bytes] = {}
        for expected in range(1, count + 1):
            index, content = _measurement(cursor)
            if index != expected:
                raise cursor.fail(f"measurement {index} stands in the place of {expected}")
            measurements[index] = content
        if cursor.offset != end or not measurements:
            raise cursor.fail("the measurements have another size than they say")
        cursor.take(_NONCE, "the responder's nonce")
        size = cursor.number(2, "the size of the device's own data")
        opaque = _opaque(cursor, size)
        signed = untrusted[: cursor.offset]
        signature = cursor.take(SIGNATURE_BYTES, "the signature")
        cursor.require_end()
        return cls(
            signed=signed,
            signature=signature,
            nonce=nonce,
            measurements=MappingProxyType(measurements),
            opaque=MappingProxyType(opaque),
        )

    def text(self, number: int) -> str:
        """Return a text of the device's own data, without the zero bytes behind it."""
        content = self.opaque.get(number, b"").rstrip(b"\0")
        name = content.decode("ascii", "replace")
        if not all(c.isalnum() or c in "._-" for c in name):
            raise refused("format", f"field {number} of the device's data is no name", "report")
        return name


def _measurement(cursor: _Cursor) -> tuple[int, bytes]:
    index = cursor.number(1, "an index")
    cursor.require(bytes([_DMTF]), "the kind of a measurement")
    size = cursor.number(2, "the size of a measurement")
    if size != 3 + _DIGEST_BYTES:
        raise cursor.fail(f"a measurement of {size} bytes")
    cursor.require(bytes([_DIGEST_TYPE]), "the type of a value")
    if cursor.number(2, "the size of a value") != _DIGEST_BYTES:
        raise cursor.fail("a value is no SHA-384")
    return index, cursor.take(_DIGEST_BYTES, "a value")


def _opaque(cursor: _Cursor, size: int) -> dict[int, bytes]:
    end = cursor.offset + size
    fields: dict[int, bytes] = {}
    while cursor.offset < end:
        number = cursor.number(2, "the number of a field")
        content = cursor.take(cursor.number(2, "the size of a field"), "a field")
        if number in fields:
            raise cursor.fail(f"field {number} of the device's data stands twice")
        fields[number] = content
    if cursor.offset != end:
        raise cursor.fail("the device's data has another size than it says")
    return fields


class _Cursor:
    """Reads a report from the front."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.offset = 0

    def fail(self, message: str) -> Exception:
        return refused("format", message, f"report, byte {self.offset}")

    def take(self, size: int, name: str) -> bytes:
        end = self.offset + size
        if end > len(self._content):
            raise self.fail(f"ends inside {name}")
        taken = self._content[self.offset : end]
        self.offset = end
        return taken

    def number(self, size: int, name: str) -> int:
        return int.from_bytes(self.take(size, name), "little")

    def require(self, expected: bytes, name: str) -> None:
        if self.take(len(expected), name) != expected:
            raise self.fail(f"{name} is not {expected.hex()}")

    def require_end(self) -> None:
        if self.offset != len(self._content):
            raise self.fail("bytes behind the signature")
