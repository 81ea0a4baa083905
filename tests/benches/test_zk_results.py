from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from benches.contest import Latency
from benches.zk import plot, report
from benches.zk.contenders import DSPERSE_CONFIGS, RAW, SUCCINCT, contenders
from benches.zk.record import MAX_AGE, Closeness, Native, Results, Row, best, now

if TYPE_CHECKING:
    from pathlib import Path

    from benches.zk.cases import Kind


def row(kind: Kind = "veridical", config: str = "", model: str = "lenet", **changes: object) -> Row:
    plain = Row(
        model=model,
        kind=kind,
        config=config,
        version="1.2",
        threads=1,
        inputs=1,
        seconds={"witness": [0.1, 0.3, 0.2], "prove": [1.0, 3.0, 2.5], "verify": [0.005]},
        peak_bytes={"prove": 2_000_000},
        foreign_load={"prove": 0.01},
        facts={"proof_bytes": 3000},
        closeness=Closeness(max_abs_error=0.25, top1_agreement=0.95, samples=20),
        identity="one",
        measured_at=now(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # the caller names fields


def native(model: str = "lenet", **changes: float | None) -> Native:
    timed = Latency(
        model=model, batch=1, threads=1, ours=2e-5, float32=4e-5, int8=1e-5, int8_variant="qdq"
    )
    return Native(latency=replace(timed, **changes), identity="one", measured_at=now())  # type: ignore[arg-type]


def test_time_to_prove_is_witness_and_proof_of_the_same_call() -> None:
    assert row().prove_seconds == pytest.approx([1.1, 3.3, 2.7])
    assert row().median("total") == pytest.approx(2.7)
    assert row().median("setup") is None
    # A process that a limit ended between the two has no time to prove.
    assert row(seconds={"witness": [0.1]}).median("total") is None


def test_results_survive_and_are_found_by_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results = Results(path)
    results.put(row())
    results.put(row(kind="ezkl", closeness=None))
    results.put_native(native())
    again = Results(path)
    assert again.rows == results.rows
    assert again.natives == results.natives
    assert again.find(("lenet", "veridical", 1, 1), "one") == results.rows[0]
    assert again.find(("lenet", "veridical", 1, 1), "two") is None
    assert again.find(("lenet", "veridical", 2, 1), "one") is None
    assert again.find_native(("lenet", 1, 1), "one") == results.natives[0]
    assert again.find_native(("lenet", 1, 1), "two") is None


def test_results_of_another_version_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    Results(path).put(row())
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"fields": content["fields"][1:]}))
    assert Results(path).rows == []


