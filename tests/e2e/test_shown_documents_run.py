"""README and quickstart, run as they stand: what a newcomer types works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import veridical
from tests.repository import ROOT

MODEL = ROOT / "examples" / "models" / "tiny_relu.onnx"
SAMPLES = ROOT / "examples" / "models" / "tiny_test.npz"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str = "") -> list[str]:
    """Return the code blocks of one language; commands of a shell have none."""
    return [block for name, block in FENCE.findall(text) if name == language]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with what a newcomer brings: a model, samples and one question."""
    samples = np.load(SAMPLES)["x"].astype(np.float32)
    model = onnx.load(MODEL)
    old, shown = model.graph.input[0].name, "x"  # as the documents call it
    for node in model.graph.node:
        node.input[:] = [shown if name == old else name for name in node.input]
    model.graph.input[0].name = shown
    onnx.save(model, tmp_path / "model.onnx")
    np.savez(tmp_path / "samples.npz", x=samples)
    np.savez(tmp_path / "question.npz", x=samples[:1])
    return tmp_path


def run_line(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one shown command in the folder, with this environment's programs."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def shown_lines(text: str) -> list[str]:
    """Return every `veridical` command of the shell blocks, in order."""
    joined = "\n".join(block.replace("\\\n", " ") for block in blocks(text))
    return [line for line in joined.splitlines() if line.startswith("veridical ")]


def test_readme_leads_to_a_verified_receipt_in_three_commands(folder: Path) -> None:
    lines = shown_lines((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [line.split()[1] for line in lines] == ["compile", "run", "verify"]
    for line in lines:
        run = run_line(line, folder)
        assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
    assert "accepted" in run.stdout
    # The same receipt for another question: rejected, not merely unmatched.
    other = np.load(folder / "question.npz")["x"] + np.float32(0.25)
    np.savez(folder / "question.npz", x=other)
    run = run_line(lines[-1], folder)
    assert run.returncode == 1, run.stdout + run.stderr


def test_readme_python_runs(folder: Path) -> None:
    shown = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "python")[0]
    samples = np.load(folder / "samples.npz")["x"]
    names: dict[str, Any] = {"samples": samples, "x": samples[:1], "now": 1_796_000_000}
    code = shown.replace('"model.onnx"', repr(str(folder / "model.onnx")))
    assert "model.onnx" in code
    # The receipt says when it was issued, and the policy shown asks for no age.
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - our own README
    assert isinstance(names["verified"], veridical.Verified)


def test_quickstart_runs_from_top_to_bottom(folder: Path) -> None:
    text = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    policy = blocks(text, "toml")[0]
    seen = []
    for line in shown_lines(text):
        if "--policy" in line and not (folder / "policy.toml").exists():
            digest = veridical.load(folder / "model.vprog").digest_hex
            filled = re.sub(r'digests = \["sha256:…"\]', f'digests = ["{digest}"]', policy)
            assert filled != policy
            (folder / "policy.toml").write_text(filled, encoding="utf-8")
        run = run_line(line, folder)
        # `explain` is shown without the question: what cannot be decided is not accepted.
        expected = 3 if " explain " in line and "--input" not in line else 0
        assert run.returncode == expected, f"{line}\n{run.stdout}{run.stderr}"
        seen.append(line.split()[1])
    assert seen == ["doctor", "compile", "key", "run", "verify", "verify", "explain"]
