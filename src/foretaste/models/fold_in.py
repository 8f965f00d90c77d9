"""Taking in new users or new items: their numbers by one ridge regression each, the others as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from foretaste._native import group_rows, ridge_users
from foretaste._utils.threads import resolve_threads
from foretaste.errors import ModelFileError, NotSupportedError
from foretaste.ids import IdIndex
from foretaste.models.base import Model
from foretaste.ratings import Ratings
from foretaste.typing import AnyArray, Float32Array, Float64Array, IndexArray, Int64Array
from foretaste.validation import check_id_types

M = TypeVar("M", bound=Model)


PRIOR_NAME = "how people and items are spread"  # what the penalties say

_MIN_VARIANCE = 1e-6  # of noise and of spread, so that there is one answer, whatever was learned
_EPSILON = 1e-12
_MAX_PRIOR_ROWS = 10_000  # from how many a spread is taken, where there are more: every so many


@dataclass(frozen=True, eq=False)
class FoldInRows:
    """The ratings of new users for items that a model knows; or of new items by users that it knows.

    Parameters
    ----------
    new_indices, known_indices : int32 array, shape (n,)
        Those who are new, increasing; those of the model.
    value, weight : float64 array, shape (n,)
    timestamp : int64 array, shape (n,), optional
    n_new : int
        How many new ones there are, among them those without such a rating.
    """

    new_indices: IndexArray
    known_indices: IndexArray
    value: Float64Array
    weight: Float64Array
    timestamp: Int64Array | None
    n_new: int


def known_items(model: Model, new: Ratings) -> Ratings:
    """Return the ratings of new users in the model's own items; others say nothing to it and are left out.

    Every user of ``new`` stays in the index, also one of whom no rating is left.
    """
    return _select_known(model, new, "item")


def known_users(model: Model, new: Ratings) -> Ratings:
    """Return the ratings of new items by the model's own users; others say nothing to it and are left out.

    Every item of ``new`` stays in the index, also one of which no rating is left.
    """
    return _select_known(model, new, "user")


def _select_known(model: Model, new: Ratings, entity: str) -> Ratings:
    known_ids: IdIndex = getattr(model, f"{entity}s_")
    new_ids: IdIndex = getattr(new, f"{entity}s")
    check_id_types(new_ids, known_ids, entity)
    indices = known_ids.indices_of(new_ids.ids)[getattr(new, entity)]
    mask = indices >= 0
    columns: dict[str, Any] = {
        name: None if getattr(new, name) is None else getattr(new, name)[mask]
        for name in ("timestamp", "weight")
    }
    columns |= {"user": new.user[mask], "item": new.item[mask], "value": new.value[mask]}
    return new.replace(
        **(columns | {entity: indices[mask], f"{entity}s": known_ids, f"{entity}_features": None})
    )


def fold_in_rows(model: Model, new: Ratings, entity: str = "user") -> FoldInRows:
    """Return the ratings of those who are new, grouped; those of weight 0 are left out.

    Parameters
    ----------
    model : Model
    new : Ratings
    entity : {"user", "item"}
        Which of the two is new.

    Raises
    ------
    DataError
        If the ids of the other side are of another type than the known ones.
    """
    known_entity = "item" if entity == "user" else "user"
    known = _select_known(model, new, known_entity)
    weight = np.ones(len(known)) if known.weight is None else known.weight.astype(np.float64)
    new_indices, n_new = getattr(known, entity), len(getattr(known, f"{entity}s"))
    _, order = group_rows(new_indices, n_new)
    rows = order[weight[order] > 0]
    timestamp = None if known.timestamp is None else known.timestamp[rows]
    value = known.value[rows].astype(np.float64)
    return FoldInRows(
        new_indices[rows], getattr(known, known_entity)[rows], value, weight[rows], timestamp, n_new
    )


def solve_ridge(
    rows: FoldInRows,
    residual: Float64Array,
    factors: Float32Array,
    penalty: Float64Array,
    threads: int | None,
    biased: bool = True,
) -> tuple[Float32Array, Float32Array]:
    """Return the biases and factors that explain best what is left of the ratings of those who are new.

    Parameters
    ----------
    rows : KnownRows
    residual : float64 array, shape (n,)
        What biases and factors of the new ones must explain.
    factors : float32 array, shape (others, factors)
        Those of the other side.
    penalty : float64 array, shape (numbers, numbers)
        Of ``prior_precision``.
    threads : int, optional
    biased : bool
        Whether the new ones have biases, else these are 0.

    Returns
    -------
    float32 arrays, shapes (size,) and (size, factors)
        0 for one without ratings that the model can use.
    """
    design = design_matrix(factors, biased)
    indptr, _ = group_rows(rows.new_indices, rows.n_new)
    solution = ridge_users(
        indptr,
        rows.known_indices,
        residual.astype(np.float64),
        rows.weight,
        design,
        penalty,
        resolve_threads(threads),
    ).astype(np.float32)
    if not biased:
        return np.zeros(rows.n_new, np.float32), solution
    return np.ascontiguousarray(solution[:, 0]), np.ascontiguousarray(solution[:, 1:])


def design_matrix(factors: Float32Array, biased: bool) -> Float32Array:
    """Return what the numbers of a new one multiply in each rating: 1 for the bias, and factors."""
    ones = np.ones((len(factors), int(biased)), np.float32)
    return np.hstack([ones, factors])


def ridge_attribution(
    rows: FoldInRows,
    residual: Float64Array,
    design: Float32Array,
    penalty: Float64Array,
    target: Float64Array,
) -> Float64Array:
    """Return how much of a product with the solution of one ridge regression comes from each of its rows.

    The solution is linear in what it explains: ``x = A^-1 sum_j w_j v_j r_j`` with
    ``A = sum_j w_j v_j v_j' + penalty``, so that ``toward . x = sum_j (w_j v_j . A^-1 toward) r_j``.

    Parameters
    ----------
    rows : KnownRows
        Of one user.
    residual : float64 array, shape (n,)
        What each row asks of the solution.
    design : float32 array, shape (others, size)
    penalty : float64 array, shape (size, size)
    target : float64 array, shape (size,)

    Returns
    -------
    float64 array, shape (n,)
        Their sum is ``toward . x``.
    """
    selected = design[rows.known_indices].astype(np.float64)
    gram = np.einsum("na,nb->ab", rows.weight[:, None] * selected, selected) + penalty
    solution = np.linalg.solve(gram, target)
    return np.asarray(rows.weight * np.einsum("na,a->n", selected, solution) * residual)


def prior_precision(bias: Float32Array | None, factors: Float32Array, noise: float) -> Float64Array:
    """Return what draws the numbers of a new one to 0: how those of the others are spread, against noise.

    With the numbers of the learned ones spread about 0 with covariance ``C``, and ratings that deviate by
    noise ``s`` from what the numbers say, the most likely numbers of a new one minimise
    ``sum_j (r_j - v_j . x)^2 + x . (s^2 C^-1) x``.

    Parameters
    ----------
    bias : float32 array, shape (n,), or None
    factors : float32 array, shape (n, factors)
        Of users, or of items.
    noise : float
        The deviation of the training ratings from what was learned, in the units of bias and factors.

    Returns
    -------
    float64 array, shape (numbers, numbers)
        The bias first, if there is one.
    """
    from threadpoolctl import threadpool_limits

    covariance = uncentered_covariance(bias, factors)
    size = len(covariance)
    # a little more in every direction, so that what did not vary at all can be inverted
    covariance += (_MIN_VARIANCE * np.trace(covariance) / size + _EPSILON) * np.eye(size)
    with threadpool_limits(1):  # so that the bits are the same however many threads there are
        inverse = np.linalg.inv(covariance)
    return np.ascontiguousarray(max(noise**2, _MIN_VARIANCE) * (inverse + inverse.T) / 2)


def uncentered_covariance(bias: Float32Array | None, factors: Float32Array) -> Float64Array:
    """Return the covariance, about 0, of the numbers of users (or items) who have some.

    Where there are more than 10,000, every so many are enough.

    Parameters
    ----------
    bias : float32 array, shape (n,), or None
    factors : float32 array, shape (n, factors)

    Returns
    -------
    float64 array, shape (numbers, numbers)
        The bias first, if there is one.
    """
    from threadpoolctl import threadpool_limits

    columns = [factors] if bias is None else [bias[:, None], factors]
    vectors = np.hstack(columns)[:: max(1, -(-len(factors) // _MAX_PRIOR_ROWS))].astype(np.float64)
    vectors = vectors[np.any(vectors != 0, axis=1)]
    with threadpool_limits(1):  # so that the bits are the same however many threads there are
        return np.ascontiguousarray(vectors.T @ vectors / max(1, len(vectors)))


def check_penalties(model: Model, size: int) -> None:
    """Refuse a file whose penalties do not fit its factors; one by an earlier version has none of them.

    Raises
    ------
    ModelFileError
    """
    penalties = {name: getattr(model, name) for name in ("user_penalty_", "item_penalty_")}
    if not any(penalty.size for penalty in penalties.values()):
        return
    for name, penalty in penalties.items():
        if penalty.shape != (size, size) or (np.diag(penalty) <= 0).any() or (penalty != penalty.T).any():
            raise ModelFileError(f"{name} in the file does not fit its factors")


def require_fitted_attr(model: Model, value: AnyArray, description: str) -> None:
    """Refuse what needs something that the file of a model does not hold.

    Raises
    ------
    NotSupportedError
        If nothing is kept; the hint names learning again.
    """
    if value.size == 0:
        name = type(model).__name__
        raise NotSupportedError(
            f"this {name} comes from a file by an earlier version, which lacks {description}",
            hint=f"learn again: foretaste fit {name} ratings.csv -o model.foretaste, or model.fit(ratings)",
        )


def with_users(model: M, new: Ratings, **attributes: Any) -> M:
    """Return a fitted model like this one whose users are those of ``new``, of whom it learned these things.

    Range, fingerprint and number of ratings stay those of the training ratings.
    """
    return _copy_with(model, {"users_": new.users} | attributes)


def with_items(model: M, new: Ratings, **attributes: Any) -> M:
    """Return a fitted model like this one whose items are those of ``new``; see ``with_users``."""
    return _copy_with(model, {"items_": new.items} | attributes)


def _copy_with(model: M, attributes: dict[str, Any]) -> M:
    folded = type(model)(**model.get_params(deep=False))
    for name, value in (model.get_state() | attributes).items():
        setattr(folded, name, np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value)
    return folded
