"""Turns and budgets: nobody gets more than its share by asking for more."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import veridical
from tests.unit.serve.conftest import EXAMPLE
from veridical.errors import InputError
from veridical.inference_protocol import ProtocolError
from veridical.serve.budget import ByteBudget
from veridical.serve.fairness import FairQueue
from veridical.serve.runs import run_together


def queue(**lines: list[float]) -> FairQueue[tuple[str, int]]:
    made: FairQueue[tuple[str, int]] = FairQueue(capacity=10_000, per_key=5_000)
    for key, costs in lines.items():
        for place, cost in enumerate(costs):
            made.put(key, (key, place), cost=cost)
    return made


def batches(waiting: FairQueue[Any], *, limit: int = 8, cost: float = 0.02) -> list[list[Any]]:
    taken = []
    while waiting:
        taken.append(waiting.take(limit=limit, cost=cost))
    return taken


def test_a_caller_with_many_does_not_keep_the_others_waiting() -> None:
    first = queue(many=[0.001] * 1000, few=[0.001]).take(limit=64, cost=0.02)
    assert ("few", 0) in first


def test_a_caller_with_large_ones_does_not_keep_the_others_waiting() -> None:
    order = batches(queue(large=[0.5] * 4, small=[0.001] * 200), limit=64)
    place = next(i for i, batch in enumerate(order) if ("large", 0) in batch)
    # By the time that the first large one is taken, the small ones got about as much time.
    assert sum(len(batch) for batch in order[:place]) >= 200
    assert order[place] == [("large", 0)], "nobody waits in a batch for a large run of another"


def test_one_that_is_larger_than_a_batch_is_taken_alone() -> None:
    assert batches(queue(a=[5.0, 0.001])) == [[("a", 0)], [("a", 1)]]


@given(
    st.dictionaries(
        st.sampled_from("abcde"), st.lists(st.floats(0, 3), min_size=1, max_size=30), max_size=5
    ),
    st.integers(1, 20),
)
def test_each_is_taken_once_and_each_line_in_order(
    lines: dict[str, list[float]], limit: int
) -> None:
    taken = batches(queue(**lines), limit=limit)
    assert all(1 <= len(batch) <= limit for batch in taken)
    flat = [one for batch in taken for one in batch]
    assert sorted(flat) == sorted(
        (key, i) for key, costs in lines.items() for i in range(len(costs))
    )
    for key, costs in lines.items():
        assert [place for name, place in flat if name == key] == list(range(len(costs)))


def test_lines_have_an_end() -> None:
    waiting: FairQueue[int] = FairQueue(capacity=3, per_key=2)
    waiting.put("a", 1, cost=0)
    waiting.put("a", 2, cost=0)
    assert waiting.is_full_for("a")
    assert not waiting.is_full_for("b")
    waiting.put("b", 3, cost=0)
    assert waiting.is_full


def test_bytes_are_counted_for_all_and_for_each() -> None:
    budget = ByteBudget(total=100, per_key=60)
    budget.take("a", 60)
    with pytest.raises(ProtocolError) as mine:
        budget.take("a", 1)
    assert (mine.value.status, mine.value.error) == (429, "too_many_bytes")
    budget.take("b", 40)
    with pytest.raises(ProtocolError) as all_of_them:
        budget.take("c", 1)
    assert (all_of_them.value.status, all_of_them.value.error) == (503, "overloaded")
    budget.give("a", 60)
    budget.give("b", 40)
    assert budget.held == 0
    budget.take("c", 60)


def test_bytes_that_threads_take_and_give_add_up() -> None:
    budget = ByteBudget(total=10**9, per_key=10**9)

    def work(key: str) -> None:
        for size in range(500):
            budget.take(key, size)
            budget.give(key, size)

    threads = [threading.Thread(target=work, args=(key,)) for key in "aabb"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert budget.held == 0


def test_runs_together_are_the_runs_alone() -> None:
    program = veridical.load(EXAMPLE)
    random = np.random.default_rng(11)
    questions: list[dict[str, Any]] = [
        {"x": random.normal(size=(size, 3), scale=20).astype(dtype)}
        for size, dtype in ((1, np.float32), (4, np.float64), (2, np.float32), (1, np.float32))
    ]
    questions[2]["x"][1, 1] = np.nan
    for question, run in zip(questions, run_together(program, questions), strict=True):
        if np.isnan(question["x"]).any():
            assert isinstance(run, InputError)
            continue
        assert not isinstance(run, InputError)
        alone = veridical.run(program, question)
        assert run.saturated == alone.saturated
        for name in ("inputs", "integer_outputs", "outputs"):
            mine, its = getattr(run, name), getattr(alone, name)
            assert mine.keys() == its.keys()
            for key in mine:
                assert mine[key].dtype == its[key].dtype
                assert np.array_equal(mine[key], its[key])
