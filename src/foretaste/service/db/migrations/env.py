"""What Alembic runs: the steps that a database has not taken yet, in one transaction."""

from __future__ import annotations

from alembic import context

from foretaste.service.db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
