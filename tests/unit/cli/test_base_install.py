"""Commands on an installation without the extra `compile`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repository import ROOT

MODELS = "examples/models"

HIDING = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"onnx", "onnxruntime", "mpmath", "matplotlib"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from veridical.cli import main
main(sys.argv[1:])
"""


def base_install(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDING, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        (
            "compile",
            "examples/models/tiny_relu.onnx",
            "--calibration",
            "examples/models/tiny_test.npz",
        ),
        ("demo",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_command_of_an_extra_says_what_to_install(arguments: tuple[str, ...]) -> None:
    run = base_install(*arguments)
    assert run.returncode == 2, run.stderr
    assert "needs the package" in run.stderr
    assert "veridical[compile]" in run.stderr


def test_verify_needs_no_extra() -> None:
    receipt, policy = "vectors/receipt/valid/plain.receipt.json", "vectors/receipt/policy.toml"
    run = base_install("verify", receipt, "--policy", policy, "--now", "1796000000")
    # The vector's policy compares with an input that is not given here.
    assert run.returncode == 3, run.stdout + run.stderr
