"""``recommend``: the best items of one, some or all users."""

from __future__ import annotations

import logging
import numbers
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._native import group_rows
from foretaste._utils import memory
from foretaste._utils.threads import thread_count
from foretaste.errors import InvalidParameter, NotFound, did_you_mean, plain
from foretaste.features import Catalogue
from foretaste.ids import IdArray, IdIndex, Indices, as_id_column, is_canonical
from foretaste.models.base import Model
from foretaste.models.outputs import USER, Prediction
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation.recommendations import Recommendations
from foretaste.recommendation.topk import Ranking, Seen
from foretaste.validation import encode_pairs

log = logging.getLogger("foretaste")

_ROW_BYTES = 120  # of one recommendation, while it is found and put into words


def recommend(
    model: Model,
    users: Any = None,
    n: int = 10,
    *,
    exclude: Any = None,
    candidates: Any = None,
    catalogue: Catalogue | None = None,
    unknown: str = "refuse",
    threads: int | None = None,
) -> Recommendations:
    """Return the items that a model predicts the highest ratings for, user by user.

    Items are ranked exactly as the model's predictions stand before they are clipped to the scale (many can
    be clipped to the same highest rating); equal ones stand in the order of their ids. The number of threads
    and which other users are asked for change nothing, not a bit.

    Parameters
    ----------
    model : Model
        Fitted.
    users : id, or array-like of ids, optional
        Whom to recommend to; default: all whom the model knows. Text is accepted for number ids.
    n : int
        How many items each; fewer come where fewer are left.
    exclude : Ratings, data frame, or array-like of shape (n, 2), optional
        Pairs of a user and an item that are left out, mostly the ratings that the model learned from: a model
        does not keep them. Default: nothing is left out, and what users know already is recommended, too.
    candidates : id, or array-like of ids, optional
        The items to choose from; those that the model does not know are left out, and it is said how many.
        Default: all that the model knows.
    catalogue : Catalogue, optional
        For titles beside the ids.
    unknown : {"refuse", "fallback"}
        Whether a user whom the model does not know is an error, or gets what the model falls back to for
        users whom it does not know (see the model's page), marked in ``fallback``.
    threads : int, optional
        How many threads; None is all.

    Returns
    -------
    Recommendations

    Raises
    ------
    NotFound
        If a user is unknown, or not one of the candidates is known.
    InvalidParameter
        If ``n``, ``unknown``, ``threads`` or ``exclude`` is not allowed.
    BadData
        If ids are of another type than the model's.
    TooLarge
        If it would not fit into memory; ``recommend_all`` writes to a file, piece by piece.
    """
    work = Work(model, users, n, exclude, candidates, unknown, threads)
    size = _ROW_BYTES * len(work.user) * work.ranking.n
    memory.require(size, f"a list for each of {len(work.user)} users", "recommend_all(model, path, ...)")
    return work.part(slice(0, len(work.user)), catalogue)


class Work:
    """What is asked for, encoded: whom to recommend to, which items, what is left out.

    Parameters
    ----------
    model, users, n, exclude, candidates, unknown, threads
        As in ``recommend``.
    """

    def __init__(
        self, model: Any, users: Any, n: Any, exclude: Any, candidates: Any, unknown: str, threads: int | None
    ) -> None:
        _check(model, n, unknown, threads)
        self.model = model
        self.ids, self.user = _whom(model.users_, users, unknown)
        allowed = allowed_items(model.items_, candidates)
        self.ranking = Ranking(model, allowed, int(n), thread_count(threads))
        self.seen = None if exclude is None else _left_out(exclude, self.ids, model)

    def part(self, rows: slice, catalogue: Catalogue | None) -> Recommendations:
        """Return the recommendations of some of the users."""
        user = self.user[rows]
        whole = rows.start == 0 and rows.stop == len(self.user)
        items, scores = self.ranking.best(user, self.seen if whole else self.seen and self.seen.take(rows))
        there = items >= 0
        item = items[there]
        return Recommendations(
            users=self.ids[rows],
            starts=np.r_[0, np.cumsum(there.sum(axis=1))].astype(np.int64),
            ids=self.model.items_.ids[item],
            scores=self.model._clipped(Prediction(scores[there], np.zeros(len(item), np.int8))).value,
            fallback=np.where(user < 0, USER, 0).astype(np.int8),
            basis=repr(self.model),
            titles=None if catalogue is None else _titles(item, self.model.items_, catalogue),
        )


