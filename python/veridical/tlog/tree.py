"""The Merkle tree of RFC 9162: hashes, proofs, and their verification.

Spec: spec/v1/log.md, section 2. A proof has one length for its index and sizes; any other is
refused before a hash is compared.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final, Protocol

from veridical.errors import ConsistencyError, InclusionError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "MAX_SIZE",
    "HashSource",
    "Hashes",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "range_root",
    "tree_root",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES: Final = 32
#: Of a tree, so that any reader can hold it in a signed 64-bit integer.
MAX_SIZE: Final = 2**63 - 1
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class HashSource(Protocol):
    """Whatever knows the roots of complete subtrees."""

    def subtree(self, level: int, index: int) -> bytes:
        """Return the root of leaves `index * 2**level` up to `(index + 1) * 2**level`."""


class Hashes:
    """Leaf hashes in memory, as a source; for small trees and tests."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = len(below) // 2
            self._levels.append([node_hash(below[2 * i], below[2 * i + 1]) for i in range(pairs)])

    def subtree(self, level: int, index: int) -> bytes:
        """Return the root of a complete subtree."""
        return self._levels[level][index]


def range_root(source: HashSource, start: int, end: int) -> bytes:
    """Return MTH(D[start:end]); `start` is a multiple of the greatest power of two in the range.

    These are the only ranges that occur in proofs, and each consists of complete subtrees.
    """
    root = b""
    while end > start:  # from the right, where the subtrees are smallest
        size = end - start
        level = (size & -size).bit_length() - 1
        end -= 1 << level
        left = source.subtree(level, end >> level)
        root = node_hash(left, root) if root else left
    return root or EMPTY_ROOT


def tree_root(source: HashSource, size: int) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return range_root(source, 0, size)


def inclusion_proof(source: HashSource, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size`, from the leaf upwards.

    Raises:
        InputError: the tree has no such leaf.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise InputError(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(range_root(source, middle, end))
            end = middle
        else:
            path.append(range_root(source, start, middle))
            start = middle
    return path[::-1]


def consistency_proof(source: HashSource, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `new` leaves extends that of `old`.

    Raises:
        InputError: the old tree is greater than the new one.
    """
    if not 0 <= old <= new <= MAX_SIZE:
        raise InputError(f"a tree of {new} leaves does not extend one of {old}")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, end, is_whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(range_root(source, middle, end))
            end = middle
        else:
            path.append(range_root(source, start, middle))
            start, is_whole = middle, False
    if not is_whole:
        path.append(range_root(source, start, end))
    return path[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Return if the leaf hash is at `index` in the tree of `size` under `root`.

    Raises:
        InclusionError: it is not, or the proof has the wrong number of nodes.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise InclusionError(f"a tree of {size} leaves has no leaf {index}", check="log.inclusion")
    # Above the bits that index and the last leaf share, every 1 of the index has a left sibling.
    inner = (index ^ (size - 1)).bit_length()
    expected = inner + (index >> inner).bit_count()
    if len(proof) != expected:
        raise InclusionError(
            f"the inclusion proof has {len(proof)} nodes; leaf {index} of {size} needs {expected}",
            check="log.inclusion",
        )
    result = leaf
    for level, node in enumerate(proof):
        is_right = level >= inner or index >> level & 1
        result = node_hash(node, result) if is_right else node_hash(result, node)
    if not hmac.compare_digest(result, root):
        raise InclusionError(
            f"the inclusion proof of leaf {index} does not lead to the root", check="log.inclusion"
        )


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Return if the tree of `new` leaves extends that of `old`.

    Raises:
        ConsistencyError: it does not, or the proof has the wrong number of nodes.

    Source: RFC 9162, section 2.1.4.2.
    """
    if not 0 <= old <= new <= MAX_SIZE:
        raise _forked(f"a tree of {new} leaves does not extend one of {old}")
    expected = _consistency_length(old, new)
    if len(proof) != expected:
        raise _forked(
            f"the consistency proof has {len(proof)} nodes; {old} to {new} needs {expected}"
        )
    if old in (0, new):
        same = EMPTY_ROOT if old == 0 else new_root
        if not hmac.compare_digest(old_root, same) or (new == 0 and new_root != EMPTY_ROOT):
            raise _forked(f"two trees of {old} leaves have two roots")
        return
    nodes = list(proof) if old & (old - 1) else [old_root, *proof]
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = nodes[0]
    for node in nodes[1:]:
        if fn & 1 or fn == sn:
            first, second = node_hash(node, first), node_hash(node, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, node)
        fn, sn = fn >> 1, sn >> 1
    if not hmac.compare_digest(first, old_root):
        raise _forked(f"the consistency proof does not lead to the root of {old} leaves")
    if not hmac.compare_digest(second, new_root):
        raise _forked(f"the consistency proof does not lead to the root of {new} leaves")


def _consistency_length(old: int, new: int) -> int:
    if old in (0, new):
        return 0
    # The smallest complete subtree that ends at `old` is where the proof starts; from there it
    # climbs like an inclusion proof of that subtree's last leaf.
    low = (old & -old).bit_length() - 1
    inner = ((old - 1) ^ (new - 1)).bit_length()
    upward = max(inner - low, 0) + ((old - 1) >> max(inner, low)).bit_count()
    return upward + (1 if old & (old - 1) else 0)


def _split(size: int) -> int:
    """Return the greatest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _forked(message: str) -> ConsistencyError:
    return ConsistencyError(message, check="log.consistency")
