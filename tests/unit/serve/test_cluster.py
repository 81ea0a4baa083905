"""A worker whose prover is far away: one that dies, one that is told to stop, one that lies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import veridical
from tests.unit.serve.conftest import EXAMPLE
from tests.unit.serve.questions import ask, configuration
from veridical.errors import InputError
from veridical.serve import cluster
from veridical.serve.proving import Proven, Prover, Task
from veridical.serve.storage import Queue, Store
from veridical.serve.worker import Worker
from veridical.zk import ProofEvidence


class RayActorError(Exception):
    pass


class RayTaskError(RayActorError):
    pass


class FakeMethod:
    """A method of an actor: called at once, as a cluster without any delay would."""

    def __init__(self, actor: FakeActor, name: str) -> None:
        self._actor, self._name = actor, name

    def remote(self, *arguments: Any) -> Callable[[], Any]:
        self._actor.calls.append(self._name)
        if self._name in self._actor.deadly:
            self._actor.is_dead = True

        def outcome() -> Any:
            if self._actor.is_dead:
                raise RayActorError(f"died in {self._name}")
            return getattr(self._actor.prover, self._name)(*arguments)

        return outcome


class FakeActor:
    def __init__(self, threads: int, deadly: frozenset[str]) -> None:
        self.prover = cluster.RemoteProver(threads)
        self.deadly, self.is_dead = deadly, False
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> FakeMethod:
        return FakeMethod(self, name)


class FakeCluster:
    """What `RayProver` needs of a cluster; its actors die in the methods that are named."""

    def __init__(self, *deadly: frozenset[str], rounds: int = 0) -> None:
        self.deadly, self.rounds = list(deadly), rounds
        self.actors: list[FakeActor] = []
        self.killed: list[FakeActor] = []
        self.threads = 1
        self.actor_class = SimpleNamespace(remote=self._start)
        self.ray = SimpleNamespace(
            exceptions=SimpleNamespace(RayError=RayActorError, RayTaskError=RayTaskError),
            get=lambda outcome, timeout: outcome(),
            wait=self._wait,
            kill=self.killed.append,
        )

    def content(self, model: str) -> bytes:
        return EXAMPLE.read_bytes()

    def _start(self, threads: int) -> FakeActor:
        deadly = self.deadly.pop(0) if self.deadly else frozenset()
        self.actors.append(FakeActor(threads, deadly))
        return self.actors[-1]

    def _wait(self, outcomes: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        self.rounds -= 1
        return (outcomes, []) if self.rounds < 0 else ([], outcomes)


WorkerOn = Callable[..., Worker]


@pytest.fixture
def worker_on(database: str) -> Iterator[WorkerOn]:
    """Make workers on provers, and close them."""
    made: list[Worker] = []

    def make(prover: FakeCluster | Prover, *, batch: int = 8) -> Worker:
        if isinstance(prover, FakeCluster):
            prover = cluster.RayProver(prover)  # type: ignore[arg-type]
        made.append(Worker(configuration(database, batch=batch), prover=prover))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def test_a_batch_is_proven_far_away_and_costs_are_shared(store: Store, worker_on: WorkerOn) -> None:
    jobs = ask(store, 3)
    fake = FakeCluster(rounds=2)
    worker = worker_on(fake)
    assert worker.step()
    assert not worker.step()
    found = Queue(store).get_many(jobs).values()
    assert [job.state for job in found] == ["proven"] * 3
    assert len({(job.evidence, job.cost, job.batch_size) for job in found}) == 1
    assert fake.actors[0].calls == ["hello", "load", "prove", "stage", "stage"]
    evidence = ProofEvidence.from_bytes(store.evidence(next(iter(found)).evidence or "") or b"")
    assert len(evidence.members) == 3


@pytest.mark.parametrize("method", ["hello", "load", "prove", "stage"])
def test_a_prover_that_dies_is_replaced_and_nothing_is_lost(
    store: Store, worker_on: WorkerOn, method: str
) -> None:
    jobs = ask(store, 2)
    fake = FakeCluster(frozenset({method}), rounds=1)
    worker = worker_on(fake)
    while worker.step():
        pass
    queue = Queue(store)
    assert [job.state for job in queue.get_many(jobs).values()] == ["proven"] * 2
    assert len(fake.actors) == 2
    assert fake.killed == fake.actors[:1]
    # Those that failed together are tried one by one: the one at fault would show.
    assert [job.attempts for job in queue.get_many(jobs).values()] == [2, 2]
    assert "ProverLostError" in next(iter(queue.get_many(jobs).values())).error


def test_a_job_that_kills_every_prover_fails(store: Store, worker_on: WorkerOn) -> None:
    (job,) = ask(store, 1)
    fake = FakeCluster(*[frozenset({"prove"})] * 9)
    worker = worker_on(fake)
    while worker.step():
        pass
    ended = Queue(store).get(job)
    assert ended is not None
    assert ended.state == "failed"
    assert len(fake.actors) == 3


def test_a_job_that_is_taken_back_stops_its_prover(store: Store, worker_on: WorkerOn) -> None:
    (job,) = ask(store, 1)
    fake = FakeCluster(rounds=3)
    worker = worker_on(fake)
    queue = Queue(store)
    real = fake._wait

    def cancelling(outcomes: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        queue.cancel(job)
        fake.actors[0].prover._stage = "witness"
        return real(outcomes, timeout)

    fake.ray.wait = cancelling
    assert worker.step()
    assert fake.actors[0].calls[-1] == "stop"
    ended = queue.get(job)
    assert ended is not None
    assert ended.state == "cancelled"


def test_an_error_of_the_task_leaves_its_prover_alive(store: Store, worker_on: WorkerOn) -> None:
    (job,) = ask(store, 1)
    fake = FakeCluster()

    class Failing(cluster.RemoteProver):
        def prove(self, *_: Any) -> tuple[bytes, int]:
            raise RayTaskError("memory")

    worker = worker_on(fake)
    actor = FakeActor(1, frozenset())
    actor.prover = Failing(1)
    fake.actor_class.remote = lambda threads: actor
    while worker.step():
        pass
    assert fake.killed == []
    ended = Queue(store).get(job)
    assert ended is not None
    assert (ended.state, ended.attempts) == ("failed", 3)


def test_a_prover_takes_a_program_under_its_own_digest_alone() -> None:
    prover = cluster.RemoteProver(1)
    with pytest.raises(InputError, match="this is program"):
        prover.load("sha256:" + "0" * 64, EXAMPLE.read_bytes())
    digest = veridical.load(EXAMPLE).digest_hex
    prover.load(digest, EXAMPLE.read_bytes())
    with pytest.raises(KeyError):
        prover.prove("example", "sha256:" + "0" * 64, "standard", [])


def test_a_prover_drops_what_nobody_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    prover = cluster.RemoteProver(1)
    digest = veridical.load(EXAMPLE).digest_hex
    prover.load(digest, EXAMPLE.read_bytes())
    stages: list[str] = []

    def prove(
        program: object, task: Task, *, threads: int, progress: Callable[[str], None]
    ) -> Proven:
        progress("witness")
        stages.append(prover.stage())
        prover.stop()
        progress("lookups")
        raise AssertionError("it goes on")

    monkeypatch.setattr(cluster, "prove", prove)
    with pytest.raises(InputError, match="nobody waits"):
        prover.prove("example", digest, "standard", [])
    assert stages == ["witness"]


def test_another_version_in_the_cluster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCluster()
    prover = cluster.RayProver(fake)  # type: ignore[arg-type]
    monkeypatch.setattr(cluster.RemoteProver, "hello", lambda self: "0.0.0+other")
    task = Task(model="example", digest="sha256:", profile="standard", members=())
    with pytest.raises(cluster.ProverLostError, match="version"):
        prover.prove(task, progress=lambda stage: None)


@pytest.mark.parametrize("address", ["", "cluster", "http//x"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="not the address"):
        cluster.require_address(address)


def test_workers_of_a_cluster_share_a_queue(store: Store, worker_on: WorkerOn) -> None:
    jobs = ask(store, 12)
    fakes = [FakeCluster(frozenset({"prove"})), FakeCluster()]
    workers = [worker_on(fake, batch=3) for fake in fakes]

    def drain(worker: Worker) -> None:
        while worker.step():
            pass

    threads = [threading.Thread(target=drain, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drain(workers[1])  # what the dying prover gave back after the other one had found nothing
    found = Queue(store).get_many(jobs).values()
    assert [job.state for job in found] == ["proven"] * 12
    covered = [
        member.statement
        for digest in {job.evidence or "" for job in found}
        for member in ProofEvidence.from_bytes(store.evidence(digest) or b"").members
    ]
    assert len(covered) == len(set(covered)) == 12, "no receipt is in two proofs"


def test_a_task_says_nothing_of_salts(store: Store, worker_on: WorkerOn) -> None:
    ask(store, 1)
    seen: list[Task] = []

    class Looking:
        def prove(self, task: Task, *, progress: Callable[[str], None]) -> Proven:
            seen.append(task)
            raise InputError("enough")

    worker = worker_on(Looking())
    assert worker.step()
    assert replace(seen[0], members=()) == Task(
        model="example",
        digest=veridical.load(EXAMPLE).digest_hex,
        profile="standard",
        members=(),
    )
    assert b"reveals" not in seen[0].members[0].statement
