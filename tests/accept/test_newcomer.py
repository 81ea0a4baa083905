"""A new user: from nothing but a wheel and a model to a verified answer through the client.

`VERIDICAL_WHEEL` names a wheel that is built already; otherwise the one of this tree is built,
which a user does not do and which is not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.acceptance import RecordCriterion
from tests.e2e.test_shown_documents_run import MODEL, SAMPLES, blocks, shown_lines
from tests.postgres import free_port
from tests.repository import ROOT

pytestmark = [pytest.mark.accept, pytest.mark.timeout(3600)]

MINUTES = 5
#: What the README says before the lines of its client: the question is the caller's own.
BEFORE = 'import numpy as np\nimport veridical\nx = np.load("question.npz")["x"]\n'


def wheel(folder: Path) -> Path:
    """Return the wheel of this tree."""
    named = os.environ.get("VERIDICAL_WHEEL")
    if named is not None:
        return Path(named)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(ROOT / "scripts" / "wheel.sh"), str(folder)]
    subprocess.run(command, env={**os.environ, "PATH": path}, check=True)
    (found,) = folder.glob("*.whl")
    return found


def bring_a_model(folder: Path) -> None:
    """Write what a newcomer has: a model, samples and one question."""
    samples = np.load(SAMPLES)["x"].astype(np.float32)
    model = onnx.load(MODEL)
    old = model.graph.input[0].name
    for node in model.graph.node:
        node.input[:] = ["x" if name == old else name for name in node.input]
    model.graph.input[0].name = "x"
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "samples.npz", x=samples)
    np.savez(folder / "question.npz", x=samples[:1])


def test_minutes_to_a_verified_answer(tmp_path: Path, criterion: RecordCriterion) -> None:
    built = wheel(tmp_path / "dist")
    folder = tmp_path / "user"
    folder.mkdir()
    bring_a_model(folder)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (compile_line,) = [line for line in shown_lines(readme) if line.split()[1] == "compile"]
    (serve_line,) = [
        line.partition("#")[0]
        for block in blocks(readme, "sh")
        for line in block.splitlines()
        if line.startswith("veridical serve ")
    ]
    code = BEFORE + blocks(readme, "python")[1] + "\nprint(answer.verified.receipt_id)\n"
    port = str(free_port())
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}

    def run(*words: str) -> str:
        done = subprocess.run(
            words, cwd=folder, env=outside, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    began = time.perf_counter()
    run(sys.executable, "-m", "venv", "venv")
    programs = folder / "venv" / "bin"
    pip = (str(programs / "python"), "-m", "pip", "install", "--quiet")
    run(*pip, "--disable-pip-version-check", f"{built}[compile,serve,client]")
    installed = time.perf_counter() - began
    run(str(programs / "veridical"), *compile_line.split()[1:])
    command = [str(programs / "veridical"), *serve_line.replace("8080", port).split()[1:]]
    with subprocess.Popen(
        command, cwd=folder, env=outside, stdout=subprocess.PIPE, text=True
    ) as gateway:
        try:
            assert gateway.stdout is not None
            # As somebody who waits for it to say so.
            assert any(line.startswith("serving") for line in gateway.stdout)
            shown = run(str(programs / "python"), "-c", code.replace("8080", port))
            seconds = time.perf_counter() - began
        finally:
            gateway.terminate()
    criterion(
        "A new user, from install to a verified answer",
        required=f"at most {MINUTES} minutes",
        measured=f"{seconds:.0f} s, of which the installation {installed:.0f} s",
    )
    assert shown.startswith("sha256:")
    assert seconds <= 60 * MINUTES
