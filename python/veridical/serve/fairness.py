"""Turns: which of the requests that wait are answered next.

Spec: spec/v1/serve.md, section 2. Each caller has a line of its own and gets the same time: deficit
round robin (Shreedhar and Varghese, 1995). A caller with large requests, or with many, waits for
itself.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

__all__ = ["FairQueue"]

T = TypeVar("T")

#: Seconds that a caller gets in each round.
QUANTUM: Final = 0.005
#: No request counts as longer, so that no line is passed over for more than this many rounds.
_LONGEST: Final = 200 * QUANTUM


@dataclass(slots=True)
class _Line(Generic[T]):
    items: deque[tuple[float, T]] = field(default_factory=deque)
    #: Seconds that were given and not used yet.
    credit: float = 0.0
    has_turn: bool = False


class FairQueue(Generic[T]):
    """Lines of callers; whoever uses it locks it."""

    def __init__(self, *, capacity: int, per_key: int) -> None:
        """Hold at most `capacity`, and `per_key` of each caller."""
        self._capacity = capacity
        self._per_key = per_key
        self._lines: OrderedDict[str, _Line[T]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return self._size

    @property
    def is_full(self) -> bool:
        """Whether nobody can stand in line."""
        return self._size >= self._capacity

    def is_full_for(self, key: str) -> bool:
        """Whether a caller has as many in line as it may."""
        line = self._lines.get(key)
        return line is not None and len(line.items) >= self._per_key

    def put(self, key: str, item: T, *, cost: float) -> None:
        """Stand at the end of a caller's line; `cost` is in seconds."""
        self._lines.setdefault(key, _Line()).items.append((min(cost, _LONGEST), item))
        self._size += 1

    def take(self, *, limit: int, cost: float) -> list[T]:
        """Take at most `limit`, of about `cost` seconds together; at least one if any wait."""
        taken: list[T] = []
        left = cost
        passed = 0  # lines in a row whose next one is too large for this batch
        while self._lines and len(taken) < limit and passed < len(self._lines):
            key, line = next(iter(self._lines.items()))
            price = line.items[0][0]
            if taken and price > left:
                passed += 1
                self._end_turn(key, line)
                continue
            if not line.has_turn:
                line.has_turn = True
                line.credit += QUANTUM
            if line.credit < price:
                if len(self._lines) > 1:
                    self._end_turn(key, line)
                    continue
                line.credit = price  # alone: the rounds until its turn take no time
            line.credit -= price
            left -= price
            passed = 0
            taken.append(line.items.popleft()[1])
            self._size -= 1
            if not line.items:  # credit is not saved up for later
                del self._lines[key]
        return taken

    def _end_turn(self, key: str, line: _Line[T]) -> None:
        line.has_turn = False
        self._lines.move_to_end(key)
