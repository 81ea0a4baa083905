"""Documents of other services: JSON as they write it, read strictly where it matters.

Spec: spec/v1/tee.md, section 11.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from veridical.receipt.canonical import MAX_INTEGER
from veridical.tee.quote import refused

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DOCUMENT_MAX_BYTES", "Document", "canonical", "read_document", "unhex"]

DOCUMENT_MAX_BYTES: Final = 2 * 1024 * 1024
_MAX_DEPTH: Final = 32


class Document:
    """One JSON object of somebody else's: unknown members are theirs, known ones have a type."""

    def __init__(self, members: object, *, where: str) -> None:
        if not isinstance(members, dict):
            raise refused("format", "expected an object", where)
        self.members: dict[str, object] = members
        self.where = where

    def has(self, name: str) -> bool:
        """Whether a member stands here and is not null."""
        return self.members.get(name) is not None

    def text(self, name: str) -> str:
        """Return a string that has to be here."""
        value = self.members.get(name)
        if not isinstance(value, str):
            raise refused("format", f"member {name!r} is no string", self.where)
        return value

    def number(self, name: str) -> int:
        """Return an integer that has to be here, not negative."""
        value = self.members.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INTEGER:
            raise refused("format", f"member {name!r} is no count", self.where)
        return value

    def object(self, name: str) -> Document:
        """Return an object that has to be here."""
        return Document(self.members.get(name), where=f"{self.where}.{name}")

    def objects(self, name: str, *, most: int) -> list[Document]:
        """Return a list of objects; an absent one is empty."""
        value = self.members.get(name)
        items = [] if value is None else value
        if not isinstance(items, list) or len(items) > most:
            raise refused("format", f"member {name!r} is no list of at most {most}", self.where)
        return [Document(v, where=f"{self.where}.{name}[{i}]") for i, v in enumerate(items)]


def read_document(untrusted: bytes | str, *, where: str) -> Document:
    """Parse a document: no key twice, not too deep, not too long.

    Raises:
        QuoteError: it is no such document.
    """
    if len(untrusted) > DOCUMENT_MAX_BYTES:
        message = f"{len(untrusted)} bytes; at most {DOCUMENT_MAX_BYTES} are allowed"
        raise refused("format", message, where)
    try:
        text = untrusted if isinstance(untrusted, str) else untrusted.decode("utf-8")
        parsed = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise refused("format", f"not JSON: {error}", where) from error
    return Document(parsed, where=where)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def canonical(value: object, *, where: str) -> bytes:
    """Return the form of RFC 8785, for values without fractions.

    Raises:
        QuoteError: the value has none.
    """
    ordered = _ordered(value, where, depth=0)
    try:
        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except ValueError as error:
        raise refused("format", f"no canonical form: {error}", where) from error


def _ordered(value: object, where: str, depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise refused("format", f"nested deeper than {_MAX_DEPTH}", where)
    if isinstance(value, dict):
        # RFC 8785 orders names by their UTF-16 units; a lone surrogate is refused when encoded.
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _ordered(value[name], where, depth + 1) for name in names}
    if isinstance(value, list):
        return [_ordered(one, where, depth + 1) for one in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > MAX_INTEGER):
        raise refused("format", "a number without an exact form", where)
    return value


def unhex(text: str, sizes: Iterable[int], *, where: str) -> bytes:
    """Read hexadecimal, with or without `0x`, of one of some sizes.

    Raises:
        QuoteError: it is not hexadecimal, or has another size.
    """
    digits = text.removeprefix("0x")
    try:
        # `fromhex` takes white space between the digits; whoever signs hexadecimal writes none.
        content = bytes.fromhex(digits) if digits.isalnum() else b""
    except ValueError as error:
        raise refused("format", "not hexadecimal", where) from error
    if len(content) not in set(sizes):
        raise refused("format", f"{len(content)} bytes of hexadecimal", where)
    return content
