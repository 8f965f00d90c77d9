"""Ratings of people in the database: one person's to show and to answer from, all of them to learn from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from foretaste.errors import BadData
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings
from foretaste.service.db.database import Connection, Store, put_fact, upsert
from foretaste.service.db.schema import activations, facts, items, people, ratings, visitors
from foretaste.service.id_codec import Kinds

_CHUNK = 20_000


@dataclass(frozen=True)
class Rated:
    """One rating of a person, as the database holds it.

    Parameters
    ----------
    item : str
    value : float
    rated_at : int or None
        Seconds since 1970.
    shown : float or None
        The prediction that the person saw before rating. No model learns from such a rating, but answers
        about the person rest on it.
    """

    item: str
    value: float
    rated_at: int | None
    shown: float | None


@dataclass(frozen=True)
class Moment:
    """What an answer about a person depends on: the same moment, the same answer.

    Parameters
    ----------
    version : int
        Of the person's ratings; 0 if none were changed since they were first read.
    erasures : int
        How many people's data were deleted.
    activation : int
        Number of the activation in force; 0 if there is no model.
    """

    version: int
    erasures: int
    activation: int


_MOMENT = sa.select(
    sa.select(people.c.version).where(people.c.user == sa.bindparam("who")).scalar_subquery(),
    sa.select(facts.c.value).where(facts.c.name == "erasures").scalar_subquery(),
    sa.select(sa.func.max(activations.c.number)).scalar_subquery(),
)
_GLANCE = (  # _MOMENT as SQLite is asked without SQLAlchemy
    "SELECT (SELECT version FROM people WHERE user = ?), (SELECT value FROM facts WHERE name = 'erasures'), "
    "(SELECT max(number) FROM activations)"
)
_OF_USER = (
    sa.select(ratings.c.item, ratings.c.value, ratings.c.rated_at, ratings.c.shown)
    .where(ratings.c.user == sa.bindparam("who"))
    .order_by(ratings.c.item)
)


def moment(connection: Connection, user: str) -> Moment:
    """Return what answers about a person depend on."""
    version, erasures, activation = connection.execute(_MOMENT, {"who": user}).one()
    return Moment(version or 0, int(erasures or 0), activation or 0)


def glance(store: Store, user: str) -> Moment | None:
    """Return ``moment`` if it can be had without waiting, else None."""
    found = store.glance(_GLANCE, (user,))
    return None if found is None else Moment(found[0] or 0, int(found[1] or 0), found[2] or 0)


def history(connection: Connection, user: str) -> list[Rated]:
    """Return all ratings of a person, by item as text."""
    return [Rated(*row) for row in connection.execute(_OF_USER, {"who": user})]


def page(connection: Connection, user: str, after: str, limit: int) -> list[Rated]:
    """Return some ratings of a person, those behind an item, by item as text."""
    some = _OF_USER.where(ratings.c.item > after).limit(limit)
    return [Rated(*row) for row in connection.execute(some, {"who": user})]


def put(connection: Connection, user: str, rated: Rated) -> tuple[bool, bool]:
    """Store a rating; return whether there was none before, and whether anything changed.

    The same rating once more changes nothing, not even its time.
    """
    where = (ratings.c.user == user) & (ratings.c.item == rated.item)
    before = connection.execute(sa.select(ratings.c.value).where(where).with_for_update()).scalar()
    if before is not None and before == rated.value:
        return False, False
    keys = {"user": user, "item": rated.item}
    values = {"value": rated.value, "rated_at": rated.rated_at, "shown": rated.shown}
    upsert(connection, ratings, keys | values, ("user", "item"))
    _touch(connection, user)
    return before is None, True


def delete(connection: Connection, user: str, item: str) -> bool:
    """Delete a rating; return whether there was one."""
    where = (ratings.c.user == user) & (ratings.c.item == item)
    gone = connection.execute(sa.delete(ratings).where(where)).rowcount > 0
    if gone:
        _touch(connection, user)
    return gone


def erase(connection: Connection, user: str) -> int:
    """Delete all that is kept of a person; return how many ratings that were."""
    gone = connection.execute(sa.delete(ratings).where(ratings.c.user == user)).rowcount
    connection.execute(sa.delete(people).where(people.c.user == user))
    connection.execute(sa.delete(visitors).where(visitors.c.user == user))
    # Counted by the database, for there may be two at once.
    one_more = sa.cast(sa.cast(facts.c.value, sa.BigInteger) + 1, sa.Text)
    connection.execute(sa.update(facts).where(facts.c.name == "erasures").values(value=one_more))
    return gone


def _touch(connection: Connection, user: str) -> None:
    before = connection.execute(sa.select(people.c.version).where(people.c.user == user)).scalar() or 0
    upsert(connection, people, {"user": user, "version": max(before + 1, time.time_ns())}, ("user",))


# All of them -----------------------------------------------------------------------------------------


def fill(connection: Connection, given: Ratings, titles: dict[str, str], name: str) -> None:
    """Store ratings and items in an empty database.

    Parameters
    ----------
    connection : Connection
        Of ``writing``.
    given : Ratings
    titles : dict of str to str
        By item id as text; items without ratings are stored, too.
    name : str
        What the ratings are called, so that another file is not taken for this one.
    """
    low, high = given.scale or (float(given.value.min()), float(given.value.max()))
    for fact, value in (
        ("user_kind", given.users.kind), ("item_kind", given.items.kind), ("low", repr(float(low))),
        ("high", repr(float(high))), ("declared", str(given.scale is not None)), ("name", name),
        ("erasures", "0"),
    ):  # fmt: skip
        put_fact(connection, fact, value)
    known = {str(item) for item in given.items}
    own = int if given.items.kind == "number" else str
    ids = sorted(known | set(titles), key=own)
    rows: list[dict[str, Any]] = [
        {"item": id_, "place": place, "title": titles.get(id_),
         "searched": f"{id_}\n{titles.get(id_, '')}".casefold()}
        for place, id_ in enumerate(ids)
    ]  # fmt: skip
    for start in range(0, len(rows), _CHUNK):
        connection.execute(sa.insert(items), rows[start : start + _CHUNK])
    _insert(connection, given)


def _insert(connection: Connection, given: Ratings) -> None:
    """Insert ratings, sorted as the table is."""
    users, names = [str(user) for user in given.users], [str(item) for item in given.items]
    order = np.lexsort((given.item, given.user))
    distinct, code = np.unique(given.value, return_inverse=True)
    shortest = np.array([float(str(value)) for value in distinct])  # 0.9, not 0.8999999761581421
    for start in range(0, len(order), _CHUNK):
        rows = order[start : start + _CHUNK]
        when = [None] * len(rows) if given.when is None else given.when[rows].tolist()
        columns = (given.user[rows].tolist(), given.item[rows].tolist(), shortest[code[rows]].tolist(), when)
        some = [(users[u], names[i], value, at) for u, i, value, at in zip(*columns, strict=True)]
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(
                "INSERT INTO ratings (user, item, value, rated_at) VALUES (?, ?, ?, ?)", some
            )
        else:
            cursor = connection.connection.cursor()
            with cursor.copy('COPY ratings ("user", item, value, rated_at) FROM STDIN') as copy:
                for row in some:
                    copy.write_row(row)


def kinds_of(store: Store) -> Kinds:
    """Return the types of the ids and the scale.

    Raises
    ------
    BadData
        If the database is empty.
    """
    known = store.facts()
    if "user_kind" not in known:
        raise BadData("the database holds no ratings", hint="foretaste serve RATINGS")
    return Kinds(known["user_kind"], known["item_kind"], float(known["low"]), float(known["high"]))


def all_ratings(store: Store) -> Ratings:
    """Return all ratings to learn from, as of one moment.

    Ratings given to items whose prediction was shown are left out: people are drawn towards what they see,
    and a model that learned from them would learn from itself. Times are left out unless every rating has
    one.

    Raises
    ------
    BadData
        If there are none.
    """
    kinds, known = kinds_of(store), store.facts()
    users, names = dict[str, int](), dict[str, int]()
    user, item, value, when = list[int](), list[int](), list[float](), list[int | None]()
    query = sa.select(ratings.c.user, ratings.c.item, ratings.c.value, ratings.c.rated_at)
    query = query.where(ratings.c.shown.is_(None))
    with store.reading() as connection:
        found = connection.execution_options(yield_per=_CHUNK).execute(query)
        for who, what, much, at in found:
            user.append(users.setdefault(who, len(users)))
            item.append(names.setdefault(what, len(names)))
            value.append(much)
            when.append(at)
    if not value:
        raise BadData(
            "the database holds no ratings that were given without a prediction in sight",
            hint="rate items before their predictions are shown",
        )
    return _as_ratings(kinds, known, (users, names), (user, item), value, when)


def count_of_shown(connection: Connection) -> int:
    """Return how many ratings ``all_ratings`` leaves out."""
    query = sa.select(sa.func.count()).select_from(ratings).where(ratings.c.shown.is_not(None))
    return int(connection.execute(query).scalar_one())


def _as_ratings(
    kinds: Kinds, known: dict[str, str], ids: tuple[dict[str, int], dict[str, int]],
    codes: tuple[list[int], list[int]], value: list[float], when: list[int | None],
) -> Ratings:  # fmt: skip
    index, coded = [], []
    for side, texts, places in zip(("user", "item"), ids, codes, strict=True):
        column = kinds.column(list(texts), side)
        order = np.argsort(column, kind="stable")
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        index.append(IdIndex(column[order]))
        coded.append(place[np.array(places, np.int64)])
    order = np.lexsort((coded[1], coded[0]))  # the same whatever order the database gives
    timed = None not in when
    return Ratings(
        user=coded[0][order], item=coded[1][order], value=np.array(value, np.float32)[order], weight=None,
        when=np.array(when, np.int64)[order] if timed else None, user_table=None, item_table=None,
        users=index[0], items=index[1],
        scale=(kinds.low, kinds.high) if known.get("declared") == "True" else None,
    )  # fmt: skip


def has_item(connection: Connection, item: str) -> bool:
    """Whether there is such an item."""
    return connection.execute(sa.select(items.c.place).where(items.c.item == item)).scalar() is not None


def titles(connection: Connection) -> dict[str, str]:
    """Return the titles of all items that have one, by id as text."""
    found = connection.execute(sa.select(items.c.item, items.c.title).where(items.c.title.is_not(None)))
    return {row.item: row.title for row in found}


def search(connection: Connection, words: str, after: int, limit: int) -> list[tuple[int, str, str | None]]:
    """Return items whose id or title contains all words, in the order of ids, those behind a place."""
    query = sa.select(items.c.place, items.c.item, items.c.title).where(items.c.place > after)
    for word in words.casefold().split():
        query = query.where(items.c.searched.contains(word, autoescape=True))
    found = connection.execute(query.order_by(items.c.place).limit(limit))
    return [(row.place, row.item, row.title) for row in found]
