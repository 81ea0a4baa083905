"""Templates: fixed words, and fields that an output fills.

Spec: spec/v1/post.md, section 4. There is no code in a template: a field reads one element.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NoReturn, Self, TypeAlias

from veridical.commitment import sha256_digest
from veridical.errors import InputError, PostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["TEMPLATE_MAX_BYTES", "Field", "Template"]

TEMPLATE_MAX_BYTES: Final = 64 * 1024
MAX_FIELDS: Final = 1024
MAX_LABELS: Final = 4096
MAX_LABEL_BYTES: Final = 256
MAX_INDEX: Final = 2**32 - 1

_VERSION: Final = "veridical-template/v1"
_TAG: Final = "veridical.template.v1"
_LIST: Final = re.compile(r"labels ([a-z][a-z0-9_]{0,31}) ([1-9][0-9]{0,3})")
#: Control characters but LF and TAB, and those that change the direction of writing: what a person
#: reads would not be what the bytes say.
_REFUSED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^}]*)\}|[{}]")
_TENSOR: Final = re.compile(r"[\x21-\x7a\x7c\x7e]{1,128}")
_PLACE: Final = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:,(?:0|[1-9][0-9]{0,9})){0,8}")
#: All indices but the last, which is the place of the largest.
_LARGEST: Final = re.compile(r"(?:(?:0|[1-9][0-9]{0,9}),){0,8}\*")
_DECIMALS: Final = re.compile(r"[0-9]")

Kind: TypeAlias = Literal["number", "percent", "label", "largest", "receipt", "model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a template."""

    kind: Kind
    tensor: str = ""
    #: Indices of the element; without the last one where that is the place of the largest.
    index: tuple[int, ...] = ()
    is_of_largest: bool = False
    decimals: int = 0
    labels: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A parsed template."""

    content: bytes = field(repr=False)
    labels: Mapping[str, tuple[str, ...]] = field(repr=False)
    #: Fixed words and fields, in order.
    pieces: tuple[str | Field, ...]

    @property
    def digest(self) -> str:
        """The digest by which a caller names the template that it accepts."""
        return template_digest(self.content)

    @classmethod
    def parse(cls, untrusted: bytes) -> Self:
        """Parse a template.

        Raises:
            PostError: it is no template; the message says why, and where.
        """
        if len(untrusted) > TEMPLATE_MAX_BYTES:
            _refuse(f"{len(untrusted)} bytes; at most {TEMPLATE_MAX_BYTES} are allowed")
        try:
            text = untrusted.decode("utf-8")
        except UnicodeDecodeError as error:
            _refuse(f"not UTF-8: {error.reason}", f"byte {error.start}")
        refused = _REFUSED.search(text)
        if refused is not None:
            _refuse(f"character U+{ord(refused[0]):04X} is not allowed")
        labels, body = _head(text)
        return cls(content=untrusted, labels=labels, pieces=tuple(_pieces(body, labels)))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a template file.

        Raises:
            InputError: the file cannot be read.
            PostError: it is no template.
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(TEMPLATE_MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read the template: {error}", where=str(path)) from error
        return cls.parse(content)


def template_digest(content: bytes) -> str:
    """Return the digest of a template's bytes, whether they are a template or not."""
    return sha256_digest(_TAG, content)


def _head(text: str) -> tuple[dict[str, tuple[str, ...]], str]:
    """Return the lists of labels, and the body."""
    line, rest = _line(text, 1)
    number = 1
    if line != _VERSION:
        _refuse(f"the first line is not {_VERSION!r}", "line 1")
    labels: dict[str, tuple[str, ...]] = {}
    while True:
        number += 1
        line, rest = _line(rest, number)
        if line == "text":
            return labels, rest.removesuffix("\n")
        match = _LIST.fullmatch(line)
        if match is None:
            _refuse("expected 'labels NAME COUNT' or 'text'", f"line {number}")
        name, count = match[1], int(match[2])
        if name in labels:
            _refuse(f"list {name!r} stands twice", f"line {number}")
        if count + sum(map(len, labels.values())) > MAX_LABELS:
            _refuse(f"more than {MAX_LABELS} labels", f"line {number}")
        members: list[str] = []
        for _ in range(count):
            number += 1
            line, rest = _line(rest, number)
            if not 1 <= len(line.encode()) <= MAX_LABEL_BYTES:
                _refuse(f"a label has 1 to {MAX_LABEL_BYTES} bytes", f"line {number}")
            members.append(line)
        labels[name] = tuple(members)


def _line(text: str, number: int) -> tuple[str, str]:
    line, newline, rest = text.partition("\n")
    if not newline:
        _refuse("the template ends before the line 'text'", f"line {number}")
    return line, rest


def _pieces(body: str, labels: Mapping[str, tuple[str, ...]]) -> Iterator[str | Field]:
    position = 0
    num_fields = 0
    for match in _PIECE.finditer(body):
        if match.start() > position:
            yield body[position : match.start()]
        position = match.end()
        if match[0] in {"{{", "}}"}:
            yield match[0][0]
            continue
        if match[1] is None:
            _refuse(f"a {match[0]!r} without its pair", f"body, character {match.start()}")
        num_fields += 1
        if num_fields > MAX_FIELDS:
            _refuse(f"more than {MAX_FIELDS} fields")
        yield _field(match[1], labels, f"field {{{match[1][:80]}}}")
    if position < len(body):
        yield body[position:]


def _field(text: str, labels: Mapping[str, tuple[str, ...]], where: str) -> Field:
    match text.split(" "):
        case ["receipt" | "model" as kind]:
            return Field(kind=kind)
        case ["number" | "percent" as kind, tensor, place, decimals]:
            if _DECIMALS.fullmatch(decimals) is None:
                _refuse("decimals are a digit, 0 to 9", where)
            index, is_of_largest = _index(place, where)
            return Field(
                kind=kind,
                tensor=_tensor(tensor, where),
                index=index,
                is_of_largest=is_of_largest,
                decimals=int(decimals),
            )
        case ["label" | "largest" as kind, name, tensor, place]:
            if name not in labels:
                _refuse(f"no list of labels {name[:40]!r}", where)
            index, is_of_largest = _index(place, where)
            if kind == "largest" and not is_of_largest:
                _refuse("the last index of 'largest' is '*'", where)
            return Field(
                kind=kind,
                tensor=_tensor(tensor, where),
                index=index,
                is_of_largest=is_of_largest,
                labels=name,
            )
    raise PostError("no such field", where=where, check="post.template")


def _tensor(name: str, where: str) -> str:
    if _TENSOR.fullmatch(name) is None:
        _refuse("not the name of an output", where)
    return name


def _index(place: str, where: str) -> tuple[tuple[int, ...], bool]:
    is_of_largest = _LARGEST.fullmatch(place) is not None
    if not is_of_largest and _PLACE.fullmatch(place) is None:
        _refuse("not a list of 1 to 9 indices", where)
    index = tuple(int(one) for one in place.split(",") if one != "*")
    if max(index, default=0) > MAX_INDEX:
        _refuse("an index is 2^32 or more", where)
    return index, is_of_largest


def _refuse(message: str, where: str = "template") -> NoReturn:
    raise PostError(message, where=where, check="post.template")
