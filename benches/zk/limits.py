"""Run a process with a limit on its time and its memory, and end it with all it started."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POLL_SECONDS = 0.2
TAIL_CHARS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one phase may take. Units: seconds, bytes resident."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a process ended."""

    failure: str | None
    """Why it failed, or None."""
    foreign_load: float
    """Share of all processors that other processes took meanwhile."""


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, limits: Limits
) -> Outcome:
    """Run to the end or to a limit.

    Output goes to `log`; its end is part of the reason of a failure.
    """
    began = time.monotonic()
    busy, own = _busy_seconds(), _children_seconds()
    with log.open("wb") as output:
        # A session of its own, so that a limit also ends what the process has started.
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            failure = _watch(process, began + limits.seconds, limits)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    foreign = (_busy_seconds() - busy) - (_children_seconds() - own)
    capacity = (time.monotonic() - began) * (os.cpu_count() or 1)
    if failure is None and process.returncode != 0:
        failure = f"exit code {process.returncode}: {_tail(log)}"
    return Outcome(failure=failure, foreign_load=max(0.0, foreign / capacity))


def _watch(process: subprocess.Popen[bytes], deadline: float, limits: Limits) -> str | None:
    while True:
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                return f"took more than {limits.seconds:.0f} s"
            if resident_bytes(process.pid) > limits.memory_bytes:
                return f"took more than {limits.memory_bytes / 1e9:.1f} GB of memory"
        else:
            return None


def resident_bytes(group: int) -> int:
    """Add up the resident memory of a process group."""
    total = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):  # it may end while it is looked at
            if os.getpgid(int(folder.name)) == group:
                pages = int((folder / "statm").read_text("ascii").split()[1])
                total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def _busy_seconds() -> float:
    """Return the time that all processors were not idle, since they started."""
    first = Path("/proc/stat").read_text("ascii").splitlines()[0].split()
    user, nice, system, _idle, _wait, *interrupts = (int(ticks) for ticks in first[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tail(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-4:])[-TAIL_CHARS:] or "no output"
