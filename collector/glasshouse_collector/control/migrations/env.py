"""How Alembic runs the migrations: on the connection that `Database` lends it."""

from alembic import context

from glasshouse_collector.control.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
