"""The queue of proofs: who wants one, who makes it, what became of it.

Spec: spec/v1/serve.md, section 6. A worker holds a lease; when it ends, another one may take the
job, and the first one's result no longer counts. So a proof enters a receipt at most once. Leases
and deadlines are in the time of the database: workers on several machines agree on it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from veridical.errors import InputError
from veridical.receipt import canonical
from veridical.serve.storage.engine import insert_new, reading, writing
from veridical.serve.storage.schema import ENVELOPES, JOBS, RECEIPTS, TURNS, USAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

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
#: The row of `TURNS` that says whose turn it was last; whoever holds it takes jobs alone.
_LAST_TURN: Final = "*"
_MAX_ERROR: Final = 1000
_DATABASE_TIME: Final = text("SELECT CAST(floor(extract(epoch FROM clock_timestamp())) AS bigint)")

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
    #: What the proof took, in microseconds of a processor, shared evenly by its receipts.
    cost: int
    error: str
    created_at: int
    updated_at: int
    deadline: int
    #: Whether receipts of other callers may be proven with it.
    share: bool
    #: Whether no other receipt may be proven with it.
    alone: bool
    num_items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Jobs that one worker makes together: of one model, and one caller unless all agreed."""

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
        share: bool = False,
        alone: bool = False,
    ) -> Job:
        """Ask for a proof of a caller's receipt; one that is under way is not made again.

        `limit` is how many jobs of the caller may be open; a `deadline` of 0 is none, another one
        is in the time of the store. `share` lets receipts of others be proven with it, `alone`
        none at all.

        Raises:
            InputError: there is no such receipt.
            TooManyJobsError: the caller has too many open.
        """
        with writing(self._store.engine) as connection:
            now = self._now(connection)
            receipt = connection.execute(
                select(RECEIPTS.c.receipt, RECEIPTS.c.model, RECEIPTS.c.num_items)
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
                "deadline": deadline and deadline - self._store.now() + now,
                "share": share,
                "alone": alone,
                "num_items": receipt.num_items,
            }
            connection.execute(insert(JOBS), values)
            return _job(connection.execute(_JOB.where(JOBS.c.job_id == job_id)).one())

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        return self.get_many([job_id]).get(job_id)

    def get_many(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """Return jobs by their ids, those that there are."""
        query = _JOB.where(JOBS.c.job_id.in_(list(job_ids)))
        with reading(self._store.engine) as connection:
            return {row.job_id: _job(row) for row in connection.execute(query)}

    def cancel(self, job_id: str) -> Job | None:
        """Take a job back, unless it ended or its proof is there; return it as it is then."""
        self._update(
            and_(JOBS.c.job_id == job_id, JOBS.c.state.in_((QUEUED, RUNNING))),
            state=CANCELLED,
            lease="",
        )
        return self.get(job_id)

    def end_late(self) -> int:
        """End jobs that are too late, or whose workers died too often; return how many.

        A worker that is at one of them learns it when it renews its lease.
        """
        with reading(self._store.engine) as connection:
            now = self._now(connection)
            hopeless = or_(_late(now), _killing(now))
            if connection.execute(select(JOBS.c.job).where(hopeless).limit(1)).first() is None:
                return 0
        with writing(self._store.engine) as connection:
            _lock_turns(connection)
            return self._end_hopeless(connection, self._now(connection))

    # --- for workers

    def waiting(self, models: Iterable[str]) -> int:
        """Return how many jobs of these models nobody holds."""
        with reading(self._store.engine) as connection:
            free = _free(models, self._now(connection))
            query = select(func.count()).select_from(JOBS).where(free)
            count: int = connection.execute(query).scalar_one()
            return count

    def claim(self, *, models: Mapping[str, int], limit: int, lease_seconds: int) -> Claim | None:
        """Take jobs that nobody holds, of the caller whose turn it is; None if there are none.

        `models` are those that the worker has, with how many items of each it proves together;
        `limit` is the same for receipts. Callers take turns by the work that they had: one that
        asks for much waits for itself, not others for it. What nobody used is not saved up.
        """
        store = self._store
        with writing(store.engine) as connection:
            last = _lock_turns(connection)
            now = self._now(connection)
            self._end_hopeless(connection, now)
            free = _free(models, now)
            first = _next(connection, free, last)
            if first is None:
                return None
            rows = _batch(connection, free, first, items=models[first.model], limit=limit)
            if not rows:
                return None
            _charge(connection, rows, last=last, served=first.key_id)
            lease = secrets.token_hex(16)
            connection.execute(
                update(JOBS)
                .where(JOBS.c.job.in_([row.job for row in rows]))
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
        with writing(self._store.engine) as connection:
            now = self._now(connection)
            _cancel_late(connection, now, JOBS.c.lease == lease)
            change = update(JOBS).where(held)
            values = {"stage": stage, "lease_until": now + lease_seconds, "updated_at": now}
            return connection.execute(change.values(values)).rowcount > 0

    def proven(self, lease: str, *, evidence: str, cost: int) -> int:
        """Hand a proof in, for the jobs that are still held; return how many.

        `cost` is the share of each job, in microseconds.
        """
        held = and_(JOBS.c.lease == lease, JOBS.c.state == RUNNING)
        with writing(self._store.engine) as connection:
            now = self._now(connection)
            _cancel_late(connection, now, JOBS.c.lease == lease)
            change = update(JOBS).where(held)
            values = {
                "state": PROVEN,
                "stage": "",
                "evidence": evidence,
                "cost": cost,
                "updated_at": now,
            }
            return connection.execute(change.values(values)).rowcount

    def give_back(self, lease: str, *, error: str, is_attempt: bool = True) -> None:
        """End a claim without a proof; its jobs are tried again, until that was often enough.

        Not `is_attempt`: the worker was told to stop, which is no fault of the jobs.
        """
        held = and_(JOBS.c.lease == lease, JOBS.c.state == RUNNING)
        if not is_attempt:
            self._update(
                held, state=QUEUED, stage="", error="", lease="", attempts=JOBS.c.attempts - 1
            )
            return
        self._try_again(held, error)

    # --- for the gateway

    def resume(self) -> int:
        """Free what workers of an earlier gateway held: that it ended is no fault of the jobs."""
        return self._update(
            JOBS.c.state == RUNNING,
            state=QUEUED,
            stage="",
            lease="",
            attempts=JOBS.c.attempts - 1,
        )

    def unsigned(self, *, limit: int) -> list[Job]:
        """Return jobs whose proof is there and not yet signed for."""
        query = (
            _JOB.where(JOBS.c.state == PROVEN).order_by(JOBS.c.updated_at, JOBS.c.job).limit(limit)
        )
        with reading(self._store.engine) as connection:
            return [_job(row) for row in connection.execute(query)]

    def finish(
        self, signed: Mapping[str, Envelope], jobs: Sequence[Job], *, costs: Mapping[str, int]
    ) -> int:
        """Add envelopes to receipts, charge for them and end their jobs; return how many.

        All are in one transaction, unless one of them makes the database refuse it: it fails, and
        the others are finished.
        """
        try:
            return self._finish(signed, jobs, costs)
        except IntegrityError as error:
            if len(jobs) == 1:
                self.fail(jobs[0].job_id, error=f"the proof cannot be kept: {error.orig}")
                return 0
        return sum(self.finish(signed, [job], costs=costs) for job in jobs)

    def _finish(
        self, signed: Mapping[str, Envelope], jobs: Sequence[Job], costs: Mapping[str, int]
    ) -> int:
        finished = 0
        with writing(self._store.engine) as connection:
            now = self._now(connection)
            for job in jobs:
                is_ours = connection.execute(
                    update(JOBS)
                    .where(
                        JOBS.c.job_id == job.job_id,
                        JOBS.c.state == PROVEN,
                        JOBS.c.evidence == job.evidence,
                    )
                    .values(state=DONE, updated_at=now, error="")
                ).rowcount
                if not is_ours:
                    continue
                finished += 1
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
                connection.execute(
                    insert(USAGE),
                    {
                        "receipt_id": job.receipt_id,
                        "tier": job.tier,
                        "key_id": job.key_id,
                        "model": job.model,
                        "num_items": job.num_items,
                        "quoted": job.quoted,
                        "cost": costs[job.job_id],
                        "at": now,
                    },
                )
        return finished

    def fail(self, job_id: str, *, error: str) -> None:
        """End a job whose proof cannot be signed for."""
        self._update(
            and_(JOBS.c.job_id == job_id, JOBS.c.state == PROVEN),
            state=FAILED,
            error=error[:_MAX_ERROR],
        )

    def reject(self, evidence: str, *, error: str) -> None:
        """Have jobs proven again whose proof shows nothing, until that was often enough."""
        held = and_(JOBS.c.evidence == evidence, JOBS.c.state == PROVEN)
        self._try_again(held, error)

    def _try_again(self, which: ColumnElement[bool], error: str) -> None:
        error = error[:_MAX_ERROR]
        self._update(
            and_(which, JOBS.c.attempts >= MAX_ATTEMPTS), state=FAILED, error=error, lease=""
        )
        self._update(which, state=QUEUED, stage="", error=error, lease="", evidence=None)

    def _end_hopeless(self, connection: Connection, now: int) -> int:
        """End jobs that are too late, and those whose workers died again and again."""
        late = _cancel_late(connection, now)
        change = update(JOBS).where(_killing(now))
        values = {"state": FAILED, "error": "its worker died each time", "lease": ""}
        return late + connection.execute(change.values(updated_at=now, **values)).rowcount

    def _now(self, connection: Connection) -> int:
        """Return the present second of the database; SQLite has the clock of this machine."""
        if connection.dialect.name == "postgresql":
            now: int = connection.execute(_DATABASE_TIME).scalar_one()
            return now
        return self._store.now()

    def _update(self, where: ColumnElement[bool], **values: Any) -> int:  # noqa: ANN401 - of columns
        with writing(self._store.engine) as connection:
            change = update(JOBS).where(where).values(updated_at=self._now(connection), **values)
            return connection.execute(change).rowcount


def _free(models: Iterable[str], now: int) -> ColumnElement[bool]:
    """Jobs of these models that nobody holds."""
    is_lost = and_(
        JOBS.c.state == RUNNING, JOBS.c.lease_until < now, JOBS.c.attempts < MAX_ATTEMPTS
    )
    return and_(or_(JOBS.c.state == QUEUED, is_lost), JOBS.c.model.in_(sorted(models)))


def _late(now: int) -> ColumnElement[bool]:
    """Jobs whose proof comes too late."""
    return and_(JOBS.c.state.in_((QUEUED, RUNNING)), JOBS.c.deadline > 0, JOBS.c.deadline < now)


def _killing(now: int) -> ColumnElement[bool]:
    """Jobs whose last worker died, as those before it did."""
    return and_(JOBS.c.state == RUNNING, JOBS.c.lease_until < now, JOBS.c.attempts >= MAX_ATTEMPTS)


def _cancel_late(connection: Connection, now: int, which: ColumnElement[bool] | None = None) -> int:
    where = _late(now) if which is None else and_(which, _late(now))
    values = {"state": CANCELLED, "error": "the deadline passed", "lease": "", "updated_at": now}
    return connection.execute(update(JOBS).where(where).values(values)).rowcount


def _lock_turns(connection: Connection) -> int:
    """Let no other worker take jobs until the transaction ends; return where the turns are."""
    query = select(TURNS.c.spent).where(TURNS.c.key_id == _LAST_TURN).with_for_update()
    last: int = connection.execute(query).scalar_one()
    return last


def _next(connection: Connection, free: ColumnElement[bool], last: int) -> Row[Any] | None:
    """Return the oldest job of the caller who had the least work; None if no job is free."""
    oldest = (
        select(JOBS.c.key_id, func.min(JOBS.c.job).label("job"))
        .where(free)
        .group_by(JOBS.c.key_id)
        .subquery()
    )
    spent = func.coalesce(TURNS.c.spent, 0)
    turns = connection.execute(
        select(oldest.c.job, spent.label("spent")).outerjoin(
            TURNS, TURNS.c.key_id == oldest.c.key_id
        )
    ).all()
    if not turns:
        return None
    job = min(turns, key=lambda turn: (max(turn.spent, last), turn.job)).job
    return connection.execute(select(JOBS).where(JOBS.c.job == job)).one()


def _batch(
    connection: Connection, free: ColumnElement[bool], first: Row[Any], *, items: int, limit: int
) -> list[Row[Any]]:
    """Lock the job that is next, and those that may be proven with it."""
    if first.attempts or first.alone:  # one that failed with others may be the one at fault
        alike = JOBS.c.job == first.job
    else:
        # Each of the receipts will carry the public integers of all.
        may_know = JOBS.c.share if first.share else JOBS.c.key_id == first.key_id
        alike = and_(
            JOBS.c.attempts == 0,
            ~JOBS.c.alone,
            JOBS.c.model == first.model,
            JOBS.c.tier == first.tier,
            may_know,
        )
    found = connection.execute(
        select(JOBS.c.job, JOBS.c.receipt, JOBS.c.key_id, JOBS.c.num_items, JOBS.c.quoted)
        .where(free, alike)
        .order_by((JOBS.c.job != first.job), JOBS.c.job)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    taken: list[Any] = []  # rows
    for row in found:
        items -= row.num_items
        if taken and items < 0:
            break
        taken.append(row)
    return taken


def _charge(connection: Connection, rows: Sequence[Row[Any]], *, last: int, served: str) -> None:
    """Count the work that callers are given; the turn goes on to where the first of them stood."""
    work: dict[str, int] = {}
    for row in rows:
        work[row.key_id] = work.get(row.key_id, 0) + max(row.quoted, 1)
    insert_new(
        connection, TURNS, [{"key_id": one, "spent": 0} for one in sorted(work)], unless=("key_id",)
    )
    before = {
        row.key_id: max(row.spent, last)
        for row in connection.execute(select(TURNS).where(TURNS.c.key_id.in_(list(work))))
    }
    for key_id in sorted(work):
        spent = before[key_id] + work[key_id]
        connection.execute(update(TURNS).where(TURNS.c.key_id == key_id).values(spent=spent))
    turn = update(TURNS).where(TURNS.c.key_id == _LAST_TURN)
    connection.execute(turn.values(spent=before[served]))


def _job(row: Row[Any]) -> Job:
    values = row._mapping  # noqa: SLF001 - the way to take columns by name
    return Job(**{name: values[name] for name in Job.__slots__})
