"""The queue of proofs: turns, sharing, deadlines, and what one bad job does to others."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

import veridical
from tests.toy import SIGNER
from tests.unit.serve.conftest import EXAMPLE
from tests.unit.serve.questions import MODELS, answered, ask, configuration
from veridical import policy
from veridical.serve import Gateway, Settings
from veridical.serve.accounts import new_key
from veridical.serve.app import make_app
from veridical.serve.checker import Checker, CheckerLostError, Findings, Suspect
from veridical.serve.proofs import Finisher
from veridical.serve.proving import MAX_CELLS, most_items
from veridical.serve.storage import Queue, Store
from veridical.serve.storage.engine import reading, writing
from veridical.serve.storage.queue import MAX_ATTEMPTS
from veridical.serve.storage.schema import ENVELOPES, JOBS, USAGE
from veridical.serve.tariff import Tariff
from veridical.serve.worker import Worker
from veridical.zk import costs


def claimed(queue: Queue, *, limit: int = 2) -> list[str] | None:
    """Claim once, and return whose jobs they are."""
    claim = queue.claim(models=MODELS, limit=limit, lease_seconds=60)
    if claim is None:
        return None
    with reading(queue._store.engine) as connection:
        query = select(JOBS.c.key_id).where(JOBS.c.lease == claim.lease)
        return [row.key_id for row in connection.execute(query)]


def states(store: Store, jobs: list[str]) -> list[str]:
    found = Queue(store).get_many(jobs)
    return [found[one].state for one in jobs]


def free_all(store: Store) -> None:
    """Let all leases end, as if their workers had died."""
    with writing(store.engine) as connection:
        connection.execute(update(JOBS).values(lease_until=0))


def test_a_caller_that_asks_for_much_does_not_starve_others(store: Store) -> None:
    queue = Queue(store)
    ask(store, 12, key_id="greedy")
    assert claimed(queue) == ["greedy"] * 2
    ask(store, 2, key_id="late")
    # The greedy one was served and waits; the one that came later is next, then they alternate.
    assert claimed(queue) == ["late"] * 2
    ask(store, 4, key_id="late")
    order = [claimed(queue) for _ in range(4)]
    assert sorted(order[0] or []) != sorted(order[1] or [])
    assert [one and one[0] for one in order].count("late") == 2


def test_turns_count_work_and_not_jobs(store: Store) -> None:
    queue = Queue(store)
    ask(store, 20, key_id="small", quoted=10)
    ask(store, 20, key_id="large", quoted=100)
    order = [(claimed(queue, limit=1) or [""])[0] for _ in range(13)]
    assert order.count("large") == 2
    assert order.count("small") == 11


def test_who_did_not_ask_saves_no_turns_up(store: Store) -> None:
    queue = Queue(store)
    ask(store, 30, key_id="early")
    for _ in range(10):
        claimed(queue, limit=1)
    ask(store, 10, key_id="new")
    order = [(claimed(queue, limit=1) or [""])[0] for _ in range(6)]
    assert order.count("new") == 3


def test_callers_are_proven_together_only_if_each_of_them_said_so(store: Store) -> None:
    queue = Queue(store)
    ask(store, 2, key_id="a")
    ask(store, 2, key_id="b", share=True)
    ask(store, 2, key_id="c", share=True)
    batches = sorted(sorted(claimed(queue, limit=9) or []) for _ in range(2))
    assert batches == [["a", "a"], ["b", "b", "c", "c"]]
    assert claimed(queue) is None


def test_what_is_closed_is_proven_alone(store: Store) -> None:
    queue = Queue(store)
    for number, alone in enumerate((False, True, False, True)):
        receipt_id = answered(store, nonce=str(number))
        queue.add(receipt_id, key_id="k", tier="zk", quoted=1, limit=9, alone=alone)
    batches = []
    while claim := queue.claim(models=MODELS, limit=9, lease_seconds=60):
        batches.append(len(claim.receipts))
    assert sorted(batches) == [1, 1, 2]


def test_a_salted_receipt_asks_for_a_proof_of_its_own(gateway: Gateway, http: TestClient) -> None:
    tensor = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0, 0, 1]}
    for salt, alone in ((None, False), ("5a" * 32, True)):
        parameters = {"tier": "zk"} if salt is None else {"tier": "zk", "salt": salt}
        body = {"inputs": [tensor], "parameters": parameters}
        job_id = http.post("/v2/models/example/infer", json=body).headers["Veridical-Job"]
        job = gateway.queue.get(job_id)
        assert job is not None
        assert job.alone == alone


def test_one_batch_has_so_many_items(store: Store) -> None:
    queue = Queue(store)
    for number in range(6):
        receipt_id = answered(store, nonce=str(number), items=3)
        queue.add(receipt_id, key_id="k", tier="zk", quoted=1, limit=9)
    sizes = []
    while claim := queue.claim(models={"example": 7}, limit=9, lease_seconds=60):
        sizes.append(len(claim.receipts))
    assert sizes == [2, 2, 2]
    queue.add(answered(store, nonce="all", items=9), key_id="k", tier="zk", quoted=1, limit=99)
    alone = queue.claim(models={"example": 7}, limit=9, lease_seconds=60)
    assert alone is not None, "what is too large for others goes alone"


def test_items_of_a_batch_follow_cost_and_memory() -> None:
    program = veridical.load(EXAMPLE)
    assert most_items(program, profile="standard", memory=1 << 40) == 4096
    few = most_items(program, profile="standard", memory=22_200_000)
    assert 1 < few < 4096
    assert costs(program, batch=few).memory <= 22_200_000 < costs(program, batch=few + 1).memory
    assert costs(program, batch=few).witness_cells < MAX_CELLS
    assert most_items(program, profile="standard", memory=0) == 1


def test_a_deadline_ends_a_job_that_is_being_proven(store: Store) -> None:
    queue = Queue(store)
    receipt_id = answered(store)
    job = queue.add(
        receipt_id, key_id="k", tier="zk", quoted=1, limit=9, deadline=store.now() + 100
    )
    claim = queue.claim(models=MODELS, limit=1, lease_seconds=60)
    assert claim is not None
    assert queue.renew(claim.lease, stage="witness", lease_seconds=60)
    with writing(store.engine) as connection:
        connection.execute(update(JOBS).values(deadline=1))
    assert not queue.renew(claim.lease, stage="lookups", lease_seconds=60)
    digest = store.add_evidence(b"proof")
    assert queue.proven(claim.lease, evidence=digest, cost=1) == 0
    ended = queue.get(job.job_id)
    assert ended is not None
    assert (ended.state, ended.error) == ("cancelled", "the deadline passed")


def test_a_deadline_ends_a_job_that_no_worker_takes(store: Store) -> None:
    queue = Queue(store)
    late, patient = ask(store, 2)
    with writing(store.engine) as connection:
        connection.execute(update(JOBS).where(JOBS.c.job_id == late).values(deadline=1))
    assert queue.end_late() == 1
    assert queue.end_late() == 0
    assert states(store, [late, patient]) == ["cancelled", "queued"]


def test_a_worker_that_is_told_to_stop_is_no_failed_attempt(store: Store, database: str) -> None:
    queue = Queue(store)
    (job,) = ask(store, 1)
    for _ in range(MAX_ATTEMPTS + 1):
        claim = queue.claim(models=MODELS, limit=1, lease_seconds=60)
        assert claim is not None
        queue.give_back(claim.lease, error="", is_attempt=False)
    assert states(store, [job]) == ["queued"]
    worker = Worker(configuration(database))
    assert worker.step()
    worker.close()
    assert states(store, [job]) == ["proven"]


def test_a_gateway_that_ends_is_no_failed_attempt(store: Store) -> None:
    queue = Queue(store)
    (job,) = ask(store, 1)
    for _ in range(MAX_ATTEMPTS + 1):
        assert queue.claim(models=MODELS, limit=1, lease_seconds=60) is not None
        assert queue.resume() == 1
    assert states(store, [job]) == ["queued"]


class Signed:
    """A finisher on a store, and for what it signed."""

    def __init__(self, store: Store, checker: Checker) -> None:
        self.counts: list[tuple[str, str, int]] = []
        self.finisher = Finisher(
            store=store,
            queue=Queue(store),
            signer=SIGNER,
            checker=checker,
            tariff=Tariff(),
            on_signed=lambda *what: self.counts.append(what),
        )


@pytest.fixture
def checker() -> object:
    made = Checker({"example": str(EXAMPLE)})
    yield made
    made.close()


def test_one_bad_job_fails_no_other(store: Store, database: str, checker: Checker) -> None:
    jobs = ask(store, 3)
    worker = Worker(configuration(database))
    assert worker.step()
    worker.close()
    # The first receipt has an envelope of this tier already, as a second job would find it.
    first = Queue(store).get(jobs[0])
    assert first is not None
    with writing(store.engine) as connection:
        connection.execute(
            ENVELOPES.insert().values(
                receipt=first.receipt,
                tier="zk",
                envelope=b'{"payload":"","payloadType":"x","signatures":[]}',
                evidence=first.evidence,
                created_at=1,
            )
        )
    signed = Signed(store, checker)
    stored = store.receipt_at
    bundle = stored(Queue(store).get(jobs[1]).receipt)  # type: ignore[union-attr]
    assert bundle is not None
    # The stored envelope cannot be read at all: not even that holds the others up.
    store.receipt_at = lambda number: bundle if number == first.receipt else stored(number)  # type: ignore[method-assign]
    signed.finisher.step()
    assert states(store, jobs) == ["failed", "done", "done"]
    assert signed.counts == [("example", "zk", 2)]
    with reading(store.engine) as connection:
        charged = connection.execute(select(USAGE).where(USAGE.c.tier == "zk")).all()
    assert len(charged) == 2
    assert all(0 < row.cost <= row.quoted for row in charged)


def test_a_proof_that_does_not_hold_is_made_again_until_it_was_often_enough(
    store: Store, checker: Checker
) -> None:
    queue = Queue(store)
    jobs = ask(store, 2)
    signed = Signed(store, checker)
    for _ in range(2 * MAX_ATTEMPTS):
        claim = queue.claim(models=MODELS, limit=2, lease_seconds=60)
        if claim is None:
            break
        digest = store.add_evidence(b"no proof")
        assert queue.proven(claim.lease, evidence=digest, cost=1) > 0
        assert signed.finisher.step() == 0
    assert states(store, jobs) == ["failed", "failed"]
    assert signed.counts == []


def test_a_checker_that_dies_is_started_again(store: Store, database: str) -> None:
    checker = Checker({"example": str(EXAMPLE)}, seconds=30)
    suspect = Suspect(job_id="j", receipt=b"", question=b"")
    found = checker.check(model="example", tier="zk", evidence=b"", suspects=[suspect])
    assert found.proof
    first = checker.pid()
    checker.interrupt()
    with pytest.raises(CheckerLostError):
        checker.check(model="example", tier="zk", evidence=b"", suspects=[suspect])
    again = checker.check(model="example", tier="zk", evidence=b"", suspects=[suspect])
    assert again == found
    assert isinstance(again, Findings)
    assert checker.pid() != first
    checker.close()


def test_a_proof_about_another_run_is_found(store: Store, database: str, checker: Checker) -> None:
    mine, others = ask(store, 1, key_id="a"), ask(store, 1, key_id="b")
    worker = Worker(configuration(database))
    while worker.step():
        pass
    worker.close()
    job = Queue(store).get(mine[0])
    other = Queue(store).get(others[0])
    assert job is not None
    assert other is not None
    stored = store.receipt_at(job.receipt)
    assert stored is not None
    suspect = Suspect(job_id="j", receipt=stored.receipt.to_bytes(), question=stored.question)
    evidence = store.evidence(other.evidence or "") or b""
    found = checker.check(model="example", tier="zk", evidence=evidence, suspects=[suspect])
    assert "does not cover" in found.receipts["j"]


def test_an_envelope_is_what_an_upgrade_signs(
    store: Store, database: str, checker: Checker
) -> None:
    (job,) = ask(store, 1)
    worker = Worker(configuration(database))
    assert worker.step()
    worker.close()
    signed = Signed(store, checker)
    assert signed.finisher.step() == 1
    done = Queue(store).get(job)
    assert done is not None
    stored = store.receipt_at(done.receipt)
    assert stored is not None
    veridical.verify(
        stored.receipt,
        policy.AllOf(policy.TrustedSigners(SIGNER.public_key), policy.RequireTier("zk")),
        now=time.time(),
        input={"x": np.zeros((1, 3), np.float32)},
        program=veridical.load(EXAMPLE),
    )


@pytest.mark.parametrize("may_share", [False, True])
@pytest.mark.parametrize("asked", [False, True])
def test_sharing_takes_the_key_and_the_request(
    settings: Settings, *, may_share: bool, asked: bool
) -> None:
    gateway = Gateway(replace(settings, is_open=False))
    secrets = [
        new_key(gateway.store, name=name, may_share=may_share) for name in ("first", "second")
    ]
    with TestClient(make_app(gateway), base_url="http://localhost") as client:
        for secret in secrets:
            headers = {"Authorization": f"Bearer {secret}"}
            tensor = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0, 0, 1]}
            content = {"inputs": [tensor]}
            answered = client.post("/v2/models/example/infer", json=content, headers=headers)
            assert answered.status_code == 200, answered.text
            receipt_id = answered.headers["Veridical-Receipt"]
            query = f"tier=zk&share={'true' if asked else 'false'}"
            job = client.post(f"/v1/receipts/{receipt_id}/upgrade?{query}", headers=headers)
            assert job.status_code == 202, job.text
            assert job.json()["share"] == (may_share and asked)
        worker = Worker(configuration(settings.database_url))
        proofs = 0
        while worker.step():
            proofs += 1
        worker.close()
    assert proofs == (1 if may_share and asked else 2)
