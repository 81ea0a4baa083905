"""A log as a reader sees it: its head, its entries, and proofs about them.

Spec: spec/v1/log.md, sections 2, 5 and 7. Readers take no lock: files are replaced whole, and what
a checkpoint covers never changes.
"""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from veridical.errors import (
    CheckpointError,
    ConsistencyError,
    Error,
    InputError,
    LogError,
    MalformedError,
)
from veridical.receipt import canonical
from veridical.receipt.members import Members
from veridical.tlog.checkpoint import SignedCheckpoint
from veridical.tlog.entry import entry_from_bytes
from veridical.tlog.index import Index
from veridical.tlog.note import NOTE_MAX_BYTES, NoteKey
from veridical.tlog.proof import LogProof
from veridical.tlog.storage import STATE, Lock, replace_file
from veridical.tlog.tiles import TileReader
from veridical.tlog.tree import consistency_proof, inclusion_proof, verify_consistency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veridical.tlog.entry import Entry

__all__ = ["Log", "require_extends"]

CHECKPOINT: Final = "checkpoint"
COSIGNED: Final = "checkpoint.cosigned"
SETTINGS: Final = "log.json"
COSIGNED_FOLDER: Final = "cosigned"
INDEX: Final = "index.sqlite"
#: Cosigned checkpoints that are kept beside the latest.
MAX_COSIGNED: Final = 4096
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")

_SETTINGS_VERSION: Final = "veridical-log/v1"
_SETTINGS_MAX_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Log:
    """A log's folder and the key that signs it."""

    folder: Path
    key: NoteKey

    @classmethod
    def open(cls, folder: str | Path, *, key: NoteKey | None = None) -> Self:
        """Open a folder; without a key, by the one that its writer noted.

        Raises:
            InputError: it is no log.
        """
        folder = Path(folder)
        return cls(folder, _noted_key(folder) if key is None else key)

    def head(self) -> SignedCheckpoint:
        """Return the present checkpoint, its signature verified.

        Raises:
            LogError, MalformedError: it is missing or not this log's.
        """
        return self._signed(CHECKPOINT)

    def cosigned(self) -> SignedCheckpoint | None:
        """Return the latest checkpoint with cosignatures, if there is one."""
        return self._signed(COSIGNED) if (self.folder / COSIGNED).exists() else None

    def _signed(self, name: str) -> SignedCheckpoint:
        try:
            with (self.folder / name).open("rb") as file:
                content = file.read(NOTE_MAX_BYTES + 1)
        except OSError as error:
            raise LogError(f"cannot read: {error.strerror}", where=name) from error
        signed = SignedCheckpoint.from_bytes(content, where=name)
        signed.verify_log([self.key])
        return signed

    def reader(self, size: int | None = None) -> TileReader:
        """Return hashes and entries of the tree of one size; of the present one by default."""
        return TileReader(self.folder, self.head().size if size is None else size)

    def entry(self, index: int) -> Entry:
        """Return one entry.

        Raises:
            InputError: there is no such leaf.
        """
        size = self.head().size
        if not 0 <= index < size:
            raise InputError(f"the log of {size} leaves has no leaf {index}")
        return entry_from_bytes(TileReader(self.folder, size).entry(index), where=f"leaf {index}")

    def prove(self, index: int, checkpoint: SignedCheckpoint | None = None) -> LogProof:
        """Return the proof that an entry is in the log under a checkpoint.

        By default under the one with cosignatures if it covers the entry, else the present one.

        Raises:
            InputError: the checkpoint does not cover the entry.
            LogError: the log's files do not lead to the checkpoint's root.
        """
        if checkpoint is None:
            cosigned = self.cosigned()
            covers = cosigned is not None and cosigned.size > index
            checkpoint = cosigned if covers and cosigned is not None else self.head()
        reader = TileReader(self.folder, checkpoint.size)
        proof = LogProof(
            nodes=tuple(inclusion_proof(reader, index, checkpoint.size)),
            entry=reader.entry(index),
            index=index,
            checkpoint=checkpoint,
        )
        proof.verify_inclusion()
        return proof

    def prove_consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of `new` leaves extends that of `old`."""
        return consistency_proof(TileReader(self.folder, new), old, new)

    def follow(self, old: SignedCheckpoint) -> SignedCheckpoint:
        """Return the present checkpoint, which extends the older one that the caller holds.

        Raises:
            ConsistencyError: it does not: the log was forked, or rolled back.
        """
        old.verify_log([self.key])
        new = self.head()
        proof = self.prove_consistency(old.size, new.size) if old.size <= new.size else []
        require_extends(old, new, proof)
        return new

    def find_result(self, statement: str) -> tuple[int, int]:
        """Return the leaves of a statement's result and of the intent that it closes.

        Raises:
            InputError: the log has no result for it.
        """
        with closing(self.index()) as index:
            leaves = index.result_leaf(statement)
        if leaves is None:
            raise InputError(f"the log has no result for {statement}")
        return leaves

    def index(self) -> Index:
        """Open the index to read."""
        return Index(self.folder / STATE / INDEX, mode="read")

    def first_cosigned(self, leaf: int) -> SignedCheckpoint | None:
        """Return the earliest checkpoint with cosignatures that is kept and covers a leaf."""
        sizes = [size for size in self._cosigned_sizes() if size > leaf]
        return self._signed(f"{COSIGNED_FOLDER}/{sizes[0]}") if sizes else None

    def all_cosigned(self) -> Iterator[tuple[str, SignedCheckpoint]]:
        """Yield every checkpoint with cosignatures that is kept, and its file."""
        names = [f"{COSIGNED_FOLDER}/{size}" for size in self._cosigned_sizes()]
        if (self.folder / COSIGNED).exists():
            names.append(COSIGNED)
        for name in names:
            yield name, self._signed(name)

    def _cosigned_sizes(self) -> list[int]:
        try:
            names = [path.name for path in (self.folder / COSIGNED_FOLDER).iterdir()]
        except OSError:
            return []
        return sorted(int(name) for name in names if _SIZE.fullmatch(name))

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Exclude other processes that collect cosignatures: they would take other heads."""
        (self.folder / STATE).mkdir(exist_ok=True)
        lock = Lock(self.folder / STATE / "collect.lock", waits=True)
        try:
            yield
        finally:
            lock.release()

    def publish_cosigned(self, signed: SignedCheckpoint) -> SignedCheckpoint:
        """Publish a checkpoint with cosignatures; those of the one that is there are kept.

        Raises:
            CheckpointError: it is not this log's.
            InputError: it is older than the one that is there, or has too many signatures.
            ConsistencyError: the one that is there has another root.
        """
        signed.verify_log([self.key])
        (self.folder / STATE).mkdir(exist_ok=True)
        lock = Lock(self.folder / STATE / "cosigned.lock", waits=True)
        try:
            return self._publish(signed)
        finally:
            lock.release()

    def _publish(self, signed: SignedCheckpoint) -> SignedCheckpoint:
        present = self.cosigned()
        if present is not None and present.size > signed.size:
            raise InputError(f"a checkpoint of {present.size} leaves is cosigned already")
        if present is not None and present.size == signed.size:
            require_extends(present, signed, [])
            if present.note.text == signed.note.text:
                signed = present.with_lines(signed.note.signatures)
        content = signed.to_bytes()
        try:
            SignedCheckpoint.from_bytes(content)  # what no reader takes would stop the log
        except MalformedError as error:
            raise InputError(f"the checkpoint cannot be published: {error.message}") from error
        folder = self.folder / COSIGNED_FOLDER
        folder.mkdir(exist_ok=True)
        replace_file(folder / str(signed.size), content)
        replace_file(self.folder / COSIGNED, content)
        for size in self._cosigned_sizes()[:-MAX_COSIGNED]:
            (folder / str(size)).unlink(missing_ok=True)
        return signed


