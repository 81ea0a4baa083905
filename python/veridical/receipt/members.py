"""Typed reading of parsed JSON objects: exactly the listed members, each of its type and range.

Spec: spec/v1/receipt.md, sections 4 to 6.
"""

from __future__ import annotations

import re
from typing import Final

from veridical.errors import FieldError
from veridical.receipt.canonical import MAX_INTEGER, Value

__all__ = ["DIGEST", "Members", "require_object"]

MAX_KEY_LENGTH: Final = 64

#: A SHA-256 digest that names its algorithm.
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def require_object(value: Value, *, where: str) -> dict[str, Value]:
    """Return the value if it is an object."""
    if not isinstance(value, dict):
        raise FieldError("expected an object", where=where, check="format")
    return value


class Members:
    """One parsed object with exactly the expected members."""

    def __init__(self, value: Value, expected: tuple[str, ...], *, where: str) -> None:
        self._members = require_object(value, where=where)
        self._where = where
        missing = [name for name in expected if name not in self._members]
        unknown = [name for name in self._members if name not in expected]
        if missing:
            raise FieldError(f"member {missing[0]!r} is missing", where=where, check="format")
        if unknown:
            raise FieldError(f"member {unknown[0][:64]!r} is unknown", where=where, check="format")

    def __getitem__(self, name: str) -> Value:
        """Return a member as it was parsed."""
        return self._members[name]

    def where(self, name: str) -> str:
        """Return the path of a member, for messages."""
        return f"{self._where}.{name}"

    def refuse(self, name: str, message: str) -> FieldError:
        """Return the error for a member that is out of range."""
        return FieldError(message, where=self.where(name), check="format")

    def text(self, name: str, *, max_length: int = 256) -> str:
        """Return a string member."""
        value = self._members[name]
        if not isinstance(value, str) or len(value) > max_length:
            raise self.refuse(name, f"expected a string of at most {max_length} characters")
        return value

    def literal(self, name: str, expected: str) -> str:
        """Return a string member that has one allowed value in this version."""
        if self._members[name] != expected:
            found = repr(self._members[name])[:80]
            raise self.refuse(name, f"expected {expected!r}, found {found}")
        return expected

    def digest(self, name: str, *, is_optional: bool = False) -> str:
        """Return a `sha256:hex` member; an optional one may be empty."""
        value = self.text(name)
        if (value or not is_optional) and DIGEST.fullmatch(value) is None:
            raise self.refuse(name, f"not a digest: {value[:90]!r}")
        return value

    def count(self, name: str) -> int:
        """Return an integer member that is at least 0."""
        value = self._members[name]
        if not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
            raise self.refuse(name, "expected an integer of at least 0")
        return value

    def items(self, name: str, *, max_items: int) -> list[Value]:
        """Return a list member."""
        value = self._members[name]
        if not isinstance(value, list) or len(value) > max_items:
            raise self.refuse(name, f"expected a list of at most {max_items} items")
        return value

    def mapping(self, name: str, *, max_items: int) -> dict[str, Value]:
        """Return an object member whose keys are free."""
        value = require_object(self._members[name], where=self.where(name))
        if len(value) > max_items or not all(1 <= len(key) <= MAX_KEY_LENGTH for key in value):
            raise self.refuse(name, f"expected at most {max_items} short keys")
        return value
