"""As much DER as the extension of a PCK certificate needs."""

from __future__ import annotations

__all__ = ["boolean", "enumerated", "integer", "octets", "oid", "sequence"]

_LONG = 0x80


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < _LONG:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, _LONG | len(length)]) + length + content


def sequence(*items: bytes) -> bytes:
    """SEQUENCE."""
    return _tagged(0x30, b"".join(items))


def octets(content: bytes) -> bytes:
    """OCTET STRING."""
    return _tagged(0x04, content)


def integer(number: int) -> bytes:
    """INTEGER, of a number that is not negative."""
    return _tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def enumerated(number: int) -> bytes:
    """ENUMERATED."""
    return _tagged(0x0A, bytes([number]))


def boolean(value: bool) -> bytes:  # noqa: FBT001 - it is the value
    """BOOLEAN."""
    return _tagged(0x01, b"\xff" if value else b"\x00")


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    content = bytearray()
    for number in (40 * first + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | _LONG)
        content += bytes(reversed(groups))
    return _tagged(0x06, bytes(content))
