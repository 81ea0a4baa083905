"""The index of a log: what follows from its entries, and the rules that a new one must keep.

Spec: spec/v1/log.md, sections 4 and 5. Nothing here is a source of truth: the index is made again
from the entries when it is behind, so its commits need not wait for the disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from veridical.errors import InputError, LogError
from veridical.tlog.entry import Intent, Result

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.tlog.entry import Entry

__all__ = ["Index"]

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

Mode: TypeAlias = Literal["write", "read"]


class Index:
    """Leaf indices by statement and by number, in SQLite."""

    def __init__(self, path: Path, *, mode: Mode) -> None:
        uri = f"{path.absolute().as_uri()}?mode={'rwc' if mode == 'write' else 'ro'}"
        try:
            self._connection = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10
            )
            if mode == "write":
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise InputError(f"cannot open the index: {error}", where=str(path)) from error

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def begin(self) -> None:
        """Start a batch."""
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self, size: int) -> None:
        """Keep the batch; the index now covers `size` leaves."""
        self._connection.execute("UPDATE state SET size = ?", (size,))
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Forget the batch."""
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
        """Take one entry.

        Raises:
            InputError: it breaks a rule of the log; nothing was changed.
        """
        if isinstance(entry, Intent):
            self._open(leaf, entry)
            return
        closed = self.closed_by(entry.intent)
        if closed is not None:
            raise InputError(f"the intent at leaf {entry.intent} is closed by leaf {closed}")
        if isinstance(entry, Result):
            row = self.result_leaf(entry.statement)
            if row is not None:
                raise InputError(f"{entry.statement} is logged at leaf {row[0]}")
            self._connection.execute(
                "INSERT INTO results VALUES (?, ?, ?)", (entry.statement, leaf, entry.intent)
            )
        self._connection.execute(
            "UPDATE intents SET closed = ? WHERE leaf = ?", (leaf, entry.intent)
        )

    def _open(self, leaf: int, intent: Intent) -> None:
        number, previous = self.next_in(intent.stream)
        if (intent.number, intent.previous) != (number, previous):
            raise InputError(
                f"the next intent of stream {intent.stream!r} has number {number} and "
                f"previous {previous!r}, not {intent.number} and {intent.previous!r}"
            )
        self._connection.execute(
            "INSERT INTO intents VALUES (?, ?, ?, NULL)", (leaf, intent.stream, number)
        )
        self._connection.execute(
            "INSERT INTO streams VALUES (?, ?, ?) "
            "ON CONFLICT (stream) DO UPDATE SET next = excluded.next, last = excluded.last",
            (intent.stream, number + 1, intent.digest),
        )

    def _first(self, query: str, *values: str | int) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise _damaged(error) from error
        return row


def _damaged(error: sqlite3.Error) -> LogError:
    return LogError(
        f"the index cannot be read: {error}",
        check="log.index",
        advice="Remove the index; opening the log to append makes it again.",
    )
