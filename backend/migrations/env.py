"""Run Alembic's revisions on the connection that `backend.core.migrations` opened."""

from alembic import context

from backend.core.database import Model

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Model.metadata,
    compare_server_default=False,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
