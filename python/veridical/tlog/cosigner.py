"""A cosigner: signs the heads of logs, each only if it extends the one before.

Spec: spec/v1/log.md, section 7; https://c2sp.org/tlog-witness. `Cosigner.add_checkpoint` takes the
body of a request and gives status, type and body of the answer, so that any server can carry it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from veridical.errors import (
    CheckpointError,
    ConsistencyError,
    Error,
    InputError,
    MalformedError,
    NonCanonicalError,
    OversizeError,
)
from veridical.receipt.canonical import decode_base64, encode_base64
from veridical.tlog.checkpoint import (
    SignedCheckpoint,
    cosign,
    parse_size,
    require_distinct,
)
from veridical.tlog.note import NOTE_MAX_BYTES, Note, NoteKey, NoteSignature
from veridical.tlog.tree import EMPTY_ROOT, HASH_BYTES, verify_consistency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from veridical.keys import Signer
    from veridical.tlog.log import Log

__all__ = ["Answer", "Cosigner", "StaleSizeError", "add_cosignatures", "encode_request"]

MAX_NODES: Final = 63
REQUEST_MAX_BYTES: Final = NOTE_MAX_BYTES + 4096
#: The check of two checkpoints of one size with two roots.
FORK: Final = "log.fork"
#: Conflicting checkpoints kept for each log; the first ones are the evidence.
MAX_CONFLICTS: Final = 64

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS heads (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), time INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS conflicts (
    origin TEXT NOT NULL, note BLOB NOT NULL, cosigned BLOB NOT NULL, UNIQUE (origin, note)
);
"""


class StaleSizeError(InputError):
    """The request starts from another size than the one that was cosigned last."""

    default_advice = "Prove consistency from the size that is given, and ask again."

    def __init__(self, size: int) -> None:
        """Carry the size that was cosigned last."""
        super().__init__(f"the checkpoint cosigned last has {size} leaves")
        self.args = (size,)
        self.size = size


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in the terms of HTTP."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


def encode_request(old_size: int, proof: Iterable[bytes], checkpoint: SignedCheckpoint) -> bytes:
    """Return the body of a request to `add-checkpoint`."""
    lines = [f"old {old_size}", *(encode_base64(node) for node in proof)]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + checkpoint.to_bytes()


