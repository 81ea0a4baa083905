"""A gateway as its users run it: a process of its own, behind a socket."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.postgres import free_port
from tests.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"
COMMAND = (sys.executable, "-c", "from veridical.cli import main; main()")
_START_SECONDS = 60
_STOP_SECONDS = 30


@dataclass(frozen=True)
class Served:
    """A gateway that answers."""

    process: subprocess.Popen[bytes]
    port: int
    state: Path
    errors: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> float:
        """Ask it to stop, and return how long it took."""
        begun = time.monotonic()
        self.process.terminate()
        # It ends by the signal that asked it to, after it has closed everything.
        assert self.process.wait(_STOP_SECONDS) in {0, -signal.SIGTERM}
        return time.monotonic() - begun


@contextmanager
def served(state: Path, *programs: Path, options: tuple[str, ...] = ()) -> Iterator[Served]:
    """Serve programs, the example if none is named, until the block ends."""
    port = free_port()
    command = [*COMMAND, "serve", *map(str, programs or (EXAMPLE,)), "--state", str(state)]
    command += ["--port", str(port), "--workers", "0", *options]
    errors = state.with_name(state.name + ".err")
    with errors.open("wb") as stream:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stream)
    running = Served(process, port, state, errors)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_ready(running.url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the gateway did not start: {errors.read_text()[-2000:]}")
            time.sleep(0.05)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


def new_key(state: Path, name: str, *options: str) -> str:
    """Make an API key with the command."""
    command = [*COMMAND, "apikey", "new", name, "--state", str(state), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
