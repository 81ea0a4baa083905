"""Checks every file of a log, and names the first that is broken.

Spec: spec/v1/log.md, section 8.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from veridical.errors import ConsistencyError, Error, InputError, LogError
from veridical.tlog.entry import Intent, Result, entry_from_bytes
from veridical.tlog.storage import STATE
from veridical.tlog.tiles import (
    TILE_WIDTH,
    TileReader,
    bundle_path,
    fold,
    split_tile,
    tile_path,
    tile_width,
)
from veridical.tlog.tree import HASH_BYTES, leaf_hash, tree_root

if TYPE_CHECKING:
    from veridical.tlog.checkpoint import SignedCheckpoint
    from veridical.tlog.index import Index
    from veridical.tlog.log import Log

__all__ = ["Checked", "fsck", "require_of_tree"]

#: Called with leaves done and leaves in all.
Progress: TypeAlias = Callable[[int, int], None]
_INDEX: Final = "index.sqlite"
_WHERE_INDEX: Final = f"{STATE}/{_INDEX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was read, and found whole."""

    size: int
    root: bytes
    num_tiles: int
    num_bundles: int
    #: Cosigned checkpoints that are kept; the tree extends each of them.
    num_cosigned: int
    #: Whether there was an index to compare with.
    has_index: bool


def fsck(log: Log, *, on_progress: Progress | None = None) -> Checked:
    """Read a whole log and hash everything again.

    Raises:
        LogError: the first defect; `where` is the file, and the message names the entry.
        MalformedError: the checkpoint is none.
    """
    head = log.head()
    reader = TileReader(log.folder, head.size)
    num_bundles = -(-head.size // TILE_WIDTH)
    for number in range(num_bundles):
        _check_bundle(reader, number)
        if on_progress is not None:
            on_progress(min((number + 1) * TILE_WIDTH, head.size), head.size)
    num_tiles, level = num_bundles, 1
    while head.size >> 8 * level:
        count = -(-(head.size >> 8 * level) // TILE_WIDTH)
        for number in range(count):
            _check_tile(reader, level, number)
        num_tiles, level = num_tiles + count, level + 1
    if tree_root(reader, head.size) != head.root:
        raise LogError(
            "the tiles lead to another root than the checkpoint's",
            where="checkpoint",
            check="log.root",
        )
    num_cosigned = _check_cosigned(log, reader)
    has_index = (log.folder / STATE / _INDEX).exists()
    if has_index:
        try:
            with closing(log.index()) as index:
                _check_index(reader, index)
        except (InputError, sqlite3.Error) as error:
            raise LogError(f"it cannot be read: {error}", _WHERE_INDEX, "log.index") from error
    return Checked(
        size=head.size,
        root=head.root,
        num_tiles=num_tiles,
        num_bundles=num_bundles,
        num_cosigned=num_cosigned,
        has_index=has_index,
    )


def _check_cosigned(log: Log, reader: TileReader) -> int:
    """Hold every cosigned checkpoint that is kept against the tree of its size."""
    count = 0
    for where, head in log.all_cosigned():
        require_of_tree(reader, head, where=where)
        count += 1
    return count


def require_of_tree(reader: TileReader, head: SignedCheckpoint, *, where: str) -> None:
    """Return if the tree extends a checkpoint, whose signature was verified.

    Raises:
        ConsistencyError: it does not: the log was forked, or rolled back.
    """
    if head.size > reader.size:
        raise ConsistencyError(
            f"it has {head.size} leaves, the log has {reader.size}: the log was rolled back",
            where=where,
            check="log.rollback",
        )
    if tree_root(reader, head.size) != head.root:
        raise ConsistencyError(
            f"the tree has another root at {head.size} leaves: the log was forked",
            where=where,
            check="log.consistency",
        )


def _check_bundle(reader: TileReader, number: int) -> None:
    """Compare the entries of one bundle, and of its partial twin, with their leaf hashes."""
    hashes = split_tile(reader.tile(0, number))
    width = tile_width(0, number, reader.size)
    for offset, (entry, stored) in enumerate(zip(reader.bundle(number), hashes, strict=True)):
        if leaf_hash(entry) != stored:
            index = number * TILE_WIDTH + offset
            raise LogError(
                f"entry {index} does not have the hash that is in {tile_path(0, number, width)}",
                where=bundle_path(number, width),
                check="log.entry",
            )


def _check_tile(reader: TileReader, level: int, number: int) -> None:
    width = tile_width(level, number, reader.size)
    tile = reader.tile(level, number)
    for offset in range(width):
        below = number * TILE_WIDTH + offset
        stored = tile[offset * HASH_BYTES : (offset + 1) * HASH_BYTES]
        if fold(split_tile(reader.tile(level - 1, below))) != stored:
            raise LogError(
                f"hash {offset} is not the root of {tile_path(level - 1, below)}",
                where=tile_path(level, number, width),
                check="log.tile",
            )


def _check_index(reader: TileReader, index: Index) -> None:
    """Compare the index with the entries that it covers."""
    if index.size > reader.size:  # being behind is no defect: it is brought up to date
        raise LogError(
            f"it covers {index.size} leaves, the log has {reader.size}",
            where=_WHERE_INDEX,
            check="log.index",
        )
    covered = index.size
    for leaf, content in reader.entries():
        if leaf >= covered:
            return
        try:
            entry = entry_from_bytes(content, where=f"leaf {leaf}")
        except Error:
            continue  # the audit's to report: the tree holds it
        found: object = leaf
        if isinstance(entry, Intent):
            found = index.intent_leaf(entry.stream, entry.number)
        elif isinstance(entry, Result):
            found = (index.result_leaf(entry.statement) or (None,))[0]
        if found != leaf:
            raise LogError(
                f"it has entry {leaf} at {found}",
                where=_WHERE_INDEX,
                check="log.index",
                advice="Remove the index; opening the log to append makes it again.",
            )
