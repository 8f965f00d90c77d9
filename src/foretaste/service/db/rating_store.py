"""Ratings and items in the database."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from foretaste.errors import DataError
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings
from foretaste.service.db.database import Connection, Database, put_setting, upsert
from foretaste.service.db.schema import items, ratings, settings, user_versions, visitors
from foretaste.service.id_codec import IdCodec

_CHUNK = 20_000


@dataclass(frozen=True)
class StoredRating:
    """One rating of a user.

    Parameters
    ----------
    item : str
    value : float
    rated_at : int or None
        Seconds since 1970.
    shown_prediction : float or None
        The prediction that the user saw before rating. Such a rating is excluded from training, but used for
        fold-in.
    """

    item: str
    value: float
    rated_at: int | None
    shown_prediction: float | None


_USER_RATINGS_QUERY = (
    sa.select(ratings.c.item, ratings.c.value, ratings.c.rated_at, ratings.c.shown_prediction)
    .where(ratings.c.user == sa.bindparam("user_id"))
    .order_by(ratings.c.item)
)


def get_user_ratings(connection: Connection, user: str) -> list[StoredRating]:
    """Return all ratings of a user, ordered by item id as text."""
    return [StoredRating(*row) for row in connection.execute(_USER_RATINGS_QUERY, {"user_id": user})]


def get_ratings_page(connection: Connection, user: str, after: str, limit: int) -> list[StoredRating]:
    """Return a page of a user's ratings: those after an item, ordered by item id as text."""
    query = _USER_RATINGS_QUERY.where(ratings.c.item > after).limit(limit)
    return [StoredRating(*row) for row in connection.execute(query, {"user_id": user})]


def put_rating(connection: Connection, user: str, rating: StoredRating) -> tuple[bool, bool]:
    """Insert or update a rating; return whether it was created, and whether anything changed.

    Putting the same value again changes nothing, not even the timestamp.
    """
    condition = (ratings.c.user == user) & (ratings.c.item == rating.item)
    previous = connection.execute(sa.select(ratings.c.value).where(condition).with_for_update()).scalar()
    if previous is not None and previous == rating.value:
        return False, False
    keys = {"user": user, "item": rating.item}
    values = {
        "value": rating.value, "rated_at": rating.rated_at, "shown_prediction": rating.shown_prediction
    }  # fmt: skip
    upsert(connection, ratings, keys | values, ("user", "item"))
    _bump_user_version(connection, user)
    return previous is None, True


def delete_rating(connection: Connection, user: str, item: str) -> bool:
    """Delete a rating; return whether it existed."""
    condition = (ratings.c.user == user) & (ratings.c.item == item)
    is_deleted = connection.execute(sa.delete(ratings).where(condition)).rowcount > 0
    if is_deleted:
        _bump_user_version(connection, user)
    return is_deleted


def delete_user(connection: Connection, user: str) -> int:
    """Delete all data of a user; return the number of ratings deleted."""
    n_deleted = connection.execute(sa.delete(ratings).where(ratings.c.user == user)).rowcount
    connection.execute(sa.delete(user_versions).where(user_versions.c.user == user))
    connection.execute(sa.delete(visitors).where(visitors.c.user == user))
    # Incremented in SQL, as deletions may run concurrently.
    incremented = sa.cast(sa.cast(settings.c.value, sa.BigInteger) + 1, sa.Text)
    is_count = settings.c.name == "deletion_count"
    connection.execute(sa.update(settings).where(is_count).values(value=incremented))
    return n_deleted


def _bump_user_version(connection: Connection, user: str) -> None:
    query = sa.select(user_versions.c.version).where(user_versions.c.user == user)
    previous = connection.execute(query).scalar() or 0
    upsert(connection, user_versions, {"user": user, "version": max(previous + 1, time.time_ns())}, ("user",))


# Import and training data ----------------------------------------------------------------------------


def import_ratings(connection: Connection, dataset: Ratings, titles: dict[str, str], name: str) -> None:
    """Import ratings and items into an empty database.

    Parameters
    ----------
    connection : Connection
        From ``write_transaction``.
    dataset : Ratings
    titles : dict of str to str
        By item id as text; items without ratings are imported, too.
    name : str
        Name of the dataset, compared when the service is started again.
    """
    low, high = dataset.scale or (float(dataset.value.min()), float(dataset.value.max()))
    for setting, value in (
        ("user_dtype", dataset.users.dtype), ("item_dtype", dataset.items.dtype), ("low", repr(float(low))),
        ("high", repr(float(high))), ("declared", str(dataset.scale is not None)), ("name", name),
        ("deletion_count", "0"),
    ):  # fmt: skip
        put_setting(connection, setting, value)
    known = {str(item) for item in dataset.items}
    id_type = int if dataset.items.dtype == "int" else str
    ids = sorted(known | set(titles), key=id_type)
    rows: list[dict[str, Any]] = [
        {"item": id_, "position": position, "title": titles.get(id_),
         "search_text": f"{id_}\n{titles.get(id_, '')}".casefold()}
        for position, id_ in enumerate(ids)
    ]  # fmt: skip
    for start in range(0, len(rows), _CHUNK):
        connection.execute(sa.insert(items), rows[start : start + _CHUNK])
    _insert_ratings(connection, dataset)


