"""Campaigns over random programs and mutated files; the caller says how long they are."""

from __future__ import annotations

import copy
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.differential.broken_files import good_draft, split
from tests.differential.chained_programs import chained_program
from tests.differential.engines import (
    REFUSED,
    assert_same_run,
    assert_same_steps,
    core_verdict,
    reference_key_verdict,
    reference_verdict,
)
from tests.differential.extreme_programs import extreme_program
from tests.differential.graph_mutation import mutate_graph
from tests.differential.product_programs import product_program
from tests.differential.random_programs import random_inputs, random_program
from tests.differential.wide_programs import wide_inputs, wide_program
from veridical import _core, reference
from veridical.reference import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.differential.draft import Draft

MAX_MUTANT_BYTES = 20_000

#: A mutated shape may be valid and huge; such programs are compared, not run.
MAX_RUN_ELEMENTS = 100_000

#: What a mutation writes: the alphabet of the header, and bytes that it may not hold.
ALPHABET = np.frombuffer(b'0123456789-,:[]{}"aex \x00\xff', np.uint8)


def run_programs(seeds: Iterable[int], *, batches: tuple[int, ...], max_nodes: int = 14) -> int:
    """Compare runs and single steps of random programs; return how many ended in values."""
    finished = 0
    for seed in seeds:
        draft = random_program(seed, max_nodes=max_nodes)
        content, rng = draft.to_bytes(), np.random.default_rng(seed)
        for batch in batches:
            inputs = random_inputs(draft, rng, batch)
            if assert_same_run(content, inputs, f"seed {seed}, batch {batch}"):
                finished += 1
                assert_same_steps(content, inputs, 3, seed)
    return finished


def run_wide_programs(seeds: Iterable[int]) -> int:
    """Compare runs of heavy ops at awkward sizes; return how many ended in values."""
    finished = 0
    for seed in seeds:
        draft = wide_program(seed)
        inputs = wide_inputs(draft, np.random.default_rng(seed), 2)
        finished += assert_same_run(draft.to_bytes(), inputs, f"wide seed {seed}")
    return finished


def run_chained_programs(seeds: Iterable[int]) -> int:
    """Compare runs of chains that an executor may fuse; return how many ended in values."""
    finished = 0
    for seed in seeds:
        draft = chained_program(seed)
        inputs = wide_inputs(draft, np.random.default_rng(seed), 2)
        finished += assert_same_run(draft.to_bytes(), inputs, f"chained seed {seed}")
    return finished


def run_extreme_programs(seeds: Iterable[int]) -> int:
    """Compare runs of chains at the ends of the field; return how many ended in values."""
    finished = 0
    for seed in seeds:
        draft = extreme_program(seed)
        inputs = random_inputs(draft, np.random.default_rng(seed), 2)
        finished += assert_same_run(draft.to_bytes(), inputs, f"extreme seed {seed}")
    return finished


def run_product_programs(seeds: Iterable[int]) -> int:
    """Compare runs of products between transposes; return how many ended in values."""
    finished = 0
    for seed in seeds:
        draft = product_program(seed)
        inputs = random_inputs(draft, np.random.default_rng(seed), 2)
        finished += assert_same_run(draft.to_bytes(), inputs, f"product seed {seed}")
    return finished


def miss_ranges(seeds: Iterable[int]) -> int:
    """Declare the last range of random programs one too narrow; return how many were refused."""
    refused = 0
    for seed in seeds:
        for missed in _missed_ranges(random_program(seed)):
            content = missed.to_bytes()
            assert reference_verdict(content) == core_verdict(content) == REFUSED, seed
            refused += 1
    return refused


