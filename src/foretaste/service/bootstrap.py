"""From ratings to a service that can start: folder, database, first model, first key."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.data_audit.summary import rating_step
from foretaste.errors import DataError, InvalidParameterError, NotFoundError
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

_MAX_AUDIT_RATINGS = 2_000_000  # ratings: some seconds


def open_database(settings: Settings) -> Database:
    """Make the folders if need be, open the database and bring it up to date.

    Raises
    ------
    NotFoundError
        If the folder cannot be made.
    """
    try:
        settings.models_dir.mkdir(parents=True, exist_ok=True)
        Path(settings.folder).chmod(0o700)  # ratings are the people's own
    except OSError as error:
        raise NotFoundError(
            f"cannot make the folder {settings.folder}: {error.strerror}", hint="--folder"
        ) from None
    database = Database(settings.database_url)
    database.migrate()
    return database


def dataset_name(database: Database) -> str | None:
    """Return what the ratings in the database are called; None if it is empty."""
    return database.get_settings().get("name")


def fill_database(database: Database, ratings: Ratings, catalog: ItemCatalog | None, name: str) -> None:
    """Store ratings and items in an empty database.

    Raises
    ------
    DataError
        If an id cannot be stored.
    InvalidParameterError
        If the ids of the catalogue are of another type than those of the ratings.
    """
    for entity, index in (("user", ratings.users), ("item", ratings.items)):
        for id_ in index:
            check_id_text(str(id_), entity)
    titles: dict[str, str] = {}
    if catalog is not None:
        if catalog.items.dtype != ratings.items.dtype:
            raise InvalidParameterError(
                f"item ids are {ratings.items.dtype} in the ratings and {catalog.items.dtype} in the titles",
                hint="the same ids in both",
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
    """Learn the first model from all ratings and activate it; return its checks.

    Raises
    ------
    Refused
        If it does not predict better than the mean.
    """
    import secrets

    path = settings.models_dir / f"model-{secrets.token_hex(8)}.foretaste"
    result = train(rating_store.load_training_ratings(database), spec, None, path, progress)
    with database.write_transaction() as connection:
        model_id = model_store.add_model(connection, result.to_row("trained"))
        model_store.activate_model(connection, model_id, "first")
    return result.checks


def active_spec(database: Database) -> dict[str, Any] | None:
    """Return name and parameters of the model that serves; None if none was ever activated."""
    with database.read_connection() as connection:
        active = model_store.get_active_model(connection)
    return None if active is None else active[1].spec


def read_excluded_items(database: Database, path: str) -> tuple[str, ...]:
    """Return the items that a file names, an id on a line; empty lines are left out.

    Raises
    ------
    NotFoundError
        If there is no such file, or no such item.
    DataError
        If it is no text, or a line is no id.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}", hint='hide="ids.txt"') from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text in UTF-8", hint="an id on a line") from None
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
                    hint="ids as the ratings have them",
                )
            item_ids.append(item)
    return tuple(dict.fromkeys(item_ids))


def run_first_audit(database: Database, ratings: Ratings) -> None:
    """Keep what an audit finds in the ratings, for the page; of very many, that waits until it is wanted."""
    if len(ratings) <= _MAX_AUDIT_RATINGS:
        admin_queries.store_audit(database, ratings)


def create_first_key(database: Database) -> str | None:
    """Make an admin key if there is none; return it."""
    with database.write_transaction() as connection:
        if any(key.role == "admin" and key.revoked_at is None for key in api_keys.list_keys(connection)):
            return None
        return api_keys.create_key(connection, "first", "admin")[0]


def clean_up(settings: Settings, database: Database) -> None:
    """Clear what a service left that was killed."""
    with database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
        for file_name in model_store.delete_orphan_files(connection, settings.models_dir):
            log.info("removed %s, which no model is kept in", file_name)
