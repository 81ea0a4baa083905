"""The three commands of the README on a model that the compiler was not written for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from tests.repository import ROOT

EXAMPLE = ROOT / "examples" / "newcomer"
COMPILE = "compile newcomer.onnx --calibration calibration.npz -o model.vprog"
RUN = "run model.vprog --input question.npz --output answer.npz --receipt answer.receipt.json"
VERIFY = (
    "verify answer.receipt.json --signer veridical.pub --program model.vprog "
    "--input question.npz --output answer.npz"
)


def veridical(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("veridical")
    return subprocess.run(
        [program, *command.split()], cwd=folder, check=False, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("newcomer")
    for name in ("newcomer.onnx", "calibration.npz", "question.npz"):
        shutil.copy(EXAMPLE / name, folder)
    for command in (COMPILE, RUN):
        done = veridical(folder, command)
        assert done.returncode == 0, done.stderr
    return folder


def test_receipt_of_a_newcomers_model_is_accepted(answered: Path) -> None:
    done = veridical(answered, VERIFY)
    assert done.returncode == 0, done.stderr


def test_answer_is_that_of_the_float_model(answered: Path) -> None:
    session = ort.InferenceSession(answered / "newcomer.onnx", providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, dict(np.load(answered / "question.npz")))
    answer = np.load(answered / "answer.npz")["logits"]
    assert np.abs(answer - expected).max() < 0.05


def test_changed_answer_is_rejected(answered: Path) -> None:
    answer = np.load(answered / "answer.npz")["logits"]
    answer[0, 0] = np.nextafter(answer[0, 0], np.inf)
    np.savez(answered / "forged.npz", logits=answer)
    done = veridical(answered, VERIFY.replace("answer.npz", "forged.npz"))
    assert done.returncode == 1
    assert "StatementMismatchError" in done.stderr


def test_answer_of_another_model_is_rejected(answered: Path) -> None:
    other = "compile newcomer.onnx --calibration calibration.npz -o other.vprog --precision int8"
    assert veridical(answered, other).returncode == 0
    done = veridical(answered, VERIFY.replace("model.vprog", "other.vprog"))
    assert done.returncode == 1
    assert "Error" in done.stderr
