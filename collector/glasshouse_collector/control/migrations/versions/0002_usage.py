"""What each key sent on which day; and the two projects that every installation has."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_PROJECTS = {
    "default": ("Default", "Of senders that need no key, and of the operator."),
    "_self": ("Glasshouse", "What the collector says about itself."),
}


def upgrade() -> None:
    """Make the table, and the projects that are not there."""
    op.create_table(
        "key_usage",
        sa.Column("prefix", sa.String(16), sa.ForeignKey("api_keys.prefix"), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_key_usage_day", "key_usage", ["day"])
    projects = sa.table(
        "projects",
        sa.column("id", sa.String),
        sa.column("name", sa.String),
        sa.column("description", sa.Text),
        sa.column("created_at", sa.DateTime(timezone=True)),
        sa.column("deleted_at", sa.DateTime(timezone=True)),
    )
    # Who made a project `default` by hand keeps it, and has it back where it was deleted.
    op.execute(projects.update().where(projects.c.id.in_(list(_PROJECTS))).values(deleted_at=None))
    there = set(op.get_bind().scalars(sa.select(projects.c.id)))
    for project, (name, description) in _PROJECTS.items():
        if project not in there:
            made = {"id": project, "name": name, "description": description}
            op.execute(projects.insert().values(**made, created_at=datetime.now(UTC)))
