"""Frames, Merkle trees and the model digest.

Spec: spec/v1/program.md, section 6. The tree is the Merkle tree hash of RFC 9162, section 2.1.1.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from veridical.reference.graph import Const, Graph

PREFIX = "sha256:"
SHORT_ROW_ELEMENTS = 32

_LEAF, _NODE = b"\x00", b"\x01"


def frame(content: bytes) -> bytes:
    """Prefix bytes with their length, so that a concatenation has one reading."""
    return struct.pack("<Q", len(content)) + content


def tree(leaves: Sequence[bytes]) -> bytes:
    """Return the root over hashes of leaves.

    Level by level, an odd node moves up unchanged; for every size that is the same tree as the
    split at the largest power of two below it.
    """
    if not leaves:
        return sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        joined = [
            sha256(_NODE + left + right).digest()
            for left, right in zip(level[0::2], level[1::2], strict=False)
        ]
        if len(level) % 2:
            joined.append(level[-1])
        level = joined
    return level[0]


def weight_root(
    consts: Sequence[Const], values: Mapping[int, NDArray[np.signedinteger]], salt: bytes | None
) -> bytes:
    """Return the root over the rows of all weights, in order of const id and row."""
    domain = _LEAF + frame(b"veridical.weight.row.v1")
    salt_domain = frame(b"veridical.weight.salt.v1")
    leaves: list[bytes] = []
    for const_id, const in enumerate(consts):
        if const.kind != "weight":
            continue
        content = little_endian(values[const_id])
        for row, start, stop in _row_spans(const, len(content)):
            place = struct.pack("<II", const_id, row)
            leaf = sha256(domain + place + frame(content[start:stop]))
            if salt is not None:
                leaf.update(sha256(salt_domain + salt + place).digest())
            leaves.append(leaf.digest())
    return tree(leaves)


def model_digest(
    graph: Graph,
    graph_bytes: bytes,
    root: bytes,
    tables: Mapping[int, NDArray[np.signedinteger]],
) -> str:
    """Return the model identity, in its written form."""
    state = sha256(frame(b"veridical.program.v1") + frame(struct.pack("<I", 1)))
    state.update(frame(graph_bytes))
    state.update(frame(root))
    for const_id, const in enumerate(graph.consts):
        if const.kind == "table":
            rows = frame(little_endian(tables[const_id]))
            name = frame(const.dtype.encode())
            state.update(frame(sha256(frame(b"veridical.table.v1") + name + rows).digest()))
    return PREFIX + state.hexdigest()


def little_endian(values: NDArray[np.signedinteger]) -> bytes:
    """Return the elements in row-major order, little-endian."""
    return values.astype(values.dtype.newbyteorder("<"), order="C", copy=False).tobytes()


def _row_spans(const: Const, num_bytes: int) -> list[tuple[int, int, int]]:
    if len(const.shape) > 1:
        size = num_bytes // const.shape[0]
    else:
        size = SHORT_ROW_ELEMENTS * (num_bytes // const.shape[0])
    starts = range(0, num_bytes, size)
    return [(row, start, min(start + size, num_bytes)) for row, start in enumerate(starts)]
