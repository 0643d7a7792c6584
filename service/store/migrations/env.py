"""Run by Alembic; `service.store.migrate` hands it an open transaction."""

from __future__ import annotations

from alembic import context

from service.store.database import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
