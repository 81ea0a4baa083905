"""The 2,048 tokens that magika's model looks at, rebuilt from its published configuration.

The first 1,024 bytes after leading whitespace and the last 1,024 before trailing whitespace, read
from at most 4,096 bytes at either end. Token 256 is padding: behind the beginning, before the end.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from examples.carriers import FILE_TYPE_CONFIG

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BLOCK_BYTES = 4096
PART_BYTES = 1024
PADDING = 256
# With fewer meaningful bytes magika answers by rule and never asks the model.
MIN_BYTES = 8


@cache
def labels() -> tuple[str, ...]:
    """Return the names of the 214 outputs."""
    return tuple(json.loads(FILE_TYPE_CONFIG.path().read_text("utf-8"))["target_labels_space"])


def read_tokens(path: Path) -> NDArray[np.int32] | None:
    """Return the tokens of a file, or None if it is too short for the model."""
    with path.open("rb") as stream:
        beginning = stream.read(BLOCK_BYTES)
        size = stream.seek(0, 2)
        stream.seek(max(0, size - BLOCK_BYTES))
        end = stream.read(BLOCK_BYTES)
    return tokens(beginning, end)


def tokens(beginning: bytes, end: bytes) -> NDArray[np.int32] | None:
    """Return the tokens for the first and the last block of a file.

    Shape: (2048,), values 0..256.
    """
    head = beginning.lstrip()[:PART_BYTES]
    tail = end.rstrip()[-PART_BYTES:]
    if len(head) < MIN_BYTES:
        return None
    row = np.full(2 * PART_BYTES, PADDING, dtype=np.int32)
    row[: len(head)] = np.frombuffer(head, dtype=np.uint8)
    row[2 * PART_BYTES - len(tail) :] = np.frombuffer(tail, dtype=np.uint8)
    return row
