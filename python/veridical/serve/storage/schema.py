"""Tables of the gateway. Migrations make them; a test compares the two.

Spec: spec/v1/serve.md, section 5. Rows are numbered: a number that only grows is written at the end
of its index, whatever else is random.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

__all__ = [
    "API_KEYS",
    "ENVELOPES",
    "EVIDENCE",
    "JOBS",
    "LOGS",
    "METADATA",
    "RECEIPTS",
    "TURNS",
    "USAGE",
]

METADATA: Final = MetaData()
#: SQLite numbers rows by itself in a column of exactly this type.
_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")

#: Who may call, and how much. The secret itself is nowhere.
API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("key_id", String(32), primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("requests_per_second", Integer, nullable=False),
    Column("max_queued_proofs", Integer, nullable=False),
    Column("units_per_second", BigInteger, nullable=False),
    #: Sees figures of the whole gateway.
    Column("is_operator", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    #: Whether its receipts may be proven together with those of others, where a request says so.
    Column("may_share", Boolean, nullable=False, server_default=false()),
)

#: Logs that receipts of this database stand in. A leaf says nothing without its log.
LOGS: Final = Table(
    "logs",
    METADATA,
    Column("log", _NUMBER, primary_key=True),
    Column("vkey", String(512), nullable=False, unique=True),
    #: Drawn anew by each process that keeps answers under the log, and each time that intents are
    #: closed by what is in the database: an answer that comes later is refused.
    Column("holder", String(32), nullable=False),
)

#: A receipt as it was first issued, the question it answers, and the intent that it closes.
#: Without a log two questions can make one statement, and so one receipt for each caller.
RECEIPTS: Final = Table(
    "receipts",
    METADATA,
    Column("receipt", _NUMBER, primary_key=True),
    Column("receipt_id", String(71), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("model", String(128), nullable=False),
    Column("log", BigInteger, ForeignKey("logs.log")),
    Column("leaf", BigInteger),
    #: Digest of the intent at that leaf.
    Column("intent", String(71)),
    Column("bundle", LargeBinary, nullable=False),
    Column("question", LargeBinary, nullable=False),
    Column("num_items", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("receipt_id", "key_id", name="receipts_by_id"),
    UniqueConstraint("log", "leaf", name="receipts_by_leaf"),
)

#: Blobs by their digest: one proof stands in the receipts of all runs that it covers.
EVIDENCE: Final = Table(
    "evidence",
    METADATA,
    Column("digest", String(71), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

#: What was added to receipts later.
ENVELOPES: Final = Table(
    "envelopes",
    METADATA,
    Column("receipt", BigInteger, ForeignKey("receipts.receipt"), primary_key=True),
    Column("tier", String(64), primary_key=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("evidence", String(71), ForeignKey("evidence.digest"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

#: Proofs that were asked for.
JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("job", _NUMBER, primary_key=True),
    Column("job_id", String(32), nullable=False, unique=True),
    Column("receipt", BigInteger, ForeignKey("receipts.receipt"), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("model", String(128), nullable=False),
    Column("tier", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    #: Drawn anew each time a worker takes the job; whoever holds another one has lost it.
    Column("lease", String(32), nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("evidence", String(71), ForeignKey("evidence.digest")),
    Column("batch_size", Integer, nullable=False),
    Column("quoted", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    #: Whether receipts of other callers may be proven with it.
    Column("share", Boolean, nullable=False, server_default=false()),
    #: Whether no other receipt may be proven with it, not even its caller's.
    Column("alone", Boolean, nullable=False, server_default=false()),
    Column("num_items", Integer, nullable=False, server_default="1"),
    Index("jobs_by_state", "state", "created_at"),
    Index("jobs_by_receipt", "receipt", "tier"),
)

#: How much of the work on proofs each caller had; the row `*` stands for whose turn it was last.
TURNS: Final = Table(
    "turns",
    METADATA,
    Column("key_id", String(32), primary_key=True),
    Column("spent", BigInteger, nullable=False),
)

#: What was charged: one line for each time that a receipt was made, or made stronger.
USAGE: Final = Table(
    "usage",
    METADATA,
    Column("line", _NUMBER, primary_key=True),
    Column("receipt_id", String(71), nullable=False),
    Column("tier", String(64), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("model", String(128), nullable=False),
    Column("num_items", Integer, nullable=False),
    Column("quoted", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("usage_by_key", "key_id", "at"),
)
