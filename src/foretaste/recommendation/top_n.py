"""``recommend``: the top-N items of one, some or all users."""

from __future__ import annotations

import logging
import numbers
from typing import Any

import numpy as np

from foretaste._native import group_rows
from foretaste._utils import memory
from foretaste._utils.checks import check_choice, check_int
from foretaste._utils.threads import resolve_threads
from foretaste.errors import Hint, InvalidParameterError, NotFoundError, to_python
from foretaste.features import ItemCatalog
from foretaste.ids import IdIndex, as_id_column, is_plain_integer
from foretaste.models.base import Model
from foretaste.models.outputs import Fallback, Prediction
from foretaste.ratings import Pairs, Ratings
from foretaste.recommendation.recommendations import Recommendations
from foretaste.recommendation.topk import ExcludedItems, TopKRanker
from foretaste.typing import IdArray, IndexArray
from foretaste.validation import encode_pairs

log = logging.getLogger("foretaste")

_ROW_BYTES = 120  # peak memory of one recommendation


def recommend(
    model: Model,
    users: Any = None,
    n: int = 10,
    *,
    exclude: Any = None,
    candidates: Any = None,
    catalog: ItemCatalog | None = None,
    unknown_users: str = "raise",
    threads: int | None = None,
) -> Recommendations:
    """Return the top-N items of each user by predicted rating.

    Items are ranked by predictions before clipping (clipping ties many items at the highest rating); ties are
    in the order of their ids. Results are bit-identical for any number of threads and any set of other users.

    Parameters
    ----------
    model : Model
        Fitted.
    users : id, or array-like of ids, optional
        Default: all known users. Strings are accepted for integer ids.
    n : int
        Number of items per user; fewer where fewer are left.
    exclude : Ratings, data frame, or array-like of shape (n, 2), optional
        Pairs of a user and an item to exclude, usually the training ratings, which models do not store.
        Default: nothing is excluded, so items that users rated already are recommended as well.
    candidates : id, or array-like of ids, optional
        The candidate items; unknown ones are ignored and logged. Default: all known items.
    catalog : ItemCatalog, optional
        Adds titles.
    unknown_users : {"raise", "fallback"}
        Whether an unknown user is an error, or gets the model's fallback for unknown users (see the model's
        page), marked in ``fallback``.
    threads : int, optional
        Default: all cores.

    Returns
    -------
    Recommendations

    Raises
    ------
    NotFoundError
        If a user is unknown, or no candidate is known.
    InvalidParameterError
        If ``n``, ``unknown_users``, ``threads`` or ``exclude`` is invalid.
    DataError
        If ids are of another type than the model's.
    NotEnoughMemoryError
        If the result would not fit into memory; ``recommend_all`` writes to a file in batches.
    """
    job = RecommendJob(model, users, n, exclude, candidates, unknown_users, threads)
    size = _ROW_BYTES * len(job.user_indices) * job.ranker.n
    memory.check_available(
        size, f"a list for each of {len(job.user_indices)} users", "recommend_all(model, path, ...)"
    )
    return job.recommend_rows(slice(0, len(job.user_indices)), catalog)


class RecommendJob:
    """A validated and encoded request: users, candidate items and excluded pairs.

    Parameters
    ----------
    model, users, n, exclude, candidates, unknown_users, threads
        As in ``recommend``.
    """

    def __init__(
        self,
        model: Any,
        users: Any,
        n: Any,
        exclude: Any,
        candidates: Any,
        unknown_users: str,
        threads: int | None,
    ) -> None:
        _check_arguments(model, n, unknown_users, threads)
        self.model = model
        self.user_ids, self.user_indices = _resolve_users(model.users_, users, unknown_users)
        candidate_indices = resolve_candidates(model.items_, candidates)
        self.ranker = TopKRanker(model, candidate_indices, int(n), resolve_threads(threads))
        self.excluded = None if exclude is None else _encode_excluded(exclude, self.user_ids, model)

    def recommend_rows(self, rows: slice, catalog: ItemCatalog | None) -> Recommendations:
        """Return the recommendations of a slice of the users."""
        user_indices = self.user_indices[rows]
        all_rows = rows.start == 0 and rows.stop == len(self.user_indices)
        items, scores = self.ranker.topk(
            user_indices, self.excluded if all_rows else self.excluded and self.excluded.take_rows(rows)
        )
        valid = items >= 0
        item = items[valid]
        return Recommendations(
            users=self.user_ids[rows],
            starts=np.r_[0, np.cumsum(valid.sum(axis=1))].astype(np.int64),
            ids=self.model.items_.ids[item],
            scores=self.model.clip_predictions(Prediction(scores[valid], np.zeros(len(item), np.int8))).value,
            fallback=np.where(user_indices < 0, Fallback.USER, Fallback.NONE).astype(np.int8),
            model=repr(self.model),
            titles=None if catalog is None else _item_titles(item, self.model.items_, catalog),
        )


