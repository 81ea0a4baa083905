"""The index of a log: what follows from its entries, and the rules that a new one must keep.

Spec: spec/v1/log.md, sections 4 and 5. Nothing here is a source of truth: the index is made again
from the entries when it is behind, so its commits need not wait for the disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from veridical.errors import InputError, LogError
from veridical.tlog.entry import Intent, Result

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from veridical.tlog.entry import Entry

__all__ = ["Index", "checkpoint_index"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS state (size INTEGER NOT NULL);
INSERT INTO state SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM state);
CREATE TABLE IF NOT EXISTS streams (
    stream TEXT PRIMARY KEY, next INTEGER NOT NULL, last TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intents (
    leaf INTEGER PRIMARY KEY, stream TEXT NOT NULL, number INTEGER NOT NULL, closed INTEGER,
    UNIQUE (stream, number)
);
CREATE INDEX IF NOT EXISTS open_intents ON intents (leaf) WHERE closed IS NULL;
CREATE TABLE IF NOT EXISTS results (
    statement TEXT PRIMARY KEY, leaf INTEGER NOT NULL, intent INTEGER NOT NULL
) WITHOUT ROWID;
"""

#: SQLite takes at least this many values in one query.
_MAX_NAMES: Final = 500

Mode: TypeAlias = Literal["write", "read"]


@dataclass(slots=True)
class _Batch:
    """What is not committed yet; rules hold between its entries as well."""

    intents: list[tuple[int, str, int]] = field(default_factory=list)
    streams: dict[str, tuple[int, str]] = field(default_factory=dict)
    results: list[tuple[str, int, int]] = field(default_factory=list)
    closed: list[tuple[int, int]] = field(default_factory=list)
    #: The same by leaf.
    opened: set[int] = field(default_factory=set)
    closes: dict[int, int] = field(default_factory=dict)
    #: Statements that have a result, and those for which it is known whether they have.
    known: dict[str, tuple[int, int]] = field(default_factory=dict)
    looked_up: set[str] = field(default_factory=set)


