"""One worker: takes jobs from the database, has them proven, hands the proof in.

Spec: spec/v1/serve.md, section 6. A worker reads its configuration as one line of
JSON and ends when its standard input does, so it never outlives the gateway. It has no
signing key: what it hands in is checked, and signed for, by the gateway.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self

from sqlalchemy.exc import SQLAlchemyError

from veridical.errors import InputError
from veridical.serve.proving import LocalProver, Member, Task, half_of_memory, most_items
from veridical.serve.storage import Claim, Queue, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from veridical.serve.proving import Prover

__all__ = ["LEASE_SECONDS", "Configuration", "Worker", "absolute", "main", "worker_command"]

_LOG = logging.getLogger("veridical.serve")

#: How long a dead worker keeps others from its jobs.
LEASE_SECONDS: Final = 20
#: How long a worker waits at most for more of what it proves together.
GATHER_SECONDS: Final = 1.0
_GATHER_PAUSE_SECONDS: Final = 0.1
_IDLE_SECONDS: Final = 0.2
_MOST_IDLE_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 0.5
#: What a worker whose gateway is gone has to give its jobs back.
_FAREWELL_SECONDS: Final = 2.0
_NICENESS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a worker is told."""

    database: str
    models: dict[str, str]
    #: How many receipts are proven together at most.
    batch: int
    profile: str
    #: Processes like this one that share the machine.
    workers: int = 1
    threads: int = 0
    #: Address of a cluster where the proofs are made; nothing for this process itself.
    cluster: str = ""

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
    """Has proven what it claims, one claim after the other."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        prover: Prover | None = None,
        lease_seconds: int = LEASE_SECONDS,
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        """Open the database; the proofs are made in this process unless by another prover."""
        self._profile = configuration.profile
        self._batch = configuration.batch
        self._lease_seconds = lease_seconds
        self._gather_seconds = gather_seconds
        local = LocalProver(configuration.models, threads=configuration.threads)
        self._prover = prover or local
        memory = half_of_memory(configuration.workers)
        #: How many items of each model one proof takes here.
        self.items = {
            model: most_items(local.program(model), profile=self._profile, memory=memory)
            for model in configuration.models
        }
        self._store = Store(configuration.database)
        self._queue = Queue(self._store)
        self._lease = ""

    def close(self) -> None:
        """Give the database up."""
        self._store.close()

    def step(self) -> bool:
        """Make one claim's proof; False if there was nothing to do.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        if not self._has_gathered():
            return False
        seconds = self._lease_seconds
        claim = self._queue.claim(models=self.items, limit=self._batch, lease_seconds=seconds)
        if claim is None:
            return False
        self._lease = claim.lease
        try:
            task = self._task(claim)
            with _Heartbeat(self._queue, claim.lease, seconds) as heartbeat:
                proven = self._prover.prove(task, progress=heartbeat.stage)
                share = -(-proven.microseconds // len(claim.receipts))
                _persist(lambda: self._hand_in(claim.lease, proven.evidence, share), seconds)
        except _Lost:
            pass
        except SQLAlchemyError:  # no fault of the jobs
            _persist(self.leave, seconds)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the claim goes back
            message = f"{type(error).__name__}: {error}"
            _persist(lambda: self._queue.give_back(claim.lease, error=message), seconds)
        finally:
            self._lease = ""
        return True

    def leave(self) -> None:
        """Give back what is claimed: it is no fault of the jobs that the worker ends now."""
        if self._lease:
            self._queue.give_back(self._lease, error="", is_attempt=False)

    def _has_gathered(self) -> bool:
        """Wait while more is asked for: proven together, each takes a fraction of the time.

        An idle worker only reads; it locks nothing.
        """
        begun = time.monotonic()
        before = 0
        while (count := self._queue.waiting(self.items)) > before:
            if count >= self._batch or time.monotonic() - begun > self._gather_seconds:
                break
            before = count
            time.sleep(_GATHER_PAUSE_SECONDS)
        return count > 0

    def _hand_in(self, lease: str, evidence: bytes, cost: int) -> None:
        self._queue.proven(lease, evidence=self._store.add_evidence(evidence), cost=cost)

    def _task(self, claim: Claim) -> Task:
        members: list[Member] = []
        digests: set[str] = set()
        for number in claim.receipts:
            stored = self._store.receipt_at(number)
            if stored is None:
                raise InputError(f"no receipt {number}")
            statement = stored.receipt.statement
            digests.add(statement.model.digest)
            members.append(Member(question=stored.question, statement=statement.to_bytes()))
        if len(digests) != 1:
            raise InputError("the model was replaced between these receipts", where=claim.model)
        return Task(
            model=claim.model,
            digest=digests.pop(),
            profile=self._profile,
            members=tuple(members),
        )


class _Heartbeat:
    """Keeps a lease while a proof is made, and learns when nobody waits for it."""

    def __init__(self, queue: Queue, lease: str, seconds: int) -> None:
        self._queue = queue
        self._lease = lease
        self._seconds = seconds
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
        if name != self._stage:
            self._stage = name
            self._renew()
        if not self._is_held:
            raise _Lost

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds / 4):
            self._renew()

    def _renew(self) -> None:
        try:
            held = self._queue.renew(self._lease, stage=self._stage, lease_seconds=self._seconds)
        except SQLAlchemyError as error:  # the proof goes on: it may be back before it is there
            _LOG.warning("a lease cannot be renewed: %s", type(error).__name__)
            return
        if not held:
            self._is_held = False