def _insert_ratings(connection: Connection, dataset: Ratings) -> None:
    """Insert ratings in the order of the primary key."""
    user_ids, item_ids = [str(user) for user in dataset.users], [str(item) for item in dataset.items]
    order = np.lexsort((dataset.item, dataset.user))
    distinct, value_codes = np.unique(dataset.value, return_inverse=True)
    shortest = np.array(
        [float(str(value)) for value in distinct]
    )  # shortest repr of the float32: 0.9, not 0.8999999761581421
    for start in range(0, len(order), _CHUNK):
        rows = order[start : start + _CHUNK]
        timestamps = [None] * len(rows) if dataset.timestamp is None else dataset.timestamp[rows].tolist()
        users, items_ = dataset.user[rows].tolist(), dataset.item[rows].tolist()
        values = shortest[value_codes[rows]].tolist()
        batch = [
            (user_ids[user], item_ids[item], value, timestamp)
            for user, item, value, timestamp in zip(users, items_, values, timestamps, strict=True)
        ]
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "INSERT INTO ratings (user, item, value, rated_at) VALUES (?, ?, ?, ?)", batch
            )
        else:
            cursor = connection.connection.cursor()
            with cursor.copy('COPY ratings ("user", item, value, rated_at) FROM STDIN') as copy:
                for row in batch:
                    copy.write_row(row)


_ID_TYPES = {"number": "int", "text": "str"}  # as databases of 0.1.0 name them


def load_id_codec(database: Database) -> IdCodec:
    """Return the codec for the database's id types and rating scale.

    Raises
    ------
    DataError
        If the database is empty.
    """
    stored = database.get_settings()
    if "user_dtype" not in stored:
        raise DataError("the database contains no ratings", hint="foretaste serve RATINGS")
    return IdCodec(stored["user_dtype"], stored["item_dtype"], float(stored["low"]), float(stored["high"]))


def load_training_ratings(database: Database) -> Ratings:
    """Return the training data, read from one snapshot.

    Ratings that followed a shown prediction are excluded: users are biased towards what they see, and a model
    trained on them would reinforce itself. Timestamps are dropped unless every rating has one.

    Raises
    ------
    DataError
        If there are no ratings to train on.
    """
    codec, stored_settings = load_id_codec(database), database.get_settings()
    user_codes, item_codes = dict[str, int](), dict[str, int]()
    user, item, value, timestamps = list[int](), list[int](), list[float](), list[int | None]()
    query = sa.select(ratings.c.user, ratings.c.item, ratings.c.value, ratings.c.rated_at)
    query = query.where(ratings.c.shown_prediction.is_(None))
    with database.read_connection() as connection:
        result = connection.execution_options(yield_per=_CHUNK).execute(query)
        for user_text, item_text, rating_value, rated_at in result:
            user.append(user_codes.setdefault(user_text, len(user_codes)))
            item.append(item_codes.setdefault(item_text, len(item_codes)))
            value.append(rating_value)
            timestamps.append(rated_at)
    if not value:
        raise DataError(
            "no ratings to train on: all followed a shown prediction",
            hint="rate items before their predictions are shown",
        )
    return _to_ratings(codec, stored_settings, (user_codes, item_codes), (user, item), value, timestamps)


def count_excluded_ratings(connection: Connection) -> int:
    """Return how many ratings ``load_training_ratings`` excludes."""
    query = sa.select(sa.func.count()).select_from(ratings)
    return int(connection.execute(query.where(ratings.c.shown_prediction.is_not(None))).scalar_one())


def _to_ratings(
    codec: IdCodec, stored_settings: dict[str, str], ids: tuple[dict[str, int], dict[str, int]],
    codes: tuple[list[int], list[int]], value: list[float], timestamps: list[int | None],
) -> Ratings:  # fmt: skip
    indexes, encoded = [], []
    for entity, texts, entity_codes in zip(("user", "item"), ids, codes, strict=True):
        index, index_of_code = IdIndex.from_column(codec.to_array(list(texts), entity), entity)
        indexes.append(index)
        encoded.append(index_of_code[np.array(entity_codes, np.int64)])
    order = np.lexsort((encoded[1], encoded[0]))  # independent of the database's row order
    has_timestamps = None not in timestamps
    return Ratings(
        user=encoded[0][order], item=encoded[1][order], value=np.array(value, np.float32)[order], weight=None,
        timestamp=np.array(timestamps, np.int64)[order] if has_timestamps else None,
        user_features=None, item_features=None, users=indexes[0], items=indexes[1],
        scale=(codec.low, codec.high) if stored_settings.get("declared") == "True" else None,
    )  # fmt: skip


def has_item(connection: Connection, item: str) -> bool:
    """Whether the item exists."""
    return connection.execute(sa.select(items.c.position).where(items.c.item == item)).scalar() is not None


def get_item_titles(connection: Connection) -> dict[str, str]:
    """Return the titles of all items that have one, by item id as text."""
    rows = connection.execute(sa.select(items.c.item, items.c.title).where(items.c.title.is_not(None)))
    return {row.item: row.title for row in rows}


def search_items(
    connection: Connection, words: str, after: int, limit: int
) -> list[tuple[int, str, str | None]]:
    """Return position, id and title of items whose id or title contains all words, in id order.

    Parameters
    ----------
    connection : Connection
    words : str
        Separated by spaces; case is ignored.
    after : int
        Only items with a larger position, for paging.
    limit : int
    """
    query = sa.select(items.c.position, items.c.item, items.c.title).where(items.c.position > after)
    for word in words.casefold().split():
        query = query.where(items.c.search_text.contains(word, autoescape=True))
    rows = connection.execute(query.order_by(items.c.position).limit(limit))
    return [(row.position, row.item, row.title) for row in rows]
