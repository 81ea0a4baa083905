"""The database: migrations, and leases that only one worker holds."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, update

import veridical
from tests.toy import SIGNER
from tests.unit.serve.conftest import EXAMPLE
from veridical.commitment import tensors_to_bytes
from veridical.serve.storage import Answered, ApiKey, Queue, Store
from veridical.serve.storage.engine import downgrade, migrate, reading, writing
from veridical.serve.storage.queue import MAX_ATTEMPTS, TooManyJobsError
from veridical.serve.storage.schema import JOBS, METADATA


def answered(store: Store, *, key_id: str = "k", nonce: str = "") -> str:
    program = veridical.load(EXAMPLE)
    run = veridical.run(program, {"x": np.zeros((1, 3), np.float32)})
    receipt = veridical.issue(run, signer=SIGNER, nonce=nonce, issued_at=1)
    one = Answered(
        receipt_id=receipt.receipt_id,
        bundle=receipt.to_bytes(),
        question=tensors_to_bytes(run.inputs),
        key_id=key_id,
        model="example",
        items=1,
        quoted=5,
        cost=4,
    )
    assert store.add_answers([one]) == {}
    return receipt.receipt_id


def test_migrations_make_the_schema_and_take_it_back(store: Store) -> None:
    with reading(store.engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    downgrade(store.engine)
    assert set(inspect(store.engine).get_table_names()) == {"alembic_version"}
    migrate(store.engine)
    assert "receipts" in inspect(store.engine).get_table_names()


def test_data_survives_migrations_down_and_up(store: Store) -> None:
    receipt_id = answered(store)
    job = Queue(store).add(receipt_id, key_id="k", tier="zk", quoted=7, limit=9)
    store.add_key(
        ApiKey(
            key_id="k",
            secret_hash="0" * 64,
            name="first",
            requests_per_second=1,
            max_queued_proofs=1,
            created_at=1,
            may_share=True,
        )
    )
    downgrade(store.engine, "0001")
    assert "turns" not in inspect(store.engine).get_table_names()
    assert {one["name"] for one in inspect(store.engine).get_columns("jobs")}.isdisjoint(
        {"share", "alone", "num_items"}
    )
    migrate(store.engine)
    with reading(store.engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    assert Queue(store).get(job.job_id) == job
    assert store.receipt(receipt_id, key_id="k") is not None
    (key,) = store.callers()
    assert (key.name, key.may_share) == ("first", False), "what the old tables do not know is gone"
    claim = Queue(store).claim(models={"example": 9}, limit=9, lease_seconds=60)
    assert claim is not None, "whose turn it is was made anew"


def test_processes_that_start_together_migrate_once(database: str) -> None:
    failed: list[Exception] = []

    def start() -> None:
        try:
            Store(database).close()
        except Exception as error:  # noqa: BLE001 - of a thread
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_receipt_comes_back_as_it_was(store: Store) -> None:
    receipt_id = answered(store)
    stored = store.receipt(receipt_id, key_id="k")
    assert stored is not None
    assert stored.receipt.receipt_id == receipt_id
    assert store.receipt(receipt_id, key_id="other") is None


def test_a_claim_is_of_one_caller_and_nobody_else_gets_it(store: Store) -> None:
    queue = Queue(store)
    mine = [answered(store, key_id="a", nonce=str(i)) for i in range(3)]
    other = answered(store, key_id="b", nonce="b")
    numbers = {
        receipt_id: queue.add(receipt_id, key_id=key_id, tier="zk", quoted=1, limit=9).receipt
        for key_id, ids in (("a", mine), ("b", [other]))
        for receipt_id in ids
    }
    claimed: list[set[int]] = []
    while claim := queue.claim(models={"example": 9}, limit=2, lease_seconds=60):
        claimed.append(set(claim.receipts))
    assert sorted(map(len, claimed)) == [1, 1, 2]
    assert set.union(*claimed) == set(numbers.values())
    ours = {numbers[one] for one in mine}
    assert all(one <= ours or one == {numbers[other]} for one in claimed)


def test_a_lost_lease_counts_no_more(store: Store) -> None:
    queue = Queue(store)
    job = queue.add(answered(store), key_id="k", tier="zk", quoted=1, limit=9)
    lost = queue.claim(models={"example": 9}, limit=1, lease_seconds=60)
    assert lost is not None
    with writing(store.engine) as connection:
        connection.execute(update(JOBS).values(lease_until=0))  # as if its worker had died
    taken = queue.claim(models={"example": 9}, limit=1, lease_seconds=60)
    assert taken is not None
    assert taken.receipts == (job.receipt,)
    digest = store.add_evidence(b"proof")
    assert queue.proven(lost.lease, evidence=digest, cost=1) == 0
    assert queue.proven(taken.lease, evidence=digest, cost=1) == 1
    assert len(queue.unsigned(limit=9)) == 1


def test_a_job_that_kills_its_workers_fails(store: Store) -> None:
    queue = Queue(store)
    job = queue.add(answered(store), key_id="k", tier="zk", quoted=1, limit=9)
    for _ in range(MAX_ATTEMPTS):
        assert queue.claim(models={"example": 9}, limit=1, lease_seconds=60) is not None
        with writing(store.engine) as connection:
            connection.execute(update(JOBS).values(lease_until=0))
    assert queue.waiting(["example"]) == 0
    assert queue.end_late() == 1
    assert queue.claim(models={"example": 9}, limit=1, lease_seconds=60) is None
    ended = queue.get(job.job_id)
    assert ended is not None
    assert ended.state == "failed"


def test_a_cancelled_job_is_not_renewed(store: Store) -> None:
    queue = Queue(store)
    job = queue.add(answered(store), key_id="k", tier="zk", quoted=1, limit=9)
    claim = queue.claim(models={"example": 9}, limit=1, lease_seconds=60)
    assert claim is not None
    assert queue.renew(claim.lease, stage="witness", lease_seconds=60)
    cancelled = queue.cancel(job.job_id)
    assert cancelled is not None
    assert cancelled.state == "cancelled"
    assert not queue.renew(claim.lease, stage="lookups", lease_seconds=60)
    assert queue.add(job.receipt_id, key_id="k", tier="zk", quoted=1, limit=9).job_id != job.job_id


def test_a_caller_has_only_so_many_jobs(store: Store) -> None:
    queue = Queue(store)
    queue.add(answered(store, nonce="1"), key_id="k", tier="zk", quoted=1, limit=1)
    with pytest.raises(TooManyJobsError):
        queue.add(answered(store, nonce="2"), key_id="k", tier="zk", quoted=1, limit=1)
