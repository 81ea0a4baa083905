from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benches.zk import environments, limits
from benches.zk.environments import Environment, UnavailableError
from benches.zk.limits import Limits
from tests.repository import ROOT

ROOMY = Limits(seconds=60.0, memory_bytes=10**10)


def run(code: str, folder: Path, allowed: Limits = ROOMY) -> str | None:
    command = [sys.executable, "-c", code]
    outcome = limits.run(command, cwd=folder, env=os.environ, log=folder / "log", limits=allowed)
    assert 0.0 <= outcome.foreign_load <= 1.1
    return outcome.failure


def test_process_that_ends_well_has_no_failure(tmp_path: Path) -> None:
    assert run("print('fine')", tmp_path) is None
    assert (tmp_path / "log").read_text() == "fine\n"


def test_failure_is_told_with_the_end_of_the_output(tmp_path: Path) -> None:
    reason = run("import sys; print('what went wrong', file=sys.stderr); sys.exit(3)", tmp_path)
    assert reason == "exit code 3: what went wrong"


def test_process_over_its_time_is_ended_with_what_it_started(tmp_path: Path) -> None:
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(50)'])\n"
        "pathlib.Path('child').write_text(str(child.pid))\n"
        "time.sleep(50)"
    )
    began = time.monotonic()
    reason = run(code, tmp_path, Limits(seconds=1.0, memory_bytes=10**10))
    assert reason == "took more than 1 s"
    assert time.monotonic() - began < 20.0
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10.0
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_process_over_its_memory_is_ended(tmp_path: Path) -> None:
    code = "import time; block = bytearray(300_000_000); time.sleep(50)"
    reason = run(code, tmp_path, Limits(seconds=40.0, memory_bytes=200_000_000))
    assert reason == "took more than 0.2 GB of memory"


def test_work_of_others_is_told_apart_from_the_process_itself(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        outcome = limits.run(
            [sys.executable, "-c", "import time; time.sleep(2)"],
            cwd=tmp_path,
            env=os.environ,
            log=tmp_path / "log",
            limits=ROOMY,
        )
    finally:
        other.kill()
        other.wait()
    # One processor's worth of work was not the process's; half of it is left for a busy machine.
    assert outcome.foreign_load > 0.5 / (os.cpu_count() or 1)


def test_missing_python_is_a_sentence_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "CACHE", tmp_path)
    monkeypatch.setattr(environments, "pythons", lambda _: iter(()))
    with pytest.raises(UnavailableError, match=r"dsperse 3\.\S+ is skipped: it needs Python 3\.12"):
        environments.DSPERSE.python()
    assert not list(tmp_path.iterdir())


def test_environment_of_other_requirements_is_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "CACHE", tmp_path)
    lock = tmp_path / "peer.txt"
    found = []
    for content in ("peer==1.0 --hash=sha256:00\n", "peer==1.1 --hash=sha256:00\n"):
        lock.write_text(content)
        peer = Environment(name="peer", lock=lock, minimum=(3, 11))
        folder = tmp_path / f"peer-{peer.identity[:12]}"
        folder.mkdir()
        (folder / "complete").touch()
        found.append((peer.version, peer.python()))
    assert [version for version, _ in found] == ["1.0", "1.1"]
    assert found[0][1] != found[1][1]


def test_pythons_are_found_oldest_first_and_none_is_too_old() -> None:
    found = [version for version, _ in environments.pythons((3, 11))]
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert here in found
    assert found == sorted(found, key=lambda version: int(version.split(".")[1]))
    assert not list(environments.pythons((4, 0)))


@pytest.mark.parametrize("peer", [environments.EZKL, environments.DSPERSE])
def test_pinned_release_is_the_one_that_was_asked_for(peer: Environment) -> None:
    source = peer.lock.with_suffix(".in").read_text()
    assert f"{peer.name}=={peer.version}\n" in source
    assert peer.lock.is_relative_to(ROOT / "requirements")
