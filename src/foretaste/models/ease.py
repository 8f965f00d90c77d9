"""EASE: a linear item-item model in closed form."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._native import gram_matrix, group_rows, item_scores
from foretaste._utils import memory
from foretaste._utils.groupby import group_mean
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.errors import Hint, InvalidParameterError, ModelFileError
from foretaste.models._calibration import fit_increasing_line
from foretaste.models.base import Model
from foretaste.models.bias import Bias
from foretaste.models.fold_in import known_ratings, with_new_ids
from foretaste.models.outputs import Contributions, Prediction, RatingAttribution
from foretaste.params import estimator, fitted_attribute, param, threads_param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array, IndexArray, Int64Array


@estimator
class EASE(Model):
    r"""Predict from the user's other ratings by item-item weights, in closed form (EASE).

    :math:`\hat r_{ui} = \mu + b_u + b_i + \beta \sum_{j \neq i} x_{uj} B_{ji}`. With ``target="centered"``
    :math:`x_{uj}` is the deviation of the rating from mean and biases (those of ``Bias``), in standard
    deviations, and 0 where there is none. :math:`B` minimizes :math:`\lVert X - XB \rVert^2 + \lambda
    \lVert B \rVert^2` with :math:`B_{ii} = 0`: with :math:`P = (X^\top X + \lambda I)^{-1}`,

    .. math:: B_{ji} = - P_{ji} / P_{ii} .

    As missing ratings count as 0, the sums are too small. So :math:`\beta` is the slope of the training
    ratings on their leave-one-user-out sums, which need no refit: with :math:`s_{ui}` the sum, the sum
    without the user is
    :math:`x_{ui} - (x_{ui} - s_{ui}) / (1 - x_u^\top P x_u + P_{ii} (x_{ui} - s_{ui})^2)`.

    With ``target="binary"`` (as published) :math:`x` is 1 where there is a rating: the sum is a ranking
    score, and the prediction is its least-squares line, with a minimal positive slope, so that predictions
    rank as the sums do. There are no biases.

    An unknown user has bias and sum 0, and so has an unknown item. Memory is quadratic and
    time cubic in the number of items.

    Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
    """

    tags: ClassVar[frozenset[str]] = frozenset()
    summary: ClassVar[str] = (
        "biases plus a linear item-item model of the user's other ratings, in closed form"
    )
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset({Entity.USER})

    target: str = param(
        "centered",
        "what the model reconstructs: deviations from the biases, or 1 for every rating",
        choices=("centered", "binary"),
    )
    regularization: float = param(1000.0, "L2 regularization of the weights", low=0, exclusive_low=True)
    user_damping: float = param(5.0, "pseudo-count: number of prior ratings at the mean per user", low=0)
    item_damping: float = param(5.0, "pseudo-count: number of prior ratings at the mean per item", low=0)
    threads: int | None = threads_param()

    mean_: float = fitted_attribute()
    std_: float = fitted_attribute()
    slope_: float = fitted_attribute()
    user_bias_: Float32Array = fitted_attribute("users")
    item_bias_: Float32Array = fitted_attribute("items")
    weight_: Float32Array = fitted_attribute("items", "items")
    count_: IndexArray = fitted_attribute("users", dtype="int32")
    rated_: IndexArray = fitted_attribute("ratings", dtype="int32")
    residual_: Float32Array = fitted_attribute("ratings")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        n = len(train.items)
        hint = (
            "GlobalEffects() or SVD(), whose memory is linear in the ratings, "
            "or ratings.k_core(min_item_ratings=20)"
        )
        memory.check_available(ease_bytes(n, len(train)), f"EASE of {n} items", hint)
        threads = resolve_threads(self.threads)
        self.mean_, std = train.mean_std()
        self.std_ = std or 1.0
        if self.target == "centered":
            bias = Bias(user_damping=self.user_damping, item_damping=self.item_damping).fit(train)
            self.user_bias_, self.item_bias_ = bias.user_bias_, bias.item_bias_
        else:
            self.user_bias_, self.item_bias_ = (np.zeros(k, np.float32) for k in (len(train.users), n))
        with progress.start_task("EASE", 3) as task:
            rows = self._store_rows(train)
            gram = gram_matrix(
                *self._user_csr(), *_to_item_csr(self.count_, self.rated_, self.residual_, n), threads
            )
            task.step()
            gram[np.diag_indices(n)] += self.regularization
            inverse = _invert(gram, self.regularization)
            task.step()
            diagonal = inverse.diagonal().copy()
            self.weight_ = (inverse / -diagonal[:, None]).astype(
                np.float32
            )  # row i: weights of the prediction of item i
            np.fill_diagonal(self.weight_, 0)
            self._calibrate(train, rows, diagonal, threads)
            task.step()

    def _store_rows(self, ratings: Ratings) -> IndexArray:
        """Store the ratings by user, sorted by item; return the rows in that order."""
        _, item_order = ratings.group_by_item()
        _, user_order = group_rows(ratings.user[item_order], len(ratings.users))
        rows = item_order[user_order]
        baseline = (
            self.mean_ + self.user_bias_[ratings.user].astype(np.float64) + self.item_bias_[ratings.item]
        )
        residual = (
            np.ones(len(ratings)) if self.target == "binary" else (ratings.value - baseline) / self.std_
        )
        self.count_ = np.bincount(ratings.user, minlength=len(ratings.users)).astype(np.int32)
        self.rated_, self.residual_ = ratings.item[rows], residual[rows].astype(np.float32)
        return rows

    def _user_csr(self) -> tuple[Int64Array, IndexArray, Float32Array]:
        return np.r_[0, np.cumsum(self.count_, dtype=np.int64)], self.rated_, self.residual_

    def _calibrate(self, train: Ratings, rows: IndexArray, diagonal: Float64Array, threads: int) -> None:
        """Fit the slope of ratings on leave-one-user-out sums."""
        user, item, residual = train.user[rows], train.item[rows], self.residual_.astype(np.float64)
        error = residual - item_scores(*self._user_csr(), self.weight_, user, item, threads)
        leverage = np.bincount(user, residual * diagonal[item] * error, len(self.count_))[user]
        leave_one_out = residual - error / np.maximum(1 - leverage + diagonal[item] * error**2, 1e-6)
        if self.target == "binary":
            self.mean_, self.slope_ = fit_increasing_line(leave_one_out, train.value[rows])
        else:
            sum_squares = float(np.sum(leave_one_out**2))
            self.slope_ = (
                self.std_ * max(0.0, float(np.sum(leave_one_out * residual)) / sum_squares)
                if sum_squares > 0
                else 0.0
            )

    def _prediction_parts(self, pairs: Pairs) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Return the contributions of the user, the item and the user's other ratings."""
        threads = resolve_threads(self.threads)
        score = item_scores(*self._user_csr(), self.weight_, pairs.user, pairs.item, threads)
        user = np.where(pairs.user >= 0, self.user_bias_[pairs.user].astype(np.float64), 0)
        item = np.where(pairs.item >= 0, self.item_bias_[pairs.item].astype(np.float64), 0)
        return user, item, self.slope_ * score.astype(np.float64)

    def _predict(self, pairs: Pairs) -> Prediction:
        user, item, score = self._prediction_parts(pairs)
        return self._make_prediction(pairs, self.mean_ + user + item + score)

    def contributions(self, pairs: Pairs) -> Contributions:
        values = np.column_stack([np.full(len(pairs), self.mean_), *self._prediction_parts(pairs)])
        return Contributions(("mean", "user", "item", "other ratings"), values.astype(np.float32))

    def attribute_ratings(
        self, user: int, item: int, user_ratings: Ratings | None
    ) -> RatingAttribution | None:
        start = int(self.count_[:user].sum(dtype=np.int64))
        rows = slice(start, start + int(self.count_[user]))
        rated, residual = self.rated_[rows], self.residual_[rows].astype(np.float64)
        contribution = self.slope_ * residual * self.weight_[item, rated]
        rating = np.full(len(rated), np.nan)  # not stored where every rating counts as 1
        if self.target == "centered":
            rating = self.mean_ + self.user_bias_[user] + self.item_bias_[rated] + self.std_ * residual
        return RatingAttribution("other ratings", "item", rated, rating, contribution)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        known = known_ratings(self, new, entity)
        bias: Float64Array = np.zeros(len(new.users))
        if self.target == "centered":
            deviation = known.value.astype(np.float64) - self.mean_ - self.item_bias_[known.item]
            bias = group_mean(known.user, deviation, len(bias), damping=self.user_damping)
        folded = with_new_ids(self, new, entity, bias=bias.astype(np.float32))
        folded._store_rows(known)
        return folded

    def set_state(self, state: dict[str, Any]) -> Self:
        super().set_state(state)
        counts = self.count_.astype(np.int64)
        in_range = len(self.rated_) == 0 or 0 <= self.rated_.min() <= self.rated_.max() < len(self.items_)
        if (counts < 0).any() or counts.sum() != len(self.rated_) or not in_range:
            raise ModelFileError("the ratings in the file do not fit its users and items")
        return self


