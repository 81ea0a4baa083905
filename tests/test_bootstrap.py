"""Set-up on a machine where something is missing: it stops, and says what to do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository import ROOT

SCRIPT = ROOT / "scripts" / "bootstrap.sh"
TOOLS = ("bash", "dirname", "env", "id", "sed")


def machine(folder: Path, *programs: str) -> Path:
    """Make a PATH that holds only the shell's tools and these programs; each does nothing."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    for program in programs:
        (folder / program).write_text("#!/usr/bin/env bash\nexit 0\n", encoding="utf-8")
        (folder / program).chmod(0o755)
    return folder


def bootstrap(path: Path, venv: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(SCRIPT), str(venv)]
    environment = {"PATH": str(path), "HOME": str(path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("programs", "complaint"),
    [
        ((), "no Python 3.11 or later on PATH"),
        (("python3",), "cargo is not on PATH"),
        (("python3", "cargo"), "missing system packages: gcc libc6-dev"),
    ],
)
def test_missing_program_is_named_with_advice(
    tmp_path: Path, programs: tuple[str, ...], complaint: str
) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    run = bootstrap(machine(path, *programs), tmp_path / "venv")
    assert run.returncode == 1
    assert f"bootstrap: {complaint}" in run.stderr
    assert "what to do: " in run.stderr
    assert not (tmp_path / "venv").exists()


def test_python_that_is_too_old_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    machine(path, "cargo", "cc")
    # Answers the version question as Python 3.10 does.
    (path / "python3").write_text("#!/usr/bin/env bash\nexit 1\n", encoding="utf-8")
    (path / "python3").chmod(0o755)
    run = bootstrap(path, tmp_path / "venv")
    assert run.returncode == 1
    assert "no Python 3.11 or later" in run.stderr


def test_ci_runs_the_same_target_as_a_person() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert text.splitlines()[-1] == "exec make --keep-going --no-print-directory test"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_nothing_is_skipped_silently() -> None:
    # `make test` depends on every kind of check; a step that is dropped here is dropped in public.
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    line = next(line for line in makefile.splitlines() if line.startswith("test:"))
    steps = line.partition(":")[2].partition("##")[0].split()
    python = ["lint", "format", "types", "stub", "test-python"]
    assert set(steps) == {*python, "lint-rust", "test-rust", "test-page"}
    recipes = ["ruff check\n", "ruff format --check", "mypy --strict", "stubtest veridical._core"]
    recipes += ["cargo fmt --all --check", "-D warnings", "cargo test", 'pytest -m "not accept"']
    recipes += ["npm run --silent types", "node --test tests/"]
    assert all(recipe in makefile for recipe in recipes)
    assert "|| true" not in makefile.partition("\ntest:")[2].partition("\nclean:")[0]
