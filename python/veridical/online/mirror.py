"""Copies a log that is served over HTTP, and follows it from the checkpoint that is held.

Spec: spec/v1/log.md, sections 5 and 7. Only entries are asked for: every tile is made of them here,
so a copy whose root is the signed one is the log, and one that was held before is its beginning.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from veridical.errors import ConsistencyError, InputError, LogError
from veridical.online.fetch import NoAnswerError, fetch, require_address
from veridical.tlog import Log, NoteKey, SignedCheckpoint
from veridical.tlog.entry import ENTRY_MAX_BYTES
from veridical.tlog.frontier import Frontier
from veridical.tlog.fsck import require_of_tree
from veridical.tlog.log import CHECKPOINT, COSIGNED, write_settings
from veridical.tlog.storage import STATE, Files, Lock
from veridical.tlog.tiles import TILE_WIDTH, TileReader, bundle_path, parse_bundle, tile_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Fetched", "fetch_log"]

SECONDS: Final = 30.0
BUNDLE_MAX_BYTES: Final = TILE_WIDTH * (2 + ENTRY_MAX_BYTES)
#: Bundles in one batch: a few megabytes of entries at a time.
BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class Fetched:
    """A copy of a log, and how many leaves of it were there before."""

    head: SignedCheckpoint
    old_size: int
    #: The latest checkpoint with cosignatures, if the log has one.
    cosigned: SignedCheckpoint | None


def fetch_log(
    url: str,
    folder: str | Path,
    key: NoteKey,
    *,
    cosigners: Sequence[NoteKey] = (),
    min_cosigners: int = 0,
    http: httpx.Client | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Fetched:
    """Bring a copy of a log up to date; what is there already is its beginning, or it is a fork.

    Raises:
        ConsistencyError: the log was forked or rolled back since, or its files are damaged. Its
            checkpoint is kept in the copy as `.state/conflict-<size>`: one of the copy's own size
            convicts the log, for another the log owes a proof of consistency.
        CheckpointError: it is another log, or too few of the cosigners signed.
        LogError: its files do not lead to its checkpoint.
        NoAnswerError: the server does not answer.
    """
    client = httpx.Client() if http is None else http
    lock = _locked(Path(folder), key)
    try:
        return _Copy(require_address(url), Path(folder), key, client).update(
            cosigners, min_cosigners, on_progress
        )
    finally:
        lock.release()
        if http is None:
            client.close()


def _locked(folder: Path, key: NoteKey) -> Lock:
    """Make the folder of a copy, and exclude others that would update it."""
    try:
        if folder.exists() and any(folder.iterdir()):
            if Log.open(folder).key != key:
                raise InputError("the copy is of another log", where=str(folder))
            return Lock(folder / STATE / "lock")
        (folder / STATE).mkdir(parents=True)
        write_settings(folder, key)
        return Lock(folder / STATE / "lock")
    except OSError as error:
        raise InputError(f"cannot make a copy: {error.strerror}", where=str(folder)) from error


class _Copy:
    """One update of one copy."""

    def __init__(self, url: str, folder: Path, key: NoteKey, http: httpx.Client) -> None:
        self._url = url
        self._http = http
        self._log = Log(folder, key)
        self._files = Files(folder)

    def update(
        self,
        cosigners: Sequence[NoteKey],
        min_cosigners: int,
        on_progress: Callable[[int, int], None] | None,
    ) -> Fetched:
        """Fetch what is new, compare the root, and keep the checkpoint last."""
        held = self._log.head() if (self._log.folder / CHECKPOINT).exists() else None
        head = self._signed(CHECKPOINT)
        if head is None:
            raise LogError("there is no checkpoint", where=f"{self._url}/{CHECKPOINT}")
        old_size = 0 if held is None else held.size
        if head.size < old_size:
            self._convict(head)
            raise ConsistencyError(
                f"the log has {head.size} leaves, the copy {old_size}: it was rolled back",
                where=self._url,
                check="log.rollback",
            )
        whole = self._extend(old_size, head, on_progress)
        self._files.put({CHECKPOINT: head.to_bytes()})
        self._files.drop_partials(whole)
        cosigned = self._cosigned(head)
        if min_cosigners:
            (head if cosigned is None else cosigned).verify_cosigners(
                cosigners, at_least=min_cosigners
            )
        return Fetched(head, old_size, cosigned)

    def _extend(
        self,
        old_size: int,
        head: SignedCheckpoint,
        on_progress: Callable[[int, int], None] | None,
    ) -> list[str]:
        """Write the tiles of new entries, and return those that are full."""
        whole: list[str] = []
        frontier = Frontier.load(TileReader(self._log.folder, old_size))
        for entries in self._entries(old_size, head):
            new = frontier.append(entries)
            self._files.put(new)
            self._files.sync(new)
            whole += (path for path in new if ".p/" not in path)
            if on_progress is not None:
                on_progress(frontier.size, head.size)
        if frontier.root() != head.root:
            self._convict(head)
            message = "its entries give another root than its checkpoint's"
            if old_size:
                message += ": the log was forked, or its files are damaged"
            raise ConsistencyError(message, where=self._url, check="log.consistency")
        return whole

    def _entries(self, old_size: int, head: SignedCheckpoint) -> Iterator[list[bytes]]:
        """Yield the entries from `old_size` on, batch by batch."""
        first, last = old_size // TILE_WIDTH, -(-head.size // TILE_WIDTH)
        for start in range(first, last, BATCH):
            batch: list[bytes] = []
            for number in range(start, min(start + BATCH, last)):
                bundle = self._bundle(number, head.size)
                batch += bundle[old_size - number * TILE_WIDTH :] if number == first else bundle
            yield batch

    def _bundle(self, number: int, size: int) -> list[bytes]:
        """Return one bundle; a partial one may have been replaced by the full one since."""
        width = tile_width(0, number, size)
        for found in dict.fromkeys((width, TILE_WIDTH)):
            path = bundle_path(number, found)
            content = self._get(path, max_bytes=BUNDLE_MAX_BYTES)
            if content is None:
                continue
            entries = parse_bundle(content, where=path)
            if len(entries) != found:
                raise LogError(
                    f"the bundle has {len(entries)} entries, not {found}",
                    where=path,
                    check="log.bundle",
                )
            return entries[:width]
        raise LogError("the bundle is missing", where=bundle_path(number, width), check="log.tile")

    def _cosigned(self, head: SignedCheckpoint) -> SignedCheckpoint | None:
        """Keep the cosigned checkpoint, if it is one of this tree."""
        cosigned = self._signed(COSIGNED)
        if cosigned is None or cosigned.size > head.size:  # it may be newer than our head
            return None
        try:
            require_of_tree(TileReader(self._log.folder, head.size), cosigned, where=COSIGNED)
        except ConsistencyError:
            self._convict(cosigned)
            raise
        with contextlib.suppress(InputError):  # an older one than is kept
            return self._log.publish_cosigned(cosigned)
        return cosigned

    def _signed(self, name: str) -> SignedCheckpoint | None:
        content = self._get(name)
        if content is None:
            return None
        signed = SignedCheckpoint.from_bytes(content, where=f"{self._url}/{name}")
        signed.verify_log([self._log.key])
        return signed

    def _convict(self, head: SignedCheckpoint) -> None:
        """Keep a checkpoint that the log signed and that does not fit."""
        path = self._log.folder / STATE / f"conflict-{head.size}"
        path.write_bytes(head.to_bytes())

    def _get(self, path: str, *, max_bytes: int = 64 * 1024) -> bytes | None:
        url = f"{self._url}/{path}"
        answer = fetch(self._http, "GET", url, seconds=SECONDS, max_bytes=max_bytes)
        if answer.status == httpx.codes.NOT_FOUND:
            return None
        if answer.status != httpx.codes.OK:
            raise NoAnswerError(f"status {answer.status}", where=url)
        return answer.content
