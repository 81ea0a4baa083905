"""Files that survive a crash: the journal, atomic replacement, and syncing.

Spec: spec/v1/log.md, section 5.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from veridical.commitment import frame
from veridical.errors import InputError, LogError
from veridical.tlog.tiles import encode_bundle, parse_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["STATE", "Batch", "Files", "Journal", "Lock", "NothingWrittenError"]

#: The writer's own folder inside that of the log.
STATE: Final = ".state"
#: The disk or the quota is full.
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
#: What may be there again in a moment.
_SHORT: Final = _NO_ROOM | {errno.EMFILE, errno.ENFILE}
_RETRY_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 5.0
_U64: Final = 8
_HASH_BYTES: Final = 32
#: The old size and the lengths of two fields; so a run of zeros is no record.
_MIN_PAYLOAD: Final = 3 * _U64


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that are sequenced together, and the checkpoint signed over them."""

    old_size: int
    checkpoint: bytes
    entries: tuple[bytes, ...]

    def to_record(self) -> bytes:
        """Return the record of a journal."""
        payload = self.old_size.to_bytes(_U64, "little") + frame(
            self.checkpoint, encode_bundle(self.entries)
        )
        return frame(payload) + hashlib.sha256(payload).digest()

    @classmethod
    def from_payload(cls, payload: bytes) -> Batch:
        """Read what `to_record` framed; its hash was compared."""
        old_size, rest = int.from_bytes(payload[:_U64], "little"), payload[_U64:]
        parts = []
        for _ in range(2):
            end = _U64 + int.from_bytes(rest[:_U64], "little")
            parts.append(rest[_U64:end])
            rest = rest[end:]
        return cls(old_size, parts[0], tuple(parse_bundle(parts[1], where="journal")))


class NothingWrittenError(Exception):
    """A batch could not be written, and left nothing behind: the next one may be."""


class Journal:
    """Batches in the order in which they were sequenced, each synced before it counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_bytes = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        sync_folder(path.parent)

    def append(self, batch: Batch) -> None:
        """Write one batch and wait until it is on the disk.

        Raises:
            NothingWrittenError: there is no room for it; the journal is as it was.
            OSError: what is on the disk is not known.
        """
        record = batch.to_record()
        view = memoryview(record)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            os.ftruncate(self._file, self.num_bytes)
            raise NothingWrittenError(f"the journal cannot grow: {error.strerror}") from error
        os.fdatasync(self._file)
        self.num_bytes += len(record)

    def close(self) -> None:
        """Close the file; it stays. A second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    @staticmethod
    def read(path: Path, *, is_last: bool = True) -> list[Batch]:
        """Return every batch. What the last write left of one is dropped; it was told to nobody.

        Raises:
            LogError: a batch that was followed by another, or by another journal, is damaged.
        """
        content = path.read_bytes()
        batches: list[Batch] = []
        offset = 0
        while offset < len(content):
            payload = _payload(content, offset)
            if payload is None:
                break
            batches.append(Batch.from_payload(payload))
            offset += _U64 + len(payload) + _HASH_BYTES
        # The length of a damaged record may be damaged too, so any later record convicts it.
        if offset < len(content) and (not is_last or _has_record(content, offset + 1)):
            raise LogError(
                f"the record at byte {offset} is damaged, and others follow it",
                where=f"{STATE}/{path.name}",
                check="log.rollback",
                advice="Bring the journal back from a copy; a log without it would be a fork.",
            )
        return batches


def _payload(content: bytes, offset: int) -> bytes | None:
    """Return the payload of the record at an offset, or None if there is no whole one."""
    start = offset + _U64
    end = start + int.from_bytes(content[offset:start], "little")
    if end - start < _MIN_PAYLOAD or end + _HASH_BYTES > len(content):
        return None
    payload = content[start:end]
    digest = content[end : end + _HASH_BYTES]
    return payload if hashlib.sha256(payload).digest() == digest else None


def _has_record(content: bytes, start: int) -> bool:
    last = len(content) - _U64 - _HASH_BYTES
    return any(_payload(content, offset) is not None for offset in range(start, last + 1))


class Files:
    """The public files of a log: written without a gap, synced when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        temporary = folder / STATE / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        self._temporary = str(temporary / "file")
        self._known: set[str] = set()

    def put(self, files: Mapping[str, bytes]) -> None:
        """Rename each file into place, so that a reader sees all of it or none.

        What is short for a moment, such as descriptors, is waited for: the journal has the batch.
        """
        for path, content in files.items():
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while True:
                try:
                    self._put(os.path.join(self.folder, path), content)  # noqa: PTH118 - hundreds a second
                    break
                except OSError as error:
                    if error.errno not in _SHORT or time.monotonic() > deadline:
                        raise
                time.sleep(_RETRY_SECONDS)

    def _put(self, target: str, content: bytes) -> None:
        parent = target.rpartition("/")[0]
        if parent not in self._known:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103 - as above
            self._known.add(parent)
        descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        os.replace(self._temporary, target)  # noqa: PTH105 - as above

    def sync(self, paths: Iterable[str], *, rest: Callable[[], object] = lambda: None) -> None:
        """Wait until files, and the folders above them, are on the disk; rest after each file."""
        folders: set[Path] = set()
        for path in paths:
            target = self.folder / path
            with contextlib.suppress(FileNotFoundError):  # a partial tile that became full
                sync_file(target)
            rest()
            folders.update(p for p in target.parents if p.is_relative_to(self.folder))
        for folder in sorted(folders, reverse=True):  # from the inside
            with contextlib.suppress(FileNotFoundError):
                sync_folder(folder)

    def drop_partials(self, paths: Iterable[str]) -> None:
        """Remove the partial tiles beside full ones; these MUST be synced."""
        for path in paths:
            partials = self.folder / f"{path}.p"
            shutil.rmtree(partials, ignore_errors=True)
            self._known.discard(str(partials))


class Lock:
    """The right to write to a log, held by one process until it ends."""

    def __init__(self, path: Path, *, waits: bool = False) -> None:
        import fcntl  # readers and verifiers run where there is none

        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except OSError as error:
            os.close(self._file)
            raise InputError(
                "another process writes to this log",
                where=str(path),
                advice="Let that process append, or end it; readers need no lock.",
            ) from error

    def release(self) -> None:
        """Give it up."""
        os.close(self._file)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file and wait until it is on the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    sync_file(temporary)
    temporary.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def journals(state: Path) -> Sequence[Path]:
    """Return the journals of a log, in order."""
    return sorted(state.glob("journal-*"), key=lambda path: int(path.name.partition("-")[2]))