def compare_files(seeds: Iterable[int]) -> None:
    """Compare digests of program and key files, each written by either side."""
    for seed in seeds:
        draft = random_program(seed)
        content = draft.to_bytes()
        root = reference.load(content).weight_root
        key = draft.to_key_bytes(root)
        accepted = reference_verdict(content)
        core = _core.Program.from_bytes(content)
        assert reference_verdict(core.to_bytes()) == accepted, seed
        assert reference_key_verdict(core.to_bytes(vkey=True)) == accepted, seed
        assert core_verdict(key, vkey=True) == reference_key_verdict(key) == accepted, seed
        # Another root is another model, or is refused where there are no weights.
        other = draft.to_key_bytes(root[::-1])
        assert core_verdict(other, vkey=True) == reference_key_verdict(other) != accepted, seed


def mutate_programs(count: int, *, seed: int) -> int:
    """Compare verdicts on mutated program files; return how many mutants are still programs."""
    rng = np.random.default_rng(seed)
    drafts = [good_draft(), *(random_program(number, max_nodes=4) for number in range(40))]
    files = [content for draft in drafts if len(content := draft.to_bytes()) <= MAX_MUTANT_BYTES]
    accepted = 0
    for _ in range(count):
        mutant = mutate(files[int(rng.integers(0, len(files)))], rng)
        verdict = reference_verdict(mutant)
        assert core_verdict(mutant) == verdict, mutant
        accepted += verdict != REFUSED
    return accepted


def mutate_graphs(count: int, *, seed: int) -> int:
    """Compare verdicts, and runs where there are any, on changed graphs in canonical form."""
    rng = np.random.default_rng(seed)
    accepted = 0
    for number in range(count):
        if number % 20 == 0:
            draft = random_program(int(rng.integers(0, 2**32)), max_nodes=6)
            root = draft.graph_json()
        changed = mutate_graph(root, rng)
        content = draft.to_bytes(canonical.encode(changed))
        verdict = reference_verdict(content)
        assert core_verdict(content) == verdict, changed
        if verdict == REFUSED or max(map(_elements, changed["tensors"])) > MAX_RUN_ELEMENTS:
            continue
        accepted += 1
        twin = copy.copy(draft)
        twin.tensors = changed["tensors"]
        assert_same_run(content, random_inputs(twin, rng, 2), str(changed))
    return accepted


def mutate_keys(count: int, *, seed: int) -> None:
    """Compare verdicts on a mutated key file."""
    rng = np.random.default_rng(seed)
    original = good_draft().to_key_bytes(bytes(range(32)))
    assert core_verdict(original, vkey=True) == reference_key_verdict(original) != REFUSED
    for _ in range(count):
        mutant = mutate(original, rng)
        assert core_verdict(mutant, vkey=True) == reference_key_verdict(mutant), mutant


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Change, drop or double a byte, most often of the header."""
    header, _ = split(content)
    place = int(rng.integers(0, 8 + len(header) + 64)) % len(content)
    changed = bytearray(content)
    kind = int(rng.integers(0, 4))
    if kind == 0:
        changed[place] = int(rng.choice(ALPHABET))
    elif kind == 1:
        changed[place] ^= 1 << int(rng.integers(0, 8))
    else:
        # The length field follows, so that the container survives and the graph is reached.
        piece = b"" if kind == 2 else changed[place : place + 1] * 2
        changed[place : place + 1] = piece
        if 8 <= place < 8 + len(header):
            changed[:8] = (len(header) + len(piece) - 1).to_bytes(8, "little")
    return bytes(changed)


def _elements(tensor: dict[str, Any]) -> int:
    return prod(tensor["shape"])


def _missed_ranges(draft: Draft) -> list[Draft]:
    """Return copies whose last tensor misses an end of its derived range by one."""
    node = draft.nodes[-1]
    attributes = {key: node[key] for key in node if key not in ("c", "in", "op")}
    bounds = draft.derive(node["op"], node["in"], node["c"], **attributes).bounds
    assert bounds is not None
    if bounds[0] == bounds[1]:
        return []
    missed: list[Draft] = []
    changes: list[dict[str, Any]] = [{"lo": bounds[0] + 1}, {"hi": bounds[1] - 1}]
    for change in changes:
        tighter = copy.copy(draft)
        tighter.tensors = copy.deepcopy(draft.tensors)
        tighter.tensors[-1].update(change)
        missed.append(tighter)
    return missed