def test_second_measurement_takes_the_place_of_the_first(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    results.put(row())
    results.put(row(identity="two"))
    assert [kept.identity for kept in results.rows] == ["two"]


def test_old_figures_and_failures_are_measured_again(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    old = (datetime.now(UTC) - MAX_AGE - timedelta(minutes=1)).isoformat()
    results.put(row(measured_at=old))
    results.put_native(replace(native(), measured_at=old))
    assert results.find(("lenet", "veridical", 1, 1), "one") is None
    assert results.find_native(("lenet", 1, 1), "one") is None
    results.put(row(failure="prove: exit code 1: no idea"))
    assert results.find(("lenet", "veridical", 1, 1), "one") is None
    # A limit would be met again.
    results.put(row(failure="prove: took more than 5 s", is_limit=True))
    assert results.find(("lenet", "veridical", 1, 1), "one") is not None


def test_fresh_run_forgets_only_what_it_measures(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    kept = [row(kind="ezkl"), row(model="mlp1m")]
    for entry in [row(), *kept]:
        results.put(entry)
    results.forget({"lenet"}, {"veridical"})
    assert results.rows == kept


def test_dsperse_is_judged_in_its_fastest_complete_configuration() -> None:
    slow = row(kind="dsperse", config="goldilocks_whir")
    fast = row(
        kind="dsperse", config="goldilocks_basefold", seconds={"witness": [0.1], "prove": [0.2]}
    )
    raw = row(kind="dsperse", config="goldilocks_raw", seconds={"witness": [0.0], "prove": [0.1]})
    assert best([slow, fast, raw], SUCCINCT) == fast
    assert best([slow, fast, raw], RAW) == raw
    assert best([row()], SUCCINCT) is None
    partial = replace(fast, facts={"slices": 8, "slices_proved": 6})
    assert best([slow, partial], SUCCINCT) == slow
    assert best([partial], SUCCINCT) == partial


def test_overhead_is_over_the_fastest_run_on_the_same_threads() -> None:
    assert report.overhead(row(), native()) == pytest.approx(2.7 / 1e-5)
    assert report.overhead(row(), native(int8=None)) == pytest.approx(2.7 / 2e-5)
    (found,) = report.overheads([row(), row(threads=2)], [native()])
    assert found["overhead"] == pytest.approx(2.7e5)
    assert found["overhead_of"] == pytest.approx(
        {"float32": 2.7 / 4e-5, "int8": 2.7 / 1e-5, "executor": 2.7 / 2e-5}
    )
    json.dumps(found)


def test_report_names_figures_ratios_and_what_is_not_proved() -> None:
    rows = [
        row(facts={"proof_bytes": 3000, "soundness_bits": 104}),
        row(
            kind="ezkl",
            seconds={"witness": [1.0], "prove": [269.0]},
            notes=["coarser"],
            foreign_load={"prove": 0.4},
        ),
        row(
            kind="dsperse",
            config="goldilocks_whir",
            facts={"slices": 8, "slices_proved": 6, "witness_bytes": 5000, "proof_bytes": 10_000},
        ),
        row(kind="dsperse", config="bn254_raw", seconds={}, failure="compile: took more than 5 s"),
    ]
    text = report.text(
        {"cores": "2"}, rows, [native()], ["ezkl 1.2 is skipped: no Python"], "picture.png"
    )
    assert "cores 2" in text
    assert "| lenet | veridical | 1 | 1 | 2.70 s | 1.10 s-3.30 s (3) | 5.00 ms | 3.0 kB |" in text
    assert "| lenet | 1 | 2.70 s | 270.00 s | 100 | 2.70 s (goldilocks_whir *) | 1 |" in text
    assert "| 2.70 s | 2.7e+05 | 6.75e+04 | 2.7e+05 | 1.35e+05 | 2.7e+07 | 2.7e+05 * |" in text
    assert "* lenet, ezkl: coarser" in text
    assert "* lenet, veridical: 104 bits of soundness" in text
    assert "* lenet, dsperse goldilocks_whir: 6 of 8 slices are proved" in text
    assert "| 10.0 kB + 5.0 kB |" in text
    assert "* lenet, veridical: other processes" not in text
    assert "* lenet, ezkl: other processes took up to 40% of the machine meanwhile" in text
    assert "dsperse bn254_raw, 1 thread(s), 1 input(s): not measured: compile: took more" in text
    assert "* ezkl 1.2 is skipped: no Python" in text
    assert "![overhead against width](picture.png)" in text


def test_plot_has_a_line_for_each_prover_and_skips_other_models(tmp_path: Path) -> None:
    rows = [row(model="width32"), row(model="width64"), row(), row(kind="ezkl", model="width32")]
    points = plot.lines(rows, [native("width64"), native("width32"), native()])
    assert list(points) == ["veridical, 1 thread, 1 input", "ezkl, 1 thread, 1 input"]
    assert [width for width, _ in points["veridical, 1 thread, 1 input"]] == [32, 64]
    assert points["ezkl, 1 thread, 1 input"][0][1] == pytest.approx(2.7e5)
    picture = tmp_path / "out" / "picture.png"
    plot.draw(points, picture, subtitle="a processor")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_contender_is_another_when_its_driver_or_its_release_changes() -> None:
    found = contenders(["veridical", "ezkl", "dsperse"], DSPERSE_CONFIGS)
    assert [contender.name for contender in found[:3]] == [
        "veridical",
        "ezkl",
        "dsperse goldilocks_whir",
    ]
    assert len({contender.identity() for contender in found}) == 3
    assert all(contender.version[0].isdigit() for contender in found)
