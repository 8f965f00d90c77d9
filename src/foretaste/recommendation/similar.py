"""What is like an item, and who is like a user."""

from __future__ import annotations

import html
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._native import top_items
from foretaste._utils import memory
from foretaste.errors import InvalidParameter, NotSupported
from foretaste.features import Catalogue
from foretaste.ids import IdArray, IdIndex
from foretaste.models.base import Model, known_models
from foretaste.models.knn_imputation import KNNImputation
from foretaste.ratings import Ratings
from foretaste.recommendation.recommendations import short
from foretaste.similarity import check_metric, nearest, similarities

_SPARE = 8  # rows compared beyond those wanted


@dataclass(frozen=True, eq=False, repr=False)
class Similar:
    """Items or users and how alike they are to one, the most alike first.

    Parameters
    ----------
    ids : array of int64 or of str, shape (n,)
    similarity : float64 array, shape (n,)
        From -1 to 1.
    titles : list of (str or None), length n, optional
        Where a catalogue was given; None for an item that it does not know.
    """

    ids: IdArray
    similarity: npt.NDArray[np.float64]
    titles: list[str | None] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def _rows(self) -> list[list[str]]:
        """Return the cells of the table as text."""
        columns = [[str(id_) for id_ in self.ids.tolist()], [f"{value:.3f}" for value in self.similarity]]
        if self.titles is not None:
            columns.append([short(title) for title in self.titles])
        return [list(row) for row in zip(*columns, strict=True)]

    def _names(self) -> list[str]:
        return ["id", "similarity", "title"][: 2 if self.titles is None else 3]

    def __repr__(self) -> str:
        lines = [self._names(), *self._rows()]
        width = max(len(line[0]) for line in lines)
        return "\n".join(
            "  ".join([line[0].rjust(width), line[1].rjust(len("similarity")), *line[2:]]) for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in self._names())
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def similar_items(
    source: Ratings | Model,
    item_id: Any,
    n: int = 5,
    metric: str = "cosine",
    catalogue: Catalogue | None = None,
) -> Similar:
    """Return the items most alike to one, which is itself left out.

    Parameters
    ----------
    source : Ratings or fitted Model
        Ratings: an item is the ratings that it got, a missing one counts as 0 (after centring) and norms run
        over all ratings of the item. ``KNNImputation``: an item is its column of the imputed matrix. A
        model with factors: an item is its factors (``metric="cosine"`` only).
    item_id : int or str
    n : int
        How many; fewer come if there are fewer.
    metric : {"cosine", "pearson", "adjusted_cosine"}
        The cosine of the two items' ratings: as they are, centred by the mean of each item, or by the mean
        of each user (Sarwar et al. 2001, section 3.1); see ``foretaste.similarity.similarities``.
    catalogue : Catalogue, optional
        For titles beside the ids.

    Returns
    -------
    Similar
        Sorted by similarity; equal ones in the order of their ids.

    Raises
    ------
    NotFound
        If the item is unknown.
    NotSupported
        If the model has nothing to compare items by; the hint names those that have.
    InvalidParameter
        If ``n`` or ``metric`` is not allowed.
    """
    found = _similar(source, item_id, n, metric, "item")
    return found if catalogue is None else Similar(found.ids, found.similarity, catalogue.titles(found.ids))


def similar_users(source: Ratings | Model, user_id: Any, n: int = 5, metric: str = "cosine") -> Similar:
    """Return the users most alike to one, who is left out.

    Parameters
    ----------
    source : Ratings or fitted Model
        As in ``similar_items``, with users and items in each other's place.
    user_id : int or str
    n : int
        How many; fewer come if there are fewer.
    metric : {"cosine", "pearson", "adjusted_cosine"}
        The cosine of the two users' ratings: as they are, centred by the mean of each user, or by the mean
        of each item (Sarwar et al. 2001, section 3.1).

    Returns
    -------
    Similar
        Sorted by similarity; equal ones in the order of their ids.

    Raises
    ------
    NotFound
        If the user is unknown.
    NotSupported
        If the model has nothing to compare users by; the hint names those that have.
    InvalidParameter
        If ``n`` or ``metric`` is not allowed.
    """
    return _similar(source, user_id, n, metric, "user")


