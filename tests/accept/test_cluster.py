"""The proof queue on a Ray cluster: provers elsewhere, of which one is killed halfway."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.accept.conftest import CompiledPath
from tests.accept.proof_scenario import REQUESTS, run
from tests.acceptance import RecordCriterion
from tests.faults import Site, kill
from tests.postgres import HOST, free_port
from tests.repository import ROOT

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]

START_SECONDS = 120.0
MODEL = "tiny_sigmoid"
#: Small, so that halfway is in the middle of many.
BATCH = 4


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster of one machine, with room for two provers."""

    head: subprocess.Popen[bytes]
    port: int
    client_port: int
    environment: dict[str, str]

    def provers(self) -> list[int]:
        """Return the processes of provers."""
        return [pid for pid in descendants(self.head.pid) if "RemoteProver" in command_of(pid)]


def descendants(pid: int) -> Iterator[int]:
    """Yield all processes below one."""
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(one) for one in listed.read_text(encoding="ascii").split()]
        except OSError:  # it ended meanwhile
            continue
        for child in children:
            yield child
            yield from descendants(child)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except OSError:
        return ""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Start a cluster whose programs are installed apart from ours; it wants a token."""
    installed = subprocess.run(
        [ROOT / "scripts" / "cluster.sh", sys.executable],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()
    environment = {
        "PYTHONPATH": installed,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    # Ray's sockets have long names below this folder, and a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    port, client_port = free_port(), free_port()
    options = ["--head", "--block", "--num-cpus", "2", "--include-dashboard=false"]
    options += ["--port", str(port), "--ray-client-server-port", str(client_port)]
    options += ["--node-ip-address", HOST, "--temp-dir", str(folder)]
    options += ["--object-store-memory", "100000000", "--disable-usage-stats"]
    log = folder / "head.log"
    with log.open("wb") as output:
        head = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", *options],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Ray runtime started" not in log.read_text(encoding="utf-8"):
            assert head.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        yield Cluster(head=head, port=port, client_port=client_port, environment=environment)
    finally:
        below = list(descendants(head.pid))
        head.terminate()
        try:
            head.wait(45)
        except subprocess.TimeoutExpired:
            head.kill()
            head.wait()
        for pid in below:
            if folder.name in command_of(pid):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("kind", ["host", "client"])
def test_a_prover_that_is_killed_halfway_loses_nothing(
    kind: str,
    cluster: Cluster,
    compiled: CompiledPath,
    tmp_path: Path,
    criterion: RecordCriterion,
) -> None:
    address = f"{HOST}:{cluster.port}" if kind == "host" else f"ray://{HOST}:{cluster.client_port}"
    site = Site(
        state=tmp_path / "state",
        model=compiled(MODEL),
        options=("--cluster", address, "--proof-batch", str(BATCH)),
        environment=cluster.environment,
    )
    killed: list[int] = []
    seen: set[int] = set()

    def kill_one(states: Counter[str]) -> None:
        seen.update(cluster.provers())
        if not killed and states["queued"] <= REQUESTS // 2 and states["running"]:
            killed.append(cluster.provers()[0])
            os.kill(killed[0], signal.SIGKILL)

    port = free_port()
    process = site.start(port, workers=2)
    try:
        outcome = run(site, process, port, MODEL, meanwhile=kill_one)
    finally:
        kill(process)
    again = [job for job in outcome.jobs if job.attempts > 1]
    criterion(
        f"proof queue on Ray ({kind}): {REQUESTS} requests, two provers, one killed halfway",
        required="nothing lost, nothing proven twice into log or receipt",
        measured=f"{len(outcome.jobs)} proven, {len(again)} tried again, {len(seen)} provers seen; "
        f"all signed for after {outcome.seconds:.1f} s",
    )
    assert killed
    assert again, "what the killed prover had was tried again"
    assert len(again) <= 2 * BATCH, "and nothing else"
    assert len(seen) >= 3, "it was replaced"
