"""Whatever the executor gives can be proven, bit for bit, and nothing else can."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import veridical
from tests.differential import write_vectors
from tests.differential.draft import Draft
from tests.differential.proofs import prove
from tests.differential.random_programs import random_inputs, random_program
from veridical.errors import InputError, ProofError

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = write_vectors.FOLDER
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.vprog"))


def require_proven(program: veridical.Program, inputs: dict[str, np.ndarray]) -> bool:
    """Prove a run, verify it, and refuse another output; False if the run has no outputs."""
    try:
        program.execute(inputs)
    except InputError:  # a row without an unmasked position
        return False
    proven = prove(program, inputs)
    assert proven.verify() >= 100
    key = veridical.Program.from_bytes(program.to_bytes(vkey=True))
    assert proven.verify(program=key) >= 100
    specs = {spec.name: spec for spec in program.outputs}
    for name, array in proven.outputs.items():
        changed = array.copy()
        cell = changed.reshape(-1)[-1:]
        cell += 1 if cell[0] < specs[name].hi else -1
        with pytest.raises(ProofError):
            proven.verify(outputs={**proven.outputs, name: changed})
    return True


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_vector_is_proven(name: str) -> None:
    expected = json.loads((FOLDER / f"{name}.json").read_text())
    program = veridical.load(FOLDER / f"{name}.vprog")
    inputs = {key: np.array(values, dtype=np.int32) for key, values in expected["inputs"].items()}
    assert require_proven(program, inputs) is ("error" not in expected)


def random_programs(seeds: Iterable[int], batches: tuple[int, ...]) -> int:
    """Prove random programs; return how many runs had outputs."""
    finished = 0
    for seed in seeds:
        draft = random_program(seed)
        program = built(draft)
        for batch in batches:
            inputs = random_inputs(draft, np.random.default_rng(seed), batch)
            finished += require_proven(program, inputs)
    return finished


def built(draft: Draft) -> veridical.Program:
    return veridical.Program.from_bytes(draft.to_bytes())


@pytest.mark.parametrize("first_seed", range(0, 40, 10))
def test_random_programs_are_proven(first_seed: int) -> None:
    assert random_programs(range(first_seed, first_seed + 10), batches=(1, 3)) > 10


@pytest.mark.accept
@pytest.mark.parametrize("first_seed", range(1000, 1400, 50))
def test_many_random_programs_are_proven(first_seed: int) -> None:
    assert random_programs(range(first_seed, first_seed + 50), batches=(1, 2, 5)) > 60