def _check_arguments(model: Any, n: Any, unknown_users: Any, threads: Any) -> None:
    if not isinstance(model, Model):
        raise InvalidParameterError(
            f"recommend requires a fitted model, not {type(model).__name__}",
            hint="recommend(SVD().fit(ratings), users, exclude=ratings)",
        )
    model.check_fitted()
    check_int("n", n, low=1, suggestion=10)
    check_choice("unknown_users", unknown_users, ("raise", "fallback"))
    if threads is not None:
        check_int("threads", threads, low=1, high=1024)


def _resolve_ids(index: IdIndex, ids: Any, name: str) -> tuple[IdArray, IndexArray]:
    """Return ids as an array, and the index of each, -1 if unknown; strings are parsed for integer ids."""
    if isinstance(ids, IdIndex):
        ids = ids.ids
    elif isinstance(ids, str | numbers.Integral):
        ids = [ids]
    column = as_id_column(ids, name)
    if column.dtype == object and index.dtype == "int":
        invalid = next((text for text in column if not is_plain_integer(text)), None)
        if invalid is not None:
            raise NotFoundError(f"the model does not know {name} {invalid!r}: its {name} ids are integers")
        column = index.parse(column.tolist())
    return column, index.encode(column, name)


def _resolve_users(known: IdIndex, users: Any, unknown_users: str) -> tuple[IdArray, IndexArray]:
    if users is None or users is known:
        return known.ids, np.arange(len(known), dtype=np.int32)
    ids, indices = _resolve_ids(known, users, "user")
    missing = np.flatnonzero(indices < 0)
    if len(missing) and unknown_users == "raise":
        first = to_python(ids[missing[0]])
        more = f" (and {len(missing) - 1} more of {len(ids)})" if len(missing) > 1 else ""
        raise NotFoundError(
            f"the model does not know user {first!r}{more}",
            misspelled=(first, known.ids[:100_000].tolist()),
            where=f"it knows users like {to_python(known.ids[0])!r}",
            hint=Hint({"unknown_users": "fallback"}, "for the fallback of the model"),
        )
    return ids, indices


def resolve_candidates(known: IdIndex, candidates: Any) -> IndexArray:
    """Return the indices of the candidate items, increasing.

    Parameters
    ----------
    known : IdIndex
    candidates : id, or array-like of ids, optional
        Default: all known items.

    Raises
    ------
    NotFoundError
        If no candidate is known.
    """
    if candidates is None:
        return np.arange(len(known), dtype=np.int32)
    ids, indices = _resolve_ids(known, candidates, "item")
    missing = np.flatnonzero(indices < 0)
    if len(missing):
        first = to_python(ids[missing[0]])
        if len(missing) == len(ids):
            raise NotFoundError(
                f"none of the {len(ids)} candidates is known to the model (first: {first!r})",
                misspelled=(first, known.ids[:100_000].tolist()),
                where=f"it knows items like {to_python(known.ids[0])!r}",
            )
        log.warning(
            "%d of %d candidates are unknown to the model and ignored (first: %r)",
            len(missing), len(ids), first,
        )  # fmt: skip
    return np.unique(indices[indices >= 0])


def _encode_excluded(exclude: Any, ids: IdArray, model: Model) -> ExcludedItems:
    """Return the excluded items of each user, one row per id."""
    if isinstance(exclude, Pairs) and not isinstance(exclude, Ratings):
        raise InvalidParameterError("exclude must hold ids, not indices", hint="exclude=ratings")
    if ids is model.users_.ids:
        users, rows = model.users_, None
    else:
        users, rows = IdIndex.from_column(ids, "user")
    pairs = encode_pairs(exclude, users, model.items_)
    is_known = (pairs.user >= 0) & (pairs.item >= 0)
    user, item = (pairs.user, pairs.item) if is_known.all() else (pairs.user[is_known], pairs.item[is_known])
    if len(user) == 0 and len(ids):
        log.warning("exclude has no known item of these users: nothing is excluded")
    starts, order = group_rows(user, len(users))
    excluded = ExcludedItems(starts, item[order])
    return excluded if rows is None else excluded.take_rows(rows)


def _item_titles(item: IndexArray, known: IdIndex, catalog: ItemCatalog) -> list[str | None]:
    unique_items, inverse = np.unique(item, return_inverse=True)
    titles = catalog.titles(known.ids[unique_items])
    if titles and not any(title is not None for title in titles):
        log.warning(
            "no titles: none of the items is in the catalog (its ids are like %r)",
            to_python(catalog.items.ids[0]) if len(catalog) else None,
        )
    return [titles[k] for k in inverse.tolist()]
