"""From ratings to a service that can start: folder, database, first model, first key."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.data_audit.summary import step_of
from foretaste.errors import BadData, InvalidParameter, NotFound
from foretaste.features import Catalogue
from foretaste.ratings import Ratings
from foretaste.service import api_keys
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import Store, put_fact
from foretaste.service.id_codec import check_text
from foretaste.service.settings import Settings
from foretaste.service.training import jobs
from foretaste.service.training.train import train
from foretaste.service.web import admin_queries

log = logging.getLogger("foretaste")

_AUDITED = 2_000_000  # ratings: some seconds


def open_store(settings: Settings) -> Store:
    """Make the folders if need be, open the database and bring it up to date.

    Raises
    ------
    NotFound
        If the folder cannot be made.
    """
    try:
        settings.models.mkdir(parents=True, exist_ok=True)
        Path(settings.folder).chmod(0o700)  # ratings are the people's own
    except OSError as error:
        raise NotFound(
            f"cannot make the folder {settings.folder}: {error.strerror}", hint="--folder"
        ) from None
    store = Store(settings.url)
    store.migrate()
    return store


def name_in(store: Store) -> str | None:
    """Return what the ratings in the database are called; None if it is empty."""
    return store.facts().get("name")


def fill(store: Store, ratings: Ratings, catalogue: Catalogue | None, name: str) -> None:
    """Store ratings and items in an empty database.

    Raises
    ------
    BadData
        If an id cannot be stored.
    InvalidParameter
        If the ids of the catalogue are of another type than those of the ratings.
    """
    for side, index in (("user", ratings.users), ("item", ratings.items)):
        for id_ in index:
            check_text(str(id_), side)
    titles: dict[str, str] = {}
    if catalogue is not None:
        if catalogue.items.kind != ratings.items.kind:
            raise InvalidParameter(
                f"item ids are {ratings.items.kind} in the ratings and {catalogue.items.kind} in the titles",
                hint="the same ids in both",
            )
        for id_, title in zip(catalogue.items, catalogue.titles(catalogue.items.ids), strict=True):
            check_text(str(id_), "item")
            if title:
                titles[str(id_)] = "".join(
                    sign if sign.isprintable() or sign in "\n\t" else " " for sign in title
                )
    step = step_of(np.unique(ratings.value).astype(np.float64))
    with store.writing() as connection:
        rating_store.fill(connection, ratings, titles, name)
        if step is not None:
            put_fact(connection, "step", repr(step))


def first_model(settings: Settings, store: Store, spec: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Learn the first model from all ratings and activate it; return its checks.

    Raises
    ------
    Refused
        If it does not predict better than the mean.
    """
    import secrets

    path = settings.models / f"model-{secrets.token_hex(8)}.foretaste"
    trained = train(rating_store.all_ratings(store), spec, None, path, progress)
    with store.writing() as connection:
        number = model_store.add(connection, trained.row("trained"))
        model_store.activate(connection, number, "first")
    return trained.checks


def active_model(store: Store) -> dict[str, Any] | None:
    """Return name and parameters of the model that serves; None if none was ever activated."""
    with store.reading() as connection:
        found = model_store.active(connection)
    return None if found is None else found[1].spec


def hidden_items(store: Store, path: str) -> tuple[str, ...]:
    """Return the items that a file names, an id on a line; empty lines are left out.

    Raises
    ------
    NotFound
        If there is no such file, or no such item.
    BadData
        If it is no text, or a line is no id.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}", hint='hide="ids.txt"') from None
    except UnicodeDecodeError:
        raise BadData(f"{path} is no text in UTF-8", hint="an id on a line") from None
    kinds, found = rating_store.kinds_of(store), list[str]()
    with store.reading() as connection:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                item = kinds.text(line.strip(), "item")
            except BadData as error:
                raise BadData(f"{path}, line {number}: {error.message}", hint=error.hint) from None
            if not rating_store.has_item(connection, item):
                raise NotFound(
                    f"{path}, line {number}: there is no item {item!r}", hint="ids as the ratings have them"
                )
            found.append(item)
    return tuple(dict.fromkeys(found))


def first_audit(store: Store, ratings: Ratings) -> None:
    """Keep what an audit finds in the ratings, for the page; of very many, that waits until it is wanted."""
    if len(ratings) <= _AUDITED:
        admin_queries.keep_audit(store, ratings)


def first_key(store: Store) -> str | None:
    """Make an admin key if there is none; return it."""
    with store.writing() as connection:
        if any(key.role == "admin" and key.revoked_at is None for key in api_keys.listed(connection)):
            return None
        return api_keys.make(connection, "first", "admin")[0]


def tidy(settings: Settings, store: Store) -> None:
    """Clear what a service left that was killed."""
    with store.writing() as connection:
        jobs.reap(connection)
        for name in model_store.sweep(connection, settings.models):
            log.info("removed %s, which no model is kept in", name)
