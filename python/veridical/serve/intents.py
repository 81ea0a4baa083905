"""Intents before runs: what the gateway needs of a log, and the log of this package.

Spec: spec/v1/serve.md, section 5.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from veridical import tlog
from veridical.errors import InputError, InternalError
from veridical.receipt import Sequence as Place
from veridical.tlog import Intent, IntentDraft, Result, Void

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from veridical.keys import Signer
    from veridical.receipt import Receipt
    from veridical.serve.storage import Kept

__all__ = ["Closing", "IntentLog", "NoLog", "Opened", "TransparencyLog"]

_LOGGER: Final = logging.getLogger("veridical.serve")

#: Says which intents have an answer that was kept; from then on the others get none.
Settle: TypeAlias = "Callable[[Sequence[int]], Mapping[int, Kept]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An intent that is in the log, under a checkpoint that is on the disk."""

    leaf: int | None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What became of an intent: a receipt, or the reason why there is none."""

    leaf: int | None
    receipt_id: str = ""
    void: str = ""


class IntentLog(Protocol):
    """Takes intents before runs, and what became of them after. Thread-safe."""

    def commit(
        self, drafts: Sequence[IntentDraft], closings: Sequence[Closing]
    ) -> tuple[list[Opened | Exception], Exception | None]:
        """Log intents and what became of earlier ones in one batch, which survives a crash.

        An intent that the log does not take has its error in its place; the second value is why
        a closing was not taken.

        Raises:
            LogError: the log cannot be written.
        """

    def recover(self, settle: Settle) -> tuple[int, int]:
        """Close intents that a crash left open; return how many got results, and voids."""

    def settle(self, leaves: Sequence[int], settle: Settle, *, void: str) -> tuple[int, int]:
        """Close these intents: by the answers that were kept, the others by a void."""

    def attach(self, receipt: Receipt) -> Receipt:
        """Return the receipt with its log proofs."""

    def size(self) -> int:
        """Return the number of entries."""

    def vkey(self) -> str:
        """Return the key by which checkpoints are verified; nothing if nothing is logged."""

    def problem(self) -> str:
        """Return why nothing can be logged; nothing if it can."""

    def close(self) -> None:
        """Give the log up."""


class NoLog:
    """For a gateway that logs nothing: statements have no place in a numbering."""

    def commit(
        self, drafts: Sequence[IntentDraft], closings: Sequence[Closing]
    ) -> tuple[list[Opened | Exception], Exception | None]:
        """Log nothing."""
        del closings
        return [Opened(leaf=None, place=Place()) for _ in drafts], None

    def recover(self, settle: Settle) -> tuple[int, int]:
        """Find nothing open."""
        del settle
        return 0, 0

    def settle(self, leaves: Sequence[int], settle: Settle, *, void: str) -> tuple[int, int]:
        """Find nothing open."""
        del leaves, settle, void
        return 0, 0

    def attach(self, receipt: Receipt) -> Receipt:
        """Return the receipt as it is."""
        return receipt

    def size(self) -> int:
        """Return 0."""
        return 0

    def vkey(self) -> str:
        """Return nothing."""
        return ""

    def problem(self) -> str:
        """Return nothing."""
        return ""

    def close(self) -> None:
        """Do nothing."""


class TransparencyLog:
    """A log of this package, in a folder, with one writer."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        """Open the log of a folder.

        Raises:
            InputError: another process writes to it, or its key is another one.
        """
        # Requests come in batches already: waiting for more would only add to their time.
        self._writer = tlog.Writer(folder, signer, batch_seconds=0.0)

    @property
    def log(self) -> tlog.Log:
        """The log, to read."""
        return self._writer.log

    def commit(
        self, drafts: Sequence[IntentDraft], closings: Sequence[Closing]
    ) -> tuple[list[Opened | Exception], Exception | None]:
        """Log intents, results and voids."""
        if not drafts and not closings:
            return [], None
        now = int(time.time())
        closed = [_entry(one, now) for one in closings]
        opened: list[Opened | Exception] = []
        refused: Exception | None = None
        places = self._writer.append_all([*closed, *drafts])
        for place in places[: len(closed)]:
            if isinstance(place, Exception):
                _LOGGER.error("the log does not take a result: %s", place)
                refused = place
        for place in places[len(closed) :]:
            if isinstance(place, Exception):
                opened.append(place)
            elif isinstance(place.entry, Intent):
                opened.append(Opened(leaf=place.index, place=tlog.sequence_of(place.entry)))
            else:
                raise InternalError(f"an intent became a {type(place.entry).__name__}")
        return opened, refused

    def recover(self, settle: Settle) -> tuple[int, int]:
        """Close what a crash left open: with the answer, where it was kept."""
        with closing(self._writer.log.index()) as index:
            leaves = index.open_intents()
        return self.settle(leaves, settle, void="interrupted")

    def settle(self, leaves: Sequence[int], settle: Settle, *, void: str) -> tuple[int, int]:
        """Close intents by what the database says of them."""
        kept = settle(leaves)
        closings = []
        for leaf in leaves:
            answer = kept.get(leaf)
            # A leaf number alone shows nothing: the answer states the intent that it closes.
            if answer is not None and answer.intent == self._intent(leaf).digest:
                closings.append(Closing(leaf=leaf, receipt_id=answer.receipt_id))
            else:
                closings.append(Closing(leaf=leaf, void=void))
        _, refused = self.commit([], closings)
        if refused is not None:
            raise refused
        results = sum(1 for one in closings if one.receipt_id)
        return results, len(closings) - results

    def _intent(self, leaf: int) -> Intent:
        entry = self._writer.log.entry(leaf)
        if not isinstance(entry, Intent):
            raise InternalError(f"leaf {leaf} is a {type(entry).__name__}")
        return entry

    def attach(self, receipt: Receipt) -> Receipt:
        """Return the receipt with its log proofs, under the newest checkpoint."""
        return tlog.attach(receipt, self._writer.log)

    def vkey(self) -> str:
        """Return the key of the log as a vkey."""
        return self._writer.log.key.vkey

    def problem(self) -> str:
        """Return why nothing can be logged any more."""
        return self._writer.problem()

    def size(self) -> int:
        """Return the number of leaves of the newest checkpoint."""
        return self._writer.log.head().size

    def close(self) -> None:
        """Sync everything, and let another process write."""
        self._writer.close()


def _entry(one: Closing, now: int) -> Result | Void:
    if one.leaf is None:
        raise InputError("an intent of this log has a leaf")
    if one.receipt_id:
        return Result(intent=one.leaf, statement=one.receipt_id, time=now)
    return Void(intent=one.leaf, reason=one.void, time=now)
