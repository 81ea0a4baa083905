"""Where the time of a proof goes: spans of the prover and of the caller on one clock."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from veridical import _core

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Span", "Timeline"]

_NANOS_OF_MICRO: Final = 1000
_NANOS_OF_MILLI: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """All spans of one name in one place of the tree."""

    name: str
    calls: int
    nanoseconds: int
    children: tuple[Span, ...]

    @property
    def own_nanoseconds(self) -> int:
        """Time that no child accounts for."""
        return self.nanoseconds - sum(child.nanoseconds for child in self.children)

    def to_value(self) -> dict[str, Any]:
        """Return the same as data for JSON."""
        return {
            "name": self.name,
            "calls": self.calls,
            "ms": self.nanoseconds / _NANOS_OF_MILLI,
            "own_ms": self.own_nanoseconds / _NANOS_OF_MILLI,
            "children": [child.to_value() for child in self.children],
        }


class Timeline:
    """Collects spans: give it to `commit`, `prove` or `Zk`, and read it afterwards.

    One proof at a time: spans of two threads at once would stand within each other.
    """

    def __init__(self) -> None:
        """Begin without spans."""
        self.core = _core.Timeline()

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Count what is done within as a span."""
        self.core.enter(name)
        try:
            yield
        finally:
            self.core.leave()

    def tree(self) -> tuple[Span, ...]:
        """Return the spans by name and place, in the order in which each was first entered."""
        entries = self.core.spans()
        children: dict[int | None, list[int]] = {}
        for number, (_, parent, _, _) in enumerate(entries):
            children.setdefault(parent, []).append(number)

        def gather(parents: Sequence[int | None]) -> tuple[Span, ...]:
            by_name: dict[str, list[int]] = {}
            for parent in parents:
                for number in children.get(parent, ()):
                    by_name.setdefault(entries[number][0], []).append(number)
            return tuple(
                Span(
                    name=name,
                    calls=len(numbers),
                    nanoseconds=sum(entries[number][3] for number in numbers),
                    children=gather(numbers),
                )
                for name, numbers in by_name.items()
            )

        return gather([None])

    def to_value(self) -> list[dict[str, Any]]:
        """Return the tree as data for JSON."""
        return [span.to_value() for span in self.tree()]

    def trace_events(self) -> dict[str, Any]:
        """Return every span in the format of trace viewers (Chrome's, Perfetto)."""
        return {
            "displayTimeUnit": "ms",
            "traceEvents": [
                {
                    "name": name,
                    "cat": "veridical",
                    "ph": "X",
                    "pid": os.getpid(),
                    "tid": 1,
                    "ts": begin / _NANOS_OF_MICRO,
                    "dur": lasted / _NANOS_OF_MICRO,
                }
                for name, _, begin, lasted in self.core.spans()
            ],
        }
