"""What a client remembers of logs: the newest checkpoint of each, so that a fork shows.

Spec: spec/v1/log.md, section 7. The first checkpoint of a log is taken as it comes; every other one
has to be consistent with the one that is held.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from veridical.client.wire import require_ok
from veridical.errors import ConsistencyError, InputError, LogError
from veridical.files import write_whole
from veridical.tlog import LogTrust, SignedCheckpoint, log_proofs, verify_proof
from veridical.tlog.note import NOTE_MAX_BYTES
from veridical.tlog.storage import Lock
from veridical.tlog.tiles import TileReader
from veridical.tlog.tree import consistency_proof, verify_consistency

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.client.transfer import Deadline, Transfer
    from veridical.receipt import Receipt
    from veridical.tlog import NoteKey

__all__ = ["FolderHeads", "Follower", "Heads", "MemoryHeads"]

#: A bundle of 256 entries of 4 KiB, the largest file of a log.
_FILE_MAX_BYTES: Final = 2 * 2**20
_NOT_FOUND: Final = 404


class Heads(Protocol):
    """Keeps the newest checkpoint of each log, by its origin."""

    def held(self, origin: str) -> bytes | None:
        """Return the note that is held."""

    def advance(self, origin: str, old: bytes | None, new: bytes) -> bool:
        """Hold `new` in place of `old`; False, and nothing done, if another one is held by now."""

    def keep_conflict(self, origin: str, held: bytes, other: bytes) -> str:
        """Keep two notes that are not shown to be of one log, and say where."""


class MemoryHeads:
    """Remembers as long as the process lives."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held: dict[str, bytes] = {}
        #: Pairs of notes that are not shown to be of one log.
        self.conflicts: list[tuple[bytes, bytes]] = []

    def held(self, origin: str) -> bytes | None:
        """Return the note that is held."""
        with self._mutex:
            return self._held.get(origin)

    def advance(self, origin: str, old: bytes | None, new: bytes) -> bool:
        """Hold a newer note."""
        with self._mutex:
            if self._held.get(origin) != old:
                return False
            self._held[origin] = new
            return True

    def keep_conflict(self, origin: str, held: bytes, other: bytes) -> str:
        """Keep two notes."""
        del origin
        with self._mutex:
            self.conflicts.append((held, other))
        return "memory"


class FolderHeads:
    """Remembers in files, which several processes may share."""

    def __init__(self, folder: str | Path) -> None:
        """Use a folder; it is made if it is not there.

        Raises:
            InputError: it cannot be made.
        """
        self._folder = Path(folder)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder: {error.strerror}", str(folder)) from error

    def held(self, origin: str) -> bytes | None:
        """Return the note that is held."""
        path = self._path(origin, "checkpoint")
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"cannot read: {error.strerror}", where=str(path)) from error

    def advance(self, origin: str, old: bytes | None, new: bytes) -> bool:
        """Hold a newer note."""
        lock = Lock(self._path(origin, "lock"), waits=True)
        try:
            if self.held(origin) != old:
                return False
            write_whole(self._path(origin, "checkpoint"), new, what="the checkpoint")
            return True
        finally:
            lock.release()

    def keep_conflict(self, origin: str, held: bytes, other: bytes) -> str:
        """Keep two notes."""
        folder = self._path(origin, f"conflict-{hashlib.sha256(held + other).hexdigest()[:16]}")
        folder.mkdir(exist_ok=True)
        write_whole(folder / "held.checkpoint", held, what="the checkpoint")
        write_whole(folder / "other.checkpoint", other, what="the checkpoint")
        return str(folder)

    def _path(self, origin: str, kind: str) -> Path:
        # An origin may hold any sign; its hash is a name on every system.
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.{kind}"