def _check(model: Any, n: Any, unknown: Any, threads: Any) -> None:
    if not isinstance(model, Model):
        raise InvalidParameter(
            f"recommendations come from a fitted model, not from {type(model).__name__}",
            hint="recommend(SVD().fit(ratings), users, exclude=ratings)",
        )
    model._check_fitted()
    if isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < 1:
        raise InvalidParameter(f"n={n!r} is not allowed; it must be a whole number at least 1", hint="n=10")
    if unknown not in ("refuse", "fallback"):
        raise InvalidParameter(
            f"unknown={unknown!r} is not allowed{did_you_mean(unknown, ('refuse', 'fallback'))}",
            hint='unknown="refuse" or "fallback"',
        )
    if threads is not None and (
        isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 1024
    ):
        raise InvalidParameter(
            f"threads={threads!r} is not allowed; it must be a whole number from 1 to 1024, or None",
            hint="threads=None",
        )


def _places(index: IdIndex, ids: Any, name: str) -> tuple[IdArray, Indices]:
    """Return ids as one array, and the index of each, -1 where it is unknown; text is read as numbers."""
    if isinstance(ids, IdIndex):
        ids = ids.ids
    elif isinstance(ids, str | numbers.Integral):
        ids = [ids]
    column = as_id_column(ids, name)
    if column.dtype == object and index.kind == "number":
        wrong = next((text for text in column if not is_canonical(text)), None)
        if wrong is not None:
            raise NotFound(f"the model does not know {name} {wrong!r}: its {name} ids are numbers")
        column = index.parse(column.tolist())
    return column, index.encode(column, name)


def _whom(known: IdIndex, users: Any, unknown: str) -> tuple[IdArray, Indices]:
    if users is None or users is known:
        return known.ids, np.arange(len(known), dtype=np.int32)
    ids, places = _places(known, users, "user")
    missing = np.flatnonzero(places < 0)
    if len(missing) and unknown == "refuse":
        first = plain(ids[missing[0]])
        near = did_you_mean(first, known.ids[:100_000].tolist())
        many = f" (and {len(missing) - 1} more of {len(ids)})" if len(missing) > 1 else ""
        raise NotFound(
            f"the model does not know user {first!r}{many}{near}",
            where=f"it knows users like {plain(known.ids[0])!r}",
            hint='unknown="fallback" for what the model falls back to',
        )
    return ids, places


def allowed_items(known: IdIndex, candidates: Any) -> Indices:
    """Return the items to choose from, increasing.

    Parameters
    ----------
    known : IdIndex
    candidates : id, or array-like of ids, optional
        Default: all that are known.

    Raises
    ------
    NotFound
        If not one of the candidates is known.
    """
    if candidates is None:
        return np.arange(len(known), dtype=np.int32)
    ids, places = _places(known, candidates, "item")
    missing = np.flatnonzero(places < 0)
    if len(missing):
        first = plain(ids[missing[0]])
        if len(missing) == len(ids):
            near = did_you_mean(first, known.ids[:100_000].tolist())
            raise NotFound(
                f"not one of {len(ids)} candidates is known to the model (first: {first!r}){near}",
                where=f"it knows items like {plain(known.ids[0])!r}",
            )
        log.warning(
            "%d of %d candidates are unknown to the model and left out (first: %r)",
            len(missing), len(ids), first,
        )  # fmt: skip
    return np.unique(places[places >= 0])


def _left_out(exclude: Any, ids: IdArray, model: Model) -> Seen:
    """Return the items that each user leaves out, a row for each of ``ids``."""
    if isinstance(exclude, Pairs) and not isinstance(exclude, Ratings):
        raise InvalidParameter("exclude must hold ids, not indices", hint="exclude=ratings")
    if ids is model.users_.ids:
        users, rows = model.users_, None
    else:
        users, rows = IdIndex.from_column(ids, "user")
    pairs = encode_pairs(exclude, users, model.items_)
    among = (pairs.user >= 0) & (pairs.item >= 0)
    user, item = (pairs.user, pairs.item) if among.all() else (pairs.user[among], pairs.item[among])
    if len(user) == 0 and len(ids):
        log.warning("exclude holds no item of these users that the model knows: nothing is left out")
    starts, order = group_rows(user, len(users))
    seen = Seen(starts, item[order])
    return seen if rows is None else seen.take(rows)


def _titles(item: npt.NDArray[np.int32], known: IdIndex, catalogue: Catalogue) -> list[str | None]:
    distinct, place = np.unique(item, return_inverse=True)
    titles = catalogue.titles(known.ids[distinct])
    if titles and not any(title is not None for title in titles):
        log.warning(
            "no titles: the catalogue knows none of the items (it knows items like %r)",
            plain(catalogue.items.ids[0]) if len(catalogue) else None,
        )
    return [titles[k] for k in place.tolist()]
