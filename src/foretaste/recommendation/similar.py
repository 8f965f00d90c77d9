"""``similar_items`` and ``similar_users``: the most similar items or users."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foretaste._native import top_items
from foretaste._utils import memory
from foretaste._utils.checks import check_choice, check_int
from foretaste._utils.formatting import format_text_table
from foretaste._utils.html import notebook_html, notebook_table
from foretaste.errors import Hint, InvalidParameterError, NotSupportedError
from foretaste.features import ItemCatalog
from foretaste.ids import IdIndex
from foretaste.models.base import Model, all_models
from foretaste.models.knn_imputation import KNNImputation
from foretaste.ratings import Ratings
from foretaste.recommendation.recommendations import truncate_title
from foretaste.similarity import METRICS, nearest_rows, similarities
from foretaste.typing import Float32Array, Float64Array, IdArray, IntpArray

_EXTRA_CANDIDATES = 8  # candidates beyond n


@dataclass(frozen=True, eq=False, repr=False)
class SimilarEntities:
    """Items or users by decreasing similarity to one of them.

    Parameters
    ----------
    ids : array of int64 or of str, shape (n,)
    similarity : float64 array, shape (n,)
        From -1 to 1.
    titles : list of (str or None), length n, optional
        With a catalog; None for items not in it.
    """

    ids: IdArray
    similarity: Float64Array
    titles: list[str | None] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def table(self) -> tuple[list[str], list[list[str]], str]:
        """Return headers, rows and alignment for display."""
        columns = [[str(id_) for id_ in self.ids.tolist()], [f"{value:.3f}" for value in self.similarity]]
        if self.titles is not None:
            columns.append([truncate_title(title) for title in self.titles])
        rows = [list(row) for row in zip(*columns, strict=True)]
        return ["id", "similarity", "title"][: len(columns)], rows, "rrl"[: len(columns)]

    def __repr__(self) -> str:
        return format_text_table(*self.table())

    def _repr_html_(self) -> str:
        return notebook_html(notebook_table(*self.table()))


def similar_items(
    source: Ratings | Model,
    item_id: Any,
    n: int = 5,
    metric: str = "cosine",
    catalog: ItemCatalog | None = None,
) -> SimilarEntities:
    """Return the items most similar to one, itself excluded.

    Parameters
    ----------
    source : Ratings or fitted Model
        Ratings: items are compared by their ratings; a missing one is 0 after centering, and norms run over
        all ratings of the item. ``KNNImputation``: by their columns of the imputed matrix. A model with
        factors: by their factors (``metric="cosine"`` only).
    item_id : int or str
    n : int
        Number of results; fewer if there are fewer.
    metric : {"cosine", "pearson", "adjusted_cosine"}
        The cosine of the ratings: uncentered, centered by item means, or centered by user means
        (Sarwar et al. 2001, section 3.1); see ``foretaste.similarity.similarities``.
    catalog : ItemCatalog, optional
        Adds titles.

    Returns
    -------
    SimilarEntities
        By decreasing similarity; ties in the order of their ids.

    Raises
    ------
    NotFoundError
        If the item is unknown.
    NotSupportedError
        If the model does not support it; the hint names those that do.
    InvalidParameterError
        If ``n`` or ``metric`` is invalid.
    """
    similar = _find_similar(source, item_id, n, metric, "item")
    return similar if catalog is None else replace(similar, titles=catalog.titles(similar.ids))


def similar_users(
    source: Ratings | Model, user_id: Any, n: int = 5, metric: str = "cosine"
) -> SimilarEntities:
    """Return the users most similar to one, who is excluded.

    Parameters
    ----------
    source : Ratings or fitted Model
        As in ``similar_items``, with users and items exchanged.
    user_id : int or str
    n : int
        Number of results; fewer if there are fewer.
    metric : {"cosine", "pearson", "adjusted_cosine"}
        The cosine of the ratings: uncentered, centered by user means, or centered by item means
        (Sarwar et al. 2001, section 3.1).

    Returns
    -------
    SimilarEntities
        By decreasing similarity; ties in the order of their ids.

    Raises
    ------
    NotFoundError
        If the user is unknown.
    NotSupportedError
        If the model does not support it; the hint names those that do.
    InvalidParameterError
        If ``n`` or ``metric`` is invalid.
    """
    return _find_similar(source, user_id, n, metric, "user")


def _find_similar(source: Any, id_: Any, n: int, metric: str, entity: str) -> SimilarEntities:
    check_choice("metric", metric, METRICS)
    check_int("n", n, low=1, suggestion=5)
    index, matrix, is_factors = _entity_vectors(source, metric, entity)
    row = index.index_of(id_, entity)
    nearest_pair = nearest_by_factors(matrix, row, int(n)) if is_factors else None
    if nearest_pair is None:
        similarity = similarities(matrix, row, metric)
        nearest_indices = nearest_rows(similarity, row, int(n))
        nearest_pair = nearest_indices, similarity[nearest_indices]
    return SimilarEntities(index.ids[nearest_pair[0]], nearest_pair[1])


def nearest_by_factors(factors: Float32Array, row: int, n: int) -> tuple[IntpArray, Float64Array] | None:
    """Return the rows most similar to one by the cosine of factors, comparing only candidates of a kernel.

    Parameters
    ----------
    factors : float32 array, shape (rows, factors)
    row : int
    n : int

    Returns
    -------
    indices, cosines : array, shape (n,)
        None where it does not pay off, or where rounding leaves a doubt that these are the most similar.
    """
    lengths = np.sqrt(np.einsum("if,if->i", factors, factors))
    n_candidates = n + _EXTRA_CANDIDATES
    if n_candidates >= len(factors) - 1 or not 1e-15 < lengths.min() <= lengths.max() < 1e15:
        return None
    normalized = np.ascontiguousarray(factors / lengths[:, None], np.float32)
    zero_bias = np.zeros(len(factors), np.float32)
    other_rows = np.delete(np.arange(len(factors), dtype=np.int32), row)
    query = np.zeros(1, np.int32)
    candidates, kernel_scores = top_items(
        normalized[row : row + 1], normalized, zero_bias, query, other_rows, None, None, n_candidates, 1
    )
    cosine = similarities(factors[np.r_[row, candidates[0]]], 0, "cosine")[1:]
    order = np.lexsort((candidates[0], -cosine))[:n]
    tolerance = (2 * factors.shape[1] + 16) * 2.0**-24
    if cosine[order[-1]] <= kernel_scores[0, -1] + tolerance:
        return None
    return candidates[0, order].astype(np.intp), cosine[order]


def _entity_vectors(source: Any, metric: str, entity: str) -> tuple[IdIndex, Any, bool]:
    """Return the ids of a side, a matrix with a row for each of them, and whether it holds factors."""
    if isinstance(source, Ratings):
        matrix = source.to_sparse()
        return (source.users, matrix, False) if entity == "user" else (source.items, matrix.T, False)
    if not isinstance(source, Model):
        raise InvalidParameterError(
            f"similar_{entity}s requires Ratings or a fitted model, not {type(source).__name__}",
            hint=f"similar_{entity}s(ratings, {entity}_id)",
        )
    source.check_fitted()
    index = source.users_ if entity == "user" else source.items_
    if isinstance(source, KNNImputation):
        size = 8 * source.imputed_.size
        memory.check_available(
            size, f"comparing {entity}s by the imputed matrix", f"similar_{entity}s(ratings, ...)"
        )
        return index, source.imputed_ if entity == "user" else source.imputed_.T, False
    return index, _entity_factors(source, metric, entity), True


def _entity_factors(model: Model, metric: str, entity: str) -> Float32Array:
    name = type(model).__name__
    linear = model.as_linear() if type(model).as_linear is not Model.as_linear else None
    if linear is None or linear.item_factors.shape[1] == 0:
        supported = [
            KNNImputation.__name__,
            *(model_type.__name__ for model_type in all_models() if _has_factors(model_type)),
        ]
        raise NotSupportedError(
            f"{name} has no {entity} factors or imputed ratings to compare",
            hint=f"similar_{entity}s(ratings, ...), or a model that can: {', '.join(sorted(supported))}",
        )
    if metric != "cosine":
        raise NotSupportedError(
            f"{name} compares {entity}s by the cosine of their factors only, not by {metric}",
            hint=Hint({"metric": "cosine"}, f"or similar_{entity}s of ratings, by any metric"),
        )
    return linear.user_factors if entity == "user" else linear.item_factors


def _has_factors(model: type[Model]) -> bool:
    return model.as_linear is not Model.as_linear and "factors" in model.param_specs()
