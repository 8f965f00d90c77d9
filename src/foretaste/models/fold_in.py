"""Fold-in of new users or items: one ridge regression each, the opposite entity fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from foretaste._native import group_rows, ridge_users
from foretaste._utils.groupby import sample_weights
from foretaste._utils.threads import resolve_threads
from foretaste.errors import ModelFileError, NotSupportedError
from foretaste.models.base import Model
from foretaste.ratings import Ratings
from foretaste.typing import AnyArray, Entity, Float32Array, Float64Array, IndexArray, Int64Array
from foretaste.validation import check_id_types

M = TypeVar("M", bound=Model)


PRIOR_NAME = "the prior precision of user and item factors"

_MIN_VARIANCE = 1e-6  # of noise and factors: keeps the system positive definite
_EPSILON = 1e-12
_MAX_PRIOR_ROWS = 10_000  # a covariance is estimated from at most so many


@dataclass(frozen=True, eq=False)
class FoldInRows:
    """Ratings of new users for known items, or of new items by known users, grouped by the new ones.

    Parameters
    ----------
    new_indices, known_indices : int32 array, shape (n,)
        Indices of the new entity, increasing; indices of the opposite entity in the model.
    value, weight : float64 array, shape (n,)
    timestamp : int64 array, shape (n,), optional
    n_new : int
        Number of new users (or items), including those without rows.
    """

    new_indices: IndexArray
    known_indices: IndexArray
    value: Float64Array
    weight: Float64Array
    timestamp: Int64Array | None
    n_new: int


def known_ratings(model: Model, new: Ratings, entity: Entity = Entity.USER) -> Ratings:
    """Return the ratings of new users (or items), encoded in the model's own items (or users).

    Rows of items (users) unknown to the model are dropped. All new users (items) stay in the index, also
    those without a remaining row.

    Parameters
    ----------
    model : Model
    new : Ratings
    entity : Entity
        Which of the two is new.

    Raises
    ------
    DataError
        If the ids of the opposite entity are of another type than the known ones.
    """
    new_axis, known_ids = new.axis(entity.opposite), model.entity_ids(entity.opposite)
    check_id_types(new_axis.ids, known_ids, entity.opposite)
    indices = known_ids.indices_of(new_axis.ids.ids)[new_axis.codes]
    mask = indices >= 0
    rows = {
        "user": new.user[mask],
        "item": new.item[mask],
        "value": new.value[mask],
        "timestamp": None if new.timestamp is None else new.timestamp[mask],
        "weight": None if new.weight is None else new.weight[mask],
    }
    if entity is Entity.USER:
        return new.replace(**(rows | {"item": indices[mask], "items": known_ids, "item_features": None}))
    return new.replace(**(rows | {"user": indices[mask], "users": known_ids, "user_features": None}))


def fold_in_rows(model: Model, new: Ratings, entity: Entity = Entity.USER) -> FoldInRows:
    """Return ``known_ratings`` grouped by the new users (or items), without rows of weight 0."""
    known = known_ratings(model, new, entity)
    weight = sample_weights(known.weight, len(known))
    new_axis = known.axis(entity)
    _, order = new_axis.group_rows()
    rows = order[weight[order] > 0]
    timestamp = None if known.timestamp is None else known.timestamp[rows]
    value = known.value[rows].astype(np.float64)
    known_indices = known.axis(entity.opposite).codes[rows]
    return FoldInRows(new_axis.codes[rows], known_indices, value, weight[rows], timestamp, len(new_axis.ids))


def solve_ridge(
    rows: FoldInRows,
    residual: Float64Array,
    factors: Float32Array,
    penalty: Float64Array,
    threads: int | None,
    biased: bool = True,
) -> tuple[Float32Array, Float32Array]:
    """Return the biases and factors of new users (or items) by one ridge regression each.

    Parameters
    ----------
    rows : FoldInRows
    residual : float64 array, shape (n,)
        Regression target of each row.
    factors : float32 array, shape (known, factors)
        Factors of the opposite entity.
    penalty : float64 array, shape (size, size)
        Of ``prior_precision``.
    threads : int, optional
    biased : bool
        Whether biases are fitted; else they are 0.

    Returns
    -------
    float32 arrays, shapes (n_new,) and (n_new, factors)
        0 for those without rows.
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
    """Return the design matrix of a fold-in: a column of ones if ``biased``, and the factors."""
    ones = np.ones((len(factors), int(biased)), np.float32)
    return np.hstack([ones, factors])


def ridge_attribution(
    rows: FoldInRows,
    residual: Float64Array,
    design: Float32Array,
    penalty: Float64Array,
    target: Float64Array,
) -> Float64Array:
    """Return the contribution of each row of a ridge regression to a dot product with its solution.

    The solution is linear in the residuals ``r``: ``x = A^-1 sum_j w_j v_j r_j`` with
    ``A = sum_j w_j v_j v_j' + penalty``, so that ``target . x = sum_j (w_j v_j . A^-1 target) r_j``.

    Parameters
    ----------
    rows : FoldInRows
        Of one user.
    residual : float64 array, shape (n,)
        Regression target of each row.
    design : float32 array, shape (known, size)
    penalty : float64 array, shape (size, size)
    target : float64 array, shape (size,)

    Returns
    -------
    float64 array, shape (n,)
        They sum to ``target . x``.
    """
    selected = design[rows.known_indices].astype(np.float64)
    gram = np.einsum("na,nb->ab", rows.weight[:, None] * selected, selected) + penalty
    solution = np.linalg.solve(gram, target)
    return np.asarray(rows.weight * np.einsum("na,a->n", selected, solution) * residual)


