"""One worker: takes jobs from the database, proves them, hands the proof in.

Spec: spec/v1/serve.md, section 6. A worker reads its configuration as one line of
JSON and ends when its standard input does, so it never outlives the gateway. It has no
signing key: what it hands in is checked, and signed for, by the gateway.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self

import veridical.program
import veridical.receipt
from veridical import zk
from veridical.commitment import tensors_from_bytes
from veridical.errors import InputError
from veridical.serve.storage import Claim, Queue, Store

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.program import Program, Run

__all__ = ["LEASE_SECONDS", "Configuration", "Worker", "main"]

#: How long a dead worker keeps others from its jobs.
LEASE_SECONDS: Final = 20
_IDLE_SECONDS: Final = 0.2
_NICENESS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a worker is told."""

    database: str
    models: dict[str, str]
    batch: int
    profile: str

    def to_line(self) -> bytes:
        """Return one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read one line of JSON."""
        return cls(**json.loads(line))


class _Lost(Exception):  # noqa: N818 - no error: nobody waits for the proof
    """The claim was cancelled, or given to another worker."""


class Worker:
    """Proves what it claims, one claim after the other."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._store = Store(configuration.database)
        self._queue = Queue(self._store)
        self._programs: dict[str, Program] = {}

    def close(self) -> None:
        """Give the database up."""
        self._store.close()

    def step(self) -> bool:
        """Make one claim's proof; False if there was nothing to do."""
        configuration = self._configuration
        claim = self._queue.claim(
            models=sorted(configuration.models),
            limit=configuration.batch,
            lease_seconds=LEASE_SECONDS,
        )
        if claim is None:
            return False
        try:
            with _Heartbeat(self._queue, claim.lease) as heartbeat:
                start = time.perf_counter()
                content = self._prove(claim, heartbeat)
                seconds = time.perf_counter() - start
            digest = self._store.add_evidence(content)
            share = int(seconds * 1e6) // len(claim.receipts) + 1
            self._queue.proven(claim.lease, evidence=digest, cost=share)
        except _Lost:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the claim goes back
            self._queue.give_back(claim.lease, error=f"{type(error).__name__}: {error}")
        return True

    def _prove(self, claim: Claim, heartbeat: _Heartbeat) -> bytes:
        program = self._program(claim.model)
        runs: list[tuple[Run, veridical.receipt.Statement]] = []
        for number in claim.receipts:
            stored = self._store.receipt_at(number)
            if stored is None:
                raise InputError(f"no receipt {number}")
            if stored.receipt.statement.model.digest != program.digest_hex:
                raise InputError("the model was replaced since", where=stored.receipt.receipt_id)
            question = tensors_from_bytes(stored.question)
            runs.append((veridical.program.run(program, question), stored.receipt.statement))
        heartbeat.stage(zk.STAGES[0])
        commitment = zk.commit(program, profile=self._configuration.profile)
        proof = zk.prove(runs, commitment=commitment, progress=heartbeat.stage)
        return proof.to_bytes()

    def _program(self, model: str) -> Program:
        if model not in self._programs:
            self._programs[model] = veridical.program.load(self._configuration.models[model])
        return self._programs[model]


class _Heartbeat:
    """Keeps a lease while a proof is made, and learns when nobody waits for it."""

    def __init__(self, queue: Queue, lease: str) -> None:
        self._queue = queue
        self._lease = lease
        self._stage = ""
        self._is_held = True
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def stage(self, name: str) -> None:
        """Note the stage that begins; stop here if the claim is lost."""
        self._stage = name
        self._renew()
        if not self._is_held:
            raise _Lost

    def _beat(self) -> None:
        while not self._ended.wait(LEASE_SECONDS / 4):
            self._renew()

    def _renew(self) -> None:
        if not self._queue.renew(self._lease, stage=self._stage, lease_seconds=LEASE_SECONDS):
            self._is_held = False


def main() -> None:
    """Work until standard input ends."""
    os.nice(_NICENESS)
    configuration = Configuration.from_line(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = Worker(configuration)
    while True:
        if not worker.step():
            time.sleep(_IDLE_SECONDS)


def _end_with_parent() -> None:
    """Leave at once when the gateway is gone; what was claimed is free when its lease ends."""
    sys.stdin.buffer.read()
    os._exit(0)


def worker_command() -> list[str]:
    """Return the command that starts a worker."""
    return [sys.executable, "-c", "from veridical.serve.worker import main; main()"]


def absolute(models: dict[str, Path]) -> dict[str, str]:
    """Return paths as a worker is told them."""
    return {name: str(path) for name, path in models.items()}
