"""CBOR as attestation documents use it: one encoding for each value, and nothing else.

RFC 8949, section 4.2.1, but for the order of keys, which the maker of a document chooses. There are
integers, byte and text strings, arrays, maps and null; no tag, no float, and no indefinite length
but that of one outermost map, which the security module of Nitro writes. A reader of everything
that CBOR allows would have to be distrusted with hostile bytes.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from veridical.tee.quote import refused

__all__ = ["Item", "decode", "encode"]

Item: TypeAlias = "int | bytes | str | list[Item] | dict[int | str, Item] | None"

_MAX_DEPTH: Final = 4
_MAX_ITEMS: Final = 256
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_NULL: Final = 0xF6
_OPEN_MAP, _BREAK = b"\xbf", b"\xff"
#: From this additional information on, so many bytes hold the argument.
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}


class _Decoder:
    def __init__(self, content: bytes, what: str) -> None:
        self._content, self._what = content, what
        self._offset = self._count = 0

    def fail(self, message: str) -> Exception:
        return refused("format", f"CBOR: {message}", f"{self._what}, byte {self._offset}")

    def _take(self, size: int) -> bytes:
        end = self._offset + size
        if end > len(self._content):
            raise self.fail("ends too early")
        taken = self._content[self._offset : end]
        self._offset = end
        return taken

    def _head(self) -> tuple[int, int]:
        (first,) = self._take(1)
        major, argument = first >> 5, first & 31
        if first == _NULL:
            return 7, 0
        if major > _MAP or argument > max(_WIDTHS):
            raise self.fail(f"byte {first:#x} begins no value that is allowed here")
        if argument in _WIDTHS:
            width = _WIDTHS[argument]
            argument = int.from_bytes(self._take(width), "big")
            if argument < 24 or argument >> 4 * width == 0 < width - 1:  # noqa: PLR2004 - what one byte holds
                raise self.fail("a number is longer than it has to be")
        return major, argument

    def value(self, depth: int = 0) -> Item:
        self._count += 1
        if depth > _MAX_DEPTH or self._count > _MAX_ITEMS:
            raise self.fail("too deep, or too many values")
        major, argument = self._head()
        if major == _UNSIGNED:
            return argument
        if major == _NEGATIVE:
            return -1 - argument
        if major == _BYTES:
            return self._take(argument)
        if major == _TEXT:
            return self._text(argument)
        if major == _ARRAY:
            self._bound(argument)
            return [self.value(depth + 1) for _ in range(argument)]
        if major == _MAP:
            return self._map(argument, depth)
        return None

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail("text is not UTF-8") from error

    def _bound(self, count: int) -> None:
        if count > _MAX_ITEMS:
            raise self.fail(f"{count} members")

    def open_map(self) -> dict[int | str, Item]:
        """Read an outermost map that ends with a break."""
        self._take(1)
        members: dict[int | str, Item] = {}
        while self._content[self._offset : self._offset + 1] != _BREAK:
            self._member(members, depth=0)
        self._take(1)
        return members

    def _map(self, count: int, depth: int) -> dict[int | str, Item]:
        self._bound(count)
        members: dict[int | str, Item] = {}
        for _ in range(count):
            self._member(members, depth)
        return members

    def _member(self, members: dict[int | str, Item], depth: int) -> None:
        key = self.value(depth + 1)
        if not isinstance(key, int | str):
            raise self.fail("a key is neither a number nor text")
        if key in members:
            raise self.fail(f"key {key!r:.40} stands twice")
        members[key] = self.value(depth + 1)

    def require_end(self) -> None:
        if self._offset != len(self._content):
            raise self.fail("bytes behind the value")


def decode(untrusted: bytes, *, what: str, may_be_open: bool = False) -> Item:
    """Parse one value; whatever it returns encodes to the same bytes again.

    With `may_be_open` an outermost map may be one of indefinite length, which does not.

    Raises:
        QuoteError: it has another encoding, or is none.
    """
    decoder = _Decoder(untrusted, what)
    is_open = may_be_open and untrusted.startswith(_OPEN_MAP)
    value: Item = decoder.open_map() if is_open else decoder.value()
    decoder.require_end()
    return value


def encode(value: Item) -> bytes:
    """Return the one encoding; keys keep their order."""
    if value is None:
        return bytes([_NULL])
    if isinstance(value, int):
        return _encode_head(_UNSIGNED, value) if value >= 0 else _encode_head(_NEGATIVE, -1 - value)
    if isinstance(value, bytes):
        return _encode_head(_BYTES, len(value)) + value
    if isinstance(value, str):
        content = value.encode()
        return _encode_head(_TEXT, len(content)) + content
    if isinstance(value, list):
        return _encode_head(_ARRAY, len(value)) + b"".join(map(encode, value))
    members = b"".join(encode(key) + encode(member) for key, member in value.items())
    return _encode_head(_MAP, len(value)) + members


def _encode_head(major: int, argument: int) -> bytes:
    if argument < min(_WIDTHS):
        return bytes([major << 5 | argument])
    code, width = next((c, w) for c, w in _WIDTHS.items() if argument >> 8 * w == 0)
    return bytes([major << 5 | code]) + argument.to_bytes(width, "big")
