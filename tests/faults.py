"""A gateway under load that is killed, and what has to hold of its state afterwards."""

from __future__ import annotations

import atexit
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import select

import veridical
from tests.postgres import HOST
from tests.repository import ROOT
from veridical import policy, tlog
from veridical.serve import Gateway, Settings
from veridical.serve.accounts import ANONYMOUS
from veridical.serve.intents import TransparencyLog
from veridical.serve.storage.engine import reading
from veridical.serve.storage.schema import ENVELOPES, JOBS, USAGE
from veridical.tlog.entry import Intent, Result, entry_from_bytes

EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"
CLIENTS = 4
START_SECONDS = 60.0
PROOF_SECONDS = 120.0
ROW = [0.25, -1.5, 0.75]


@dataclass
class Handed:
    """What callers were given: they hold the gateway to it."""

    #: Ids of receipts with the nonce that each was asked for with.
    receipts: dict[str, str] = field(default_factory=dict)
    #: Ids of jobs with the receipt that each is for.
    jobs: dict[str, str] = field(default_factory=dict)
    checkpoints: list[tlog.SignedCheckpoint] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a gateway keeps its state, and what was handed out from there."""

    state: Path
    database: str = ""
    model: Path = EXAMPLE
    #: More of the command line, and of the environment.
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    handed: Handed = field(default_factory=Handed)

    def spawn(self, port: int, *, workers: int = 0) -> subprocess.Popen[bytes]:
        """Start a gateway process, and do not wait for it."""
        command = [sys.executable, "-c", "from veridical.cli import main; main()", "serve"]
        command += [str(self.model), "--state", str(self.state), "--port", str(port)]
        command += ["--workers", str(workers), *self.options]
        if self.database:
            command += ["--database", self.database]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.environment},
        )
        atexit.register(process.kill)  # does nothing to one that ended
        return process

    def start(self, port: int, *, workers: int = 0) -> subprocess.Popen[bytes]:
        """Start a gateway process, and wait until it would answer."""
        process = self.spawn(port, workers=workers)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if httpx.get(f"http://{HOST}:{port}/v2/health/ready").status_code == 200:
                    return process
            except httpx.HTTPError:
                time.sleep(0.03)
        process.kill()
        _, errors = process.communicate()
        pytest.fail(f"the gateway did not start: {errors.decode()[-2000:]}")

    def note_checkpoint(self) -> None:
        """Keep the checkpoint that the log shows now."""
        self.handed.checkpoints.append(tlog.Log.open(self.state / "log").head())

    def wait_for_jobs(self) -> None:
        """Wait until a proof was promised."""
        self.wait_until(lambda: bool(self.handed.jobs))

    def wait_for_more(self, answers: int) -> None:
        """Wait until more was answered than so often."""
        self.wait_until(lambda: self.handed.statuses[200] > answers)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for something that has to happen."""
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.handed.statuses
            time.sleep(0.02)

    @contextmanager
    def load(self, port: int, *, upgrades: bool = False) -> Iterator[None]:
        """Ask from several threads, until the block ends or the gateway is gone."""
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._ask, args=(port, stop, upgrades)) for _ in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _ask(self, port: int, stop: threading.Event, upgrades: bool) -> None:
        tensor = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": ROW}
        with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=20) as client:
            while not stop.is_set():
                nonce = f"{random.getrandbits(128):032x}"
                try:
                    response = client.post(
                        "/v2/models/example/infer", json={"id": nonce, "inputs": [tensor]}
                    )
                    self.handed.statuses[response.status_code] += 1
                    if response.status_code != 200:
                        continue
                    receipt_id = response.headers["Veridical-Receipt"]
                    self.handed.receipts[receipt_id] = nonce
                    if upgrades:
                        asked = client.post(f"/v1/receipts/{receipt_id}/upgrade?tier=zk")
                        if asked.status_code == 202:
                            self.handed.jobs[asked.json()["job_id"]] = receipt_id
                except httpx.TransportError:
                    if not is_listening(port):
                        return


def is_listening(port: int) -> bool:
    try:
        httpx.get(f"http://{HOST}:{port}/v2/health/live")
    except httpx.ConnectError:
        return False
    except httpx.TransportError:
        return True
    return True


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as a crash would."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def kill_children(process: subprocess.Popen[bytes], what: str) -> int:
    """End children of a process whose command names something; return how many."""
    ended = 0
    for child in children(process.pid, what):
        with suppress(ProcessLookupError):  # it ended by itself
            os.kill(child, signal.SIGKILL)
            ended += 1
    return ended


