"""What an operator sees at a glance, and figures that many ask for and few have to be read.

Spec: spec/v1/serve.md, section 9.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, Final, Generic, TypeVar

import orjson
from starlette.concurrency import run_in_threadpool

from veridical.serve.intents import TransparencyLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from veridical.serve.gateway import Gateway

__all__ = ["Kept", "Overview"]

_T = TypeVar("_T")

STATES: Final = ("queued", "running", "proven", "done", "failed", "cancelled")
#: An audit reads the whole log: by a process of its own, so that no request waits for it.
_AUDIT_SECONDS: Final = 60.0
_AUDIT_LIMIT_SECONDS: Final = 600.0
_NICE: Final = 10
_MAX_FINDINGS: Final = 100
_STREAM: Final = ("stream", "intents", "open", "results", "voids", "void_rate")


class Kept(Generic[_T]):
    """A value that is read at most once in so many seconds, however many ask for it."""

    def __init__(
        self,
        read: Callable[[], _T],
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._read_at = float("-inf")
        self._reading: asyncio.Task[_T] | None = None

    async def get(self) -> _T:
        """Return the value; an error of reading it is kept as long."""
        is_old = self._clock() - self._read_at >= self._seconds
        if self._reading is None or (self._reading.done() and is_old):
            self._read_at = self._clock()
            self._reading = asyncio.create_task(self._ask())
        return await asyncio.shield(self._reading)

    async def _ask(self) -> _T:
        return await run_in_threadpool(self._read)


class Overview:
    """Models, receipts, proofs, the log's head, and what its last audit found."""

    def __init__(self, gateway: Gateway, version: str) -> None:
        self._gateway = gateway
        self._version = version
        self._audits = _Audits()

    def read(self) -> dict[str, Any]:
        """Return everything; an audit that is due is begun, and the one before it shown."""
        gateway = self._gateway
        by_model = gateway.store.receipts_by_tier()
        totals: Counter[str] = Counter()
        for (_, tier), number in by_model.items():
            totals[tier] += number
        jobs = gateway.store.jobs_by_state()
        log: dict[str, Any] | None = None
        audit: dict[str, Any] | None = None
        if isinstance(gateway.log, TransparencyLog):
            head = gateway.log.log.head()
            log = {
                "vkey": gateway.log.vkey(),
                "size": head.size,
                "checkpoint": head.to_bytes().decode("utf-8"),
            }
            audit = self._audits.latest(gateway.log.log.folder, head.size, gateway.store.now())
        return {
            "version": self._version,
            "now": gateway.store.now(),
            "problem": gateway.problem(),
            "signer": gateway.signer.public_key.key_id,
            "models": [
                {
                    "name": name,
                    "digest": model.program.digest_hex,
                    "receipts": {t: number for (m, t), number in by_model.items() if m == name},
                }
                for name, model in gateway.models.items()
            ],
            "receipts": dict(totals),
            "jobs": {state: jobs.get(state, 0) for state in STATES},
            "log": log,
            "audit": audit,
        }

    def close(self) -> None:
        """End an audit that is under way."""
        self._audits.close()


class _Audits:
    """Audits of the log, one after another, each by a process of its own at a low priority."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._began_at = float("-inf")
        self._began = 0
        self._latest: dict[str, Any] | None = None

    def latest(self, folder: Path, size: int, now: int) -> dict[str, Any] | None:
        """Return the last audit that ended; begin another one if it is due."""
        with self._lock:
            if self._process is not None:
                self._collect(self._process)
            age = time.monotonic() - self._began_at
            is_new = self._latest is None or self._latest["size"] != size
            if self._process is None and is_new and age >= _AUDIT_SECONDS:
                self._begin(folder, now)
            return self._latest

    def close(self) -> None:
        """End the one that is under way."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process = None
            if self._output is not None:
                self._output.close()
                self._output = None

    def _begin(self, folder: Path, now: int) -> None:
        command = [sys.executable, "-c", "from veridical.cli import main; main()"]
        command += ["log", "audit", str(folder), "--json"]
        self._began_at, self._began = time.monotonic(), now
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process ended
        self._process = subprocess.Popen(  # noqa: S603 - our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.DEVNULL,
        )
        os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICE)

    def _collect(self, process: subprocess.Popen[bytes]) -> None:
        """Read what an audit found, if it ended."""
        if process.poll() is None:
            if time.monotonic() - self._began_at < _AUDIT_LIMIT_SECONDS:
                return
            process.kill()
            process.wait()
        output, self._output, self._process = self._output, None, None
        if output is None:
            return
        with output:
            output.seek(0)
            content = output.read()
        try:
            self._latest = _report(orjson.loads(content), self._began)
        except orjson.JSONDecodeError:  # the log is damaged, or could not be read
            self._latest = {
                "at": self._began,
                "size": 0,
                "problem": "the audit did not end; run `veridical log audit`",
                "counts": {},
                "streams": [],
                "findings": [],
            }


def _report(value: dict[str, Any], at: int) -> dict[str, Any]:
    return {
        "at": at,
        "size": value["size"],
        "problem": "",
        "counts": value["counts"],
        "streams": [{key: one[key] for key in _STREAM} for one in value["streams"]],
        "findings": value["findings"][:_MAX_FINDINGS],
    }
