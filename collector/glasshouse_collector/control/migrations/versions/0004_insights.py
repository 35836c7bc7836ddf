"""Incidents, what users say of them, and which collector does a job that one of many does."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("project_id", sa.String(63), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("services", sa.JSON, nullable=False),
        sa.Column("signals", sa.JSON, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("fingerprint", sa.String(1000), nullable=False),
        sa.Column("told", sa.String(8), nullable=False),
    )
    op.create_index("ix_incidents_project_id_started_at", "incidents", ["project_id", "started_at"])
    op.create_index("ix_incidents_project_id_status", "incidents", ["project_id", "status"])
    op.create_table(
        "insight_feedback",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("project_id", sa.String(63), nullable=False),
        sa.Column("incident_id", sa.String(12)),
        sa.Column("lookback_minutes", sa.Integer),
        sa.Column("rating", sa.Integer, nullable=False),
        sa.Column("correction", sa.Text, nullable=False),
        sa.Column("service", sa.String(500), nullable=False),
        sa.Column("kind", sa.String(63), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_index("ix_insight_feedback_project_id", "insight_feedback", ["project_id", "created_at"])
    op.create_index("ix_insight_feedback_incident_id", "insight_feedback", ["incident_id"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("holder", sa.String(63), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
