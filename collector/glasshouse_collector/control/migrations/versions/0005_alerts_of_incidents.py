"""What the alert of an incident is known by: its labels as they were sent first."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; of incidents that nobody was alerted of it is NULL."""
    op.add_column("incidents", sa.Column("alerted", sa.JSON))
