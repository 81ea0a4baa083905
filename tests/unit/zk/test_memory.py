"""A proof that does not fit is refused with the figure, before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import veridical
from tests.memory import measure
from tests.repository import ROOT
from tests.toy import NOW, SIGNER
from tests.unit.compiler.frontend.models import model, node, normals
from veridical import _core, zk
from veridical.cli.app import run as command
from veridical.cli.exit_codes import ExitCode
from veridical.errors import InputError
from veridical.zk import proving

if TYPE_CHECKING:
    from pathlib import Path

X = {"x": np.array([[0.25, -1.5, 0.75]], dtype=np.float32)}
EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"


def no_work(*_: object, **__: object) -> Any:
    pytest.fail("work was begun")


@pytest.fixture
def program() -> veridical.Program:
    return veridical.load(EXAMPLE)


def test_the_refusal_names_both_figures_before_any_work(
    program: veridical.Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = veridical.run(program, X)
    needed = zk.costs(program, batch=1).memory
    monkeypatch.setattr(proving, "_available_memory", lambda: 5 * 2**20)
    for name in ("prove", "WeightCommitment"):
        monkeypatch.setattr(_core, name, no_work)
    expected = f"needs about {needed // 2**20} MiB, and 5 MiB are available; nothing was begun"
    with pytest.raises(InputError, match=expected):
        veridical.issue(run, signer=SIGNER, evidence=zk.Zk(), nonce="n", issued_at=NOW)


def test_the_commands_refuse_before_they_run_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("x.npz", x=X["x"])
    arguments = ["--input", "x.npz", "--receipt", "r.json"]
    assert command(["run", str(EXAMPLE), *arguments, "--no-cache"]) == 0
    monkeypatch.setattr(proving, "_available_memory", lambda: 5 * 2**20)
    monkeypatch.setattr(veridical, "run", no_work)
    monkeypatch.setattr(_core, "WeightCommitment", no_work)
    capsys.readouterr()
    for words in (["prove"], ["run", "--tier", "zk"]):
        line = [words[0], str(EXAMPLE), *words[1:], *arguments, "--no-cache"]
        assert command(line) == ExitCode.USAGE
        assert "5 MiB are available; nothing was begun" in capsys.readouterr().err


def test_a_commitment_that_exists_is_not_counted_again(
    program: veridical.Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = zk.costs(program, batch=1)
    assert 0 < expected.weight_memory < expected.memory
    rest = expected.memory - expected.weight_memory
    monkeypatch.setattr(proving, "_available_memory", lambda: rest)
    with pytest.raises(InputError, match="nothing was begun"):
        zk.require_memory(program, batch=1)
    assert zk.require_memory(program, batch=1, is_committed=True) == expected
    zk.commit(program)
    assert zk.require_memory(program, batch=1) == expected
    monkeypatch.setattr(proving, "_available_memory", lambda: rest - 1)
    with pytest.raises(InputError, match="nothing was begun"):
        zk.require_memory(program, batch=1)


def test_a_system_that_does_not_tell_refuses_nothing(
    program: veridical.Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "_available_memory", lambda: None)
    zk.require_memory(program, batch=1)


def test_what_is_predicted_is_what_a_process_needs(tmp_path: Path) -> None:
    """One layer with 2^20 weights; the models of the zoo are measured by `make accept`."""
    rng = np.random.default_rng(8)
    samples = normals(rng, 8, 1024).clip(-1.0, 1.0)
    nodes = [node("MatMul", ["x", "w"], ["z"]), node("Relu", ["z"], ["y"])]
    proto = model(nodes, {"x": [1, 1024]}, constants={"w": normals(rng, 1024, 1024)})
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    program = veridical.compile(tmp_path / "m.onnx", calibration=samples, progress=False)
    program.save(tmp_path / "m.vprog")
    memory = measure(tmp_path / "m.vprog", {"x": samples}, tmp_path)
    assert memory.measured > 50 * 2**20
    assert 1 <= memory.ratio <= 1.75, memory
