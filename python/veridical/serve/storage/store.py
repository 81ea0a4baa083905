"""What the gateway keeps: receipts, evidence, keys, usage.

Spec: spec/v1/serve.md, section 5. Every method that writes is one transaction, durable on return.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError

from veridical.errors import InputError
from veridical.receipt import Receipt, canonical
from veridical.receipt.envelope import Envelope
from veridical.receipt.evidence import blob_digest
from veridical.serve.storage.engine import (
    DIALECTS,
    checkpoint,
    insert_new,
    insert_unless,
    open_engines,
    reading,
    writing,
)
from veridical.serve.storage.schema import (
    API_KEYS,
    ENVELOPES,
    EVIDENCE,
    JOBS,
    LOGS,
    RECEIPTS,
    USAGE,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection

__all__ = ["Answered", "ApiKey", "FencedError", "Kept", "Store", "StoredReceipt", "Usage"]


_LEAVES_AT_ONCE: Final = 500


class FencedError(InputError):
    """Another process took over the log under which an answer was to be kept."""


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
    #: Work of proofs and runs, in units of the tariff.
    units_per_second: int = 2_000_000
    is_operator: bool = False
    #: Whether its receipts may be proven together with those of others.
    may_share: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer that is about to be handed out."""

    receipt_id: str
    bundle: bytes
    question: bytes
    key_id: str
    model: str
    items: int
    quoted: int
    cost: int
    #: Where its intent stands in the log that the store holds, and the intent's digest.
    leaf: int | None = None
    intent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer that is in the database, for an intent that is to be closed."""

    receipt_id: str
    intent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReceipt:
    """A receipt as it stands, with what a proof of it needs."""

    #: Its row.
    number: int
    receipt: Receipt
    question: bytes
    key_id: str
    model: str
    items: int
    #: The vkey of the log that has its intent; nothing if it was not logged.
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one caller used of one model in one tier."""

    model: str
    tier: str
    receipts: int
    items: int
    quoted: int
    cost: int


@dataclass(frozen=True, slots=True)
class _HeldLog:
    number: int
    #: One, or those between which a commit decided whose end is not known.
    tokens: frozenset[str]