def require_extends(old: SignedCheckpoint, new: SignedCheckpoint, proof: list[bytes]) -> None:
    """Return if the newer of two checkpoints extends the older; both signatures were verified.

    Raises:
        CheckpointError: they are of two logs.
        ConsistencyError: the log was forked, or rolled back.
    """
    if old.checkpoint.origin != new.checkpoint.origin:
        raise CheckpointError(
            f"{new.checkpoint.origin[:80]!r} is another log than {old.checkpoint.origin[:80]!r}",
            check="log.origin",
        )
    if new.size < old.size:
        raise ConsistencyError(
            f"the checkpoint has {new.size} leaves, an older one {old.size}: it is old, "
            "or the log was rolled back",
            check="log.consistency",
        )
    verify_consistency(old.size, new.size, proof, old.root, new.root)


def write_settings(folder: Path, key: NoteKey) -> None:
    """Note a log's key beside its files."""
    content = canonical.encode({"version": _SETTINGS_VERSION, "vkey": key.vkey})
    replace_file(folder / STATE / SETTINGS, content)


def _noted_key(folder: Path) -> NoteKey:
    path = folder / STATE / SETTINGS
    try:
        with path.open("rb") as file:
            content = file.read(_SETTINGS_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"not a log of this machine: {error.strerror}",
            where=str(path),
            advice="Make one with `veridical log init`, or name the log's key.",
        ) from error
    try:
        value = canonical.decode(content, max_bytes=_SETTINGS_MAX_BYTES, where=str(path))
        members = Members(value, ("version", "vkey"), where=str(path))
        members.literal("version", _SETTINGS_VERSION)
        return NoteKey.from_vkey(members.text("vkey", max_length=512))
    except Error as error:
        raise InputError(error.message, where=str(path)) from error
