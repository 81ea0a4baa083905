"""`compile`, `run`, `demo` and `doctor`: files, exit codes, what is on stdout, what on stderr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import veridical
from tests.unit.compiler.frontend.models import model, node, normals
from veridical import _core
from veridical.cli import demo as demo_command
from veridical.cli.app import run
from veridical.cli.exit_codes import ExitCode


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a model and samples, which is the working directory."""
    rng = np.random.default_rng(8)
    nodes = [node("MatMul", ["x", "w"], ["z"]), node("Softmax", ["z"], ["y"], axis=-1)]
    proto = model(nodes, {"x": [1, 4]}, constants={"w": normals(rng, 4, 3)})
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    samples = normals(rng, 30, 4).clip(-1.5, 1.5)
    np.savez(tmp_path / "x.npz", x=samples)
    np.save(tmp_path / "x.npy", samples)
    np.savetxt(tmp_path / "x.csv", samples, delimiter=",")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compile_(*options: str, calibration: str = "x.npz") -> ExitCode:
    return run(["compile", "model.onnx", "--calibration", calibration, *options])


def test_compile_writes_program_key_and_report(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compile_("--picture", "errors.png", "--test", "x.npy") == 0
    program = veridical.load(given / "model.vprog")
    assert veridical.load(given / "model.vkey").digest == program.digest
    report = json.loads((given / "model.report.json").read_text())
    assert report["digest"] == program.digest_hex
    assert (given / "errors.png").read_bytes()[1:4] == b"PNG"
    out, error = capsys.readouterr()
    assert error == ""
    first, *_ = (line.split() for line in out.splitlines())
    assert first == ["program", "model.vprog"]
    assert program.digest_hex in out
    assert "outside   0 of 120 calibration values" in out
    assert "outside   0 of 120 test values" in out
    assert "accuracy  y: max error" in out


@pytest.mark.parametrize("calibration", ["x.npz", "x.npy", "x.csv"])
def test_samples_come_from_three_kinds_of_file(
    given: Path, capsys: pytest.CaptureFixture[str], calibration: str
) -> None:
    assert compile_("--json", "-o", "out.vprog", calibration=calibration) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["digest"] == veridical.load(given / "out.vprog").digest_hex
    assert data["calibration_samples"] == 30


def test_options_reach_the_compiler(given: Path) -> None:
    assert compile_("--input-range", "x=-9:7", "--precision", "int8", "--closed") == 0
    program = veridical.load(given / "model.vprog")
    (spec,) = program.inputs
    assert spec.real_range == pytest.approx((-9.0, 7.0), rel=0.02)
    assert spec.hi < 2**7
    assert compile_("--closed") == 0
    salted = veridical.load(given / "model.vprog").digest
    assert compile_() == 0
    assert veridical.load(given / "model.vprog").digest != salted


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dim", "words"], "NAME=SIZE"),
        (["--dim", "words=0"], "NAME=SIZE"),
        (["--dim", "nothing=3"], "nothing"),
        (["--input-range", "x"], "NAME=LOW:HIGH"),
        (["--input-range", "x=2:1"], "NAME=LOW:HIGH"),
        (["--input-range", "x=nan:1"], "NAME=LOW:HIGH"),
        (["--input-range", "x=-inf:inf"], "two finite numbers"),
        (["--input-range", "nothing=0:1"], "the model's inputs are x"),
        (["--out", "nowhere/m.vprog"], "cannot write"),
        (["--picture", "nowhere/m.png"], "cannot write the picture"),
        (["--test", "nothing.npz"], "nothing.npz"),
        (["--precision", "int4"], "int4"),
    ],
)
def test_wrong_options_are_usage_errors_with_advice(
    given: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert compile_(*options) == ExitCode.USAGE
    out, error = capsys.readouterr()
    assert said in out + error
    if "--precision" not in options:  # the argument parser speaks for itself
        assert "advice: " in error


def test_a_file_that_is_no_model_is_a_usage_error(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (given / "model.onnx").write_bytes(b"no model")
    assert compile_("--json") == ExitCode.USAGE
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["check"] == "model format"


def answered(*options: str) -> ExitCode:
    return run(["run", "model.vprog", "--input", "x.npy", *options])


@pytest.fixture
def program(given: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert compile_() == 0
    capsys.readouterr()
    return given / "model.vprog"


def test_run_prints_and_writes_the_answer(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answered("--output", "y.npz") == 0
    out, error = capsys.readouterr()
    assert out.startswith("y (30, 3): [")
    assert out.count("\n") == 1
    assert error == ""
    expected = veridical.run(veridical.load(program), {"x": np.load("x.npy")}).outputs["y"]
    with np.load("y.npz") as written:
        assert np.array_equal(written["y"], expected)
    assert not Path("veridical.key").exists()


def test_run_gives_a_receipt_that_verifies(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answered("--receipt", "r.json", "--nonce", "order-1", "--json", "--output", "y.npz") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["model"] == veridical.load(program).digest_hex
    assert np.shape(data["outputs"]["y"]) == (30, 3)
    assert data["saturated"] == 0
    verify = ["verify", "r.json", "--input", "x.npz", "--output", "y.npz"]
    verify += ["--program", "model.vprog", "--signer", "veridical.pub", "--nonce"]
    assert run([*verify, "order-1"]) == ExitCode.ACCEPTED
    assert run([*verify, "order-2"]) == ExitCode.REJECTED


def test_second_receipt_uses_the_same_key(program: Path) -> None:
    assert answered("--receipt", "r1.json") == 0
    key = Path("veridical.key").read_bytes()
    assert answered("--receipt", "r2.json") == 0
    assert Path("veridical.key").read_bytes() == key


def test_run_says_how_much_lies_outside(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("x.npy", np.array([[100.0, 0.0, 0.0, -100.0]]))
    assert answered() == 0
    assert "saturated 2 input elements" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--threads", "-1"], ExitCode.USAGE, "0 for all cores"),
        (["--receipt", "r.json", "--nonce", ""], ExitCode.USAGE, "--nonce is empty"),
        (["--output", "nowhere/y.npz"], ExitCode.USAGE, "nowhere"),
        (["--receipt", "nowhere/r.json"], ExitCode.USAGE, "nowhere"),
    ],
)
def test_run_names_what_is_wrong(
    program: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: ExitCode,
    said: str,
) -> None:
    assert answered(*options) == code
    error = capsys.readouterr().err
    assert said in error
    assert "advice: " in error


def test_a_verification_key_cannot_be_run(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "model.vkey", "--input", "x.npy"]) == ExitCode.UNDECIDED
    assert "verification key" in capsys.readouterr().err


def test_demo_verifies_two_receipts_and_rejects_nine_forgeries_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "--keep", str(tmp_path / "kept"), "--json"]) == 0
    scenes = json.loads(capsys.readouterr().out)
    assert set(scenes) == {"allocation", "digits"}
    for name, scene in scenes.items():
        forgeries = scene["forgeries"]
        assert len({forgery["forgery"] for forgery in forgeries}) == len(forgeries) == 9
        assert all(forgery["check"] for forgery in forgeries)
        program = veridical.load(tmp_path / "kept" / f"{name}.vprog")
        assert program.digest_hex == scene["model"]
        proof = scene["proof"]
        assert (proof["forgery"]["check"], proof["verified"]["tier"]) == ("tier", "zk")
        assert proof["prove_ms"] > 0
        assert (tmp_path / "kept" / f"{name}.vkey").stat().st_size == proof["key_bytes"]
        assert (tmp_path / "kept" / f"{name}.proven.receipt.json").exists()
        assert (tmp_path / "kept" / f"{name}.receipt.json").exists()


def test_demo_tells_its_story_in_lines_that_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["demo"]) == 0
    out = capsys.readouterr().out
    said = "2 receipts verified; on each, 9 forgeries rejected by name,"
    assert out.rstrip().endswith(f"{said} and one more against a succinct proof")
    for line in out.splitlines():
        assert len(line) <= 100 or "sha256:" in line
    assert out.count("rejected by") == 2 * (9 + 1) + 1
    assert out.count("assumes  weights: that commitment") == 2


def test_demo_names_a_folder_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run(["demo", "--keep", str(tmp_path / "file" / "x")]) == ExitCode.USAGE
    assert "cannot make the folder" in capsys.readouterr().err


def test_long_lines_are_broken_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    digest = "sha256:" + "0" * 64
    demo_command._say(f"  1 {'word ' * 40}{digest} end", indent=4)
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("    ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == f"1 {'word ' * 40}{digest} end"
    assert sum(digest in line for line in lines) == 1


def test_doctor_says_what_is_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(facts["executor"].values()).count("in use") == 1
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["abilities"]["verify"] == "yes"
    assert facts["abilities"]["compile"] == "yes"
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == sorted(facts, key=lines.index)


def test_doctor_says_what_is_missing_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    from veridical.cli import doctor

    known = metadata.version

    def version(name: str) -> str:
        if name == "onnx":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(_core, "available_isas", lambda: ["portable"])
    facts: Any = doctor.inspect()
    assert "onnx not installed" in facts["abilities"]["compile"]
    assert "veridical[compile]" in facts["abilities"]["compile"]
    assert facts["executor"]["portable"] == "in use"
    assert "processor" in facts["executor"]["avx512"]
