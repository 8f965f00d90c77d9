"""Sets up a service: folder, database, imported ratings, first model, first API key."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.data_audit.summary import rating_step
from foretaste.errors import DataError, Hint, InvalidParameterError, NotFoundError
from foretaste.features import ItemCatalog
from foretaste.ratings import Ratings
from foretaste.service import api_keys
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import Database, put_setting
from foretaste.service.id_codec import check_id_text
from foretaste.service.settings import Settings
from foretaste.service.training import jobs
from foretaste.service.training.train import train
from foretaste.service.web import admin_queries

log = logging.getLogger("foretaste")

_MAX_AUDIT_RATINGS = 2_000_000  # a few seconds


def open_database(settings: Settings) -> Database:
    """Create the folders if needed, open the database and run the pending migrations.

    Raises
    ------
    NotFoundError
        If the folder cannot be created.
    """
    try:
        settings.models_dir.mkdir(parents=True, exist_ok=True)
        Path(settings.folder).chmod(0o700)  # ratings are personal data
    except OSError as error:
        raise NotFoundError(
            f"cannot create the folder {settings.folder}: {error.strerror}", hint="--folder"
        ) from None
    database = Database(settings.database_url)
    database.migrate()
    return database


def dataset_name(database: Database) -> str | None:
    """Return the name of the imported dataset; None if the database is empty."""
    return database.get_settings().get("name")


def fill_database(database: Database, ratings: Ratings, catalog: ItemCatalog | None, name: str) -> None:
    """Import ratings and items into an empty database.

    Raises
    ------
    DataError
        If an id cannot be stored.
    InvalidParameterError
        If the item ids of the catalog and of the ratings differ in type.
    """
    for entity, index in (("user", ratings.users), ("item", ratings.items)):
        for id_ in index:
            check_id_text(str(id_), entity)
    titles: dict[str, str] = {}
    if catalog is not None:
        if catalog.items.dtype != ratings.items.dtype:
            raise InvalidParameterError(
                f"item ids are {ratings.items.dtype} in the ratings and {catalog.items.dtype} in the titles",
                hint="use the same ids in both",
            )
        for id_, title in zip(catalog.items, catalog.titles(catalog.items.ids), strict=True):
            check_id_text(str(id_), "item")
            if title:
                titles[str(id_)] = "".join(
                    char if char.isprintable() or char in "\n\t" else " " for char in title
                )
    step = rating_step(np.unique(ratings.value).astype(np.float64))
    with database.write_transaction() as connection:
        rating_store.import_ratings(connection, ratings, titles, name)
        if step is not None:
            put_setting(connection, "step", repr(step))


def train_first_model(
    settings: Settings, database: Database, spec: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Train the first model and activate it; return its checks.

    Raises
    ------
    QualityGateError
        If its RMSE is not lower than the global mean's.
    """
    import secrets

    path = settings.models_dir / f"model-{secrets.token_hex(8)}.foretaste"
    result = train(rating_store.load_training_ratings(database), spec, None, path, progress)
    with database.write_transaction() as connection:
        model_id = model_store.add_model(connection, result.to_row("trained"))
        model_store.activate_model(connection, model_id, "first")
    return result.checks


def active_spec(database: Database) -> dict[str, Any] | None:
    """Return the spec of the active model; None if no model was ever activated."""
    with database.read_connection() as connection:
        active = model_store.get_active_model(connection)
    return None if active is None else active[1].spec


def read_excluded_items(database: Database, path: str) -> tuple[str, ...]:
    """Return the items listed in a text file, one id per line; empty lines are ignored.

    Raises
    ------
    NotFoundError
        If the file or an item does not exist.
    DataError
        If the file is not UTF-8 text, or a line is not a valid id.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise NotFoundError(message, hint=Hint({"exclude_items": "ids.txt"})) from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text", hint="one id per line") from None
    codec, item_ids = rating_store.load_id_codec(database), list[str]()
    with database.read_connection() as connection:
        for line_number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                item = codec.to_text(line.strip(), "item")
            except DataError as error:
                raise DataError(f"{path}, line {line_number}: {error.message}", hint=error.hint) from None
            if not rating_store.has_item(connection, item):
                raise NotFoundError(
                    f"{path}, line {line_number}: there is no item {item!r}",
                    hint="ids as in the ratings",
                )
            item_ids.append(item)
    return tuple(dict.fromkeys(item_ids))


def run_first_audit(database: Database, ratings: Ratings) -> None:
    """Audit the ratings for the admin page; a very large dataset is audited only on request."""
    if len(ratings) <= _MAX_AUDIT_RATINGS:
        admin_queries.store_audit(database, ratings)


def create_first_key(database: Database) -> str | None:
    """Create an admin key if there is none; return it, or None."""
    with database.write_transaction() as connection:
        if any(key.role == "admin" and key.revoked_at is None for key in api_keys.list_keys(connection)):
            return None
        return api_keys.create_key(connection, "first", "admin")[0]


def clean_up(settings: Settings, database: Database) -> None:
    """Clean up after a service that was killed: lost jobs and orphaned model files."""
    with database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
        for file_name in model_store.delete_orphan_files(connection, settings.models_dir):
            log.info("deleted orphaned model file %s", file_name)
