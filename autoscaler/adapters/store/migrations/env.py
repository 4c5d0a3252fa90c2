"""What Alembic runs: the connection is handed in with its transaction open, `schema.migrate` commits it."""

from alembic import context

from autoscaler.adapters.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
