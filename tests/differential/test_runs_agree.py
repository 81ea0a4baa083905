"""Both implementations give the same integers, roots and digests on random valid programs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.conftest import FULL_CAMPAIGN
from tests.differential.engines import assert_same_run, assert_same_steps
from tests.differential.random_programs import (
    PROPOSALS,
    ops_of,
    random_inputs,
    random_program,
)

# Seeds are taken in blocks, so that a test stays short and names its range when it fails.
BLOCK = 25
NUM_BLOCKS = 200 if FULL_CAMPAIGN else 4


@pytest.mark.parametrize("block", range(NUM_BLOCKS))
def test_random_programs_run_alike(block: int) -> None:
    finished = 0
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        draft = random_program(seed)
        content, rng = draft.to_bytes(), np.random.default_rng(seed)
        for batch in (1, 3):
            inputs = random_inputs(draft, rng, batch)
            finished += assert_same_run(content, inputs, f"seed {seed}, batch {batch}")
    assert finished > BLOCK, "most runs must end in values, not in an empty row"


@pytest.mark.parametrize("block", range(NUM_BLOCKS // 4))
def test_a_large_batch_runs_alike(block: int) -> None:
    for seed in range(block * 5, block * 5 + 5):
        draft = random_program(seed, max_nodes=8)
        inputs = random_inputs(draft, np.random.default_rng(seed), 64)
        assert_same_run(draft.to_bytes(), inputs, f"seed {seed}, batch 64")


@pytest.mark.parametrize("block", range(NUM_BLOCKS))
def test_a_single_step_gives_the_element_of_the_reference(block: int) -> None:
    checked = 0
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        draft = random_program(seed)
        if ops_of(draft) & {"softmax_numerator", "weighted_mean", "normalize"}:
            continue  # a run may end in an empty row; the next test has those ops
        inputs = random_inputs(draft, np.random.default_rng(seed), 2)
        assert_same_steps(draft.to_bytes(), inputs, 4, seed)
        checked += 1
    assert checked > 2


@pytest.mark.parametrize("op", PROPOSALS)
def test_every_op_runs_and_steps_alike(op: str) -> None:
    """Short programs that end in one op, until some of them have run."""
    finished = 0
    for seed in range(10_000, 11_000):
        draft = random_program(seed, max_nodes=2)
        if draft.nodes[-1]["op"] != op:
            continue
        inputs = random_inputs(draft, np.random.default_rng(seed), 2)
        if assert_same_run(draft.to_bytes(), inputs, f"{op}, seed {seed}"):
            assert_same_steps(draft.to_bytes(), inputs, 8, seed)
            finished += 1
        if finished == (20 if FULL_CAMPAIGN else 4):
            return
    raise AssertionError(f"only {finished} runs of {op}")


def test_random_programs_cover_every_op() -> None:
    counted = Counter(op for seed in range(100) for op in ops_of(random_program(seed)))
    assert set(counted) == set(PROPOSALS)
