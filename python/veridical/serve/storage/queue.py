"""The queue of proofs: who wants one, who makes it, what became of it.

Spec: spec/v1/serve.md, section 6. A worker holds a lease; when it ends, another one may take the
job, and the first one's result no longer counts. So a proof enters a receipt at most once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, func, insert, or_, select, update

from veridical.errors import InputError
from veridical.receipt import canonical
from veridical.serve.storage.engine import reading, writing
from veridical.serve.storage.schema import ENVELOPES, JOBS, RECEIPTS, USAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from veridical.receipt import Envelope
    from veridical.serve.storage.store import Store

__all__ = ["ENDED", "Claim", "Job", "Queue", "TooManyJobsError"]

QUEUED: Final = "queued"
RUNNING: Final = "running"
#: The proof is there; the gateway has not signed for it yet.
PROVEN: Final = "proven"
DONE: Final = "done"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
ENDED: Final = frozenset({DONE, FAILED, CANCELLED})
_OPEN: Final = (QUEUED, RUNNING, PROVEN)

#: A job whose worker died so often is at fault itself.
MAX_ATTEMPTS: Final = 3


_JOB: Final = select(JOBS, RECEIPTS.c.receipt_id).join(
    RECEIPTS, JOBS.c.receipt == RECEIPTS.c.receipt
)


class TooManyJobsError(InputError):
    """A caller has as many proofs waiting as its key allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A proof that was asked for."""

    job_id: str
    #: Row of the receipt, and its name.
    receipt: int
    receipt_id: str
    key_id: str
    model: str
    tier: str
    state: str
    stage: str
    attempts: int
    evidence: str | None
    batch_size: int
    quoted: int
    cost: int
    error: str
    created_at: int
    updated_at: int
    deadline: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Jobs that one worker makes together: of one model and one caller."""

    lease: str
    model: str
    tier: str
    #: Rows of the receipts.
    receipts: tuple[int, ...]


