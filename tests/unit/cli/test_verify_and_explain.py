"""`key`, `verify` and `explain`: exit codes, what is on stdout, what on stderr."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.differential.draft import Draft
from tests.vectors.write_receipts import FOLDER, PROGRAM_FILE, run_once
from veridical.cli.app import COMMANDS, run
from veridical.verifier import CHECKS

NOW = "1796000000"
PLAIN = str(FOLDER / "valid" / "plain.receipt.json")
POLICY = str(FOLDER / "policy.toml")
SIGNER = str(FOLDER / "keys" / "ed25519.pub")


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """Return the options of a consumer who holds everything."""
    done = run_once()
    np.savez(tmp_path / "x.npz", **dict(done.inputs))  # type: ignore[arg-type]
    np.savez(tmp_path / "y.npz", **dict(done.outputs))  # type: ignore[arg-type]
    options = ["--program", str(PROGRAM_FILE), "--now", NOW]
    return [*options, "--input", str(tmp_path / "x.npz"), "--output", str(tmp_path / "y.npz")]


def invoke(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    captured = capsys.readouterr()
    return int(code), captured.out, captured.err


@pytest.mark.parametrize("command", ["verify", "explain"])
@pytest.mark.parametrize("trust", [["--policy", POLICY], ["--signer", SIGNER]])
def test_an_honest_receipt_exits_with_0(
    command: str, trust: list[str], given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = invoke(capsys, command, PLAIN, *trust, *given)
    assert code == 0
    assert "accepted" in out
    assert err == ""


@pytest.mark.parametrize("command", ["verify", "explain"])
@pytest.mark.parametrize(
    ("name", "error"), [("duplicate_key", "DuplicateKeyError"), ("too_old", "PolicyError")]
)
def test_a_broken_receipt_exits_with_1_and_is_explained_on_stderr(
    command: str, name: str, error: str, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    receipt = str(FOLDER / "invalid" / f"{name}.receipt.json")
    code, out, err = invoke(capsys, command, receipt, "--policy", POLICY, *given)
    assert code == 1
    assert "rejected" in out
    assert err.startswith(error)
    assert "advice:" in err


@pytest.mark.parametrize("command", ["verify", "explain"])
def test_a_missing_program_exits_with_3(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = invoke(capsys, command, PLAIN, "--signer", SIGNER, "--now", NOW)
    assert code == 3
    assert "undecided" in out
    assert "--program" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify"],
        ["verify", PLAIN],
        ["verify", PLAIN, "--policy"],
        ["verify", PLAIN, "--policy", "missing.toml"],
        ["verify", PLAIN, "--signer", "missing.pub"],
        ["verify", PLAIN, "--signer", PLAIN],
        ["verify", "missing.receipt.json", "--signer", SIGNER],
        ["verify", PLAIN, "--signer", SIGNER, "--program", "missing.vprog"],
        ["verify", PLAIN, "--signer", SIGNER, "--input", "missing.npz"],
        ["verify", PLAIN, "--signer", SIGNER, "--input", PLAIN],
        ["verify", PLAIN, "--signer", SIGNER, "--now", "today"],
        ["explain", PLAIN],
        ["verify", PLAIN, "--unknown"],
        ["unknown"],
        ["key", "new"],
        ["key", "show", "missing.pub"],
        ["key", "new", "k", "--algorithm", "rsa"],
    ],
)
def test_a_mistake_of_the_caller_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = invoke(capsys, *arguments)
    assert code == 2
    assert "accepted" not in out
    assert err


def test_a_hostile_program_file_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.vprog").write_bytes(b"\0" * 100)
    options = ["--signer", SIGNER, "--program", str(tmp_path / "p.vprog")]
    code, _, err = invoke(capsys, "verify", PLAIN, *options)
    assert code == 1
    assert err.startswith("ProgramError")


@pytest.mark.parametrize("command", ["verify", "explain"])
@pytest.mark.parametrize("name", ["valid/plain", "invalid/duplicate_key", "invalid/signature_zero"])
def test_json_is_one_document_and_nothing_else(
    command: str, name: str, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    receipt = str(FOLDER / f"{name}.receipt.json")
    code, out, err = invoke(capsys, command, receipt, "--policy", POLICY, *given, "--json")
    document: dict[str, Any] = json.loads(out)
    assert err == ""
    assert document["verdict"] == ("accepted" if code == 0 else "rejected")
    if command == "explain":
        assert {check["check"] for check in document["checks"]} == set(CHECKS)
    if code:
        assert {"name", "check", "message", "where", "advice"} == set(document["error"])


def test_json_of_a_mistake_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = invoke(capsys, "verify", "missing", "--signer", SIGNER, "--json")
    assert code == 2
    assert json.loads(out)["verdict"] is None


def test_an_array_without_a_name_takes_that_of_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", run_once().inputs["x"])
    options = ["--signer", SIGNER, "--now", NOW, "--input", str(tmp_path / "x.npy")]
    assert invoke(capsys, "verify", PLAIN, *options, "--program", str(PROGRAM_FILE))[0] == 0
    assert invoke(capsys, "verify", PLAIN, *options)[0] == 2


def test_a_signer_is_added_to_a_policy_and_never_replaces_it(
    tmp_path: Path, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(FOLDER / "keys" / "p256.pub")
    options = ["--policy", POLICY, "--signer", other]
    code, _, err = invoke(capsys, "verify", PLAIN, *options, *given)
    assert code == 1
    assert "trusted_signers" in err


def test_a_nonce_must_be_that_of_the_receipt(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = [PLAIN, "--signer", SIGNER, *given, "--nonce"]
    assert invoke(capsys, "verify", *options, "order-4711")[0] == 0
    code, _, err = invoke(capsys, "verify", *options, "order-4712")
    assert code == 1
    assert "request id 'order-4711', expected 'order-4712'" in err


def test_pickled_arrays_are_not_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    options = ["--signer", SIGNER, "--input", str(tmp_path / "x.npz")]
    code, _, err = invoke(capsys, "verify", PLAIN, *options)
    assert code == 2
    assert "allow_pickle" in err


@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
def test_a_new_key_is_two_files_and_is_shown(
    algorithm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = str(tmp_path / "provider")
    made = json.loads(invoke(capsys, "key", "new", name, "--algorithm", algorithm, "--json")[1])
    assert made["algorithm"] == algorithm
    assert stat.S_IMODE((tmp_path / "provider.key").stat().st_mode) == 0o600
    for file in ("provider.key", "provider.pub"):
        code, out, _ = invoke(capsys, "key", "show", str(tmp_path / file))
        assert code == 0
        assert made["key_id"] in out
    code, _, err = invoke(capsys, "key", "new", name)
    assert code == 2
    assert "exists" in err
    assert made["key_id"] in invoke(capsys, "key", "show", name + ".pub")[1]


def ask(folder: Path, *names: str) -> list[str]:
    """Write a program with outputs of these names and a question; return how to run it."""
    draft = Draft()
    x = draft.add_input((2,), -100, 100)
    for name in names:
        draft.add_output(draft.add_node("add", [x], coeff=[3]))
        draft.outputs[-1]["name"] = name
    (folder / "p.vprog").write_bytes(draft.to_bytes())
    np.savez(folder / "q.npz", in0=np.array([[1, -2]]))
    return ["run", str(folder / "p.vprog"), "--input", str(folder / "q.npz")]


def test_an_answer_is_written_under_any_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("file", "allow_pickle", "self", "/model/out:0")
    code, _, err = invoke(capsys, *ask(tmp_path, *names), "--output", str(tmp_path / "a.npz"))
    assert (code, err) == (0, "")
    with np.load(tmp_path / "a.npz") as answer:
        assert set(answer.files) == set(names)
        assert all(answer[name].tolist() == [[3.0, -6.0]] for name in names)
    code, _, err = invoke(capsys, *ask(tmp_path, "y"), "--output", str(tmp_path / "no" / "a.npz"))
    assert code == 2
    assert "cannot write" in err


def test_a_pinned_public_key_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = tmp_path / "provider.pub"
    shutil.copy(SIGNER, pinned)
    options = ["--receipt", str(tmp_path / "r.json"), "--key", str(tmp_path / "provider.key")]
    code, _, err = invoke(capsys, *ask(tmp_path, "y"), *options)
    assert code == 2
    assert "provider.pub" in err
    assert pinned.read_bytes() == Path(SIGNER).read_bytes()
    assert not (tmp_path / "provider.key").exists()
    assert not (tmp_path / "r.json").exists()


class PanicException(BaseException):
    """As PyO3 raises it when Rust panics: not an `Exception`."""


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, PanicException])
def test_a_defect_is_never_mistaken_for_a_verdict(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import veridical.cli.verify

    def broken(*_: object) -> None:
        raise kind("a defect")

    monkeypatch.setattr(veridical.cli.verify, "judge", broken)
    code, _, err = invoke(capsys, "verify", PLAIN, "--signer", SIGNER)
    assert code == 4
    assert err.startswith("InternalError")
    assert f"{kind.__name__}: a defect" in err


def test_the_list_of_commands_shows_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = invoke(capsys, "--help")
    assert code == 0
    for name in COMMANDS:
        assert re.search(rf"^│ {name} ", out, flags=re.MULTILINE)


def test_the_installed_command_exits_with_the_verdict(given: list[str]) -> None:
    command = shutil.which("veridical") or f"{sys.prefix}/bin/veridical"
    accepted = subprocess.run(
        [command, "verify", PLAIN, "--policy", POLICY, *given], capture_output=True, check=False
    )
    assert accepted.returncode == 0, accepted.stderr
    nothing = subprocess.run([command, "verify", PLAIN], capture_output=True, check=False)
    assert nothing.returncode == 2
