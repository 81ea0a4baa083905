"""The files that appending gives are the ones that the layout asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from veridical.tlog.frontier import Frontier
from veridical.tlog.tiles import TILE_WIDTH, TileReader, bundle_path, tile_path, tile_width

if TYPE_CHECKING:
    from pathlib import Path

STARTS = sorted({*range(0, 512, 7), 1, 10, 255, 256, 257, 511})


def edge(size: int) -> set[str]:
    """Return the partial files of a tree of this size."""
    paths = set()
    level, number = 0, size // TILE_WIDTH
    while level == 0 or size >> 8 * level:
        width = tile_width(level, number, size)
        if width:
            paths.add(tile_path(level, number, width))
        level, number = level + 1, number // TILE_WIDTH
    if size % TILE_WIDTH:
        paths.add(bundle_path(*divmod(size, TILE_WIDTH)))
    return paths


@pytest.mark.parametrize("count", [1, 255, 256, 257, 512])
def test_a_batch_writes_every_partial_file_of_the_new_tree(count: int) -> None:
    for start in STARTS:
        frontier = Frontier()
        before = frontier.append([b"entry"] * start)
        files = frontier.append([b"entry"] * count)
        size = start + count
        missing = edge(size) - files.keys() - before.keys()
        assert not missing, f"{count} entries behind {start}: {missing}"


def test_the_right_edge_is_read_back_after_a_batch_of_whole_tiles(tmp_path: Path) -> None:
    frontier, folder = Frontier(), tmp_path
    for batch in (10, 256):
        for path, content in frontier.append([b"entry"] * batch).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    read = Frontier.load(TileReader(folder, 266))
    assert read.root() == frontier.root()
