"""Tables, columns, settings and stored JSON are renamed; no rating changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from foretaste.models.renames import rename_spec

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = {"facts": "settings", "people": "user_versions"}
_COLUMNS = {
    "items": {"place": "position", "searched": "search_text"},
    "ratings": {"shown": "shown_prediction"},
    "visitors": {"made_at": "created_at", "skipped": "skipped_items", "shown": "shown_predictions"},
    "keys": {"number": "id", "made_at": "created_at"},
    "sessions": {"key": "key_id", "made_at": "created_at", "ends_at": "expires_at"},
    "models": {"number": "id", "made_at": "created_at", "ratings": "n_ratings"},
    "activations": {"number": "id", "model": "model_id", "at": "created_at"},
    "jobs": {
        "number": "id", "seen_at": "heartbeat_at", "ended_at": "finished_at", "cancel": "cancel_requested",
        "model": "model_id",
    },
}  # fmt: skip
_SETTINGS = {
    "user_kind": "user_dtype", "item_kind": "item_dtype", "erasures": "deletion_count",
    "page_secret": "cookie_secret",
}  # fmt: skip
_DTYPES = {"number": "int", "text": "str"}
_STATES = {"refused": "rejected"}
_CHECKS = {
    "held_out": "n_test", "rmse_of_the_mean": "rmse_global_mean", "rmse_of_the_active": "rmse_active_spec",
    "compared_with": "n_compared", "items_known": "n_known_items",
}  # fmt: skip

_AUDIT = {"at": "created_at", "facts": "summary"}
_FINDINGS = {"what": "message", "effect": "impact", "mend": "fix"}

_settings = sa.table("settings", sa.column("name"), sa.column("value"))
_models = sa.table("models", sa.column("id"), sa.column("spec"), sa.column("checks"))
_jobs = sa.table("jobs", sa.column("id"), sa.column("spec"), sa.column("state"))


def upgrade() -> None:
    """Rename them, and rewrite stored specs, checks and the last audit."""
    _rename(_TABLES, _COLUMNS)
    op.drop_index("ratings_of_item", "ratings")
    op.create_index("ix_ratings_item", "ratings", ["item"])
    _rename_settings(_SETTINGS, _DTYPES)
    _rewrite_audit(_AUDIT, _FINDINGS)
    _rewrite_json(_models, "checks", lambda checks: _rename_keys(checks, _CHECKS))
    for table in (_models, _jobs):
        _rewrite_json(table, "spec", rename_spec)
    _replace_states(_STATES)


def _rename(tables: dict[str, str], columns: dict[str, dict[str, str]]) -> None:
    for old, new in tables.items():
        op.rename_table(old, new)
    for table, names in columns.items():
        for old, new in names.items():
            op.alter_column(table, old, new_column_name=new)


def _rename_settings(names: dict[str, str], dtypes: dict[str, str]) -> None:
    connection = op.get_bind()
    for old, new in names.items():
        connection.execute(sa.update(_settings).where(_settings.c.name == old).values(name=new))
        if old.startswith(("user_", "item_")):
            for old_dtype, dtype in dtypes.items():
                is_old = (_settings.c.name == new) & (_settings.c.value == old_dtype)
                connection.execute(sa.update(_settings).where(is_old).values(value=dtype))


def _rewrite_audit(names: dict[str, str], finding_names: dict[str, str]) -> None:
    connection, is_audit = op.get_bind(), _settings.c.name == "audit"
    text = connection.execute(sa.select(_settings.c.value).where(is_audit)).scalar()
    if text is not None:
        audit = _rename_keys(json.loads(text), names)
        audit["findings"] = [_rename_keys(finding, finding_names) for finding in audit["findings"]]
        connection.execute(sa.update(_settings).where(is_audit).values(value=json.dumps(audit)))


def _replace_states(states: dict[str, str]) -> None:
    for old, new in states.items():
        op.get_bind().execute(sa.update(_jobs).where(_jobs.c.state == old).values(state=new))


def _rename_keys(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items()}


def _rewrite_json(table: Any, column: str, convert: Callable[[Any], Any]) -> None:
    connection = op.get_bind()
    for id_, text in connection.execute(sa.select(table.c.id, table.c[column])).all():
        changed = json.dumps(convert(json.loads(text)), allow_nan=False)
        connection.execute(sa.update(table).where(table.c.id == id_).values({column: changed}))