class Index:
    """Leaf indices by statement and by number, in SQLite."""

    def __init__(self, path: Path, *, mode: Mode) -> None:
        uri = f"{path.absolute().as_uri()}?mode={'rwc' if mode == 'write' else 'ro'}"
        self._batch = _Batch()
        self._open: set[int] | None = None
        self._streams: dict[str, tuple[int, str]] = {}
        try:
            self._connection = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10
            )
            if mode == "write":
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                # Its syncs would hold up some commit; `checkpoint_index` is called beside commits.
                self._connection.execute("PRAGMA wal_autocheckpoint = 0")
                self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise InputError(f"cannot open the index: {error}", where=str(path)) from error

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def begin(self, statements: Iterable[str] = ()) -> None:
        """Start a batch, of results for these statements among others."""
        self._batch = _Batch()
        for start in range(0, len(names := list(statements)), _MAX_NAMES):
            some = names[start : start + _MAX_NAMES]
            marks = ",".join("?" * len(some))
            query = f"SELECT statement, leaf, intent FROM results WHERE statement IN ({marks})"  # noqa: S608 - marks only
            found = self._all(query, *some)
            self._batch.looked_up.update(some)
            self._batch.known.update({str(row[0]): (int(row[1]), int(row[2])) for row in found})

    def commit(self, size: int) -> None:
        """Keep the batch; the index now covers `size` leaves."""
        batch, run = self._batch, self._connection
        run.execute("BEGIN IMMEDIATE")
        run.executemany("INSERT INTO intents VALUES (?, ?, ?, NULL)", batch.intents)
        run.executemany(
            "INSERT INTO streams VALUES (?, ?, ?) "
            "ON CONFLICT (stream) DO UPDATE SET next = excluded.next, last = excluded.last",
            [(stream, *at) for stream, at in batch.streams.items()],
        )
        run.executemany("INSERT INTO results VALUES (?, ?, ?)", batch.results)
        run.executemany("UPDATE intents SET closed = ? WHERE leaf = ?", batch.closed)
        run.execute("UPDATE state SET size = ?", (size,))
        run.execute("COMMIT")
        self._streams.update(batch.streams)
        if self._open is not None:
            self._open.update(leaf for leaf, _, _ in batch.intents)
            self._open.difference_update(leaf for _, leaf in batch.closed)
        self._batch = _Batch()

    def rollback(self) -> None:
        """Forget the batch."""
        self._batch = _Batch()
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")

    @property
    def size(self) -> int:
        """How many leaves the index covers."""
        row = self._first("SELECT size FROM state")
        if row is None:
            raise LogError("the index says no size", check="log.index")
        return int(row[0])

    def size_or_zero(self) -> int:
        """Return `size`; 0 if the index is damaged, which is found when it is used."""
        try:
            return self.size
        except LogError:
            return 0

    def next_in(self, stream: str) -> tuple[int, str]:
        """Return the next number of a stream, and the digest of the intent before it."""
        known = self._batch.streams.get(stream) or self._streams.get(stream)
        if known is not None:
            return known
        row = self._first("SELECT next, last FROM streams WHERE stream = ?", stream)
        return (0, "") if row is None else (int(row[0]), str(row[1]))

    def intent_leaf(self, stream: str, number: int) -> int | None:
        """Return where an intent stands."""
        row = self._first(
            "SELECT leaf FROM intents WHERE stream = ? AND number = ?", stream, number
        )
        return None if row is None else int(row[0])

    def result_leaf(self, statement: str) -> tuple[int, int] | None:
        """Return where the result of a statement stands, and where the intent that it closes."""
        row = self._first("SELECT leaf, intent FROM results WHERE statement = ?", statement)
        return None if row is None else (int(row[0]), int(row[1]))

    def closed_by(self, intent: int) -> int | None:
        """Return the leaf that closes an intent; None while it is open.

        Raises:
            InputError: the leaf is no intent.
        """
        row = self._first("SELECT closed FROM intents WHERE leaf = ?", intent)
        if row is None:
            raise InputError(f"leaf {intent} is no intent of this log")
        return None if row[0] is None else int(row[0])

    def open_intents(self) -> list[int]:
        """Return the leaves of all intents that nothing closes."""
        query = "SELECT leaf FROM intents WHERE closed IS NULL ORDER BY leaf"
        try:
            return [int(row[0]) for row in self._connection.execute(query)]
        except sqlite3.Error as error:
            raise _damaged(error) from error

    def apply(self, leaf: int, entry: Entry) -> None:
        """Take one entry into the batch.

        Raises:
            InputError: it breaks a rule of the log; nothing was changed.
        """
        batch = self._batch
        if isinstance(entry, Intent):
            self._open_intent(leaf, entry)
            return
        self._require_open(entry.intent)
        if isinstance(entry, Result):
            row = batch.known.get(entry.statement)
            if row is None and entry.statement not in batch.looked_up:
                row = self.result_leaf(entry.statement)
            if row is not None:
                raise InputError(f"{entry.statement} is logged at leaf {row[0]}")
            batch.known[entry.statement] = (leaf, entry.intent)
            batch.results.append((entry.statement, leaf, entry.intent))
        batch.closes[entry.intent] = leaf
        batch.closed.append((leaf, entry.intent))

    def _require_open(self, intent: int) -> None:
        if self._open is None:
            self._open = set(self.open_intents())
        batch = self._batch
        closed = batch.closes.get(intent)
        if closed is None and (intent in self._open or intent in batch.opened):
            return
        if closed is None:
            closed = self.closed_by(intent)
        raise InputError(f"the intent at leaf {intent} is closed by leaf {closed}")

    def _open_intent(self, leaf: int, intent: Intent) -> None:
        number, previous = self.next_in(intent.stream)
        if (intent.number, intent.previous) != (number, previous):
            raise InputError(
                f"the next intent of stream {intent.stream!r} has number {number} and "
                f"previous {previous!r}, not {intent.number} and {intent.previous!r}"
            )
        self._batch.opened.add(leaf)
        self._batch.intents.append((leaf, intent.stream, number))
        self._batch.streams[intent.stream] = (number + 1, intent.digest)

    def _first(self, query: str, *values: str | int) -> tuple[Any, ...] | None:
        rows = self._all(query, *values)
        return rows[0] if rows else None

    def _all(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _damaged(error) from error


def _damaged(error: sqlite3.Error) -> LogError:
    return LogError(
        f"the index cannot be read: {error}",
        check="log.index",
        advice="Remove the index; opening the log to append makes it again.",
    )


def checkpoint_index(path: Path) -> None:
    """Bring what was committed into the main file, without holding up a commit."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as run:
        run.execute("PRAGMA wal_checkpoint(PASSIVE)")
