"""Callers take turns, and may agree that their proofs are made together with those of others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what a fair queue has to know, and fill it in for what is there."""
    no = sa.false()
    op.create_table(
        "turns",
        sa.Column("key_id", sa.String(32), primary_key=True),
        sa.Column("spent", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO turns (key_id, spent) VALUES ('*', 0)")
    op.add_column("api_keys", sa.Column("may_share", sa.Boolean, nullable=False, server_default=no))
    op.add_column("jobs", sa.Column("share", sa.Boolean, nullable=False, server_default=no))
    op.add_column("jobs", sa.Column("alone", sa.Boolean, nullable=False, server_default=no))
    op.add_column("jobs", sa.Column("num_items", sa.Integer, nullable=False, server_default="1"))
    op.execute(
        "UPDATE jobs SET num_items = "
        "(SELECT num_items FROM receipts WHERE receipts.receipt = jobs.receipt)"
    )


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("jobs", "num_items")
    op.drop_column("jobs", "alone")
    op.drop_column("jobs", "share")
    op.drop_column("api_keys", "may_share")
    op.drop_table("turns")
