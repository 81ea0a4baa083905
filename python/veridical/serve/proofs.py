"""Proofs on the gateway's side: its worker processes, and signing for what they made.

Spec: spec/v1/serve.md, section 6.
"""

from __future__ import annotations

import subprocess
import threading
from itertools import groupby
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

import veridical.program
from veridical import policy
from veridical.commitment import tensors_from_bytes
from veridical.errors import InternalError
from veridical.receipt import upgrade
from veridical.serve.worker import Configuration, absolute, worker_command
from veridical.verifier import verify
from veridical.zk import ProofEvidence, Zk

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.program import Run
    from veridical.receipt import Envelope, Receipt
    from veridical.serve.gateway import Gateway
    from veridical.serve.storage import Job

__all__ = ["Finisher", "Workers"]

_WATCH_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.1
_SIGNED_AT_ONCE: Final = 256
_STOP_SECONDS: Final = 10.0


class Workers:
    """Worker processes; one that dies is replaced."""

    def __init__(
        self, models: dict[str, Path], database: str, *, count: int, batch: int, profile: str
    ) -> None:
        self._configuration = Configuration(
            database=database, models=absolute(models), batch=batch, profile=profile
        )
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="worker-watch", daemon=True)

    def start(self) -> None:
        """Start the processes."""
        self._processes = [self._start_one() for _ in range(self._count)]
        self._watcher.start()

    def pids(self) -> list[int]:
        """Return the ids of the processes."""
        return [process.pid for process in self._processes]

    def close(self) -> None:
        """End the processes; what they had claimed is made again when its lease ends."""
        self._closing.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _watch(self) -> None:
        while not self._closing.wait(_WATCH_SECONDS):
            for index, process in enumerate(self._processes):
                if process.poll() is not None:
                    if process.stdin is not None:
                        process.stdin.close()
                    self._processes[index] = self._start_one()

    def _start_one(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(worker_command(), stdin=subprocess.PIPE)  # noqa: S603 - our own
        if process.stdin is None:
            raise InternalError("a worker has no standard input")
        process.stdin.write(self._configuration.to_line())
        process.stdin.flush()
        return process


class Finisher:
    """Checks proofs that workers handed in, signs for them, and adds them to receipts."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="finisher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what is not signed for yet is found at the next start."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._closing.wait(_POLL_SECONDS):
            try:
                self.step()
            except SQLAlchemyError:  # the database is away; the jobs are kept
                continue

    def step(self) -> int:
        """Sign for what is there; return for how many receipts."""
        jobs = self._gateway.queue.unsigned(limit=_SIGNED_AT_ONCE)
        jobs.sort(key=lambda job: job.evidence or "")
        for digest, group in groupby(jobs, key=lambda job: job.evidence or ""):
            self._finish(digest, list(group))
        return len(jobs)

    def _finish(self, digest: str, jobs: list[Job]) -> None:
        queue = self._gateway.queue
        content = self._gateway.store.evidence(digest)
        try:
            evidence = Zk(proof=ProofEvidence.from_bytes(content or b""))
            signed: dict[str, Envelope] = {}
            for job in jobs:
                upgraded, run = self._upgraded(job, evidence)
                if not signed:  # one proof: it holds for all of its runs, or for none
                    self._require_verifies(upgraded, run, tier=job.tier)
                signed[job.job_id] = upgraded.envelopes[-1]
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - no defect of one proof may hold up the others
            for job in jobs:
                queue.fail(job.job_id, error=str(error))
            return
        queue.finish(signed, jobs)
        self._gateway.metrics.receipts.labels(model=jobs[0].model, tier=jobs[0].tier).inc(len(jobs))

    def _upgraded(self, job: Job, evidence: Zk) -> tuple[Receipt, Run]:
        stored = self._gateway.store.receipt_at(job.receipt)
        model = self._gateway.models.get(job.model)
        if stored is None or model is None:
            raise InternalError(f"receipt {job.receipt_id} or its model is gone")
        run = veridical.program.run(model.program, tensors_from_bytes(stored.question))
        return upgrade(stored.receipt, run, signer=self._gateway.signer, evidence=evidence), run

    def _require_verifies(self, receipt: Receipt, run: Run, *, tier: str) -> None:
        rule = policy.AllOf(
            policy.TrustedSigners(self._gateway.signer.public_key), policy.RequireTier(tier)
        )
        verify(
            receipt,
            rule,
            now=self._gateway.store.clock(),
            input=run.inputs,
            output=run.outputs,
            program=run.program,
        )