def children(pid: int, what: str) -> list[int]:
    """Return the children of a process, of any of its threads, whose command names something."""
    listed: list[str] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it ended meanwhile
            listed += thread.read_text(encoding="ascii").split()
    found = []
    for child in listed:
        try:
            if what in Path(f"/proc/{child}/cmdline").read_text(encoding="utf-8"):
                found.append(int(child))
        except OSError:  # it ended meanwhile
            continue
    return found


@dataclass(frozen=True, kw_only=True)
class Held:
    """What was found after recovery."""

    entries: int
    proven: int
    recovered: tuple[int, int]


def require_nothing_lost(site: Site) -> Held:
    """Recover, and hold the state against everything that was handed out."""
    settings = Settings(models=(EXAMPLE,), state=site.state, database=site.database, workers=1)
    gateway = Gateway(settings)
    try:
        gateway.start()
        _require_jobs_end(gateway, site.handed)
        log = tlog.Log.open(site.state / "log")
        tlog.fsck(log)
        contents = [content for _, content in log.reader().entries()]
        assert not tlog.audit(contents).findings
        entries = [entry_from_bytes(content) for content in contents]
        intents = {leaf for leaf, entry in enumerate(entries) if isinstance(entry, Intent)}
        closed = [entry.intent for entry in entries if not isinstance(entry, Intent)]
        assert len(closed) == len(set(closed)), "an intent was closed twice"
        assert intents == set(closed), "an intent is open after recovery"
        logged = {entry.statement for entry in entries if isinstance(entry, Result)}
        assert set(site.handed.receipts) <= logged, "an answer that was handed out is not logged"
        for checkpoint in site.handed.checkpoints:
            log.follow(checkpoint)
        _require_receipts_verify(gateway, site.handed, logged)
        return Held(
            entries=len(entries),
            proven=_require_proven_once(gateway),
            recovered=gateway.recovered,
        )
    finally:
        gateway.close()


def _require_jobs_end(gateway: Gateway, handed: Handed) -> None:
    """Wait for all proofs that were promised: every one is made, none twice."""
    deadline = time.monotonic() + PROOF_SECONDS
    while True:
        found = gateway.queue.get_many(handed.jobs)
        assert set(found) == set(handed.jobs), "a proof that was promised is forgotten"
        states = Counter(job.state for job in found.values())
        if not set(states) - {"done", "failed", "cancelled"}:
            break
        assert time.monotonic() < deadline, f"proofs are not made: {states}"
        time.sleep(0.1)
    others = {job.error for job in found.values() if job.state != "done"}
    assert not others, others


def _require_receipts_verify(gateway: Gateway, handed: Handed, logged: set[str]) -> None:
    assert isinstance(gateway.log, TransparencyLog)
    program = veridical.load(EXAMPLE)
    trusted = policy.TrustedSigners(gateway.signer.public_key)
    is_logged = policy.RequireLogged(gateway.log.log.key)
    upgraded = set(handed.jobs.values())
    for receipt_id, nonce in handed.receipts.items():
        rules: list[policy.Policy] = [trusted, is_logged, policy.Nonce(nonce)]
        if receipt_id in upgraded:
            rules.append(policy.RequireTier("zk"))
        verified = veridical.verify(
            gateway.receipt(receipt_id, ANONYMOUS),
            policy.AllOf(*rules),
            now=time.time(),
            input={"x": np.array([ROW], np.float32)},
            program=program,
        )
        assert verified.receipt_id == receipt_id
    for receipt_id in logged - set(handed.receipts):
        assert gateway.store.receipt(receipt_id, key_id="") is not None, "a logged answer was lost"


def _require_proven_once(gateway: Gateway) -> int:
    """Compare envelopes, charges and ended jobs: one of each for each receipt."""
    with reading(gateway.store.engine) as connection:
        envelopes = Counter(connection.execute(select(ENVELOPES.c.receipt)).scalars())
        charged = Counter(
            connection.execute(select(USAGE.c.receipt_id).where(USAGE.c.tier == "zk")).scalars()
        )
        done = Counter(
            connection.execute(select(JOBS.c.receipt).where(JOBS.c.state == "done")).scalars()
        )
    assert envelopes == done
    assert len(charged) == len(done)
    assert all(count == 1 for count in (*envelopes.values(), *charged.values()))
    return len(done)
