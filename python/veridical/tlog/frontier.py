"""The right edge of a tree: all that appending needs, and the files that it gives.

Spec: spec/v1/log.md, sections 2 and 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from veridical.tlog.tiles import (
    TILE_WIDTH,
    TileReader,
    bundle_path,
    encode_bundle,
    fold,
    split_tile,
    tile_path,
    tile_width,
)
from veridical.tlog.tree import EMPTY_ROOT, HASH_BYTES, leaf_hash, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Frontier"]


class Frontier:
    """The partial tile of every level, and the partial bundle."""

    def __init__(self) -> None:
        self.size = 0
        self._tiles: list[bytearray] = [bytearray()]
        self._bundle = bytearray()

    @classmethod
    def load(cls, reader: TileReader) -> Self:
        """Read the right edge of a tree.

        Raises:
            LogError: a file is missing or cut short.
        """
        frontier = cls()
        frontier.size = size = reader.size
        if size % TILE_WIDTH:
            frontier._bundle += encode_bundle(reader.bundle(size // TILE_WIDTH))
        level, number = 0, size // TILE_WIDTH
        frontier._tiles = []
        while level == 0 or size >> 8 * level:
            width = tile_width(level, number, size)
            frontier._tiles.append(bytearray(reader.tile(level, number) if width else b""))
            level, number = level + 1, number // TILE_WIDTH
        return frontier

    def append(self, entries: Iterable[bytes]) -> dict[str, bytes]:
        """Append entries and return the new files by path."""
        files: dict[str, bytes] = {}
        before = [self._edge(level) for level in range(len(self._tiles))]
        for entry in entries:
            self._bundle += encode_bundle([entry])
            self._tiles[0] += leaf_hash(entry)
            self.size += 1
            if self.size % TILE_WIDTH == 0:
                files[bundle_path(self.size // TILE_WIDTH - 1)] = bytes(self._bundle)
                self._bundle.clear()
                self._carry(files)
        if self._bundle:
            number, width = divmod(self.size, TILE_WIDTH)
            files[bundle_path(number, width)] = bytes(self._bundle)
        for level, tile in enumerate(self._tiles):
            # A level that no tile below was carried into has the file that it had.
            if tile and (level >= len(before) or self._edge(level) != before[level]):
                number, width = self._edge(level)
                files[tile_path(level, number, width)] = bytes(tile)
        return files

    def _edge(self, level: int) -> tuple[int, int]:
        """Number and width of the partial tile of a level."""
        return self.size >> 8 * (level + 1), len(self._tiles[level]) // HASH_BYTES

    def _carry(self, files: dict[str, bytes]) -> None:
        level = 0
        while len(self._tiles[level]) == TILE_WIDTH * HASH_BYTES:
            tile = bytes(self._tiles[level])
            files[tile_path(level, (self.size >> 8 * (level + 1)) - 1)] = tile
            self._tiles[level].clear()
            level += 1
            if level == len(self._tiles):
                self._tiles.append(bytearray())
            self._tiles[level] += fold(split_tile(tile))

    def root(self) -> bytes:
        """Return the root of the tree."""
        subtrees: list[bytes] = []  # complete ones, from left to right
        for tile in reversed(self._tiles):
            hashes, start = split_tile(bytes(tile)), 0
            for height in range(8, -1, -1):
                if (len(hashes) - start) >> height:
                    subtrees.append(fold(hashes[start : start + (1 << height)]))
                    start += 1 << height
        if not subtrees:
            return EMPTY_ROOT
        root = subtrees.pop()
        while subtrees:
            root = node_hash(subtrees.pop(), root)
        return root
