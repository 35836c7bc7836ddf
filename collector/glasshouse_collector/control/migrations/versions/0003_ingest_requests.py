"""Requests that came with an Idempotency-Key, so that none is kept twice."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ingest_requests",
        sa.Column("project_id", sa.String(63), primary_key=True),
        sa.Column("key_hash", sa.String(64), primary_key=True),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("marker", sa.String(32), nullable=False),
        sa.Column("journal", sa.String(16), nullable=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("life", sa.String(32), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_ingest_requests_begun_at", "ingest_requests", ["begun_at"])
