"""scikit-learn's ``KNNImputer`` with a native kernel: ``from foretaste.compat.sklearn import KNNImputer``.

Parameters, validation, attributes, tags and names are inherited. Only the imputation is replaced, and only
where its result is the same.
"""

from __future__ import annotations

import logging
import numbers
from typing import Any

import numpy as np

from foretaste._native import impute_from
from foretaste._utils.threads import resolve_threads
from foretaste.errors import MissingDependencyError
from foretaste.typing import AnyArray, BoolArray

try:
    from sklearn.impute import KNNImputer as _Original
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise MissingDependencyError(
        f"foretaste.compat.sklearn needs scikit-learn 1.6 or newer ({error})",
        hint='pip install "foretaste[sklearn]"',
    ) from None

__all__ = ["KNNImputer"]


_log = logging.getLogger("foretaste")

# In this range, the squares that scikit-learn sums neither overflow nor underflow.
_RANGE = {np.dtype(np.float32): (1e-15, 1e15), np.dtype(np.float64): (1e-140, 1e140)}


class KNNImputer(_Original):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's ``KNNImputer``: the same results, faster.

    Each missing cell is the mean of its column over the ``n_neighbors`` nearest of the rows seen by ``fit``
    that have the column. The distance of two rows is the Euclidean one over the columns that both have,
    scaled up for the columns missing in either. A row without any column in common with them gets the mean
    of the column.

    Parameters
    ----------
    missing_values : int, float, str, numpy.nan or None
        Marker of missing cells.
    n_neighbors : int
        Number of rows that each missing cell is imputed from.
    weights : {"uniform", "distance"} or callable
        Whether closer rows weigh more; a callable maps distances to weights.
    metric : {"nan_euclidean"} or callable
        The distance of two rows.
    copy : bool
        False imputes in place if the matrix is of floats.
    add_indicator : bool
        Whether indicator columns of missing cells are appended.
    keep_empty_features : bool
        Whether a column without values in ``fit`` is kept, as zeros, or dropped.

    Attributes
    ----------
    indicator_ : MissingIndicator or None
        Transformer that appends these columns.
    n_features_in_ : int
        Number of columns seen by ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if all are strings.

    Raises
    ------
    MissingDependencyError
        On import, without scikit-learn.

    Notes
    -----
    Ties are resolved in row order; scikit-learn leaves the order unspecified.
    Distances are summed in float64 without the cancellation of :math:`x^2 - 2xy + y^2`, so that nearly equal
    distances may be ranked differently from scikit-learn, but correctly.

    Callables, ``float16``, numbers so large or small that their squares leave the range of the type, and a
    training matrix changed after ``fit`` (``copy=False``) are imputed by scikit-learn; the logger
    ``foretaste`` reports the reason at level INFO.

    The number of threads is FORETASTE_THREADS, or every core; it never changes the result.

    Examples
    --------
    >>> import numpy as np
    >>> from foretaste.compat.sklearn import KNNImputer
    >>> KNNImputer(n_neighbors=2).fit_transform([[1, 2, np.nan], [3, 4, 3], [np.nan, 6, 5], [8, 8, 7]])
    array([[1. , 2. , 4. ],
           [3. , 4. , 3. ],
           [5.5, 6. , 5. ],
           [8. , 8. , 7. ]])
    """

    def transform(self, X: Any) -> Any:
        """Fill the missing cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows to fill.

        Returns
        -------
        array of shape (n_samples, n_features_out)
            The rows without missing cells, of the float type of ``X``; a frame after ``set_output``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before ``fit``.
        ValueError
            If ``X`` has other columns than ``fit`` saw, or infinite cells.
        """
        check_is_fitted(self)
        reason = _unsupported_parameter(self)
        if reason is not None:
            return self._transform_by_sklearn(X, reason)
        by_nan = _is_nan(self.missing_values)
        rows = validate_data(
            self,
            X,
            accept_sparse=False,
            dtype=(np.float64, np.float32, np.float16),
            force_writeable=True,
            ensure_all_finite="allow-nan" if by_nan else True,
            copy=self.copy,
            reset=False,
        )
        missing = _missing_mask(rows, self.missing_values)
        to_fill = missing & self._valid_mask
        rows_to_fill = np.flatnonzero(to_fill.any(axis=1))
        if len(rows_to_fill):
            reason = self._unsupported_cells(rows)
            if reason is not None:
                return self._transform_by_sklearn(X, reason)
            dtype = np.float32 if rows.dtype == self._fit_X.dtype == np.float32 else np.float64
            receivers = _with_nan(rows[rows_to_fill], missing[rows_to_fill], dtype)
            filled = impute_from(
                receivers,
                _with_nan(self._fit_X, self._mask_fit_X, dtype),
                int(min(self.n_neighbors, len(self._fit_X))),
                self.weights == "distance",
                resolve_threads(),
            )
            rows[rows_to_fill] = np.where(to_fill[rows_to_fill], filled, rows[rows_to_fill])
        return self._finalize(rows, missing)

    def _unsupported_cells(self, rows: AnyArray) -> str | None:
        """Return why scikit-learn imputes these values, or None."""
        fitted = self._fit_X
        for cells in (rows, fitted):
            if cells.dtype not in _RANGE:
                return f"numbers of type {cells.dtype}"
        if not np.array_equal(_missing_mask(fitted, self.missing_values), self._mask_fit_X):
            return "the training matrix was changed after fit"
        dtype = np.dtype(np.float32) if rows.dtype == fitted.dtype == np.float32 else np.dtype(np.float64)
        low, high = _RANGE[dtype]
        for cells in (rows, fitted):
            largest = _max_abs(cells, _missing_mask(cells, self.missing_values))
            if largest and not low <= largest <= high:
                return f"squares of {largest:.3g} leave the range of {dtype}"
        return None

    def _transform_by_sklearn(self, X: Any, reason: str) -> Any:
        _log.info("KNNImputer: %s; imputed by scikit-learn's own loops", reason)
        return super().transform(X)

    def _finalize(self, rows: AnyArray, missing: AnyArray) -> Any:
        """Drop or zero the columns that were empty in ``fit``, and append the indicator."""
        indicator = self._transform_indicator(missing)
        if self.keep_empty_features:
            rows[:, ~self._valid_mask] = 0
        else:
            rows = rows[:, self._valid_mask]
        return self._concatenate_indicator(rows, indicator)


def _unsupported_parameter(imputer: Any) -> str | None:
    """Return the parameter that requires scikit-learn's implementation, or None."""
    weights, metric = imputer.weights, imputer.metric
    if weights is not None and not (isinstance(weights, str) and weights in ("uniform", "distance")):
        return f"weights={weights!r}"
    if not (isinstance(metric, str) and metric == "nan_euclidean"):
        return f"metric={metric!r}"
    if not isinstance(imputer.missing_values, numbers.Real):
        return f"missing_values={imputer.missing_values!r}"
    if not isinstance(imputer.n_neighbors, numbers.Integral) or imputer.n_neighbors < 1:
        return f"n_neighbors={imputer.n_neighbors!r}"
    return None


def _is_nan(value: Any) -> bool:
    return bool(value != value)  # only NaN differs from itself


def _missing_mask(cells: AnyArray, value: Any) -> BoolArray:
    return np.isnan(cells) if _is_nan(value) else np.equal(cells, value)


def _max_abs(cells: AnyArray, missing: BoolArray) -> float:
    """Return the greatest absolute value of known cells; infinite or NaN if there is such a cell."""
    return float(np.max(np.abs(cells), initial=0, where=~missing))


def _with_nan(cells: AnyArray, missing: BoolArray, dtype: Any) -> AnyArray:
    """Return the cells, contiguous, of this type and NaN where they are missing."""
    cells = np.ascontiguousarray(cells, dtype=dtype)
    if np.isnan(cells[missing]).all():
        return cells
    return np.where(missing, dtype(np.nan), cells)
