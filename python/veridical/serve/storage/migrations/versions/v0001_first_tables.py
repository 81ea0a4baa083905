"""First tables.

A migration is frozen when it is released: it spells its tables out, and does not import the schema
of the present version.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(32), primary_key=True),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("requests_per_second", sa.Integer, nullable=False),
        sa.Column("max_queued_proofs", sa.Integer, nullable=False),
        sa.Column("units_per_second", sa.BigInteger, nullable=False),
        sa.Column("is_operator", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_table(
        "logs",
        sa.Column("log", number, primary_key=True),
        sa.Column("vkey", sa.String(512), nullable=False, unique=True),
        sa.Column("holder", sa.String(32), nullable=False),
    )
    op.create_table(
        "receipts",
        sa.Column("receipt", number, primary_key=True),
        sa.Column("receipt_id", sa.String(71), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("log", sa.BigInteger, sa.ForeignKey("logs.log")),
        sa.Column("leaf", sa.BigInteger),
        sa.Column("intent", sa.String(71)),
        sa.Column("bundle", sa.LargeBinary, nullable=False),
        sa.Column("question", sa.LargeBinary, nullable=False),
        sa.Column("num_items", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("receipt_id", "key_id", name="receipts_by_id"),
        sa.UniqueConstraint("log", "leaf", name="receipts_by_leaf"),
    )
    op.create_table(
        "evidence",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "envelopes",
        sa.Column("receipt", sa.BigInteger, sa.ForeignKey("receipts.receipt"), primary_key=True),
        sa.Column("tier", sa.String(64), primary_key=True),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
        sa.Column("evidence", sa.String(71), sa.ForeignKey("evidence.digest"), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("job", number, primary_key=True),
        sa.Column("job_id", sa.String(32), nullable=False, unique=True),
        sa.Column("receipt", sa.BigInteger, sa.ForeignKey("receipts.receipt"), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("tier", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(64), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease", sa.String(32), nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("evidence", sa.String(71), sa.ForeignKey("evidence.digest")),
        sa.Column("batch_size", sa.Integer, nullable=False),
        sa.Column("quoted", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("deadline", sa.BigInteger, nullable=False),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "created_at"])
    op.create_index("jobs_by_receipt", "jobs", ["receipt", "tier"])
    op.create_table(
        "usage",
        sa.Column("line", number, primary_key=True),
        sa.Column("receipt_id", sa.String(71), nullable=False),
        sa.Column("tier", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("num_items", sa.Integer, nullable=False),
        sa.Column("quoted", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("usage_by_key", "usage", ["key_id", "at"])


def downgrade() -> None:
    """Drop the tables, those that refer to others first."""
    for table in ("usage", "jobs", "envelopes", "evidence", "receipts", "logs", "api_keys"):
        op.drop_table(table)
