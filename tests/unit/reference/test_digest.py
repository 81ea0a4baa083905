"""Frames, trees, digests and trace roots, spelled out from spec/v1/program.md, sections 6 and 8."""

from __future__ import annotations

import struct
from hashlib import sha256

import numpy as np
import pytest

from tests.differential.draft import Draft
from veridical import reference
from veridical.reference import digest, trace


def tree_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, over leaves that are hashed already."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    left, right = tree_by_definition(leaves[:split]), tree_by_definition(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


def frame(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


@pytest.mark.parametrize("count", [*range(20), 31, 32, 33, 63, 64, 65, 100])
def test_tree_of_any_size(count: int) -> None:
    leaves = [sha256(bytes([i])).digest() for i in range(count)]
    assert digest.tree(leaves) == tree_by_definition(leaves)


def small_program() -> Draft:
    draft = Draft()
    draft.add_input((3,), -5, 5)
    consts = [
        draft.add_const("weight", "i16", [[1, -2, 300], [4, 5, -6]]),
        draft.add_const("weight", "i32", [7, -8]),
    ]
    linear = draft.add_node("linear", [0], consts)
    lo, hi = draft.tensors[linear]["lo"], draft.tensors[linear]["hi"]
    rows = np.arange(hi - lo + 1) % 100
    table = draft.add_const("table", "i16", rows)
    last = draft.add_node("table", [linear], [table], shift=0, first=lo, round=0)
    long_weight = draft.add_const("weight", "i8", np.arange(100) - 50)
    draft.add_output(draft.add_node("gather", [last], [long_weight]))
    return draft


@pytest.mark.parametrize("salt", [None, bytes(range(32))])
def test_model_digest_step_by_step(salt: bytes | None) -> None:
    draft = small_program()
    draft.salt = salt

    def leaf(const: int, row: int, content: bytes) -> bytes:
        place = struct.pack("<II", const, row)
        body = b"\x00" + frame(b"veridical.weight.row.v1") + place + frame(content)
        if salt is not None:
            body += sha256(frame(b"veridical.weight.salt.v1") + salt + place).digest()
        return sha256(body).digest()

    gathered = struct.pack("<100b", *range(-50, 50))
    leaves = [
        leaf(0, 0, struct.pack("<3h", 1, -2, 300)),
        leaf(0, 1, struct.pack("<3h", 4, 5, -6)),
        leaf(1, 0, struct.pack("<2i", 7, -8)),
        *(leaf(3, row, gathered[32 * row : 32 * row + 32]) for row in range(4)),
    ]
    root = tree_by_definition(leaves)
    rows = draft.values[2].astype("<i2").tobytes()
    table = sha256(frame(b"veridical.table.v1") + frame(b"i16") + frame(rows)).digest()
    model = sha256(
        frame(b"veridical.program.v1")
        + frame(struct.pack("<I", 1))
        + frame(draft.graph_bytes())
        + frame(root)
        + frame(table)
    ).hexdigest()
    program = reference.load(draft.to_bytes())
    assert program.weight_root == root
    assert program.digest == f"sha256:{model}"
    key = reference.load_key(draft.to_key_bytes(root))
    assert key.digest == program.digest


def test_digest_ignores_layout_order_and_aliases() -> None:
    draft = small_program()
    plain = reference.load(draft.to_bytes())
    draft.aliases = {"sha256": "00"}
    draft.values = [values.copy() for values in draft.values]
    assert reference.load(draft.to_bytes()).digest == plain.digest
    draft.values[3][50] += 1
    assert reference.load(draft.to_bytes()).digest != plain.digest


def test_trace_root_step_by_step() -> None:
    first, second = np.arange(70, dtype=np.int32).reshape(2, 35), np.array([[-1], [5]], np.int32)

    def chunk(tensor: int, index: int, values: list[int]) -> bytes:
        content = struct.pack(f"<{len(values)}i", *values)
        head = frame(b"veridical.trace.chunk.v1") + struct.pack("<IQ", tensor, index)
        return sha256(b"\x00" + head + frame(content)).digest()

    def top(tensor: int, count: int, leaves: list[bytes]) -> bytes:
        head = frame(b"veridical.trace.tensor.v1") + struct.pack("<IQ", tensor, count)
        return sha256(b"\x00" + head + tree_by_definition(leaves)).digest()

    leaves = [
        chunk(0, 0, list(range(32))),
        chunk(0, 1, list(range(32, 64))),
        chunk(0, 2, list(range(64, 70))),
    ]
    expected = tree_by_definition([top(0, 70, leaves), top(1, 2, [chunk(1, 0, [-1, 5])])])
    assert trace.trace_root([first, second]) == expected
