"""Canonical JSON: one value, one byte string.

Spec: spec/v1/program.md, section 3. Objects, lists, integers and plain ASCII strings; nothing else.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn, TypeAlias

from veridical.errors import ProgramError

Json: TypeAlias = "int | str | list[Json] | dict[str, Json]"

INTEGER_LIMIT = 2**53
MAX_DEPTH = 6

# Every byte of the document; a backslash would start an escape, and no string may hold one.
_ALPHABET = re.compile(rb"[\x20-\x5b\x5d-\x7e]*")


def parse(untrusted: bytes, *, where: str) -> Json:
    """Parse a canonical document and reject every other spelling of it.

    Raises:
        ProgramError: the bytes are not the canonical form of an allowed value.
    """
    if _ALPHABET.fullmatch(untrusted) is None:
        raise ProgramError("a byte outside printable ASCII, or a backslash", where, "json")
    try:
        value = json.loads(
            untrusted,
            object_pairs_hook=_object_without_duplicates,
            parse_float=_reject_number,
            parse_constant=_reject_number,
        )
    except RecursionError as error:
        raise ProgramError("nested too deeply", where, "json") from error
    except ValueError as error:
        raise ProgramError(f"not JSON of the allowed kind: {error}", where, "json") from error
    checked = _only_allowed(value, where, 0)
    if encode(checked) != untrusted:
        raise ProgramError("not in canonical form", where, "json")
    return checked


def encode(value: Json) -> bytes:
    """Return the one byte string of a value."""
    # Keys are ASCII, so the order of code points that `sort_keys` uses is the byte order.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _object_without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key in an object")
    return result


def _reject_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is not an integer")


def _only_allowed(value: object, where: str, depth: int) -> Json:
    """Return the value if it is built of the four kinds; `true` must not pass as 1."""
    if type(value) is int:
        if abs(value) > INTEGER_LIMIT:
            raise ProgramError("an integer outside [-2^53, 2^53]", where, "json")
        return value
    if type(value) is str:
        return value
    if depth == MAX_DEPTH:
        raise ProgramError(f"nested more than {MAX_DEPTH} deep", where, "json")
    if type(value) is list:
        return [_only_allowed(item, where, depth + 1) for item in value]
    if type(value) is dict:
        return {key: _only_allowed(item, where, depth + 1) for key, item in value.items()}
    raise ProgramError(f"{value!r} is not an integer, string, list or object", where, "json")
