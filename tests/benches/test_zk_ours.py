from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benches.zk import measure
from benches.zk.cases import entries
from benches.zk.contenders import contenders
from benches.zk.limits import Limits
from benches.zk.measure import Attempt, Plan
from benches.zk.record import Results

if TYPE_CHECKING:
    from benches.zk.record import Row


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder: Path = tmp_path_factory.mktemp("ours")
    plan = Plan(
        threads=[1],
        inputs=[1, 4],
        repeats=2,
        slow_seconds=30.0,
        limits=Limits(seconds=50.0, memory_bytes=4 * 10**9),
    )
    (ours,) = contenders(["veridical"], [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "CACHE", folder)
        attempt = Attempt(ours, entries()["tiny_sigmoid"], plan)
        return attempt.measure(Results(folder / "results.json"), Path(sys.executable))


def test_our_prover_is_measured_in_every_setting(rows: list[Row]) -> None:
    assert [row.failure for row in rows] == [None, None]
    assert [row.inputs for row in rows] == [1, 4]
    for row in rows:
        assert set(row.peak_bytes) == {"compile", "setup", "prove", "verify"}
        assert len(row.prove_seconds) == len(row.seconds["verify"]) == 2
        assert row.median("setup") is not None
        assert row.facts["soundness_bits"] >= 100
        assert row.facts["proof_bytes"] > 1000


def test_our_error_is_that_of_the_program(rows: list[Row]) -> None:
    close = rows[0].closeness
    assert close is not None
    assert 0.0 < close.max_abs_error < 1e-3
    assert close.samples == 20