def ease_bytes(items: int, ratings: int) -> int:
    """Return the approximate peak memory of ``EASE`` in bytes: two float64 matrices and ratings."""
    return 20 * items * items + 60 * ratings


def _to_item_csr(
    count: IndexArray, item: IndexArray, value: Float32Array, items: int
) -> tuple[Int64Array, IndexArray, Float32Array]:
    """Return ratings grouped by user regrouped by item, users in order."""
    user = np.repeat(np.arange(len(count), dtype=np.int32), count)
    indptr, rows = group_rows(item, items)
    return indptr, user[rows], value[rows]


def _invert(matrix: Float64Array, regularization: float) -> Float64Array:
    """Invert a positive definite matrix in place, on one thread, for reproducible bits."""
    from scipy.linalg import lapack
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        factor, info = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1, clean=0)
        inverse, info = lapack.dpotri(factor, lower=1, overwrite_c=1) if not info else (factor, info)
    if info:
        raise InvalidParameterError(
            f"EASE: regularization={regularization!r} is too small: the Gram matrix is singular, since "
            "the same users rated some items in the same way",
            hint=Hint({"regularization": 1000.0}),
        )
    for start in range(0, len(inverse), 512):  # LAPACK returns one triangle
        end = start + 512
        inverse[start:end, end:] = inverse[end:, start:end].T
        diagonal_block = np.tril(inverse[start:end, start:end])
        inverse[start:end, start:end] = diagonal_block + np.tril(diagonal_block, -1).T
    return np.asarray(inverse.T)  # symmetric, in C order
