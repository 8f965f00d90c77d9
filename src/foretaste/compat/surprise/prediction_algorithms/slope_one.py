"""Slope One: user mean plus mean deviation of the item from the user's rated items."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from foretaste._native import SurpriseDeviations
from foretaste._utils.threads import resolve_threads
from foretaste.compat.surprise._warnings import warn
from foretaste.compat.surprise.prediction_algorithms._neighborhood import RowCache, UnknownIds
from foretaste.compat.surprise.prediction_algorithms.algo_base import AlgoBase, BatchEstimates
from foretaste.compat.surprise.prediction_algorithms.predictions import (
    PredictionImpossible as PredictionImpossible,  # programs may take it from here, as in scikit-surprise
)
from foretaste.compat.surprise.row_stats import apply_by_row
from foretaste.compat.surprise.trainset import RatingArrays, Trainset
from foretaste.errors import DataError, NotFittedError
from foretaste.typing import Float64Array, IndexArray, Int64Array, IntpArray


class SlopeOne(AlgoBase):
    r"""Predict the user's mean plus the item's mean deviation from the items that the user rated.

    .. math:: \hat r_{ui} = \mu_u + \frac{1}{|R|} \sum_{j \in R} d_{ij}

    where :math:`R` are the items rated by :math:`u` that somebody rated together with :math:`i`, and
    :math:`d_{ij}` is the mean of :math:`r_{vi} - r_{vj}` over the users who rated both. As in
    scikit-surprise, :math:`d_{ij}` is of ratings truncated to integers; a warning reports where that
    changes them.

    ``fit`` builds no matrix: predictions compute the rows that they need; ``dev`` and ``freq`` are computed
    on first access.
    """

    def __init__(self) -> None:
        AlgoBase.__init__(self)

    def fit(self, trainset: Trainset) -> Self:
        """Set the trainset and compute user means."""
        AlgoBase.fit(self, trainset)
        rows = trainset.by_user()
        self.user_mean = list(apply_by_row(np.mean, rows.values, rows.starts)[: trainset.n_users])
        self._rows_by_user: RatingArrays = rows
        self._truncated_ratings = _truncate_ratings(trainset, rows)
        self._unknown_ids = UnknownIds(trainset)
        self._kernel: SurpriseDeviations | None = None
        self._row_cache: RowCache | None = None
        self._dev: Float64Array | None = None
        self._freq: IntpArray | None = None
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the kernel and the cache, which are rebuilt on demand."""
        state = vars(self).copy()
        return state | {key: None for key in ("_kernel", "_row_cache") if key in state}

    @property
    def dev(self) -> Float64Array:
        """Mean rating difference of each pair of items; computed on first access."""
        self._require_fit("dev")
        if self._dev is None:
            self._dev = self._get_kernel().matrix(resolve_threads())
        return self._dev

    @property
    def freq(self) -> IntpArray:
        """Number of users who rated both items of a pair; computed on first access."""
        self._require_fit("freq")
        if self._freq is None:
            self._freq = self._get_kernel().common(resolve_threads()).astype(np.intp)
        return self._freq

    def estimate(self, u: Any, i: Any) -> Any:
        """Predict one rating, before it is clipped to the scale."""
        return self._estimate_pair(u, i).value[0]

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates:
        known = self._unknown_ids.both_known(users, items)
        total, count = self._sums(np.where(known, users, np.int32(-1)), np.where(known, items, np.int32(-1)))
        mean = np.zeros(len(users))
        np.divide(total, count, out=mean, where=count > 0)
        unknown = dict.fromkeys(np.flatnonzero(~known).tolist(), "User and/or item is unknown.")
        return BatchEstimates(np.asarray(self.user_mean)[users] + mean, unknown)

    def _sums(self, users: IndexArray, items: IndexArray) -> tuple[Float64Array, Int64Array]:
        kernel = self._get_kernel()
        if len(users) != 1 or users[0] < 0:
            return kernel.sums(items, users, resolve_threads())
        if self._row_cache is None:
            self._row_cache = RowCache(kernel.row, self.trainset.n_items)
        total, count = kernel.sum_from(self._row_cache.row(int(items[0])), int(users[0]))
        return np.array([total]), np.array([count])

    def _get_kernel(self) -> SurpriseDeviations:
        if self._kernel is None:
            rows = self._rows_by_user
            self._kernel = SurpriseDeviations(
                rows.starts, rows.items, self._truncated_ratings, self.trainset.n_items, resolve_threads()
            )
        return self._kernel

    def _require_fit(self, name: str) -> None:
        if "_dev" not in vars(self):
            raise NotFittedError(f"SlopeOne has no {name} before fit", hint="algo.fit(trainset)")


def _truncate_ratings(trainset: Trainset, rows: RatingArrays) -> Float64Array:
    """Return ratings truncated to integers, with a warning if that changes them."""
    invalid = np.flatnonzero(~(np.abs(rows.values) < 2**31))
    if len(invalid):
        raise DataError(
            f"SlopeOne cannot take the rating {rows.values[invalid[0]]}: it must be a number within 2**31",
            where=_row_label(trainset, rows, int(invalid[0])),
            hint="leave these ratings out before they are loaded",
        )
    truncated = np.trunc(rows.values)
    changed = np.flatnonzero(truncated != rows.values)
    if len(changed):
        first = int(changed[0])
        warn(
            f"{_row_label(trainset, rows, first)}: SlopeOne truncates the rating {rows.values[first]:g} to "
            f"{truncated[first]:g} where it compares items, as scikit-surprise does silently "
            f"({len(changed):,} such)",
            "ratings as whole numbers, doubled if they go by halves; or foretaste.SlopeOne",
        )
    return truncated


def _row_label(trainset: Trainset, rows: RatingArrays, row: int) -> str:
    user, item = int(rows.users[row]), int(rows.items[row])
    return f"user {trainset.to_raw_uid(user)!r}, item {trainset.to_raw_iid(item)!r}"