class Queue:
    """Proofs in the database; its methods may be called from any thread or process."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self,
        receipt_id: str,
        *,
        key_id: str,
        tier: str,
        quoted: int,
        limit: int,
        deadline: int = 0,
    ) -> Job:
        """Ask for a proof of a caller's receipt; one that is under way is not made again.

        `limit` is how many jobs of the caller may be open; a `deadline` of 0 is none.

        Raises:
            InputError: there is no such receipt.
            TooManyJobsError: the caller has too many open.
        """
        now = self._store.now()
        with writing(self._store.engine) as connection:
            receipt = connection.execute(
                select(RECEIPTS.c.receipt, RECEIPTS.c.model)
                .where(RECEIPTS.c.receipt_id == receipt_id, RECEIPTS.c.key_id == key_id)
                .with_for_update()  # two requests at once become one job
            ).first()
            if receipt is None:
                raise InputError(f"no receipt {receipt_id[:80]!r}")
            present = connection.execute(
                _JOB.where(
                    JOBS.c.receipt == receipt.receipt,
                    JOBS.c.tier == tier,
                    JOBS.c.state.in_((*_OPEN, DONE)),
                )
            ).first()
            if present is not None:
                return _job(present)
            waiting = connection.execute(
                select(func.count()).where(JOBS.c.key_id == key_id, JOBS.c.state.in_(_OPEN))
            ).scalar_one()
            if waiting >= limit:
                raise TooManyJobsError(f"{waiting} proofs are waiting; this key may have {limit}")
            job_id = secrets.token_hex(16)
            values = {
                "job_id": job_id,
                "receipt": receipt.receipt,
                "key_id": key_id,
                "model": receipt.model,
                "tier": tier,
                "state": QUEUED,
                "stage": "",
                "attempts": 0,
                "lease": "",
                "lease_until": 0,
                "evidence": None,
                "batch_size": 0,
                "quoted": quoted,
                "cost": 0,
                "error": "",
                "created_at": now,
                "updated_at": now,
                "deadline": deadline,
            }
            connection.execute(insert(JOBS), values)
            return _job(connection.execute(_JOB.where(JOBS.c.job_id == job_id)).one())

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        with reading(self._store.engine) as connection:
            row = connection.execute(_JOB.where(JOBS.c.job_id == job_id)).first()
        return None if row is None else _job(row)

    def cancel(self, job_id: str) -> Job | None:
        """Take a job back, unless it ended or its proof is there; return it as it is then."""
        self._update(
            and_(JOBS.c.job_id == job_id, JOBS.c.state.in_((QUEUED, RUNNING))),
            state=CANCELLED,
            lease="",
        )
        return self.get(job_id)

    # --- for workers

    def claim(self, *, models: Sequence[str], limit: int, lease_seconds: int) -> Claim | None:
        """Take the oldest job that nobody holds, and others like it; None if there is none."""
        now = self._store.now()
        free = and_(
            or_(JOBS.c.state == QUEUED, and_(JOBS.c.state == RUNNING, JOBS.c.lease_until < now)),
            JOBS.c.model.in_(models),
        )
        with writing(self._store.engine) as connection:
            self._end_hopeless(connection, now)
            first = connection.execute(
                select(JOBS).where(free).order_by(JOBS.c.job).limit(1)
            ).first()
            if first is None:
                return None
            rows = connection.execute(
                select(JOBS.c.job_id, JOBS.c.receipt)
                .where(
                    free,
                    JOBS.c.model == first.model,
                    JOBS.c.tier == first.tier,
                    JOBS.c.key_id == first.key_id,
                    # A job that failed with others may be the one at fault: it goes alone.
                    JOBS.c.attempts == 0 if first.attempts == 0 else JOBS.c.job_id == first.job_id,
                )
                .order_by(JOBS.c.job)
                .limit(limit)
                .with_for_update(skip_locked=True)
            ).all()
            if not rows:
                return None
            lease = secrets.token_hex(16)
            connection.execute(
                update(JOBS)
                .where(JOBS.c.job_id.in_([row.job_id for row in rows]))
                .values(
                    state=RUNNING,
                    stage="",
                    lease=lease,
                    lease_until=now + lease_seconds,
                    attempts=JOBS.c.attempts + 1,
                    batch_size=len(rows),
                    updated_at=now,
                )
            )
        return Claim(
            lease=lease,
            model=first.model,
            tier=first.tier,
            receipts=tuple(row.receipt for row in rows),
        )

    def renew(self, lease: str, *, stage: str, lease_seconds: int) -> bool:
        """Say how far a claim came; False if nobody waits for it any more."""
        held = and_(JOBS.c.lease == lease, JOBS.c.state == RUNNING)
        until = self._store.now() + lease_seconds
        return self._update(held, stage=stage, lease_until=until) > 0

    def proven(self, lease: str, *, evidence: str, cost: int) -> int:
        """Hand a proof in, for the jobs that are still held; return how many."""
        held = and_(JOBS.c.lease == lease, JOBS.c.state == RUNNING)
        return self._update(held, state=PROVEN, stage="", evidence=evidence, cost=cost)

    def give_back(self, lease: str, *, error: str) -> None:
        """End a claim without a proof; its jobs are tried again, until that was often enough."""
        held = and_(JOBS.c.lease == lease, JOBS.c.state == RUNNING)
        self._update(
            and_(held, JOBS.c.attempts >= MAX_ATTEMPTS), state=FAILED, error=error[:1000], lease=""
        )
        self._update(held, state=QUEUED, stage="", error=error[:1000], lease="")

    # --- for the gateway

    def unsigned(self, *, limit: int) -> list[Job]:
        """Return jobs whose proof is there and not yet signed for."""
        query = (
            _JOB.where(JOBS.c.state == PROVEN).order_by(JOBS.c.updated_at, JOBS.c.job).limit(limit)
        )
        with reading(self._store.engine) as connection:
            return [_job(row) for row in connection.execute(query)]

    def finish(self, signed: Mapping[str, Envelope], jobs: Sequence[Job]) -> None:
        """Add envelopes to receipts, charge for them and end their jobs, in one transaction."""
        now = self._store.now()
        with writing(self._store.engine) as connection:
            for job in jobs:
                is_ours = connection.execute(
                    update(JOBS)
                    .where(JOBS.c.job_id == job.job_id, JOBS.c.state == PROVEN)
                    .values(state=DONE, updated_at=now, error="")
                ).rowcount
                if not is_ours:
                    continue
                connection.execute(
                    insert(ENVELOPES),
                    {
                        "receipt": job.receipt,
                        "tier": job.tier,
                        "envelope": canonical.encode(signed[job.job_id].to_value()),
                        "evidence": job.evidence,
                        "created_at": now,
                    },
                )
                items = connection.execute(
                    select(RECEIPTS.c.num_items).where(RECEIPTS.c.receipt == job.receipt)
                ).scalar_one()
                connection.execute(
                    insert(USAGE),
                    {
                        "receipt_id": job.receipt_id,
                        "tier": job.tier,
                        "key_id": job.key_id,
                        "model": job.model,
                        "num_items": items,
                        "quoted": job.quoted,
                        "cost": min(job.cost, job.quoted),
                        "at": now,
                    },
                )

    def fail(self, job_id: str, *, error: str) -> None:
        """End a job whose proof cannot be signed for."""
        self._update(
            and_(JOBS.c.job_id == job_id, JOBS.c.state == PROVEN), state=FAILED, error=error[:1000]
        )

    def _end_hopeless(self, connection: Connection, now: int) -> None:
        """End jobs that are too late, and those whose workers died again and again."""
        waiting = or_(
            JOBS.c.state == QUEUED, and_(JOBS.c.state == RUNNING, JOBS.c.lease_until < now)
        )
        connection.execute(
            update(JOBS)
            .where(waiting, JOBS.c.deadline > 0, JOBS.c.deadline < now)
            .values(state=CANCELLED, error="the deadline passed", lease="", updated_at=now)
        )
        connection.execute(
            update(JOBS)
            .where(
                JOBS.c.state == RUNNING,
                JOBS.c.lease_until < now,
                JOBS.c.attempts >= MAX_ATTEMPTS,
            )
            .values(state=FAILED, error="its worker died each time", lease="", updated_at=now)
        )

    def _update(self, where: object, **values: object) -> int:
        with writing(self._store.engine) as connection:
            change = update(JOBS).where(where).values(updated_at=self._store.now(), **values)  # type: ignore[arg-type]
            return connection.execute(change).rowcount


def _job(row: Row[tuple[object, ...]]) -> Job:
    values = row._mapping  # noqa: SLF001 - the way to take columns by name
    return Job(**{name: values[name] for name in Job.__slots__})
