"""Both loaders accept and refuse the same files."""

from __future__ import annotations

import pytest

from tests.differential.broken_files import BrokenFile, broken_files
from tests.differential.campaigns import (
    compare_files,
    miss_ranges,
    mutate_graphs,
    mutate_keys,
    mutate_programs,
)
from tests.differential.engines import REFUSED, core_verdict, reference_verdict
from tests.differential.near_misses import CASES, Case

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


def test_a_range_missed_by_one_is_refused_by_both() -> None:
    assert miss_ranges(range(100)) > 100


def test_mutated_files_have_the_same_verdict() -> None:
    accepted = mutate_programs(3000, seed=7)
    assert accepted > 0, "some mutants must stay valid, or the mutation is too coarse"


def test_changed_graphs_have_the_same_verdict_and_run_alike() -> None:
    assert mutate_graphs(1500, seed=11) > 100


def test_mutated_key_files_have_the_same_verdict() -> None:
    mutate_keys(1000, seed=8)


def test_files_of_either_side_have_the_same_digest() -> None:
    compare_files(range(100))
