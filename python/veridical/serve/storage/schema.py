"""Tables of the gateway. Migrations make them; a test compares the two.

Spec: spec/v1/serve.md, section 5.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = ["API_KEYS", "ENVELOPES", "EVIDENCE", "JOBS", "METADATA", "RECEIPTS", "USAGE"]

METADATA: Final = MetaData()

#: Who may call, and how much. The secret itself is nowhere.
API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("key_id", String(32), primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("requests_per_second", Integer, nullable=False),
    Column("max_queued_proofs", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

#: A receipt as it was first issued, the question it answers, and the intent that it closes.
RECEIPTS: Final = Table(
    "receipts",
    METADATA,
    Column("receipt_id", String(71), primary_key=True),
    Column("key_id", String(32), nullable=False),
    Column("model", String(128), nullable=False),
    Column("intent", BigInteger, unique=True),
    Column("bundle", LargeBinary, nullable=False),
    Column("question", LargeBinary, nullable=False),
    Column("num_items", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("receipts_by_key", "key_id", "created_at"),
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
    Column("receipt_id", String(71), ForeignKey("receipts.receipt_id"), primary_key=True),
    Column("tier", String(64), primary_key=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("evidence", String(71), ForeignKey("evidence.digest"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

#: Proofs that were asked for.
JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("job_id", String(32), primary_key=True),
    Column("receipt_id", String(71), ForeignKey("receipts.receipt_id"), nullable=False),
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
    Index("jobs_by_state", "state", "created_at"),
    Index("jobs_by_receipt", "receipt_id", "tier"),
)

#: What was charged, one line for each receipt and tier.
USAGE: Final = Table(
    "usage",
    METADATA,
    Column("receipt_id", String(71), primary_key=True),
    Column("tier", String(64), primary_key=True),
    Column("key_id", String(32), nullable=False),
    Column("model", String(128), nullable=False),
    Column("num_items", Integer, nullable=False),
    Column("quoted", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("usage_by_key", "key_id", "at"),
)
