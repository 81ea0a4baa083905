"""Both loaders accept and refuse the same files."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from tests.conftest import FULL_CAMPAIGN
from tests.differential.broken_files import BrokenFile, broken_files, good_draft, split
from tests.differential.draft import Draft
from tests.differential.engines import (
    REFUSED,
    core_verdict,
    reference_key_verdict,
    reference_verdict,
)
from tests.differential.near_misses import CASES, Case
from tests.differential.random_programs import random_program
from veridical import _core, reference

NUM_SEEDS = 3000 if FULL_CAMPAIGN else 100
NUM_MUTANTS = 200_000 if FULL_CAMPAIGN else 3000

BROKEN = broken_files()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_condition_is_the_same_on_both_sides(case: Case) -> None:
    valid, broken = case.build(False).to_bytes(), case.build(True).to_bytes()
    accepted = reference_verdict(valid)
    assert accepted != REFUSED
    assert core_verdict(valid) == accepted
    assert core_verdict(broken) == reference_verdict(broken) == REFUSED


@pytest.mark.parametrize("broken", BROKEN, ids=[broken.name for broken in BROKEN])
def test_a_broken_file_is_refused_by_both(broken: BrokenFile) -> None:
    assert core_verdict(broken.content) == reference_verdict(broken.content) == REFUSED


def missed_ranges(draft: Draft) -> list[Draft]:
    """Return copies whose last tensor misses an end of its derived range by one."""
    node = draft.nodes[-1]
    attributes = {key: node[key] for key in node if key not in ("c", "in", "op")}
    bounds = draft.derive(node["op"], node["in"], node["c"], **attributes).bounds
    assert bounds is not None
    missed: list[Draft] = []
    changes: list[dict[str, Any]] = [{"lo": bounds[0] + 1}, {"hi": bounds[1] - 1}]
    for change in changes if bounds[0] < bounds[1] else []:
        tighter = copy.copy(draft)
        tighter.tensors = copy.deepcopy(draft.tensors)
        tighter.tensors[-1].update(change)
        missed.append(tighter)
    return missed


def test_a_range_missed_by_one_is_refused_by_both() -> None:
    refused = 0
    for seed in range(NUM_SEEDS):
        draft = random_program(seed)
        for missed in missed_ranges(draft):
            content = missed.to_bytes()
            assert reference_verdict(content) == REFUSED, seed
            assert core_verdict(content) == REFUSED, seed
            refused += 1
    assert refused > NUM_SEEDS


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Change, drop, double or insert a byte, most often in the graph, often a digit."""
    header, _ = split(content)
    place = int(rng.integers(0, 8 + len(header) + 64)) % len(content)
    changed = bytearray(content)
    kind = int(rng.integers(0, 4))
    if kind == 0:
        changed[place] = int(rng.choice(np.frombuffer(b'0123456789-,:[]{}"aex \x00\xff', "u1")))
    elif kind == 1:
        changed[place] ^= 1 << int(rng.integers(0, 8))
    else:
        # The length field follows, so that the container survives and the graph is reached.
        piece = b"" if kind == 2 else changed[place : place + 1] * 2
        changed[place : place + 1] = piece
        if 8 <= place < 8 + len(header):
            changed[:8] = (len(header) + len(piece) - 1).to_bytes(8, "little")
    return bytes(changed)


def test_mutated_files_have_the_same_verdict() -> None:
    rng = np.random.default_rng(7)
    drafts = [good_draft(), *(random_program(seed, max_nodes=4) for seed in range(40))]
    files = [content for content in (draft.to_bytes() for draft in drafts) if len(content) < 20_000]
    accepted = 0
    for _ in range(NUM_MUTANTS):
        original = files[int(rng.integers(0, len(files)))]
        mutant = mutate(original, rng)
        verdict = reference_verdict(mutant)
        assert core_verdict(mutant) == verdict, mutant
        accepted += verdict != REFUSED
    assert accepted > 0, "some mutants must stay valid, or the mutation is too coarse"


def test_mutated_key_files_have_the_same_verdict() -> None:
    rng = np.random.default_rng(8)
    draft = good_draft()
    original = draft.to_key_bytes(bytes(range(32)))
    assert core_verdict(original, vkey=True) == reference_key_verdict(original) != REFUSED
    for _ in range(NUM_MUTANTS // 4):
        mutant = mutate(original, rng)
        assert core_verdict(mutant, vkey=True) == reference_key_verdict(mutant), mutant


def test_key_files_of_random_programs_have_the_same_digest() -> None:
    for seed in range(NUM_SEEDS):
        draft = random_program(seed)
        content = draft.to_bytes()
        root = reference.load(content).weight_root
        key = draft.to_key_bytes(root)
        accepted = reference_verdict(content)
        core = _core.Program.from_bytes(content)
        assert reference_verdict(core.to_bytes()) == accepted, "a file written by the other side"
        assert reference_key_verdict(core.to_bytes(vkey=True)) == accepted, seed
        assert core_verdict(key, vkey=True) == reference_key_verdict(key) == accepted, seed
        # Another root is another model, or is refused where there are no weights.
        other = draft.to_key_bytes(root[::-1])
        assert core_verdict(other, vkey=True) == reference_key_verdict(other) != accepted, seed
