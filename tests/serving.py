"""A gateway as its users run it: a process of its own, behind a socket."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import httpx
import pytest

from tests.postgres import free_port
from tests.repository import ROOT
from veridical.serve.access import AccessLog
from veridical.serve.app import Edge, GatewayApp
from veridical.serve.server import Listen, Server, bound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import uvicorn

    from veridical.serve import Gateway
    from veridical.serve.connections import ConnectionLimits

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
def served(
    state: Path,
    *programs: Path,
    options: tuple[str, ...] = (),
    prefix: tuple[str, ...] = (),
) -> Iterator[Served]:
    """Serve programs, the example if none is named, until the block ends.

    `prefix` stands before the command, to change what the process may do.
    """
    port = free_port()
    command = [*COMMAND, "serve", *map(str, programs or (EXAMPLE,)), "--state", str(state)]
    command += ["--port", str(port), "--workers", "0", *options]
    errors = state.with_name(state.name + ".err")
    with errors.open("wb") as stream:
        process = subprocess.Popen([*prefix, *command], stdout=subprocess.DEVNULL, stderr=stream)
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


@contextmanager
def in_thread(
    gateway: Gateway, listen: Listen, limits: ConnectionLimits, stream: TextIO
) -> Iterator[tuple[uvicorn.Server, int]]:
    """Serve in a thread of this process; yield the server and its port."""
    access_log = AccessLog(stream)
    edge = Edge(
        origins=listen.origins(is_open=gateway.settings.is_open),
        access_log=access_log,
        connections=limits,
        body_seconds=2.0,
    )
    listener = bound(listen)
    server = Server(GatewayApp(gateway, edge), limits)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield server, listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        assert not thread.is_alive(), "the server does not stop"
        access_log.close()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


def new_key(state: Path, name: str, *options: str) -> str:
    """Make an API key with the command."""
    command = [*COMMAND, "apikey", "new", name, "--state", str(state), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
