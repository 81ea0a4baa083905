"""What was edited, for people. No part of a verdict.

Spec: spec/v1/post.md, section 7.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal, TypeAlias

__all__ = ["Difference", "Part", "difference"]

Hint: TypeAlias = Literal["", "normalisation", "white space", "part"]
#: Words, runs of white space, and single other characters.
_TOKEN: Final = re.compile(r"[0-9A-Za-z]+|\s+|.", re.DOTALL)
#: Beyond it a comparison would cost too much; the middle is then shown as one change.
_MAX_TOKENS: Final = 500


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch: equal in both, or what the output gives and what stands there instead."""

    expected: str
    found: str

    @property
    def is_equal(self) -> bool:
        """Whether nothing was edited here."""
        return self.expected == self.found


@dataclass(frozen=True, slots=True)
class Difference:
    """A text beside what it should be."""

    parts: tuple[Part, ...]
    hint: Hint


def difference(expected: str, found: str, *, whole: str = "") -> Difference:
    """Compare a text with what it should be; `whole` is the filled text of which that is a part."""
    return Difference(tuple(_parts(expected, found)), _hint(expected, found, whole or expected))


def _parts(expected: str, found: str) -> list[Part]:
    left, right = _TOKEN.findall(expected), _TOKEN.findall(found)
    limit = min(len(left), len(right))
    head = next((i for i in range(limit) if left[i] != right[i]), limit)
    tail = 0
    while tail < limit - head and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    parts = [Part("".join(left[:head]), "".join(right[:head]))]
    ends = slice(head, len(left) - tail), slice(head, len(right) - tail)
    middle = left[ends[0]], right[ends[1]]
    if max(map(len, middle)) > _MAX_TOKENS:
        parts.append(Part("".join(middle[0]), "".join(middle[1])))
    else:
        matcher = SequenceMatcher(None, *middle, autojunk=False)
        for _, a, b, c, d in matcher.get_opcodes():
            parts.append(Part("".join(middle[0][a:b]), "".join(middle[1][c:d])))
    parts.append(Part("".join(left[len(left) - tail :]), "".join(right[len(right) - tail :])))
    return [part for part in parts if part.expected or part.found]


def _hint(expected: str, found: str, whole: str) -> Hint:
    if expected == found:
        return ""
    if unicodedata.normalize("NFC", expected) == unicodedata.normalize("NFC", found):
        return "normalisation"
    if "".join(expected.split()) == "".join(found.split()):
        return "white space"
    return "part" if found in whole else ""
