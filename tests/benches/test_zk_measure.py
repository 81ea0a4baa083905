from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benches.zk import measure
from benches.zk.cases import entries
from benches.zk.contenders import Contender
from benches.zk.limits import Limits
from benches.zk.measure import Attempt, Plan, closeness
from benches.zk.record import Results
from examples.zoo import float_outputs, take

if TYPE_CHECKING:
    from benches.zk.cases import Entry
    from benches.zk.record import Row
    from benches.zk.stages import Phase

PLAN = Plan(
    threads=[1, 2],
    inputs=[1, 64],
    repeats=2,
    slow_seconds=30.0,
    limits=Limits(seconds=50.0, memory_bytes=10**10),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fake(Contender):
    version: str = "0.0"
    driver: str = "tests.benches.fake_prover"

    def identity(self) -> str:
        return "fake"


@pytest.fixture
def entry() -> Entry:
    return entries()["tiny_sigmoid"]


@pytest.fixture
def fake(tmp_path: Path, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> Fake:
    monkeypatch.setattr(measure, "CACHE", tmp_path / "cache")
    samples = take(entry.case.test(), slice(0, 3))
    (expected,) = float_outputs(entry.case, samples).values()
    options = {"calls": str(tmp_path / "calls"), "outputs": (expected + 0.5).tolist()}
    phases: tuple[Phase, ...] = ("compile", "prove", "verify")
    return Fake(kind="ezkl", config="", phases=phases, environment=None, options=options)


def calls(fake: Fake) -> list[str]:
    return Path(fake.options["calls"]).read_text().splitlines()


def run(fake: Fake, entry: Entry, results: Results, plan: Plan = PLAN) -> list[Row]:
    return Attempt(fake, entry, plan).measure(results, Path(sys.executable))


def test_every_setting_is_measured_in_phases(fake: Fake, entry: Entry, tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    rows = run(fake, entry, results)
    cores = len(os.sched_getaffinity(0))
    # A peer proves one input, on most threads.
    assert [(row.threads, row.inputs) for row in rows] == [(2, 1)]
    assert calls(fake) == ["compile 2", "prove 2", "prove 2", "verify 2", "verify 2"]
    assert all(row.failure is None for row in rows)
    assert all(len(row.prove_seconds) == len(row.seconds["verify"]) == 2 for row in rows)
    assert [row.facts["cpus"] for row in rows] == [min(2, cores)]
    assert rows[0].peak_bytes["prove"] > 5_000_000
    close = rows[0].closeness
    assert close is not None
    assert close.max_abs_error == pytest.approx(0.5, abs=1e-5)
    assert "outputs" not in rows[0].facts
    assert not Attempt(fake, entry, PLAN).folder.exists()


def test_second_run_measures_nothing_again(fake: Fake, entry: Entry, tmp_path: Path) -> None:
    rows = run(fake, entry, Results(tmp_path / "results.json"))
    before = calls(fake)
    assert run(fake, entry, Results(tmp_path / "results.json")) == rows
    assert calls(fake) == before
    # Another number of calls is another measurement.
    run(fake, entry, Results(tmp_path / "results.json"), replace(PLAN, repeats=1))
    assert len(calls(fake)) > len(before)


def test_interrupted_run_goes_on_where_it_was(
    fake: Fake, entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Attempt(fake, entry, PLAN)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(attempt, "_prove", interrupt)
    results = Results(tmp_path / "results.json")
    with pytest.raises(KeyboardInterrupt):
        attempt.measure(results, Path(sys.executable))
    assert calls(fake) == ["compile 2"]
    run(fake, entry, results)
    assert calls(fake).count("compile 2") == 1


def test_ours_is_measured_on_each_number_of_threads_most_first(
    fake: Fake, entry: Entry, tmp_path: Path
) -> None:
    rows = run(replace(fake, kind="veridical"), entry, Results(tmp_path / "results.json"))
    assert [(row.threads, row.inputs) for row in rows] == [(2, 1), (2, 64), (1, 1), (1, 64)]
    cores = len(os.sched_getaffinity(0))
    assert [row.facts["cpus"] for row in rows] == [min(2, cores)] * 2 + [1] * 2


def test_slow_call_is_not_repeated(fake: Fake, entry: Entry, tmp_path: Path) -> None:
    slow = replace(fake, options=fake.options | {"seconds": 0.3})
    plan = replace(PLAN, slow_seconds=0.2)
    (row,) = run(slow, entry, Results(tmp_path / "results.json"), plan)
    assert len(row.prove_seconds) == 1


def test_failure_keeps_what_was_measured_before_it(
    fake: Fake, entry: Entry, tmp_path: Path
) -> None:
    failing = replace(fake, options=fake.options | {"fails": True})
    (row,) = run(failing, entry, Results(tmp_path / "results.json"))
    assert row.failure == "prove: exit code 1: the fake prover fails"
    assert not row.is_limit
    assert len(row.prove_seconds) == 2
    assert row.closeness is None


def test_ours_goes_on_after_a_setting_that_fails_but_not_without_a_program(
    fake: Fake, entry: Entry, tmp_path: Path
) -> None:
    options = fake.options | {"fails": True}
    failing = replace(fake, kind="veridical", options=options)
    rows = run(failing, entry, Results(tmp_path / "results.json"))
    assert [(row.threads, row.inputs) for row in rows] == [(2, 1), (2, 64), (1, 1), (1, 64)]
    broken = replace(failing, options=options | {"calls": str(tmp_path / "no" / "folder")})
    rows = run(broken, entry, Results(tmp_path / "results.json"))
    assert [row.failure is not None and row.failure[:8] for row in rows] == ["compile:"]


def test_limit_is_told_apart_from_a_failure(fake: Fake, entry: Entry, tmp_path: Path) -> None:
    slow = replace(fake, options=fake.options | {"seconds": 40.0})
    plan = replace(PLAN, limits=Limits(seconds=1.0, memory_bytes=10**10))
    (row,) = run(slow, entry, Results(tmp_path / "results.json"), plan)
    assert row.failure == "compile: took more than 1 s"
    assert row.is_limit


def test_large_models_take_one_input_in_a_proof() -> None:
    ours = Fake(kind="veridical", config="", phases=(), environment=None, options={})
    found = {
        name: {inputs for _, inputs in PLAN.settings(ours, entries()[name])}
        for name in ("lenet", "minilm", "width64")
    }
    assert found == {"lenet": {1, 64}, "minilm": {1}, "width64": {1, 64}}


def test_closeness_counts_samples_with_the_same_greatest_output(entry: Entry) -> None:
    case = entries()["alloc_softmax"]
    (expected,) = float_outputs(case.case, take(case.case.test(), slice(0, 4))).values()
    turned = expected[:, ::-1].copy()
    assert closeness(case, expected.tolist()).top1_agreement == 1.0
    found = closeness(case, [*expected[:3].tolist(), turned[3].tolist()])
    assert found.top1_agreement == 0.75
    assert found.samples == 4