class Cosigner:
    """Cosigns checkpoints of the logs that it knows, and remembers the last of each."""

    def __init__(
        self,
        state: str | Path,
        *,
        name: str,
        signer: Signer,
        logs: Iterable[NoteKey],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the state; `logs` are those whose checkpoints are cosigned."""
        self.key = NoteKey.of(name, signer.public_key, role="cosigner")
        self._logs = tuple(logs)
        require_distinct({"log": self._logs})
        self._signer = signer
        self._clock = clock
        self._mutex = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                Path(state), isolation_level=None, check_same_thread=False, timeout=10
            )
            # An answer that is given may never be forgotten: every commit waits for the disk, and
            # for the folder, in which the removal of a rollback journal is what commits.
            self._connection.execute("PRAGMA synchronous = EXTRA")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise InputError(f"cannot open the state: {error}", where=str(state)) from error

    def close(self) -> None:
        """Close the state."""
        self._connection.close()

    def head(self, origin: str) -> SignedCheckpoint | None:
        """Return the checkpoint of a log that was cosigned last, with all its signatures."""
        row = self._connection.execute(
            "SELECT note FROM heads WHERE origin = ?", (origin,)
        ).fetchone()
        return None if row is None else SignedCheckpoint.from_bytes(row[0])

    def conflicts(self, origin: str) -> list[tuple[bytes, bytes]]:
        """Return pairs of notes, both signed by the log, that cannot both be true."""
        rows = self._connection.execute(
            "SELECT note, cosigned FROM conflicts WHERE origin = ? ORDER BY rowid", (origin,)
        )
        return [(bytes(row[0]), bytes(row[1])) for row in rows]

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request; never raises on what it holds."""
        try:
            lines = self.cosign(body)
        except StaleSizeError as error:
            return Answer(409, f"{error.size}\n".encode(), "text/x.tlog.size")
        except CheckpointError as error:
            return _refusal(404 if error.check == "log.origin" else 403, error)
        except ConsistencyError as error:
            return _refusal(409 if error.check == FORK else 422, error)
        except MalformedError as error:
            return _refusal(400, error)
        except Error as error:  # the state cannot be read or written: nothing was signed
            return _refusal(500, error)
        return Answer(200, "".join(line.to_line() for line in lines).encode())

    def cosign(self, body: bytes) -> list[NoteSignature]:
        """Return the cosignature that a request asks for.

        Raises:
            MalformedError: the request is no request.
            CheckpointError: the log is not known, or did not sign.
            StaleSizeError: the request starts from another size than the last.
            ConsistencyError: the checkpoint does not extend the last one; check `log.fork` if both
                have one size, so that they convict the log.
            InputError: the state cannot be read or written.
        """
        old_size, proof, signed = _parse_request(body)
        signed.verify_log(self._logs)
        if old_size > signed.size:
            raise MalformedError(f"old size {old_size} is above {signed.size}", check="log.format")
        # One transaction, or a slower request could roll the size back.
        with self._mutex:
            try:
                return self._in_transaction(old_size, proof, signed)
            except sqlite3.Error as error:
                raise InputError(f"the cosigner's state cannot be used: {error}") from error

    def _in_transaction(
        self, old_size: int, proof: list[bytes], signed: SignedCheckpoint
    ) -> list[NoteSignature]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            lines = self._extend(old_size, proof, signed)
        except ConsistencyError:
            self._connection.execute("COMMIT")  # the evidence
            raise
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return lines

    def _extend(
        self, old_size: int, proof: list[bytes], signed: SignedCheckpoint
    ) -> list[NoteSignature]:
        last = self.head(signed.checkpoint.origin)
        last_size = 0 if last is None else last.size
        if old_size != last_size:
            raise StaleSizeError(last_size)
        if last is not None and signed.size == last.size and signed.root != last.root:
            self._note_conflict(signed, last)
            raise ConsistencyError(
                f"another root than the one that was cosigned for {last.size} leaves", check=FORK
            )
        old_root = EMPTY_ROOT if last is None else last.root
        # A proof that fails convicts nobody: anybody can send a bad one for a good checkpoint.
        verify_consistency(old_size, signed.size, proof, old_root, signed.root)
        timestamp = self._tick()
        line = cosign(signed.note.text, self.key, self._signer, timestamp=timestamp)
        # Only the log's own lines and ours: others are not this cosigner's to vouch for.
        own = [found for _, found in signed.note.by(self._logs)]
        kept = SignedCheckpoint(signed.checkpoint, Note(signed.note.text, (*own, line)))
        self._connection.execute(
            "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)",
            (signed.checkpoint.origin, signed.size, signed.root, kept.to_bytes()),
        )
        return [line]

    def _tick(self) -> int:
        """Return the time; it never goes back, whatever the clock does."""
        [last] = self._connection.execute("SELECT max(time) FROM clock").fetchone()
        now = max(int(self._clock()), last or 1)
        self._connection.execute("INSERT OR REPLACE INTO clock VALUES (1, ?)", (now,))
        return now

    def _note_conflict(self, signed: SignedCheckpoint, last: SignedCheckpoint) -> None:
        origin = signed.checkpoint.origin
        query = "SELECT count(*) FROM conflicts WHERE origin = ?"
        if self._connection.execute(query, (origin,)).fetchone()[0] < MAX_CONFLICTS:
            self._connection.execute(
                "INSERT OR IGNORE INTO conflicts VALUES (?, ?, ?)",
                (origin, signed.to_bytes(), last.to_bytes()),
            )


def add_cosignatures(
    log: Log, *cosigners: Cosigner, head: SignedCheckpoint | None = None
) -> SignedCheckpoint:
    """Have one checkpoint of a log cosigned, the present one by default, and publish it.

    Raises:
        ConsistencyError: a cosigner saw another history of this log.
        CheckpointError: a cosigner does not know this log.
    """
    head = log.head() if head is None else head
    for cosigner in cosigners:
        last = cosigner.head(head.checkpoint.origin)
        old_size = 0 if last is None else last.size
        if old_size > head.size:
            raise ConsistencyError(
                f"{cosigner.key.name} cosigned {old_size} leaves, the log has {head.size}",
                check="log.consistency",
            )
        proof = log.prove_consistency(old_size, head.size)
        head = head.with_lines(cosigner.cosign(encode_request(old_size, proof, head)))
        head.verify_cosigners([cosigner.key], at_least=1)
    return log.publish_cosigned(head)


def _refusal(status: int, error: Error) -> Answer:
    return Answer(status, f"{error.check}: {error.message}\n".encode())


def _parse_request(body: bytes) -> tuple[int, list[bytes], SignedCheckpoint]:
    if len(body) > REQUEST_MAX_BYTES:
        raise OversizeError(
            f"{len(body)} bytes; a request has at most {REQUEST_MAX_BYTES}", check="log.format"
        )
    head, separator, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("the request is not ASCII", check="log.format") from error
    if not separator or not first.startswith("old "):
        raise MalformedError("the line 'old' is missing", check="log.format")
    if len(lines) > MAX_NODES:
        raise OversizeError(f"more than {MAX_NODES} nodes", check="log.format")
    old_size = parse_size(first.removeprefix("old "), where="request")
    try:
        proof = [decode_base64(line, where="request") for line in lines]
    except NonCanonicalError as error:
        raise MalformedError(error.message, where="request", check="log.format") from error
    if any(len(node) != HASH_BYTES for node in proof):
        raise MalformedError("a node is no hash", where="request", check="log.format")
    return old_size, proof, SignedCheckpoint.from_bytes(note, where="request")
