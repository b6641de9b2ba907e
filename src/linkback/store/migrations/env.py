"""Alembic's entry: run the scripts on the connection that `migrations.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from linkback.store.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
