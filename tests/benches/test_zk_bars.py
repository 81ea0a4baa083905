from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from benches.contest import Latency
from benches.zk import __main__ as command
from benches.zk.bars import BARS, EACH, EZKL_RATIO, OVERHEADS, Judged, judge
from benches.zk.cases import SIX
from benches.zk.record import Native, Row, document, now

if TYPE_CHECKING:
    from pathlib import Path

WHIR = "goldilocks_whir"


def row(model: str, kind: str = "veridical", **changes: Any) -> Row:
    """Return a row of two threads; seconds of the proof are given as `prove`."""
    prove, verify = changes.pop("prove", 0.02), changes.pop("verify", 0.005)
    facts = {"proof_bytes": 150_000} | changes.pop("facts", {})
    fields: dict[str, Any] = {
        "config": "",
        "version": "0.1.0",
        "threads": 2,
        "inputs": 1,
        "seconds": {"witness": [0.0] * 3, "prove": [prove] * 3, "verify": [verify] * 3},
        "peak_bytes": {"prove": 90_000_000},
        "foreign_load": {},
        "identity": "one",
        "measured_at": now(),
    }
    return Row(model=model, kind=kind, facts=facts, **fields | changes)


def native(model: str, inputs: int = 1, threads: int = 2) -> Native:
    timed = Latency(
        model=model,
        batch=inputs,
        threads=threads,
        ours=2e-3,
        float32=4e-3,
        int8=1e-3,
        int8_variant="qdq",
    )
    return Native(latency=timed, identity="one", measured_at=now())


def find(judged: list[Judged], *words: str) -> Judged:
    (found,) = (entry for entry in judged if all(word in entry.item for word in words))
    return found


def test_without_figures_every_bar_is_there_and_none_is_met() -> None:
    judged = judge([], [])
    assert {entry.outcome for entry in judged} == {"not measured"}
    items = [entry.item for entry in judged]
    assert len(items) == len(set(items))
    for model in (*BARS, *(model for model, _ in (*EACH, *OVERHEADS))):
        assert any(item.startswith(f"{model}:") for item in items)
    for model in SIX:
        assert {f"{model}: against EZKL", f"{model}: against DSperse"} <= set(items)


@pytest.mark.parametrize("stage", ["to prove", "to verify", "proof", "memory"])
def test_each_bar_is_missed_alone(stage: str) -> None:
    bar = BARS["minilm"]
    assert bar.memory is not None
    most: dict[str, Any] = {
        "prove": bar.prove,
        "verify": bar.verify,
        "facts": {"proof_bytes": int(bar.proof)},
        "peak_bytes": {"prove": int(bar.memory)},
    }
    at_the_bar = judge([row("minilm", **most)], [])
    over = {
        "to prove": most | {"prove": bar.prove * 1.01},
        "to verify": most | {"verify": bar.verify * 1.01},
        "proof": most | {"facts": {"proof_bytes": int(bar.proof) + 1}},
        "memory": most | {"peak_bytes": {"prove": int(bar.memory) + 1}},
    }[stage]
    names = ("to prove", "to verify", "proof", "memory")
    for name in names:
        assert find(at_the_bar, f"minilm: {name}").outcome == "met"
        expected = "missed" if name == stage else "met"
        assert find(judge([row("minilm", **over)], []), f"minilm: {name}").outcome == expected


def test_bars_of_time_hold_on_most_threads() -> None:
    judged = judge([row("lenet", threads=1, prove=9.0), row("lenet", prove=0.1)], [])
    assert find(judged, "lenet: to prove").outcome == "met"


def test_many_inputs_are_judged_one_by_one() -> None:
    judged = judge([row("mlp1m", inputs=64, prove=64 * 0.0049)], [])
    assert find(judged, "mlp1m: to prove each of 64").outcome == "met"
    judged = judge([row("mlp1m", inputs=64, prove=64 * 0.0051)], [])
    assert find(judged, "mlp1m: to prove each of 64").outcome == "missed"


def test_overhead_is_over_the_fastest_run_of_as_many_inputs_on_as_many_threads() -> None:
    natives = [native("lenet"), native("lenet", 64), native("lenet", 64, threads=1)]
    rows = [
        row("lenet", prove=9.0),
        row("lenet", inputs=64, prove=0.099),
        row("lenet", inputs=64, threads=1, prove=0.101),
    ]
    judged = judge(rows, natives)
    assert find(judged, "lenet: overhead", "2 thread").outcome == "met"
    missed = find(judged, "lenet: overhead", "1 thread")
    assert (missed.outcome, missed.measured) == ("missed", "101 times")


def test_peers_are_compared_where_they_prove_all_of_the_model() -> None:
    ezkl = row("lenet", "ezkl", prove=0.02 * EZKL_RATIO)
    partial = {"slices": 8, "slices_proved": 6}
    whole = {"slices": 8, "slices_proved": 8}
    rows = [
        row("lenet"),
        ezkl,
        row("lenet", "dsperse", config=WHIR, prove=0.019, facts=whole),
        row("lenet", "dsperse", config="bn254_raw", prove=0.06, facts=whole),
        row("tblock"),
        row("tblock", "ezkl", seconds={}, failure="prove: took more than 9 s"),
        row("tblock", "dsperse", config=WHIR, prove=2.0, facts=partial),
    ]
    judged = judge(rows, [])
    assert find(judged, "lenet: against EZKL").outcome == "met"
    assert find(judged, "lenet: against DSperse goldilocks").outcome == "missed"
    raw = find(judged, "lenet: against DSperse bn254_raw")
    assert (raw.measured, raw.outcome) == ("3 times faster", "not comparable")
    refused = find(judged, "tblock: against EZKL")
    assert (refused.measured, refused.outcome) == ("prove: took more than 9 s", "not measured")
    unfair = find(judged, "tblock: against DSperse")
    assert unfair.outcome == "not comparable"
    assert "6 of 8 slices" in unfair.measured
    rows[1] = row("lenet", "ezkl", prove=0.0199 * EZKL_RATIO)
    assert find(judge(rows, []), "lenet: against EZKL").outcome == "missed"


def test_weakest_proof_decides_on_soundness() -> None:
    strong = row("lenet", facts={"soundness_bits": 104})
    assert find(judge([strong], []), "soundness").outcome == "met"
    weak = row("mlp1m", facts={"soundness_bits": 99})
    assert find(judge([strong, weak], []), "soundness").outcome == "missed"


def test_report_is_written_again_from_its_own_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row("lenet"), row("width32"), row("lenet", "ezkl", prove=9.0)]
    natives = [native("lenet"), native("width32")]
    figures = tmp_path / "figures.json"
    # What is derived is derived again: these few fields are all that is read.
    plain = {"machine": {"processor": "a processor"}, "not_measured": ["dsperse is skipped"]}
    figures.write_text(json.dumps(plain | document(rows, natives)))
    for source, name in ((figures, "first"), (tmp_path / "first.json", "second")):
        output = tmp_path / name
        monkeypatch.setattr(
            sys, "argv", ["zk", "--report-only", str(source), "--output", str(output)]
        )
        command.main()
    first, second = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("first", "second")
    )
    assert first == second
    assert first["bars"] == [asdict(judged) for judged in judge(rows, natives)]
    text = (tmp_path / "first.md").read_text()
    assert text.replace("first.png", "second.png") == (tmp_path / "second.md").read_text()
    assert "| lenet: against EZKL | at least 200 times faster | 450 times faster | met |" in text
    assert "* dsperse is skipped" in text
    assert (tmp_path / "second.png").exists()
