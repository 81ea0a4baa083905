"""One consumer has two hundred answers proven later: the scenario of the proof queue."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

import veridical
from examples.zoo import zoo
from tests.faults import Site
from tests.postgres import HOST
from veridical import policy, tlog
from veridical.keys import PublicKey
from veridical.serve.storage import Job, Store
from veridical.serve.storage.engine import reading
from veridical.serve.storage.queue import _JOB, _job
from veridical.serve.storage.schema import ENVELOPES
from veridical.zk import ProofEvidence

REQUESTS = 200
PROOF_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of the requests, from the jobs' own records."""

    jobs: list[Job]
    #: From the first request for a proof until the last was signed for.
    seconds: float

    @property
    def milliseconds_each(self) -> float:
        """Return what proving took for one request, on average."""
        return sum(job.cost for job in self.jobs) / len(self.jobs) / 1e3

    @property
    def batches(self) -> Counter[int]:
        """Return how many proofs covered how many receipts."""
        sizes = {job.evidence: job.batch_size for job in self.jobs}
        return Counter(sizes.values())


def samples(name: str) -> list[dict[str, NDArray[Any]]]:
    """Return one input for each request."""
    rows = zoo()[name].test()
    total = len(next(iter(rows.values())))
    return [
        {key: value[i % total : i % total + 1] for key, value in rows.items()}
        for i in range(REQUESTS)
    ]


def run(
    site: Site,
    process: subprocess.Popen[bytes],
    port: int,
    name: str,
    *,
    meanwhile: Callable[[Counter[str]], None] = lambda states: None,
) -> Outcome:
    """Ask, have all answers proven, verify every receipt, and hold the log against them."""
    questions = samples(name)
    with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=60) as client:
        ids = [_infer(client, name, question) for question in questions]
        start = time.perf_counter()
        jobs = [client.post(f"/v1/receipts/{one}/upgrade?tier=zk").json()["job_id"] for one in ids]
        store = Store(site.database or f"sqlite:///{site.state / 'gateway.sqlite'}")
        try:
            records = _wait(store, jobs, meanwhile)
            seconds = time.perf_counter() - start
            with reading(store.engine) as connection:
                envelopes = Counter(connection.execute(select(ENVELOPES.c.receipt)).scalars())
        finally:
            store.close()
        receipts = [client.get(f"/v1/receipts/{one}").content for one in ids]
    assert process.poll() is None, "the gateway lives"
    assert sorted(envelopes.values()) == [1] * REQUESTS, "each receipt has one proof"
    assert {job.error for job in records} == {""}
    _verify(site, questions, receipts, records)
    log = tlog.Log.open(site.state / "log")
    tlog.fsck(log)
    contents = [content for _, content in log.reader().entries()]
    assert not tlog.audit(contents).findings
    assert len(contents) == 2 * REQUESTS, "an intent and a result for each request, nothing else"
    return Outcome(jobs=records, seconds=seconds)


def _infer(client: httpx.Client, name: str, question: dict[str, NDArray[Any]]) -> str:
    inputs = [
        {
            "name": key,
            "shape": list(array.shape),
            "datatype": "FP32" if array.dtype.kind == "f" else "INT32",
            "data": array.ravel().tolist(),
        }
        for key, array in question.items()
    ]
    response = client.post(f"/v2/models/{name}/infer", json={"inputs": inputs})
    assert response.status_code == 200, response.text
    return str(response.headers["Veridical-Receipt"])


def _wait(store: Store, jobs: list[str], meanwhile: Callable[[Counter[str]], None]) -> list[Job]:
    deadline = time.monotonic() + PROOF_SECONDS
    while True:
        with reading(store.engine) as connection:
            records = [_job(row) for row in connection.execute(_JOB)]
        states = Counter(job.state for job in records)
        if states["done"] == len(jobs):
            assert {job.job_id for job in records} == set(jobs)
            return records
        assert not states["failed"] + states["cancelled"], [job.error for job in records]
        assert time.monotonic() < deadline, states
        meanwhile(states)
        time.sleep(0.02)


def _verify(
    site: Site,
    questions: list[dict[str, NDArray[Any]]],
    receipts: list[bytes],
    records: list[Job],
) -> None:
    program = veridical.load(site.model)
    rule = policy.AllOf(
        policy.TrustedSigners(PublicKey.load(site.state / "receipts.pub")),
        policy.RequireTier("zk"),
        policy.RequireLogged(tlog.Log.open(site.state / "log").key),
    )
    proofs: dict[str, bytes] = {}
    evidence = {job.receipt_id: job.evidence or "" for job in records}
    for question, content in zip(questions, receipts, strict=True):
        inputs = {
            key: array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
            for key, array in question.items()
        }
        verified = veridical.verify(content, rule, now=time.time(), input=inputs, program=program)
        digest = evidence[verified.receipt_id]
        proofs[digest] = veridical.Receipt.from_bytes(content).evidence_by_digest()[digest]
    members = [ProofEvidence.from_bytes(content).members for content in proofs.values()]
    covered = Counter(member.statement for group in members for member in group)
    assert set(covered.values()) == {1}, "no receipt is in two proofs"
    assert len(covered) == REQUESTS
