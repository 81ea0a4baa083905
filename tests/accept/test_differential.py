"""The two implementations of the integer program, on full campaigns."""

from __future__ import annotations

import pytest

from tests.acceptance import RecordCriterion
from tests.differential.campaigns import (
    compare_files,
    miss_ranges,
    mutate_graphs,
    mutate_keys,
    mutate_programs,
    run_chained_programs,
    run_programs,
    run_wide_programs,
)
from tests.differential.engines import PLANS

pytestmark = pytest.mark.accept

NUM_PROGRAMS = 3000
NUM_WIDE = 1800
NUM_MUTANTS = 100_000


def test_random_programs_run_and_step_alike(criterion: RecordCriterion) -> None:
    finished = run_programs(range(NUM_PROGRAMS), batches=(1, 3))
    finished += run_programs(range(NUM_PROGRAMS // 10), batches=(64,), max_nodes=8)
    criterion(
        f"{NUM_PROGRAMS} random programs, Rust on {len(PLANS)} plans and NumPy",
        required="the same integers and roots",
        measured=f"the same in {finished} runs",
    )
    assert finished > NUM_PROGRAMS


def test_heavy_ops_run_alike_at_awkward_sizes(criterion: RecordCriterion) -> None:
    finished = run_wide_programs(range(NUM_WIDE)) + run_chained_programs(range(NUM_WIDE))
    criterion(
        f"{NUM_WIDE} programs of one heavy op, {NUM_WIDE} chains, Rust on {len(PLANS)} plans",
        required="the same integers and roots",
        measured=f"the same in {finished} runs",
    )
    assert finished > NUM_WIDE * 3 // 2


def test_mutated_files_have_the_same_verdict(criterion: RecordCriterion) -> None:
    accepted = mutate_programs(NUM_MUTANTS, seed=9)
    rerun = mutate_graphs(NUM_MUTANTS // 4, seed=11)
    mutate_keys(NUM_MUTANTS // 4, seed=10)
    criterion(
        f"{NUM_MUTANTS} mutated program files, {NUM_MUTANTS // 4} graphs and key files",
        required="one verdict, one digest",
        measured=f"no difference; {accepted} files and {rerun} graphs are still programs",
    )
    assert accepted > 0


def test_declared_ranges_and_files_agree(criterion: RecordCriterion) -> None:
    refused = miss_ranges(range(NUM_PROGRAMS))
    compare_files(range(NUM_PROGRAMS))
    criterion(
        "ranges declared one too narrow",
        required="refused by both",
        measured=f"{refused} refused by both",
    )
    assert refused > NUM_PROGRAMS