def _similar(source: Any, id_: Any, n: int, metric: str, side: str) -> Similar:
    check_metric(metric)
    if isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < 1:
        raise InvalidParameter(f"n={n!r} is not allowed; it must be a whole number at least 1", hint="n=5")
    index, matrix, is_factors = _vectors(source, metric, side)
    row = index.index_of(id_, side)
    found = _proposed(matrix, row, int(n)) if is_factors else None
    if found is None:
        similarity = similarities(matrix, row, metric)
        chosen = nearest(similarity, row, int(n))
        found = chosen, similarity[chosen]
    return Similar(index.ids[found[0]], found[1])


def _proposed(
    factors: npt.NDArray[np.float32], row: int, n: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]] | None:
    """Return the n rows most alike to one and their cosines, comparing only those that a kernel proposes.

    None where it does not pay, or where rounding leaves a doubt whether these are all.
    """
    lengths = np.sqrt(np.einsum("if,if->i", factors, factors))
    keep = n + _SPARE
    if keep >= len(factors) - 1 or not 1e-15 < lengths.min() <= lengths.max() < 1e15:
        return None
    unit = np.ascontiguousarray(factors / lengths[:, None], np.float32)
    none = np.zeros(len(factors), np.float32)
    others = np.delete(np.arange(len(factors), dtype=np.int32), row)
    who = np.zeros(1, np.int32)
    places, rough = top_items(unit[row : row + 1], unit, none, who, others, None, None, keep, 1)
    cosine = similarities(factors[np.r_[row, places[0]]], 0, "cosine")[1:]
    order = np.lexsort((places[0], -cosine))[:n]
    slack = (2 * factors.shape[1] + 16) * 2.0**-24
    if cosine[order[-1]] <= rough[0, -1] + slack:
        return None
    return places[0, order].astype(np.intp), cosine[order]


def _vectors(source: Any, metric: str, side: str) -> tuple[IdIndex, Any, bool]:
    """Return the ids of a side, a matrix with a row for each of them, and whether it holds factors."""
    if isinstance(source, Ratings):
        matrix = source.to_sparse()
        return (source.users, matrix, False) if side == "user" else (source.items, matrix.T, False)
    if not isinstance(source, Model):
        raise InvalidParameter(
            f"similar {side}s come from Ratings or a fitted model, not from {type(source).__name__}",
            hint=f"similar_{side}s(ratings, {side}_id)",
        )
    source._check_fitted()
    index = source.users_ if side == "user" else source.items_
    if isinstance(source, KNNImputation):
        size = 8 * source.imputed_.size
        memory.require(size, f"comparing {side}s by the imputed matrix", f"similar_{side}s(ratings, ...)")
        return index, source.imputed_ if side == "user" else source.imputed_.T, False
    return index, _factors(source, metric, side), True


def _factors(model: Model, metric: str, side: str) -> npt.NDArray[np.float32]:
    name = type(model).__name__
    linear = model._linear() if type(model)._linear is not Model._linear else None
    if linear is None or linear.item_factors.shape[1] == 0:
        able = [KNNImputation.__name__, *(other.__name__ for other in known_models() if _has_factors(other))]
        raise NotSupported(
            f"{name} has nothing to compare {side}s by",
            hint=f"similar_{side}s(ratings, ...), or a model that can: {', '.join(sorted(able))}",
        )
    if metric != "cosine":
        raise NotSupported(
            f"{name} compares {side}s by the cosine of their factors, not by {metric}",
            hint='metric="cosine", or similar_' + f"{side}s(ratings, ..., metric={metric!r})",
        )
    return linear.user_factors if side == "user" else linear.item_factors


def _has_factors(model: type[Model]) -> bool:
    return model._linear is not Model._linear and "factors" in model.declarations()
