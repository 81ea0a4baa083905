"""Answers in a database as a gateway leaves them there, without a gateway."""

from __future__ import annotations

import time

import numpy as np

import veridical
from tests.toy import SIGNER
from tests.unit.serve.conftest import EXAMPLE
from veridical.commitment import tensors_to_bytes
from veridical.serve.storage import Answered, Queue, Store
from veridical.serve.worker import Configuration

MODELS = {"example": 4096}


def answered(store: Store, *, key_id: str = "k", nonce: str = "", items: int = 1) -> str:
    """Keep one answer and return the id of its receipt."""
    program = veridical.load(EXAMPLE)
    run = veridical.run(program, {"x": np.zeros((items, 3), np.float32)})
    receipt = veridical.issue(run, signer=SIGNER, nonce=nonce, issued_at=1)
    one = Answered(
        receipt_id=receipt.receipt_id,
        bundle=receipt.to_bytes(),
        question=tensors_to_bytes(run.inputs),
        key_id=key_id,
        model="example",
        items=items,
        quoted=5,
        cost=4,
    )
    assert store.add_answers([one]) == {}
    return receipt.receipt_id


def ask(
    store: Store, count: int, *, key_id: str = "k", quoted: int = 1000, share: bool = False
) -> list[str]:
    """Ask for so many proofs and return the ids of the jobs."""
    queue = Queue(store)
    return [
        queue.add(
            answered(store, key_id=key_id, nonce=f"{key_id}-{time.monotonic_ns()}"),
            key_id=key_id,
            tier="zk",
            quoted=quoted,
            limit=10_000,
            share=share,
        ).job_id
        for _ in range(count)
    ]


def configuration(database: str, **changes: object) -> Configuration:
    """Return what a worker on the example program is told."""
    values = {"batch": 64, "profile": "standard", "models": {"example": str(EXAMPLE)}}
    return Configuration(**{"database": database, **values, **changes})  # type: ignore[arg-type]
