"""The gateway is killed under load, again and again: nothing that was accepted is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.conftest import FULL_CAMPAIGN
from tests.repository import ROOT
from veridical import tlog
from veridical.serve import Gateway, Settings
from veridical.tlog.entry import Intent, Result, entry_from_bytes

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"
KILLS = 50 if FULL_CAMPAIGN else 4
CLIENTS = 4
HOST = "127.0.0.1"
START_SECONDS = 60
QUESTION = {
    "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0.25, -1.5, 0.75]}]
}


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def start(state: Path, port: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-c",
        "from veridical.cli import main; main()",
        "serve",
        str(EXAMPLE),
    ]
    command += ["--state", str(state), "--port", str(port), "--workers", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://{HOST}:{port}/v2/health/ready").status_code == 200:
                return process
        except httpx.HTTPError:
            time.sleep(0.05)
    process.kill()
    process.wait()
    pytest.fail("the gateway did not start")


def ask(port: int, answered: list[str], stop: threading.Event) -> None:
    """Ask until the gateway is gone; note what it handed out."""
    with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=10) as client:
        while not stop.is_set():
            try:
                response = client.post("/v2/models/example/infer", json=QUESTION)
            except httpx.HTTPError:
                return
            if response.status_code == 200:
                answered.append(response.headers["Veridical-Receipt"])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_was_handed_out_survives_every_kill(tmp_path: Path) -> None:
    state = tmp_path / "state"
    answered: list[str] = []
    checkpoints: list[tlog.SignedCheckpoint] = []
    moments = random.Random(20261122)  # noqa: S311 - the same moments in every run
    for _ in range(KILLS):
        port = free_port()
        process = start(state, port)
        stop = threading.Event()
        askers = [threading.Thread(target=ask, args=(port, answered, stop)) for _ in range(CLIENTS)]
        for asker in askers:
            asker.start()
        time.sleep(moments.uniform(0.02, 0.6))
        checkpoints.append(tlog.Log.open(state / "log").head())
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        stop.set()
        for asker in askers:
            asker.join()
    assert answered

    gateway = Gateway(Settings(models=(EXAMPLE,), state=state, workers=0))
    try:
        log = tlog.Log.open(state / "log")
        tlog.fsck(log)
        contents = [content for _, content in log.reader().entries()]
        report = tlog.audit(contents)
        assert not report.findings
        entries = [entry_from_bytes(content) for content in contents]
        intents = {leaf for leaf, entry in enumerate(entries) if isinstance(entry, Intent)}
        closed = {entry.intent for entry in entries if not isinstance(entry, Intent)}
        assert intents == closed, "an intent is open after recovery"
        logged = {entry.statement for entry in entries if isinstance(entry, Result)}
        assert set(answered) <= logged, "an answer that was handed out is not in the log"
        for receipt_id in logged:
            assert gateway.store.receipt(receipt_id) is not None, "a logged answer was lost"
        for checkpoint in checkpoints:
            log.follow(checkpoint)
    finally:
        gateway.close()
    print(json.dumps({"kills": KILLS, "answered": len(answered), "entries": len(entries)}))  # noqa: T201
