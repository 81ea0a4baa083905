"""Both implementations give the same integers, roots and digests on random valid programs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.differential.campaigns import (
    run_chained_programs,
    run_extreme_programs,
    run_product_programs,
    run_programs,
    run_wide_programs,
)
from tests.differential.draft import Draft
from tests.differential.engines import assert_same_run, assert_same_steps
from tests.differential.random_programs import (
    PROPOSALS,
    ops_of,
    random_inputs,
    random_program,
)
from veridical.reference.graph import MAX_MAGNITUDE as M


@pytest.mark.parametrize("first_seed", range(0, 100, 25))
def test_random_programs_run_and_step_alike(first_seed: int) -> None:
    finished = run_programs(range(first_seed, first_seed + 25), batches=(1, 3))
    assert finished > 25, "most runs must end in values, not in an empty row"


def test_a_large_batch_runs_alike() -> None:
    assert run_programs(range(5000, 5008), batches=(64,), max_nodes=8) > 4


@pytest.mark.parametrize("first_seed", range(0, 72, 18))
def test_heavy_ops_run_alike_at_awkward_sizes(first_seed: int) -> None:
    assert run_wide_programs(range(first_seed, first_seed + 18)) > 14


@pytest.mark.parametrize("first_seed", range(0, 80, 20))
def test_chains_that_may_be_fused_run_alike(first_seed: int) -> None:
    assert run_chained_programs(range(first_seed, first_seed + 20)) > 15


@pytest.mark.parametrize("first_seed", range(0, 600, 150))
def test_chains_at_the_ends_of_the_field_run_alike(first_seed: int) -> None:
    assert run_extreme_programs(range(first_seed, first_seed + 150)) == 150


@pytest.mark.parametrize("first_seed", range(0, 200, 50))
def test_products_between_transposes_run_alike(first_seed: int) -> None:
    assert run_product_programs(range(first_seed, first_seed + 50)) > 40


@pytest.mark.parametrize("bounds", [(-M, M), (M - 1, M)], ids=["out of reach", "beyond all values"])
def test_a_clamp_before_a_table_from_one_end_to_the_other_runs_alike(
    bounds: tuple[int, int],
) -> None:
    draft = Draft()
    reached = (-M, -M + 5) if bounds[0] > 0 else (M - 5, M)
    x = draft.add_input((6,), *reached)
    y = draft.add_node("clamp", [x], lo=bounds[0], hi=bounds[1])
    first = draft.tensors[y]["lo"]
    table = draft.add_const("table", "i32", np.arange(-M, -M + 6))
    draft.add_output(draft.add_node("table", [y], [table], first=first, round=0, shift=0))
    values = np.arange(reached[0], reached[1] + 1, dtype=np.int32)
    assert assert_same_run(draft.to_bytes(), {"in0": values[None]}, str(bounds))


def test_a_transpose_between_two_products_runs_alike() -> None:
    draft = Draft()
    x = draft.add_input((2, 3, 4), -9, 9)
    y = draft.add_node("matmul", [x, x], transpose_b=1)
    y = draft.add_node("transpose", [y], perm=[1, 0, 2])
    draft.add_output(draft.add_node("matmul", [y, y], transpose_b=1))
    inputs = random_inputs(draft, np.random.default_rng(0), 2)
    assert assert_same_run(draft.to_bytes(), inputs, "two products")


@pytest.mark.parametrize("op", PROPOSALS)
def test_every_op_runs_and_steps_alike(op: str) -> None:
    """Short programs that end in one op, until four of them have run."""
    finished = 0
    for seed in range(10_000, 11_000):
        draft = random_program(seed, max_nodes=2)
        if draft.nodes[-1]["op"] != op:
            continue
        inputs = random_inputs(draft, np.random.default_rng(seed), 2)
        if assert_same_run(draft.to_bytes(), inputs, f"{op}, seed {seed}"):
            assert_same_steps(draft.to_bytes(), inputs, 8, seed)
            finished += 1
        if finished == 4:
            return
    raise AssertionError(f"only {finished} runs of {op}")


def test_random_programs_cover_every_op() -> None:
    counted = Counter(op for seed in range(100) for op in ops_of(random_program(seed)))
    assert set(counted) == set(PROPOSALS)
