"""Rating prediction metrics: arrays in, a number out.

The true ratings come first. Both arguments are vectors, or aligned utility matrices in which NaN in the true
one means "no rating": only rated cells count.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste._native import concordant_pairs, group_rows
from foretaste.errors import DataError, Hint, InvalidParameterError
from foretaste.typing import Float64Array, IntpArray


def rmse(y_true: Any, y_pred: Any, weight: Any = None) -> float:
    """Return the root mean squared error, in rating units.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n,) or (users, items)
    weight : array-like, shape (n,), optional
        Sample weights.
    """
    true, pred, weights = _check_targets(y_true, y_pred, weight)
    return float(np.sqrt(np.average((true - pred) ** 2, weights=weights)))


def rmse_per_user(y_true: Any, y_pred: Any, user: Any) -> float:
    """Return the mean over users of each user's root mean squared error, in rating units.

    Users are weighted equally, however many test ratings they have; ``rmse`` weights ratings equally, and is
    mostly higher.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n,)
    user : int array, shape (n,)
        A code for the user of each row.
    """
    true, pred, _ = _check_targets(y_true, y_pred, None)
    codes = _encode_users(user, true)
    counts = np.bincount(codes)
    return float(np.mean(np.sqrt(np.bincount(codes, (true - pred) ** 2) / counts)))


def mae(y_true: Any, y_pred: Any, weight: Any = None) -> float:
    """Return the mean absolute error, in rating units.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n,) or (users, items)
    weight : array-like, shape (n,), optional
        Sample weights.
    """
    true, pred, weights = _check_targets(y_true, y_pred, weight)
    return float(np.average(np.abs(true - pred), weights=weights))


def nmae(y_true: Any, y_pred: Any, scale: tuple[float, float], weight: Any = None) -> float:
    """Return the mean absolute error as a fraction of the scale (Goldberg et al. 2001).

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n,) or (users, items)
    scale : (low, high)
        Lowest and highest rating: (-10, 10) for Jester gives MAE / 20.
    weight : array-like, shape (n,), optional
        Sample weights.
    """
    low, high = scale
    if not low < high:
        raise InvalidParameterError(
            "the low end must be below the high end", argument=("scale", scale), hint=Hint({"scale": (1, 5)})
        )
    return mae(y_true, y_pred, weight) / (high - low)


def r2(y_true: Any, y_pred: Any, weight: Any = None) -> float:
    """Return the coefficient of determination, R squared (1 is perfect, 0 is the mean of y_true).

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n,) or (users, items)
    weight : array-like, shape (n,), optional
        Sample weights.

    Raises
    ------
    DataError
        If there are fewer than two ratings.
    """
    true, pred, weights = _check_targets(y_true, y_pred, weight)
    if len(true) < 2:
        raise DataError(f"R squared needs at least two ratings; there are {len(true)}")
    total_variance = np.average((true - np.average(true, weights=weights)) ** 2, weights=weights)
    error_variance = np.average((true - pred) ** 2, weights=weights)
    if total_variance == 0:  # as in scikit-learn: 1 if perfect, else 0
        return 1.0 if error_variance == 0 else 0.0
    return float(1 - error_variance / total_variance)


def fcp(y_true: Any, y_pred: Any, user: Any) -> float:
    """Return the fraction of concordant pairs within users (Koren and Sill 2013).

    For each user, a pair of items rated differently is concordant if the predictions are in the same order,
    else (ties included) discordant; the counts are summed over users.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n,)
    user : int array, shape (n,)
        A code for the user of each row.

    Raises
    ------
    DataError
        If no user rated two items differently.
    """
    true, pred, _ = _check_targets(y_true, y_pred, None)
    codes = _encode_users(user, true)
    starts, order = group_rows(codes.astype(np.int32), int(codes.max(initial=-1)) + 1)
    concordant, discordant = (
        float(counts.sum()) for counts in concordant_pairs(starts, true[order], pred[order])
    )
    if concordant + discordant == 0:
        raise DataError("FCP needs a user who rated two items differently; there is none")
    return concordant / (concordant + discordant)


def _encode_users(user: Any, true: Float64Array) -> IntpArray:
    """Return the users of rows as consecutive codes from 0."""
    user = np.asarray(user)
    if user.shape != true.shape:
        raise DataError(f"user has the shape {user.shape}, the ratings {true.shape}; they must agree")
    return np.unique(user, return_inverse=True)[1]


def _check_targets(
    y_true: Any, y_pred: Any, weight: Any
) -> tuple[Float64Array, Float64Array, Float64Array | None]:
    """Validate the targets and return the rated cells as float64 vectors."""
    true = np.asarray(y_true, dtype=np.float64)
    pred = np.asarray(y_pred, dtype=np.float64)
    weights = None if weight is None else np.asarray(weight, dtype=np.float64)
    if true.shape != pred.shape:
        raise DataError(f"y_true has the shape {true.shape}, y_pred {pred.shape}; they must agree")
    if weights is not None and weights.shape != true.shape:
        raise DataError(f"weight has the shape {weights.shape}, y_true {true.shape}; they must agree")
    rated = np.isfinite(true)
    if true.ndim == 1 and not rated.all():
        raise DataError(f"y_true in row {int(np.flatnonzero(~rated)[0])} is not a finite number")
    if not rated.any():
        raise DataError("there is no rating to compare predictions with")
    true, pred = true[rated], pred[rated]
    if not np.isfinite(pred).all():
        raise DataError("y_pred has no finite number where y_true has a rating")
    return true, pred, None if weights is None else weights[rated]
