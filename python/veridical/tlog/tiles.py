"""Tiles and entry bundles: where they lie, what is in them, and hashes read from them.

Spec: spec/v1/log.md, section 5; https://c2sp.org/tlog-tiles.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from veridical.errors import LogError
from veridical.tlog.tree import HASH_BYTES, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "TILE_WIDTH",
    "TileReader",
    "bundle_path",
    "encode_bundle",
    "fold",
    "parse_bundle",
    "tile_path",
    "tile_width",
]

#: Hashes in a full tile, and entries in a full bundle.
TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
MAX_ENTRY_BYTES: Final = 2**16 - 1
_LENGTH_BYTES: Final = 2
_GROUP: Final = 1000
#: Full tiles kept by one reader; a proof of any index needs one for each level.
_MAX_CACHED: Final = 64


def tile_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile below the log's folder."""
    return f"tile/{level}/{_number_path(number, width)}"


def bundle_path(number: int, width: int = TILE_WIDTH) -> str:
    """Return the path of an entry bundle below the log's folder."""
    return f"tile/entries/{_number_path(number, width)}"


def _number_path(number: int, width: int) -> str:
    groups = [f"{number % _GROUP:03d}"]
    while number >= _GROUP:
        number //= _GROUP
        groups.append(f"x{number % _GROUP:03d}")
    path = "/".join(reversed(groups))
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def tile_width(level: int, number: int, size: int) -> int:
    """Return how many hashes a tile has in a tree of `size`; 0 if it is not there."""
    count = (size >> TILE_HEIGHT * level) - TILE_WIDTH * number
    return min(max(count, 0), TILE_WIDTH)


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a power of two of hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def split_tile(tile: bytes) -> list[bytes]:
    """Return the hashes of a tile."""
    return [tile[i : i + HASH_BYTES] for i in range(0, len(tile), HASH_BYTES)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return entries, each after its length."""
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def parse_bundle(untrusted: bytes, *, where: str) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        LogError: it is cut short.
    """
    entries: list[bytes] = []
    offset = 0
    while offset < len(untrusted):
        start = offset + _LENGTH_BYTES
        offset = start + int.from_bytes(untrusted[offset:start], "big")
        if max(start, offset) > len(untrusted):
            raise LogError(
                f"the bundle is cut short in entry {len(entries)}", where=where, check="log.bundle"
            )
        entries.append(untrusted[start:offset])
    return entries


class TileReader:
    """Hashes and entries of a tree of one size, read from files."""

    def __init__(self, folder: str | Path, size: int) -> None:
        self._folder = Path(folder)
        self.size = size
        self._cache: dict[tuple[int, int], bytes] = {}

    def subtree(self, level: int, index: int) -> bytes:
        """Return the root of a complete subtree.

        Raises:
            LogError: the tile that has it is missing or cut short.
        """
        tile_level, height = divmod(level, TILE_HEIGHT)
        first = index << height
        tile = self.tile(tile_level, first // TILE_WIDTH)
        start = first % TILE_WIDTH * HASH_BYTES
        return fold(split_tile(tile[start : start + (HASH_BYTES << height)]))

    def tile(self, level: int, number: int) -> bytes:
        """Return the bytes of a tile as wide as it is in this tree."""
        cached = self._cache.get((level, number))
        if cached is not None:
            return cached
        width = tile_width(level, number, self.size)
        if not width:
            raise LogError(
                f"a tree of {self.size} has no such tile",
                where=tile_path(level, number),
                check="log.tile",
            )
        found, whole = self._read({tile_path(level, number, w): w for w in (width, TILE_WIDTH)})
        if len(whole) != found * HASH_BYTES:
            raise LogError(
                f"the tile has {len(whole)} bytes, not {found * HASH_BYTES}",
                where=tile_path(level, number, found),
                check="log.tile",
            )
        content = whole[: width * HASH_BYTES]
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[level, number] = content
        return content

    def bundle(self, number: int) -> list[bytes]:
        """Return the entries of one bundle, as many as there are in this tree."""
        width = tile_width(0, number, self.size)
        found, content = self._read(
            {bundle_path(number, w): w for w in (width or TILE_WIDTH, TILE_WIDTH)}
        )
        where = bundle_path(number, found)
        entries = parse_bundle(content, where=where)
        if len(entries) != found:
            raise LogError(
                f"the bundle has {len(entries)} entries, not {found}",
                where=where,
                check="log.bundle",
            )
        return entries[:width]

    def entry(self, index: int) -> bytes:
        """Return one entry."""
        return self.bundle(index // TILE_WIDTH)[index % TILE_WIDTH]

    def entries(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield index and bytes of every entry from `start` on."""
        for number in range(start // TILE_WIDTH, -(-self.size // TILE_WIDTH)):
            for offset, entry in enumerate(self.bundle(number)):
                if number * TILE_WIDTH + offset >= start:
                    yield number * TILE_WIDTH + offset, entry

    def _read(self, paths: Mapping[str, int]) -> tuple[int, bytes]:
        """Return the first of several files that is there, with the width of its path."""
        for path, width in paths.items():
            try:
                return width, (self._folder / path).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise LogError(
                    f"cannot read: {error.strerror}", where=path, check="log.tile"
                ) from error
        raise LogError("the file is missing", where=next(iter(paths)), check="log.tile")
