"""Proofs on the gateway's side: having them checked, and signing for those that hold.

Spec: spec/v1/serve.md, section 6.
"""

from __future__ import annotations

import logging
import threading
import time
from itertools import groupby
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from veridical.receipt.envelope import Envelope, Predicate
from veridical.receipt.evidence import EvidenceBlob
from veridical.serve.checker import CheckerLostError, Suspect
from veridical.zk import PROOF_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.keys import Signer
    from veridical.receipt import Receipt
    from veridical.serve.checker import Checker
    from veridical.serve.storage import Job, Queue, Store
    from veridical.serve.tariff import Tariff

__all__ = ["Finisher"]

_LOG = logging.getLogger("veridical.serve")

_POLL_SECONDS: Final = 0.1
_MOST_SECONDS: Final = 5.0
_SWEEP_SECONDS: Final = 1.0
_SIGNED_AT_ONCE: Final = 256


class Finisher:
    """Has proofs checked that workers handed in, signs for them, and adds them to receipts."""

    def __init__(
        self,
        *,
        store: Store,
        queue: Queue,
        signer: Signer,
        checker: Checker,
        tariff: Tariff,
        on_signed: Callable[[str, str, int], None],
    ) -> None:
        """`on_signed` hears of a model, a tier, and for how many receipts was signed."""
        self._store = store
        self._queue = queue
        self._signer = signer
        self._checker = checker
        self._tariff = tariff
        self._on_signed = on_signed
        self._swept_at = float("-inf")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="finisher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what is not signed for yet is found at the next start."""
        self._closing.set()
        self._checker.interrupt()  # what it is at, is checked again
        if self._thread.is_alive():
            self._thread.join()
        self._checker.close()

    def _work(self) -> None:
        pause = _POLL_SECONDS
        while not self._closing.wait(pause):
            try:
                self.step()
            except Exception as error:  # noqa: BLE001 - the next proof may be none of its concern
                pause = min(2 * pause, _MOST_SECONDS)
                _LOG.warning("proofs are not finished: %s", error)
            else:
                pause = _POLL_SECONDS

    def step(self) -> int:
        """End what is too late, and sign for what is there; return for how many receipts.

        Raises:
            SQLAlchemyError: the database does not answer; the jobs are kept.
        """
        if time.monotonic() - self._swept_at > _SWEEP_SECONDS:
            self._queue.end_late()
            self._swept_at = time.monotonic()
        jobs = self._queue.unsigned(limit=_SIGNED_AT_ONCE)
        jobs.sort(key=lambda job: job.evidence or "")
        signed = 0
        failure: SQLAlchemyError | None = None
        for digest, group in groupby(jobs, key=lambda job: job.evidence or ""):
            if self._closing.is_set():
                break
            try:
                signed += self._finish(digest, list(group))
            except SQLAlchemyError as error:  # the next group may be none of its concern
                failure = error
        if failure is not None:
            raise failure
        return signed

    def _finish(self, digest: str, jobs: list[Job]) -> int:
        content = self._store.evidence(digest) or b""
        receipts = self._receipts(jobs)
        model, tier = jobs[0].model, jobs[0].tier
        try:
            found = self._checker.check(
                model=model,
                tier=tier,
                evidence=content,
                suspects=[
                    Suspect(job_id=job_id, receipt=receipt.to_bytes(), question=question)
                    for job_id, (receipt, question) in receipts.items()
                ],
            )
        except CheckerLostError as error:
            if not self._closing.is_set():
                self._queue.reject(digest, error=f"the proof was not checked: {error}")
            return 0
        if found.proof:
            _LOG.warning("a worker handed in a proof that does not hold: %s", found.proof)
            self._queue.reject(digest, error=found.proof)
            return 0
        for job_id, problem in found.receipts.items():
            if problem:
                self._queue.fail(job_id, error=problem)
        sound = [job for job in jobs if found.receipts.get(job.job_id) == ""]
        if not sound:
            return 0
        envelopes = {
            job.job_id: self._envelope(receipts[job.job_id][0], tier, content) for job in sound
        }
        costs = {
            job.job_id: min(job.quoted, self._tariff.cost(tier, job.cost / 1e6)) for job in sound
        }
        count = self._queue.finish(envelopes, sound, costs=costs)
        self._on_signed(model, tier, count)
        return count

    def _receipts(self, jobs: list[Job]) -> dict[str, tuple[Receipt, bytes]]:
        """Return receipt and question of each job; one without them fails, and no other."""
        found: dict[str, tuple[Receipt, bytes]] = {}
        for job in jobs:
            stored = self._store.receipt_at(job.receipt)
            if stored is None:
                self._queue.fail(job.job_id, error="its receipt is gone")
            else:
                found[job.job_id] = (stored.receipt, stored.question)
        return found

    def _envelope(self, receipt: Receipt, tier: str, content: bytes) -> Envelope:
        """Sign for evidence that was checked, for this receipt."""
        predicate = Predicate.about(
            receipt.statement,
            tier=tier,
            issued_at=self._store.now(),
            evidence=(EvidenceBlob(PROOF_TYPE, content).descriptor,),
        ).require_valid()
        return Envelope.sign(predicate, self._signer)
