"""Matrix factorization with implicit feedback and temporal dynamics (timeSVD++)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import dot_pairs
from foretaste._utils import memory
from foretaste._utils.groupby import group_mean, sample_weights
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.errors import Hint, InvalidParameterError, ModelFileError
from foretaste.models._sgd import aligned_zeros, pad_to_simd
from foretaste.models.fold_in import FoldInRows
from foretaste.models.outputs import Contributions, Prediction
from foretaste.models.svdpp import SVDpp
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array, IndexArray, Int64Array


@estimator
class TimeSVDpp(SVDpp):
    r"""SVD++ with temporal dynamics of users and items (timeSVD++); requires timestamps.

    .. math:: \hat r_{ui}(t) = \mu + \sigma \Bigl( & b_u + b_{u,s(t)} + \alpha_u d_u(t)
              + b_i + b_{i,\mathrm{Bin}(t)} \\
              & + q_i \cdot \bigl( p_u + a_u d_u(t) + |N(u)|^{-1/2} \sum_{j \in N(u)} y_j \bigr) \Bigr)

    :math:`s(t)` is the period of ``session_hours`` hours that contains t: users differ between sessions
    (Koren's day effects; ``session_hours=24`` is a day of UTC). ``bins`` is the number of equal time bins of
    the item biases. With ``drift``, users change gradually: :math:`d_u(t) = \mathrm{sign}(t - t_u) |t -
    t_u|^\beta`, where :math:`t_u` is the mean time of the user's ratings and the time span has length 1; the
    bias changes by :math:`\alpha_u`, and with ``drift="factors"`` the factors by :math:`a_u`. Time parameters
    are penalized by their ``damping`` once per parameter, not once per rating, because most of them rest on
    few ratings.

    What is unknown counts as the average over the training ratings: a session or an item bin without
    ratings, a pair without a timestamp. Drift is constant outside of the time range of a user; a timestamp
    outside of the training range is in the nearest bin. Unknown users and items are as in SVD++; folded-in
    users have neither sessions nor drift, and folded-in items no bins.

    Koren, "Collaborative filtering with temporal dynamics", Communications of the ACM 53(4), 2010 (and KDD
    2009).
    """

    requires: ClassVar[frozenset[str]] = frozenset({"timestamp"})
    summary: ClassVar[str] = "SVD++ with user sessions, item time bins and user drift (timeSVD++)"

    session_hours: float = param(1.0, "length of a session in hours; 0: no session effects", low=0)
    session_damping: float = param(10.0, "L2 penalty of session biases", low=0)
    bins: int = param(30, "number of time bins per item; 0: none", low=0, high=10_000)
    bin_damping: float = param(100.0, "L2 penalty of item bin biases", low=0)
    drift: str = param("bias", "which user parameters drift with time", choices=("none", "bias", "factors"))
    drift_damping: float = param(50.0, "L2 penalty of user drifts", low=0)
    drift_exponent: float = param(
        0.4, "exponent of the time offset of drift", low=0, high=1, exclusive_low=True
    )

    first_: float = fitted_attribute()
    last_: float = fitted_attribute()
    user_first_: Float64Array = fitted_attribute("users", dtype="float64")
    user_last_: Float64Array = fitted_attribute("users", dtype="float64")
    user_mean_time_: Float64Array = fitted_attribute("users", dtype="float64")
    session_number_: Int64Array = fitted_attribute("numbers", dtype="int64")
    session_key_: Int64Array = fitted_attribute("sessions", dtype="int64")
    session_bias_: Float32Array = fitted_attribute("sessions")
    bin_bias_: Float32Array = fitted_attribute("items", "bins")
    drift_bias_: Float32Array = fitted_attribute("users")
    drift_factors_: Float32Array = fitted_attribute("users", "drift_factors")
    drift_center_: Float32Array = fitted_attribute("users")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        users, items = len(train.users), len(train.items)
        self._check_bins(items)
        timestamp = self._init_times(train)
        weight = sample_weights(train.weight, len(train))
        sessions = self._init_sessions(train, timestamp)
        bins = time_bin(timestamp, self.first_, self.last_, self.bins)
        cell = train.item * np.int32(self.bins) + bins
        deviation = self._drift_deviation(train.user, timestamp)
        rows: dict[str, Any] = {}
        tables: dict[str, Any] = {}
        if self.session_hours > 0:
            rows |= {"session": sessions, "sessions": len(self.session_key_)}
            tables |= {"session_bias": self.session_bias_, "session_damping": self.session_damping}
        if self.bins:
            rows |= {"bin": cell, "bins": items * self.bins}
            tables |= {"bin_bias": self.bin_bias_.ravel(), "bin_damping": self.bin_damping}
        if self.drift != "none":
            rows["deviation"] = deviation
            tables |= {"drift_bias": self.drift_bias_, "drift_damping": self.drift_damping}
        if self.drift == "factors":
            tables["drift_factors"] = aligned_zeros(users, pad_to_simd(self.factors))
            self.drift_factors_ = tables["drift_factors"][:, : self.factors]
        self._train(train, self._init_state(train, rows), progress, **tables)
        self._center_users(train, sessions, deviation, weight)
        self._center_items(train, cell, weight)

    def _check_bins(self, items: int) -> None:
        hint = Hint({"bins": max(1, self.bins // 10)})
        if items * self.bins >= 2**31:
            raise InvalidParameterError(
                f"TimeSVDpp: bins={self.bins} for {items} items are too many", hint=hint
            )
        memory.check_available(
            8 * items * self.bins, f"TimeSVDpp with {self.bins} bins of {items} items", hint
        )

    def _init_times(self, train: Ratings) -> Float64Array:
        """Set the time ranges, with effects of 0; return the timestamps as float64."""
        assert train.timestamp is not None  # noqa: S101 - ``requires`` is checked before
        timestamp, users, items = train.timestamp.astype(np.float64), len(train.users), len(train.items)
        self.first_, self.last_ = float(timestamp.min()), float(timestamp.max())
        self.user_first_, self.user_last_ = np.full(users, np.inf), np.full(users, -np.inf)
        np.minimum.at(self.user_first_, train.user, timestamp)
        np.maximum.at(self.user_last_, train.user, timestamp)
        # relative to the first timestamp: sums of seconds since 1970 would lose digits
        self.user_mean_time_ = self.first_ + group_mean(train.user, timestamp - self.first_, users)
        self.bin_bias_ = np.zeros((items, self.bins), np.float32)
        self.drift_bias_ = np.zeros(users, np.float32)
        self.drift_factors_ = np.zeros((users, 0), np.float32)
        return timestamp

    def _init_sessions(self, train: Ratings, timestamp: Float64Array) -> IndexArray:
        """Set the sessions of users, with effects of 0; return the session of each rating."""
        rows = slice(None) if self.session_hours > 0 else slice(0, 0)
        number = session_number(timestamp[rows], self.session_hours)
        self.session_number_, self.session_key_, session = index_sessions(train.user[rows], number)
        self.session_bias_ = np.zeros(len(self.session_key_), np.float32)
        return session

    def _drift_deviation(self, user: IndexArray, timestamp: Float64Array) -> Float32Array:
        clipped = np.clip(timestamp, self.user_first_[user], self.user_last_[user])
        return compute_drift(
            clipped, self.user_mean_time_[user], self.last_ - self.first_, self.drift_exponent
        )

    # Time effects are centered: their averages move into biases and factors.

    def _center_users(
        self, train: Ratings, session: IndexArray, deviation: Float32Array, weight: Float64Array
    ) -> None:
        users = len(train.users)
        if self.session_hours > 0:
            mean_effect = _mean_effect(train.user, self.session_bias_[session], users, weight)
            self.user_bias_ = self.user_bias_ + mean_effect
            self.session_bias_ = (
                self.session_bias_ - mean_effect[self.session_key_ // len(self.session_number_)]
            )
        self.drift_center_ = _mean_effect(train.user, deviation, users, weight)
        self.user_bias_ = self.user_bias_ + self.drift_bias_ * self.drift_center_
        self.drift_factors_ = np.ascontiguousarray(self.drift_factors_)
        if self.drift == "factors":
            self.user_factors_ = self.user_factors_ + self.drift_factors_ * self.drift_center_[:, None]

    def _center_items(self, train: Ratings, cell: IndexArray, weight: Float64Array) -> None:
        if not self.bins:
            return
        mean_effect = _mean_effect(train.item, self.bin_bias_.ravel()[cell], len(train.items), weight)
        rated = np.bincount(cell, weight, self.bin_bias_.size).reshape(self.bin_bias_.shape) > 0
        self.item_bias_ = self.item_bias_ + mean_effect
        self.bin_bias_ = np.where(rated, self.bin_bias_ - mean_effect[:, None], np.float32(0))

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._make_prediction(
            pairs, self._to_rating(self._predict_standardized(pairs) + self._time_effect(pairs))
        )

    def _time_effect(self, pairs: Pairs) -> Float32Array:
        """Return the time effect of each pair, relative to the average over time, in standard deviations."""
        if pairs.timestamp is None:
            return np.zeros(len(pairs), np.float32)
        timestamp = pairs.timestamp.astype(np.float64)
        user, item = np.maximum(pairs.user, 0), np.maximum(pairs.item, 0)
        item_effect = np.zeros(len(pairs), np.float32)
        if self.bin_bias_.shape[1]:
            bins = time_bin(timestamp, self.first_, self.last_, self.bin_bias_.shape[1])
            item_effect += self.bin_bias_[item, bins]
        number = session_number(timestamp, self.session_hours)
        session = lookup_sessions(user, number, self.session_number_, self.session_key_)
        # the last, 0, where there is no session
        user_effect = np.r_[self.session_bias_, np.float32(0)][session]
        if self.drift != "none":
            drift = self._drift_deviation(user, timestamp) - self.drift_center_[user]
            user_effect += drift * self.drift_bias_[user]
            if self.drift == "factors":
                user_effect += drift * self._drift_dot(pairs)
        zero = np.float32(0)
        return np.where(pairs.user >= 0, user_effect, zero) + np.where(pairs.item >= 0, item_effect, zero)

    def _drift_dot(self, pairs: Pairs) -> Float32Array:
        no_bias = np.zeros(len(self.users_), np.float32), np.zeros(len(self.items_), np.float32)
        factors = self.drift_factors_, self.item_factors_
        return dot_pairs(pairs.user, pairs.item, *factors, *no_bias, 0.0, resolve_threads(self.threads))

    def contributions(self, pairs: Pairs) -> Contributions:
        contributions = super().contributions(Pairs(pairs.user, pairs.item))
        time = np.float32(self.std_) * self._time_effect(pairs)
        return Contributions((*contributions.parts, "time"), np.column_stack([contributions.values, time]))

    def _item_time_effect(self, rows: FoldInRows) -> Float32Array:
        return self._time_effect(
            Pairs(np.full(len(rows.known_indices), -1, np.int32), rows.known_indices, rows.timestamp)
        )

    def _user_time_effect(self, rows: FoldInRows) -> Float32Array:
        return self._time_effect(
            Pairs(rows.known_indices, np.full(len(rows.known_indices), -1, np.int32), rows.timestamp)
        )

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        folded = super()._fold_in(new, entity)
        if entity is Entity.ITEM:
            folded.bin_bias_ = np.zeros((len(new.items), self.bin_bias_.shape[1]), np.float32)
            return folded
        users = len(new.users)
        folded.user_first_, folded.user_last_, folded.user_mean_time_ = np.full((3, users), self.first_)
        folded.drift_bias_, folded.drift_center_ = np.zeros((2, users), np.float32)
        folded.drift_factors_ = np.zeros((users, self.drift_factors_.shape[1]), np.float32)
        folded.session_key_, folded.session_bias_ = self.session_key_[:0], self.session_bias_[:0]
        return folded

    def set_state(self, state: dict[str, Any]) -> Self:
        super().set_state(state)
        n_factors = self.item_factors_.shape[1] if self.drift == "factors" else 0
        if self.drift_factors_.shape[1] != n_factors or (
            len(self.session_key_) and not len(self.session_number_)
        ):
            raise ModelFileError(
                f"the time parameters in the file do not fit drift={self.drift!r} and its factors"
            )
        return self


def _mean_effect(codes: IndexArray, effect: Float32Array, n: int, weight: Float64Array) -> Float32Array:
    """Return the weighted mean of an effect over the rows of each of n users (or items)."""
    return group_mean(codes, effect, n, weight).astype(np.float32)


def session_number(timestamp: Float64Array, hours: float) -> Int64Array:
    """Return the index of the period of ``hours`` (at least one second) that contains each timestamp."""
    return np.floor(timestamp / max(3600 * hours, 1.0)).astype(np.int64)


def index_sessions(user: IndexArray, number: Int64Array) -> tuple[Int64Array, Int64Array, IndexArray]:
    """Return the sessions: the distinct pairs of a user and a period.

    Returns
    -------
    numbers : int64 array, increasing
        The periods that occur.
    keys : int64 array, shape (sessions,), increasing
        Of each session: ``user * len(numbers)`` plus the index of its period in ``numbers``.
    session : int32 array, shape (n,)
        The session of each row.
    """
    numbers, index = np.unique(number, return_inverse=True)
    keys, session = np.unique(user.astype(np.int64) * len(numbers) + index, return_inverse=True)
    return numbers, keys, session.astype(np.int32)


def lookup_sessions(
    user: IndexArray, number: Int64Array, numbers: Int64Array, keys: Int64Array
) -> IndexArray:
    """Return the session of each (known) user in each period, -1 where there is none."""
    if len(keys) == 0 or len(numbers) == 0:
        return np.full(len(user), -1, np.int32)
    index = np.minimum(np.searchsorted(numbers, number), len(numbers) - 1)
    key = user.astype(np.int64) * len(numbers) + index
    key_index = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    exists = (numbers[index] == number) & (keys[key_index] == key)
    return np.where(exists, key_index, -1).astype(np.int32)


def time_bin(timestamp: Float64Array, first: float, last: float, bins: int) -> IndexArray:
    """Return which of ``bins`` equal parts of [first, last] contains each timestamp; outside, the nearest."""
    fraction = (timestamp - first) / max(last - first, 1.0)
    return np.clip(fraction * bins, 0, max(bins - 1, 0)).astype(np.int32)


def compute_drift(
    timestamp: Float64Array, center: Float64Array, span: float, exponent: float
) -> Float32Array:
    """Return ``sign(x) |x|^exponent`` of the offset ``x`` from the center in units of ``span``, -1 to 1."""
    offset = (timestamp - center) / max(span, 1.0)
    return np.asarray(np.sign(offset) * np.abs(offset) ** exponent, np.float32)
