"""What the gateway keeps: receipts, evidence, keys, usage.

Spec: spec/v1/serve.md, section 5. Every method that writes is one transaction, durable on return.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from veridical.receipt import Receipt, canonical
from veridical.receipt.envelope import Envelope
from veridical.receipt.evidence import blob_digest
from veridical.serve.storage.engine import open_engine, reading, writing
from veridical.serve.storage.schema import API_KEYS, ENVELOPES, EVIDENCE, JOBS, RECEIPTS, USAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Answered", "ApiKey", "Store", "StoredReceipt", "Usage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A caller and its limits."""

    key_id: str
    secret_hash: str
    name: str
    requests_per_second: int
    max_queued_proofs: int
    created_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer that is about to be handed out."""

    receipt: Receipt
    bundle: bytes
    question: bytes
    key_id: str
    model: str
    items: int
    intent: int | None
    quoted: int
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReceipt:
    """A receipt as it stands, with what a proof of it needs."""

    receipt: Receipt
    question: bytes
    key_id: str
    model: str
    items: int
    intent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one caller used of one model in one tier."""

    model: str
    tier: str
    receipts: int
    items: int
    quoted: int
    cost: int


class Store:
    """The gateway's database; its methods may be called from any thread."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        """Open the database, and bring its tables up to date.

        Raises:
            InputError: it cannot be opened.
        """
        self.engine = open_engine(url)
        self.clock = clock

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def now(self) -> int:
        """Return the present second."""
        return int(self.clock())

    def require_reachable(self) -> None:
        """Ask the database for anything."""
        with reading(self.engine) as connection:
            connection.execute(select(1))

    # --- answers

    def add_answers(self, answers: Sequence[Answered]) -> None:
        """Keep answers and what they cost, all in one transaction."""
        now = self.now()
        with writing(self.engine) as connection:
            connection.execute(
                insert(RECEIPTS),
                [
                    {
                        "receipt_id": one.receipt.receipt_id,
                        "key_id": one.key_id,
                        "model": one.model,
                        "intent": one.intent,
                        "bundle": one.bundle,
                        "question": one.question,
                        "num_items": one.items,
                        "created_at": now,
                    }
                    for one in answers
                ],
            )
            connection.execute(
                insert(USAGE),
                [
                    {
                        "receipt_id": one.receipt.receipt_id,
                        "tier": "reexecution",
                        "key_id": one.key_id,
                        "model": one.model,
                        "num_items": one.items,
                        "quoted": one.quoted,
                        "cost": one.cost,
                        "at": now,
                    }
                    for one in answers
                ],
            )

    def receipt(self, receipt_id: str) -> StoredReceipt | None:
        """Return a receipt with everything that was added to it."""
        added = (
            select(ENVELOPES.c.envelope, EVIDENCE.c.content)
            .join(EVIDENCE, ENVELOPES.c.evidence == EVIDENCE.c.digest)
            .where(ENVELOPES.c.receipt_id == receipt_id)
            .order_by(ENVELOPES.c.created_at, ENVELOPES.c.tier)
        )
        with reading(self.engine) as connection:
            row = connection.execute(
                select(RECEIPTS).where(RECEIPTS.c.receipt_id == receipt_id)
            ).first()
            if row is None:
                return None
            more = connection.execute(added).all()
        receipt = Receipt.from_bytes(row.bundle)
        receipt = replace(
            receipt,
            envelopes=(*receipt.envelopes, *(_envelope(one.envelope) for one in more)),
            evidence=(*receipt.evidence, *dict.fromkeys(one.content for one in more)),
        )
        return StoredReceipt(
            receipt=receipt,
            question=row.question,
            key_id=row.key_id,
            model=row.model,
            items=row.num_items,
            intent=row.intent,
        )

    def receipt_of_intent(self, leaf: int) -> str | None:
        """Return which receipt closes an intent, if the answer was kept."""
        query = select(RECEIPTS.c.receipt_id).where(RECEIPTS.c.intent == leaf)
        with reading(self.engine) as connection:
            return connection.execute(query).scalar_one_or_none()

    # --- evidence and envelopes

    def add_evidence(self, content: bytes) -> str:
        """Keep a blob, once, and return its digest."""
        digest = blob_digest(content)
        with writing(self.engine) as connection:
            present = select(EVIDENCE.c.digest).where(EVIDENCE.c.digest == digest)
            if connection.execute(present).first() is None:
                connection.execute(insert(EVIDENCE), {"digest": digest, "content": content})
        return digest

    def evidence(self, digest: str) -> bytes | None:
        """Return a blob."""
        query = select(EVIDENCE.c.content).where(EVIDENCE.c.digest == digest)
        with reading(self.engine) as connection:
            return connection.execute(query).scalar_one_or_none()

    # --- callers

    def add_key(self, key: ApiKey) -> None:
        """Keep a caller's key."""
        with writing(self.engine) as connection:
            connection.execute(
                insert(API_KEYS),
                {column.name: getattr(key, column.name) for column in API_KEYS.columns},
            )

    def callers(self) -> list[ApiKey]:
        """Return all keys, oldest first."""
        query = select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id)
        with reading(self.engine) as connection:
            return [ApiKey(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001

    def revoke_key(self, key_id: str) -> bool:
        """Take a key back; say whether there was one."""
        change = (
            update(API_KEYS)
            .where(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_at.is_(None))
            .values(revoked_at=self.now())
        )
        with writing(self.engine) as connection:
            return connection.execute(change).rowcount == 1

    # --- figures

    def usage(self, key_id: str) -> list[Usage]:
        """Return what a caller used, by model and tier."""
        query = (
            select(
                USAGE.c.model,
                USAGE.c.tier,
                func.count().label("receipts"),
                func.sum(USAGE.c.num_items).label("num_items"),
                func.sum(USAGE.c.quoted).label("quoted"),
                func.sum(USAGE.c.cost).label("cost"),
            )
            .where(USAGE.c.key_id == key_id)
            .group_by(USAGE.c.model, USAGE.c.tier)
            .order_by(USAGE.c.model, USAGE.c.tier)
        )
        with reading(self.engine) as connection:
            rows: Iterable[Any] = connection.execute(query)
            return [
                Usage(
                    model=row.model,
                    tier=row.tier,
                    receipts=int(row.receipts),
                    items=int(row.num_items),
                    quoted=int(row.quoted),
                    cost=int(row.cost),
                )
                for row in rows
            ]

    def jobs_by_state(self) -> dict[str, int]:
        """Return how many proofs are in each state."""
        query = select(JOBS.c.state, func.count()).group_by(JOBS.c.state)
        with reading(self.engine) as connection:
            return {state: int(count) for state, count in connection.execute(query)}


def _envelope(content: bytes) -> Envelope:
    value = canonical.decode(content, max_bytes=len(content), where="envelope")
    return Envelope.from_value(value, where="envelope")
