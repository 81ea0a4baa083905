"""`prove`, `run --tier zk`, `compile --commit`, `cache`: what they print, write and keep."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import veridical
from tests.repository import ROOT
from tests.unit.compiler.frontend.models import model, node, normals
from veridical import zk
from veridical.cli import progress
from veridical.cli.app import run
from veridical.cli.exit_codes import ExitCode
from veridical.zk.cache import CACHE_VARIABLE

PROGRAM = str(ROOT / "vectors" / "program" / "example.vprog")
ANSWER = ["run", PROGRAM, "--input", "x.npz", "--receipt", "r.json"]
PROVE = ["prove", PROGRAM, "--receipt", "r.json", "--input", "x.npz", "-o", "proven.json"]
VERIFY = ["verify", "r.json", "--program", PROGRAM, "--input", "x.npz", "--signer", "veridical.pub"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    np.savez("x.npz", x=np.array([[0.25, -1.5, 0.75]], dtype=np.float32))
    return tmp_path


def data_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out, error = capsys.readouterr()
    assert error == ""
    value: dict[str, Any] = json.loads(out)
    return value


def test_prove_says_where_time_went(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ANSWER) == 0
    capsys.readouterr()
    assert run([*PROVE, "--json"]) == 0
    assert "spans" not in data_of(capsys)
    assert run([*PROVE, "--json", "--profile", "--profile-output", "trace.json"]) == 0
    value = data_of(capsys)
    assert [span["name"] for span in value["spans"] if span["name"] in zk.STAGES] == [*zk.STAGES]
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    assert {"lookups", "whir", "encode"} <= {event["name"] for event in events}
    assert run([*PROVE, "--profile"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = next(line for line in lines if line.startswith("span "))
    assert heading.split() == ["span", "ms", "own", "ms", "calls"]
    assert any(line.startswith("  tree ") for line in lines)
    assert run([*PROVE, "--profile-output", "nowhere/trace.json"]) == ExitCode.USAGE
    assert "cannot write the spans" in capsys.readouterr().err


def test_run_says_where_time_went(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*ANSWER, "--tier", "zk", "--profile", "--profile-output", "trace.json"]
    assert run([*arguments, "--json"]) == 0
    names = [span["name"] for span in data_of(capsys)["spans"]]
    assert [name for name in names if name in zk.STAGES] == [*zk.STAGES]
    assert (folder / "trace.json").exists()
    assert run(arguments) == 0
    assert "witness opening" in capsys.readouterr().out
    for wrong in ([*ANSWER, "--profile"], [*ANSWER[:4], "--tier", "zk", "--profile"]):
        assert run(wrong) == ExitCode.USAGE
        assert "--profile is about a proof" in capsys.readouterr().err


def test_what_prove_committed_to_verify_need_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = "assumes   weights: committed to again by this verifier, from the program"
    earlier = (
        "assumes   weights: committed to earlier by this user with this build, from the program"
    )
    assert run([*ANSWER, "--tier", "zk", "--no-cache"]) == 0
    assert not (folder / "cache").exists()
    for option, said in (
        (["--no-cache"], again),
        ([], again),  # and it is kept now
        ([], earlier),
        (["--no-cache"], again),
    ):
        capsys.readouterr()
        assert run([*VERIFY, *option]) == 0
        assert said in capsys.readouterr().out.splitlines()
    assert run(["cache", "show", "--json"]) == 0
    assert data_of(capsys) == {"entries": 1, "folder": str(folder / "cache")}
    assert run(["cache", "clear"]) == 0
    assert capsys.readouterr().out == "removed   1\n"
    assert run(["cache", "clear", "--json"]) == 0
    assert data_of(capsys) == {"removed": 0}


def test_no_cache_is_wanted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "other"))
    assert run([*ANSWER, "--tier", "zk"]) == 0
    capsys.readouterr()
    assert run(["cache", "show"]) == 0
    assert capsys.readouterr().out.splitlines() == ["folder    none", "entries   0"]
    assert run(["cache", "clear"]) == 0
    assert not (folder / "other").exists()
    assert not (folder / "state").exists()


@pytest.mark.parametrize("security", ["standard", "strong"])
def test_compile_commits(folder: Path, capsys: pytest.CaptureFixture[str], security: str) -> None:
    rng = np.random.default_rng(8)
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    proto = model(nodes, {"x": [1, 4]}, constants={"w": normals(rng, 4, 3)})
    Path("m.onnx").write_bytes(proto.SerializeToString())
    np.save("c.npy", normals(rng, 30, 4))
    arguments = ["compile", "m.onnx", "--calibration", "c.npy", "--commit", "--security", security]
    assert run([*arguments, "--json"]) == 0
    root = data_of(capsys)["weight_root"]
    program = veridical.load("m.vprog")
    assert root == zk.commit(program, profile=security).root_hex
    assert [path.name for path in (folder / "cache").iterdir()] == [
        f"{program.digest.hex()}-{security}.root"
    ]
    assert run([*arguments, "--no-cache"]) == 0
    out, error = capsys.readouterr()
    assert f"weights   {root}" in out.splitlines()
    assert error == ""


def test_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Stages(zk.STAGES) as stages:
        stages("lookups")
    assert capsys.readouterr() == ("", "")


def test_the_bar_follows_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    console = Console(record=True, force_terminal=True, width=80, file=StringIO())
    monkeypatch.setattr(progress, "terminal", lambda: console)
    with progress.Stages(zk.STAGES) as stages:
        for stage in zk.STAGES:
            stages(stage)
            assert stages._progress is not None
            (task,) = stages._progress.tasks
            assert (task.description, task.completed) == (stage, zk.STAGES.index(stage))
            stages._progress.refresh()
    assert "lookups" in console.export_text()


def test_register_and_verify_with_a_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ANSWER, "--tier", "zk"]) == 0
    capsys.readouterr()
    register = ["register", PROGRAM, "-o", "m.vreg", "--key", "m.vkey"]
    assert run([*register, "--json"]) == 0
    value = data_of(capsys)
    assert value["registration_bytes"] == (folder / "m.vreg").stat().st_size
    assert value["soundness_bits"] >= 100
    assert run(register) == 0
    assert value["weight_root"] in capsys.readouterr().out
    verify = ["verify", "r.json", "--input", "x.npz", "--signer", "veridical.pub"]
    assert run([*verify, "--program", "m.vkey", "--registration", "m.vreg"]) == 0
    assert "by a registration proof" in capsys.readouterr().out
    assert run([*verify, "--registration", "m.vreg"]) == ExitCode.USAGE
    (folder / "m.vreg").write_bytes(b"no registration")
    refused = run([*verify, "--program", "m.vkey", "--registration", "m.vreg"])
    assert refused == ExitCode.REJECTED
    assert run(["register", PROGRAM, "--threads", "-1"]) == ExitCode.USAGE


@pytest.mark.parametrize(
    "command",
    [
        ["register", PROGRAM, "-o", PROGRAM],
        ["register", PROGRAM, "-o", "m.vreg", "--key", "m.vreg"],
        ["prove", PROGRAM, *(2 * ["--receipt", "r.json", "--input", "x.npz", "-o", "a.json"])],
        ["prove", PROGRAM, "--receipt", "r.json", "--input", "x.npz", "-o", PROGRAM],
        ["compile", "m.onnx", "--calibration", "x.npz", "-o", "m.vkey"],
    ],
)
def test_nothing_is_written_over_something_else(
    folder: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    before = (folder / PROGRAM).read_bytes()
    assert run(command) == 2
    assert "one file for two things" in capsys.readouterr().err
    assert (folder / PROGRAM).read_bytes() == before
