"""What became of every intent in a log: gaps, duplicates, open intents, voids.

Spec: spec/v1/log.md, section 8. An audit trusts nobody's index: it reads the entries, whose tree
`fsck` checks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from veridical.errors import MalformedError
from veridical.tlog.entry import Intent, Result, entry_from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veridical.tlog.entry import Void

__all__ = ["Audit", "Closing", "Finding", "IntentRecord", "StreamAudit", "audit"]

#: By how much a clock may be set back without being found, and be ahead of the auditor's.
BACK_SECONDS: Final = 2
FUTURE_SECONDS: Final = 60
#: Of one kind of list in `--json`; the counts are complete.
MAX_LISTED: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule of the log that one entry breaks."""

    kind: str
    leaf: int
    detail: str
    stream: str = ""

    def to_value(self) -> dict[str, object]:
        """Return the form of `--json`."""
        return {
            "detail": self.detail,
            "kind": self.kind,
            "leaf": self.leaf,
            "stream": self.stream,
        }


@dataclass(frozen=True, slots=True)
class Closing:
    """How an intent ended; an empty reason is a result."""

    leaf: int
    time: int
    reason: str


@dataclass(slots=True)
class IntentRecord:
    """One intent and its end, if it has one."""

    leaf: int
    number: int
    time: int
    closing: Closing | None = None