def _persist(call: Callable[[], None], seconds: float) -> None:
    """Try as long as a lease lasts: a lost connection is no reason to lose a proof."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            call()
        except SQLAlchemyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def work(worker: Worker, ended: threading.Event) -> None:
    """Work until told to end; a database that is away is asked again, more and more slowly."""
    pause = _IDLE_SECONDS
    while not ended.is_set():
        try:
            has_worked = worker.step()
        except SQLAlchemyError as error:
            pause = min(2 * pause, _MOST_IDLE_SECONDS)
            _LOG.warning("the database does not answer: %s", type(error).__name__)
            ended.wait(pause)
            continue
        pause = _IDLE_SECONDS
        if not has_worked:
            ended.wait(pause)


def main() -> None:
    """Work until standard input ends."""
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for the gateway, which tells us
    logging.basicConfig(level=logging.WARNING, format="worker: %(message)s")
    configuration = Configuration.from_line(sys.stdin.buffer.readline())
    if configuration.cluster:
        from veridical.serve.cluster import workers_of

        workers = workers_of(configuration)
    else:
        workers = [Worker(configuration)]
    for worker in workers:
        threading.Thread(target=_work_or_end, args=(worker,), daemon=True).start()
    sys.stdin.buffer.read()  # until the gateway is gone
    _leave(workers)


def _work_or_end(worker: Worker) -> None:
    """Work; a defect ends the process, which is started anew, more and more slowly."""
    try:
        work(worker, threading.Event())
    except BaseException:  # noqa: BLE001 - the log has it, and the next process is none the worse
        _LOG.exception("a worker ends")
        os._exit(1)


def _leave(workers: Sequence[Worker]) -> None:
    """End at once; jobs are given back if the database lets us, else when their lease ends."""

    def leave() -> None:
        for worker in workers:
            try:
                worker.leave()
            except SQLAlchemyError as error:
                _LOG.warning("jobs are not given back: %s", type(error).__name__)

    farewell = threading.Thread(target=leave, daemon=True)
    farewell.start()
    farewell.join(_FAREWELL_SECONDS)
    os._exit(0)


def worker_command() -> list[str]:
    """Return the command that starts a worker."""
    return [sys.executable, "-c", "from veridical.serve.worker import main; main()"]


def absolute(models: dict[str, Path]) -> dict[str, str]:
    """Return paths as a worker is told them."""
    return {name: str(path) for name, path in models.items()}