class Store:
    """The gateway's database; its methods may be called from any thread."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        """Open the database, and bring its tables up to date.

        Raises:
            InputError: it cannot be opened.
        """
        #: For everything but answers: these have connections that nobody else can use up.
        self.engine, self._answers = open_engines(url)
        self.clock = clock
        self._log: _HeldLog | None = None
        self._settling = threading.Lock()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()
        self._answers.dispose()

    def tidy(self) -> None:
        """Do what would hold up commits if they had to; called each second."""
        checkpoint(self.engine)

    def now(self) -> int:
        """Return the present second."""
        return int(self.clock())

    def require_reachable(self) -> None:
        """Ask the database whether answers can be kept.

        Raises:
            FencedError: another process took over the log.
            SQLAlchemyError: it does not answer.
        """
        held = self._log
        query = select(LOGS.c.holder).where(LOGS.c.log == (0 if held is None else held.number))
        with reading(self.engine) as connection:
            holder = connection.execute(query).scalar()
        if held is not None and self._log is held and holder not in held.tokens:
            raise _fenced()

    # --- the log under which answers are kept

    def hold_log(self, vkey: str, *, size: int) -> None:
        """Keep answers under this log from now on; who held it before can no longer.

        Raises:
            InputError: answers were kept for leaves that the log does not have.
        """
        token = secrets.token_hex(16)
        with writing(self._answers) as connection:
            row = {"vkey": vkey, "holder": token}
            insert_new(connection, LOGS, [row], unless=("vkey",))
            connection.execute(update(LOGS).where(LOGS.c.vkey == vkey).values(holder=token))
            number = connection.execute(select(LOGS.c.log).where(LOGS.c.vkey == vkey)).scalar_one()
            last = connection.execute(
                select(func.max(RECEIPTS.c.leaf)).where(RECEIPTS.c.log == number)
            ).scalar()
        if last is not None and last >= size:
            raise InputError(
                f"the database has an answer for leaf {last}, the log has {size} leaves",
                advice="The log was rolled back. Restore its newest state, or begin a new log.",
            )
        self._log = _HeldLog(number, frozenset({token}))

    def settle(self, leaves: Sequence[int]) -> dict[int, Kept]:
        """Return which of these intents have an answer that was kept; the others get none any more.

        An answer whose commit is under way is waited for; one that is not so far is fenced off.

        Raises:
            FencedError: another process took over the log.
        """
        if self._log is None or not leaves:
            return {}
        kept: dict[int, Kept] = {}
        token = secrets.token_hex(16)
        with self._settling:
            held = self._log
            self._log = replace(held, tokens=held.tokens | {token})
            with writing(self._answers) as connection:
                # Waits for every transaction that keeps answers: they lock this row.
                mine = (LOGS.c.log == held.number) & LOGS.c.holder.in_(sorted(held.tokens))
                if connection.execute(update(LOGS).where(mine).values(holder=token)).rowcount != 1:
                    raise _fenced()
                for start in range(0, len(leaves), _LEAVES_AT_ONCE):
                    some = leaves[start : start + _LEAVES_AT_ONCE]
                    query = select(RECEIPTS.c.leaf, RECEIPTS.c.receipt_id, RECEIPTS.c.intent).where(
                        RECEIPTS.c.log == held.number, RECEIPTS.c.leaf.in_(some)
                    )
                    for row in connection.execute(query):
                        kept[row.leaf] = Kept(receipt_id=row.receipt_id, intent=row.intent)
            self._log = replace(held, tokens=frozenset({token}))
        return kept

    # --- answers

    def add_answers(self, answers: Sequence[Answered]) -> dict[int, Exception]:
        """Keep answers and what they cost; return those that cannot be kept, by their place.

        All others are in one transaction, unless one of them makes the database refuse it.

        Raises:
            FencedError: another process took over the log.
            SQLAlchemyError: the database does not answer; whether they were kept is not known.
        """
        try:
            self._add(answers)
        except (IntegrityError, DataError) as error:
            if len(answers) == 1:
                return {0: error}
        else:
            return {}
        refused: dict[int, Exception] = {}
        for place, one in enumerate(answers):
            try:
                self._add([one])
            except (IntegrityError, DataError) as error:
                refused[place] = error
        return refused

    def _add(self, answers: Sequence[Answered]) -> None:
        now = self.now()
        held = self._log
        with writing(self._answers) as connection:
            if held is not None and any(one.leaf is not None for one in answers):
                self._require_held(connection, held.number)
            new = _NEW_RECEIPTS[connection.dialect.name]
            connection.execute(
                new,
                [
                    {
                        "receipt_id": one.receipt_id,
                        "key_id": one.key_id,
                        "model": one.model,
                        "log": None if one.leaf is None or held is None else held.number,
                        "leaf": one.leaf,
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
                _NEW_USAGE,
                [
                    {
                        "receipt_id": one.receipt_id,
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

    def _require_held(self, connection: Connection, number: int) -> None:
        """Keep the holder of the log from changing until this transaction ends."""
        holder = connection.execute(_HOLDER, {"number": number}).scalar_one()
        if self._log is None or holder not in self._log.tokens:
            raise _fenced()

    def receipt(self, receipt_id: str, *, key_id: str) -> StoredReceipt | None:
        """Return a caller's receipt with everything that was added to it."""
        return self._receipt((RECEIPTS.c.receipt_id == receipt_id) & (RECEIPTS.c.key_id == key_id))

    def receipt_at(self, number: int) -> StoredReceipt | None:
        """Return the receipt of a row, as jobs name it."""
        return self._receipt(RECEIPTS.c.receipt == number)

    def _receipt(self, where: ColumnElement[bool]) -> StoredReceipt | None:
        query = select(RECEIPTS, LOGS.c.vkey).outerjoin(LOGS, RECEIPTS.c.log == LOGS.c.log)
        with reading(self.engine) as connection:
            row = connection.execute(query.where(where)).first()
            if row is None:
                return None
            more = connection.execute(
                select(ENVELOPES.c.envelope, EVIDENCE.c.content)
                .join(EVIDENCE, ENVELOPES.c.evidence == EVIDENCE.c.digest)
                .where(ENVELOPES.c.receipt == row.receipt)
                .order_by(ENVELOPES.c.created_at, ENVELOPES.c.tier)
            ).all()
        receipt = Receipt.from_bytes(row.bundle)
        receipt = replace(
            receipt,
            envelopes=(*receipt.envelopes, *(_envelope(one.envelope) for one in more)),
            evidence=(*receipt.evidence, *dict.fromkeys(one.content for one in more)),
        )
        return StoredReceipt(
            number=row.receipt,
            receipt=receipt,
            question=row.question,
            key_id=row.key_id,
            model=row.model,
            items=row.num_items,
            log=row.vkey or "",
        )

    # --- evidence

    def add_evidence(self, content: bytes) -> str:
        """Keep a blob, once, and return its digest."""
        digest = blob_digest(content)
        row = {"digest": digest, "content": content}
        with writing(self.engine) as connection:
            insert_new(connection, EVIDENCE, [row], unless=("digest",))
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

    def receipts_by_tier(self) -> dict[tuple[str, str], int]:
        """Return how many receipts there are of each model and tier."""
        query = select(USAGE.c.model, USAGE.c.tier, func.count()).group_by(
            USAGE.c.model, USAGE.c.tier
        )
        with reading(self.engine) as connection:
            return {(model, tier): int(count) for model, tier, count in connection.execute(query)}

    def jobs_by_state(self) -> dict[str, int]:
        """Return how many proofs are in each state."""
        query = select(JOBS.c.state, func.count()).group_by(JOBS.c.state)
        with reading(self.engine) as connection:
            return {state: int(count) for state, count in connection.execute(query)}


# Statements of the path of every answer, made once.

#: One statement made twice for one caller is one receipt.
_NEW_RECEIPTS: Final = {
    name: insert_unless(RECEIPTS, name, ("receipt_id", "key_id")) for name in DIALECTS
}
_NEW_USAGE: Final = insert(USAGE)
_HOLDER: Final = (
    select(LOGS.c.holder).where(LOGS.c.log == bindparam("number")).with_for_update(read=True)
)


def _fenced() -> FencedError:
    return FencedError("another process took over the log of this gateway")


def _envelope(content: bytes) -> Envelope:
    value = canonical.decode(content, max_bytes=len(content), where="envelope")
    return Envelope.from_value(value, where="envelope")