@dataclass(slots=True)
class StreamAudit:
    """Everything that happened under one name."""

    stream: str
    intents: list[IntentRecord] = field(default_factory=list)
    num_results: int = 0
    num_voids: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    #: Intents of a question that was asked before, where neither request id nor seed tells them
    #: apart: two consumers may ask the same, and its answer is the same.
    num_repeats: int = 0

    @property
    def open_intents(self) -> list[IntentRecord]:
        """Intents that nothing closes."""
        return [intent for intent in self.intents if intent.closing is None]

    @property
    def void_rate(self) -> float:
        """Voids among closed intents; 0 if none is closed."""
        closed = self.num_results + self.num_voids
        return self.num_voids / closed if closed else 0.0

    def to_value(self) -> dict[str, object]:
        """Return the form of `--json`."""
        still_open = self.open_intents
        return {
            "intents": len(self.intents),
            "open": len(still_open),
            "open_leaves": [intent.leaf for intent in still_open[:MAX_LISTED]],
            "reasons": self.reasons,
            "repeats": self.num_repeats,
            "results": self.num_results,
            "stream": self.stream,
            "void_rate": self.void_rate,
            "voids": self.num_voids,
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """The whole log, stream by stream."""

    size: int
    streams: dict[str, StreamAudit]
    findings: list[Finding]

    def overdue(self, *, before: int) -> list[tuple[str, IntentRecord]]:
        """Return the open intents that are older than a time."""
        return [
            (stream.stream, intent)
            for stream in self.streams.values()
            for intent in stream.open_intents
            if intent.time < before
        ]

    def to_value(self) -> dict[str, object]:
        """Return the form of `--json`."""
        counts: dict[str, int] = {}
        for finding in self.findings:
            counts[finding.kind] = counts.get(finding.kind, 0) + 1
        return {
            "counts": counts,
            "findings": [finding.to_value() for finding in self.findings[:MAX_LISTED]],
            "size": self.size,
            "streams": [stream.to_value() for stream in self.streams.values()],
        }


def audit(entries: Iterable[bytes], *, origin: str | None = None, now: int | None = None) -> Audit:
    """Read all entries of a log, from leaf 0 on.

    With an `origin`, intents that name another log are found; with a time, entries of the future.
    """
    auditor = _Auditor(origin, now)
    for leaf, content in enumerate(entries):
        auditor.take(leaf, content)
    return auditor.finish()


class _Auditor:
    """One pass over the entries."""

    def __init__(self, origin: str | None, now: int | None) -> None:
        self._origin = origin
        self._latest = None if now is None else now + FUTURE_SECONDS
        #: The first intent of each question.
        self._questions: dict[bytes, int] = {}
        self._size = 0
        self._streams: dict[str, StreamAudit] = {}
        self._findings: list[Finding] = []
        self._by_leaf: dict[int, tuple[StreamAudit, IntentRecord]] = {}
        self._statements: dict[str, int] = {}
        #: The last number in order and its digest, and all numbers seen, for each stream.
        self._last: dict[str, tuple[int, str]] = {}
        self._numbers: dict[str, set[int]] = {}

    def take(self, leaf: int, content: bytes) -> None:
        """Take the next entry."""
        self._size = leaf + 1
        try:
            entry = entry_from_bytes(content, where=f"leaf {leaf}")
        except MalformedError as error:
            self._find("unknown", leaf, error.message)
            return
        if self._latest is not None and entry.time > self._latest:
            name = entry.stream if isinstance(entry, Intent) else ""
            self._find("time", leaf, f"its time, {entry.time}, lies in the future", name)
        if isinstance(entry, Intent):
            self._open(leaf, entry)
        else:
            self._close(leaf, entry)

    def finish(self) -> Audit:
        """Return what was found; gaps that were filled later are out of order, not missing."""
        for stream, numbers in self._numbers.items():
            missing = max(numbers) + 1 - len(numbers)
            if missing:
                first = next(i for i in range(max(numbers)) if i not in numbers)
                after = min(
                    (intent.number, intent.leaf)
                    for intent in self._streams[stream].intents
                    if intent.number > first
                )
                detail = f"{missing} missing in all, the first is number {first}"
                self._find("gap", after[1], detail, stream)
        return Audit(self._size, self._streams, self._findings)

    def _open(self, leaf: int, intent: Intent) -> None:
        stream = self._streams.setdefault(intent.stream, StreamAudit(intent.stream))
        self._compare(leaf, intent, stream)
        record = IntentRecord(leaf, intent.number, intent.time)
        stream.intents.append(record)
        self._by_leaf[leaf] = (stream, record)
        seen = self._numbers.setdefault(intent.stream, set())
        number, digest = self._last.get(intent.stream, (-1, ""))
        if intent.number in seen:
            self._find("duplicate", leaf, f"number {intent.number} again", intent.stream)
        elif intent.number < number:
            detail = f"number {intent.number} after {number}"
            self._find("order", leaf, detail, intent.stream)
        elif intent.number == number + 1 and intent.previous != digest:
            detail = f"number {intent.number} does not name the intent before it"
            self._find("chain", leaf, detail, intent.stream)
        seen.add(intent.number)
        if intent.number > number:
            self._last[intent.stream] = (intent.number, intent.digest)

    def _compare(self, leaf: int, intent: Intent, stream: StreamAudit) -> None:
        """Hold an intent against its log, the intent before it, and every question so far."""
        if self._origin not in (None, intent.origin):
            self._find("origin", leaf, f"it names log {intent.origin}", intent.stream)
        before = stream.intents[-1].time if stream.intents else 0
        if intent.time + BACK_SECONDS < before:
            detail = f"its time, {intent.time}, is before {before}, that of the intent before it"
            self._find("time", leaf, detail, intent.stream)
        question = f"{intent.model} {intent.input} {intent.parameters} {intent.request_id}"
        first = self._questions.setdefault(hashlib.sha256(question.encode()).digest(), leaf)
        if first == leaf:
            return
        if intent.request_id or intent.seed != "none":
            self._find("repeated", leaf, f"the question of leaf {first} again", intent.stream)
        else:
            stream.num_repeats += 1

    def _close(self, leaf: int, entry: Result | Void) -> None:
        found = self._by_leaf.get(entry.intent)
        name = "" if found is None else found[0].stream
        if isinstance(entry, Result):
            earlier = self._statements.setdefault(entry.statement, leaf)
            if earlier != leaf:
                detail = f"{entry.statement} is at leaf {earlier} too"
                self._find("statement_twice", leaf, detail, name)
        if found is None:
            self._find("dangling", leaf, f"leaf {entry.intent} is no earlier intent")
            return
        stream, record = found
        if entry.time + BACK_SECONDS < record.time:
            detail = f"its time, {entry.time}, is before {record.time}, that of its intent"
            self._find("time", leaf, detail, name)
        if record.closing is not None:
            detail = f"intent {entry.intent} is closed by leaf {record.closing.leaf} too"
            self._find("closed_twice", leaf, detail, name)
            return
        reason = "" if isinstance(entry, Result) else entry.reason
        record.closing = Closing(leaf, entry.time, reason)
        if isinstance(entry, Result):
            stream.num_results += 1
        else:
            stream.num_voids += 1
            stream.reasons[reason] = stream.reasons.get(reason, 0) + 1

    def _find(self, kind: str, leaf: int, detail: str, stream: str = "") -> None:
        self._findings.append(Finding(kind=kind, leaf=leaf, detail=detail, stream=stream))