class Follower:
    """Compares every checkpoint that a client meets with the one that it holds."""

    def __init__(self, heads: Heads, transfer: Transfer) -> None:
        self._heads = heads
        self._transfer = transfer

    async def newest(self, log: NoteKey, deadline: Deadline) -> SignedCheckpoint:
        """Return the gateway's present checkpoint, which extends the one that was held.

        Raises:
            ConsistencyError: it does not: the log was forked, or rolled back.
            CheckpointError: the log did not sign it.
            GatewayError: the gateway does not show it.
        """
        reply = await self._transfer.send(
            "GET", "/log/checkpoint", deadline, max_bytes=NOTE_MAX_BYTES
        )
        require_ok(reply.status, reply.headers, reply.content)
        signed = SignedCheckpoint.from_bytes(reply.content)
        signed.verify_log([log])
        await self._advance(signed, deadline, is_newest=True)
        return signed

    async def meet(self, receipt: Receipt, log: NoteKey, deadline: Deadline) -> None:
        """Compare the newest checkpoint of a receipt that was verified.

        Raises:
            ConsistencyError: it is not shown to be of the log that is held.
        """
        trust = LogTrust(logs=(log,))
        met: list[SignedCheckpoint] = []
        for blob in log_proofs(receipt):
            try:
                proof, _, _ = verify_proof(blob, trust)
            except LogError:
                continue
            met.append(proof.checkpoint)
        if met:
            await self._advance(max(met, key=lambda one: one.size), deadline, is_newest=False)

    async def _advance(
        self, signed: SignedCheckpoint, deadline: Deadline, *, is_newest: bool
    ) -> None:
        origin, note = signed.checkpoint.origin, signed.to_bytes()
        while True:
            deadline.left()
            held = await asyncio.to_thread(self._heads.held, origin)
            if held is None:
                if await asyncio.to_thread(self._heads.advance, origin, None, note):
                    return
                continue
            own = SignedCheckpoint.from_bytes(held, where="the checkpoint that is held")
            if is_newest and signed.size < own.size:
                raise ConsistencyError(
                    f"the newest checkpoint has {signed.size} leaves, {own.size} were shown "
                    "before: it is old, or the log was rolled back",
                    check="log.consistency",
                )
            await self._require_consistent(own, signed, deadline)
            if signed.size <= own.size:
                return
            if await asyncio.to_thread(self._heads.advance, origin, held, note):
                return

    async def _require_consistent(
        self, own: SignedCheckpoint, met: SignedCheckpoint, deadline: Deadline
    ) -> None:
        old, new = sorted((own, met), key=lambda one: one.size)
        proof: list[bytes] = []
        if 0 < old.size < new.size:
            tiles = _RemoteTiles(self._transfer, new.size, deadline, asyncio.get_running_loop())
            proof = await asyncio.to_thread(consistency_proof, tiles, old.size, new.size)
        try:
            verify_consistency(old.size, new.size, proof, old.root, new.root)
        except ConsistencyError as error:
            where = await asyncio.to_thread(
                self._heads.keep_conflict,
                own.checkpoint.origin,
                own.to_bytes(),
                met.to_bytes(),
            )
            raise ConsistencyError(
                f"a checkpoint of {met.size} leaves is not shown to be of the log of which "
                f"{own.size} leaves were shown before: {error.message}; both are kept in {where}",
                where=own.checkpoint.origin,
                check="log.consistency",
            ) from error


class _RemoteTiles(TileReader):
    """Tiles of a gateway. Nothing in them is believed: a proof made of them is verified."""

    def __init__(
        self,
        transfer: Transfer,
        size: int,
        deadline: Deadline,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__("log", size)
        self._transfer = transfer
        self._deadline = deadline
        self._loop = loop

    def _read(self, paths: Mapping[str, int]) -> tuple[int, bytes]:
        """Return the first of several files that is there; called from a thread."""
        for path, width in paths.items():
            sent = self._transfer.send(
                "GET", f"/log/{path}", self._deadline, max_bytes=_FILE_MAX_BYTES
            )
            reply = asyncio.run_coroutine_threadsafe(sent, self._loop).result()
            if reply.status == _NOT_FOUND:
                continue
            require_ok(reply.status, reply.headers, reply.content)
            return width, reply.content
        raise LogError("the gateway does not show it", where=next(iter(paths)), check="log.tile")