def prior_precision(bias: Float32Array | None, factors: Float32Array, noise: float) -> Float64Array:
    """Return the precision of the Gaussian prior of biases and factors, scaled by the noise variance.

    If bias and factors of users (or items) have covariance ``C`` about 0, and ratings have noise of standard
    deviation ``s``, the maximum a posteriori estimate of a new one minimizes
    ``sum_j (r_j - v_j . x)^2 + x . (s^2 C^-1) x``.

    Parameters
    ----------
    bias : float32 array, shape (n,), or None
    factors : float32 array, shape (n, factors)
        Of users, or of items.
    noise : float
        RMSE in training, in the units of bias and factors.

    Returns
    -------
    float64 array, shape (size, size)
        The bias first, if there is one.
    """
    from threadpoolctl import threadpool_limits

    covariance = uncentered_covariance(bias, factors)
    size = len(covariance)
    # jitter keeps the matrix invertible where a direction has no variance
    covariance += (_MIN_VARIANCE * np.trace(covariance) / size + _EPSILON) * np.eye(size)
    with threadpool_limits(1):  # the bits do not depend on the number of threads
        inverse = np.linalg.inv(covariance)
    return np.ascontiguousarray(max(noise**2, _MIN_VARIANCE) * (inverse + inverse.T) / 2)


def uncentered_covariance(bias: Float32Array | None, factors: Float32Array) -> Float64Array:
    """Return the covariance about 0 of bias and factors of users (or items), those that are all 0 left out.

    Estimated from an evenly spaced sample where there are more than 10,000.

    Parameters
    ----------
    bias : float32 array, shape (n,), or None
    factors : float32 array, shape (n, factors)

    Returns
    -------
    float64 array, shape (size, size)
        The bias first, if there is one.
    """
    from threadpoolctl import threadpool_limits

    columns = [factors] if bias is None else [bias[:, None], factors]
    vectors = np.hstack(columns)[:: max(1, -(-len(factors) // _MAX_PRIOR_ROWS))].astype(np.float64)
    vectors = vectors[np.any(vectors != 0, axis=1)]
    with threadpool_limits(1):  # the bits do not depend on the number of threads
        return np.ascontiguousarray(vectors.T @ vectors / max(1, len(vectors)))


def check_penalties(model: Model, size: int) -> None:
    """Check that the penalties in a file fit its factors; a file of an earlier version has none.

    Raises
    ------
    ModelFileError
    """
    penalties = {entity: model.entity_array(entity, "penalty") for entity in Entity}
    if not any(penalty.size for penalty in penalties.values()):
        return
    for entity, penalty in penalties.items():
        if penalty.shape != (size, size) or (np.diag(penalty) <= 0).any() or (penalty != penalty.T).any():
            raise ModelFileError(f"{entity}_penalty_ in the file does not fit its factors")


def require_fitted_attr(model: Model, value: AnyArray, description: str) -> None:
    """Check that a fitted attribute is not empty, as it is in a model file of an earlier version.

    Raises
    ------
    NotSupportedError
        If it is empty; the hint says to refit.
    """
    if value.size == 0:
        name = type(model).__name__
        raise NotSupportedError(
            f"this {name} comes from a file by an earlier version, which lacks {description}",
            hint=f"refit: foretaste fit {name} ratings.csv -o model.foretaste, or model.fit(ratings)",
        )


def copy_fitted(model: M) -> M:
    """Return a copy of a fitted model, which shares its arrays."""
    copy = type(model)(**model.get_params(deep=False))
    for name, value in model.get_state().items():
        setattr(copy, name, value)
    return copy


def with_new_ids(
    model: M,
    new: Ratings,
    entity: Entity,
    attributes: Mapping[str, Any] = MappingProxyType({}),
    /,
    **entity_arrays: Any,
) -> M:
    """Return a copy of a fitted model whose users (or items) are those of ``new``.

    Range, fingerprint and number of ratings stay those of the training ratings.

    Parameters
    ----------
    model : Model
    new : Ratings
    entity : Entity
        Which of the two is new.
    attributes : mapping of str to object
        Other fitted attributes that change, by name: ``{"members_": members}``.
    **entity_arrays
        Fitted arrays of the new users (items), by the name in ``Model.entity_array``: ``bias=...``.
    """
    folded = copy_fitted(model)
    setattr(folded, f"{entity.plural}_", new.axis(entity).ids)
    for name, value in attributes.items():
        setattr(folded, name, np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value)
    for name, value in entity_arrays.items():
        folded.set_entity_array(entity, name, np.ascontiguousarray(value))
    return folded
