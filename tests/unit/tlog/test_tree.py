"""The Merkle tree: the reference vectors of Certificate Transparency, and strict verification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridical.errors import ConsistencyError, InclusionError, InputError
from veridical.tlog.tree import (
    EMPTY_ROOT,
    Hashes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

# The entries, roots and paths of the reference implementation of Certificate Transparency.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (leaf counted from 1, size, path)
INCLUSION = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
SOURCE = Hashes(LEAVES)


def by_definition(leaves: list[bytes]) -> bytes:
    """Return MTH(D) as RFC 9162 section 2.1.1 defines it."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(by_definition(leaves[:half]), by_definition(leaves[half:]))


def numbered(count: int) -> list[bytes]:
    return [leaf_hash(index.to_bytes(4, "big")) for index in range(count)]


MANY = numbered(600)
MANY_SOURCE = Hashes(MANY)


def test_the_empty_tree_has_the_root_of_the_rfc() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree_root(Hashes([]), 0) == EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference(size: int) -> None:
    assert tree_root(SOURCE, size).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("leaf", "size", "path"), INCLUSION)
def test_inclusion_proofs_are_those_of_the_reference(leaf: int, size: int, path: list[str]) -> None:
    proof = inclusion_proof(SOURCE, leaf - 1, size)
    assert [node.hex() for node in proof] == path
    verify_inclusion(LEAVES[leaf - 1], leaf - 1, size, proof, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_consistency_proofs_are_those_of_the_reference(old: int, new: int, path: list[str]) -> None:
    proof = consistency_proof(SOURCE, old, new)
    assert [node.hex() for node in proof] == path
    roots = [bytes.fromhex(ROOTS[size - 1]) for size in (old, new)]
    verify_consistency(old, new, proof, *roots)


def test_every_proof_of_every_small_tree_verifies() -> None:
    leaves = numbered(40)
    source = Hashes(leaves)
    roots = [by_definition(leaves[:size]) for size in range(41)]
    for size in range(41):
        assert tree_root(source, size) == roots[size]
        for index in range(size):
            proof = inclusion_proof(source, index, size)
            verify_inclusion(leaves[index], index, size, proof, roots[size])
        for old in range(size + 1):
            proof = consistency_proof(source, old, size)
            verify_consistency(old, size, proof, roots[old], roots[size])


@given(st.data())
def test_a_changed_inclusion_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 600))
    index = data.draw(st.integers(0, size - 1))
    leaves, source = MANY, MANY_SOURCE
    proof, root = inclusion_proof(source, index, size), tree_root(source, size)
    position = data.draw(st.integers(0, len(proof) - 1))
    changed = proof.copy()
    changed[position] = leaf_hash(b"another")
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index))
    for nodes, place, leaf in (
        (changed, index, leaves[index]),
        (proof[:-1], index, leaves[index]),
        ([*proof, root], index, leaves[index]),
        ([*proof[:position], *proof[position + 1 :]], index, leaves[index]),
        (proof, other, leaves[index]),
        (proof, index, leaves[other]),
    ):
        with pytest.raises(InclusionError) as caught:
            verify_inclusion(leaf, place, size, nodes, root)
        assert caught.value.check == "log.inclusion"


@given(st.data())
def test_a_changed_consistency_proof_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 600))
    old = data.draw(st.integers(1, new - 1))
    source = MANY_SOURCE
    proof = consistency_proof(source, old, new)
    roots = tree_root(source, old), tree_root(source, new)
    verify_consistency(old, new, proof, *roots)
    position = data.draw(st.integers(0, len(proof) - 1))
    changed = proof.copy()
    changed[position] = leaf_hash(b"another")
    for nodes, (first, second) in (
        (changed, roots),
        (proof[:-1], roots),
        ([*proof, roots[1]], roots),
        (proof, (leaf_hash(b"fork"), roots[1])),
        (proof, (roots[0], leaf_hash(b"fork"))),
    ):
        with pytest.raises(ConsistencyError) as caught:
            verify_consistency(old, new, nodes, first, second)
        assert caught.value.check == "log.consistency"


@pytest.mark.parametrize(
    ("old", "new", "proof", "old_root", "new_root"),
    [
        (3, 2, [], ROOTS[2], ROOTS[1]),
        (2, 2, [], ROOTS[2], ROOTS[1]),
        (2, 2, [ROOTS[1]], ROOTS[1], ROOTS[1]),
        (0, 2, [ROOTS[1]], EMPTY_ROOT.hex(), ROOTS[1]),
        (0, 2, [], ROOTS[1], ROOTS[1]),
        (0, 0, [], EMPTY_ROOT.hex(), ROOTS[1]),
        (-1, 2, [], ROOTS[1], ROOTS[1]),
        (1, 2**63, [], ROOTS[0], ROOTS[1]),
    ],
    ids=["shrinks", "fork", "extra", "extra0", "root0", "root00", "negative", "huge"],
)
def test_edges_of_consistency_are_refused(
    old: int, new: int, proof: list[str], old_root: str, new_root: str
) -> None:
    nodes = [bytes.fromhex(node) for node in proof]
    with pytest.raises(ConsistencyError):
        verify_consistency(old, new, nodes, bytes.fromhex(old_root), bytes.fromhex(new_root))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (0, 2**63)])
def test_leaves_that_a_tree_does_not_have_are_refused(index: int, size: int) -> None:
    with pytest.raises(InclusionError, match="no leaf"):
        verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])
    with pytest.raises(InputError, match="no leaf"):
        inclusion_proof(SOURCE, index, size)


def test_a_tree_does_not_extend_a_greater_one() -> None:
    with pytest.raises(InputError, match="does not extend"):
        consistency_proof(SOURCE, 4, 3)
