from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from benches import contest, machine, receipts, table
from examples.zoo import zoo

if TYPE_CHECKING:
    from pathlib import Path

    Held = tuple[list[contest.Latency], contest.Footprint, receipts.Cost]


@pytest.fixture(scope="module")
def held(
    tmp_path_factory: pytest.TempPathFactory,
) -> Held:
    folder: Path = tmp_path_factory.mktemp("contest")
    return contest.hold(zoo()["tiny_relu"], [1, 4], [1], folder)


def test_contest_measures_every_setting(
    held: Held,
) -> None:
    rows, footprint, cost = held
    assert [(row.batch, row.threads) for row in rows] == [(1, 1), (4, 1)]
    assert all(row.ours > 0.0 and row.float32 > 0.0 for row in rows)
    assert footprint.ours_peak_bytes > footprint.numpy_peak_bytes > 10_000_000
    assert footprint.program_bytes > 0
    assert footprint.ours.worst < 1e-2
    assert cost.verify > cost.answer > 0.0
    assert cost.size_bytes > 500


def test_tables_name_machine_models_and_failures(
    held: Held,
) -> None:
    rows, footprint, cost = held
    failed = dataclasses.replace(rows[0], int8_failures={"qdq": "no such thing"})
    text = table.document(
        machine.describe(), [failed], [footprint], [cost], {"other": "CompileError: x"}
    )
    assert "onnxruntime" in text
    assert "commit" in text
    assert "| tiny_relu | 1 | 1 |" in text
    assert "* tiny_relu, qdq: no such thing" in text
    assert "* other: CompileError: x" in text
