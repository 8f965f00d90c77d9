"""Linear weights between items, in closed form."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from foretaste._native import gram_matrix, group_rows, item_scores
from foretaste._utils import memory
from foretaste._utils.progress import Progress
from foretaste._utils.threads import thread_count
from foretaste.errors import BadModelFile, InvalidParameter
from foretaste.ids import Indices
from foretaste.models._calibration import rising_line
from foretaste.models._groupby import Numbers, damped_mean
from foretaste.models.base import Model
from foretaste.models.bias import Bias
from foretaste.models.fold_in import known_items, with_users
from foretaste.models.outputs import Contributions, Floats, Prediction, Sources
from foretaste.params import learned, model_class, param
from foretaste.ratings import Pairs, Ratings


@model_class
class EASE(Model):
    r"""Predict from the user's other ratings by linear weights between items, found in closed form.

    :math:`\hat r_{ui} = \mu + b_u + b_i + \beta \sum_{j \neq i} x_{uj} B_{ji}`. With ``values="centred"``
    :math:`x_{uj}` is how far the rating lies from mean and biases (those of ``Bias``), in standard
    deviations, and 0 where there is none. :math:`B` minimises :math:`\lVert X - XB \rVert^2 + \lambda
    \lVert B \rVert^2` with :math:`B_{ii} = 0`: with :math:`P = (X^\top X + \lambda I)^{-1}`,

    .. math:: B_{ji} = - P_{ji} / P_{ii} .

    That a missing rating counts as 0 makes the sums too small. So :math:`\beta` is the slope of the training
    ratings on the sums that they would get if their user had been left out of :math:`X^\top X`, which can be
    written down without learning again: with :math:`s_{ui}` the sum, the sum without the user is
    :math:`x_{ui} - (x_{ui} - s_{ui}) / (1 - x_u^\top P x_u + P_{ii} (x_{ui} - s_{ui})^2)`.

    With ``values="binary"`` (as published) :math:`x` is 1 where there is a rating, whatever it is: the sum
    says how well the item goes with what the user has rated, and the prediction is the rating to expect at
    such a sum, by least squares, with a slope that is never below a small positive one, so that it ranks as
    the sums do. Then there are no biases.

    An unknown user has bias and sum 0, and so has an unknown item. Needs memory for items x items numbers,
    and time by the cube of the number of items.

    Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
    """

    tags: ClassVar[frozenset[str]] = frozenset()
    summary: ClassVar[str] = "biases plus a weighted sum of the user's other ratings, in closed form"

    values: str = param(
        "centred", "what a rating counts: how far it lies from its biases, or 1", one_of=("centred", "binary")
    )
    regularization: float = param(1000.0, "how strongly the weights are drawn to 0", low=0, open_low=True)
    user_damping: float = param(5.0, "how many ratings at the mean a user is given beforehand", low=0)
    item_damping: float = param(5.0, "how many ratings at the mean an item is given beforehand", low=0)
    threads: int | None = param(
        None, "how many threads; None is all; never changes the result", low=1, high=1024, optional=True
    )

    mean_: float = learned()
    std_: float = learned()
    slope_: float = learned()
    user_bias_: Floats = learned("users")
    item_bias_: Floats = learned("items")
    weight_: Floats = learned("items", "items")
    count_: Indices = learned("users", dtype="int32")
    rated_: Indices = learned("ratings", dtype="int32")
    left_: Floats = learned("ratings")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        n = len(train.items)
        hint = "GlobalEffects() or SVD(), which need memory by the rating, or ratings.at_least(item=20)"
        memory.require(ease_bytes(n, len(train)), f"EASE of {n} items", hint)
        threads = thread_count(self.threads)
        self.mean_, spread = train.moments()
        self.std_ = spread or 1.0
        if self.values == "centred":
            bias = Bias(user_damping=self.user_damping, item_damping=self.item_damping).fit(train)
            self.user_bias_, self.item_bias_ = bias.user_bias_, bias.item_bias_
        else:
            self.user_bias_, self.item_bias_ = (np.zeros(k, np.float32) for k in (len(train.users), n))
        with progress.task("EASE", 3) as task:
            rows = self._note_rows(train)
            gram = gram_matrix(*self._by_user(), *_by_item(self.count_, self.rated_, self.left_, n), threads)
            task.step()
            gram[np.diag_indices(n)] += self.regularization
            inverse = _inverse(gram, self.regularization)
            task.step()
            diagonal = inverse.diagonal().copy()
            self.weight_ = (inverse / -diagonal[:, None]).astype(np.float32)  # row i: what i is predicted by
            np.fill_diagonal(self.weight_, 0)
            self._calibrate(train, rows, diagonal, threads)
            task.step()

    def _note_rows(self, ratings: Ratings) -> Indices:
        """Note what each user rated, sorted by item; return the rows in that order."""
        _, by_item = ratings.by_item()
        _, within = group_rows(ratings.user[by_item], len(ratings.users))
        rows = by_item[within]
        base = self.mean_ + self.user_bias_[ratings.user].astype(np.float64) + self.item_bias_[ratings.item]
        left = np.ones(len(ratings)) if self.values == "binary" else (ratings.value - base) / self.std_
        self.count_ = np.bincount(ratings.user, minlength=len(ratings.users)).astype(np.int32)
        self.rated_, self.left_ = ratings.item[rows], left[rows].astype(np.float32)
        return rows

    def _by_user(self) -> tuple[npt.NDArray[np.int64], Indices, Floats]:
        return np.r_[0, np.cumsum(self.count_, dtype=np.int64)], self.rated_, self.left_

    def _calibrate(self, train: Ratings, rows: Indices, diagonal: Numbers, threads: int) -> None:
        """Learn what a sum is worth from the sums that each rating would get without its user."""
        user, item, own = train.user[rows], train.item[rows], self.left_.astype(np.float64)
        error = own - item_scores(*self._by_user(), self.weight_, user, item, threads)
        power = np.bincount(user, own * diagonal[item] * error, len(self.count_))[user]
        apart = own - error / np.maximum(1 - power + diagonal[item] * error**2, 1e-6)
        if self.values == "binary":
            self.mean_, self.slope_ = rising_line(apart, train.value[rows])
        else:
            square = float(np.sum(apart**2))
            self.slope_ = self.std_ * max(0.0, float(np.sum(apart * own)) / square) if square > 0 else 0.0

    def _parts(self, pairs: Pairs) -> tuple[Numbers, Numbers, Numbers]:
        """Return what the user, the item and the user's other ratings add."""
        threads = thread_count(self.threads)
        score = item_scores(*self._by_user(), self.weight_, pairs.user, pairs.item, threads)
        user = np.where(pairs.user >= 0, self.user_bias_[pairs.user].astype(np.float64), 0)
        item = np.where(pairs.item >= 0, self.item_bias_[pairs.item].astype(np.float64), 0)
        return user, item, self.slope_ * score.astype(np.float64)

    def _predict(self, pairs: Pairs) -> Prediction:
        user, item, others = self._parts(pairs)
        return self._prediction(pairs, self.mean_ + user + item + others)

    def _explain(self, pairs: Pairs) -> Contributions:
        values = np.column_stack([np.full(len(pairs), self.mean_), *self._parts(pairs)])
        return Contributions(("mean", "user", "item", "other ratings"), values.astype(np.float32))

    def _sources(self, user: int, item: int, own: Ratings | None) -> Sources | None:
        start = int(self.count_[:user].sum(dtype=np.int64))
        rows = slice(start, start + int(self.count_[user]))
        rated, left = self.rated_[rows], self.left_[rows].astype(np.float64)
        share = self.slope_ * left * self.weight_[item, rated]
        rating = np.full(len(rated), np.nan)  # of which nothing is left where it counts as 1
        if self.values == "centred":
            rating = self.mean_ + self.user_bias_[user] + self.item_bias_[rated] + self.std_ * left
        return Sources("other ratings", "item", rated, rating, share)

    def _fold_in(self, new: Ratings) -> Self:
        known = known_items(self, new)
        bias: Numbers = np.zeros(len(new.users))
        if self.values == "centred":
            above = known.value.astype(np.float64) - self.mean_ - self.item_bias_[known.item]
            bias = damped_mean(known.user, above, np.ones(len(known)), len(bias), self.user_damping)
        folded = with_users(self, new, user_bias_=bias.astype(np.float32))
        folded._note_rows(known)
        return folded

    def _from_state(self, state: dict[str, Any]) -> Self:
        super()._from_state(state)
        counts = self.count_.astype(np.int64)
        inside = len(self.rated_) == 0 or 0 <= self.rated_.min() <= self.rated_.max() < len(self.items_)
        if (counts < 0).any() or counts.sum() != len(self.rated_) or not inside:
            raise BadModelFile("what the users in the file have rated does not fit its users and items")
        return self


def ease_bytes(items: int, ratings: int) -> int:
    """Return about how many bytes ``EASE`` needs at its peak: two matrices of doubles, and what it keeps."""
    return 20 * items * items + 60 * ratings


def _by_item(
    count: Indices, item: Indices, value: Floats, items: int
) -> tuple[npt.NDArray[np.int64], Indices, Floats]:
    """Return ratings that are grouped by user as grouped by item, users in their order."""
    user = np.repeat(np.arange(len(count), dtype=np.int32), count)
    starts, rows = group_rows(item, items)
    return starts, user[rows], value[rows]


def _inverse(matrix: Numbers, regularization: float) -> Numbers:
    """Invert a positive definite matrix in its own memory, on one thread: its bits are always the same."""
    from scipy.linalg import lapack
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        factor, failed = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1, clean=0)
        inverse, failed = lapack.dpotri(factor, lower=1, overwrite_c=1) if not failed else (factor, failed)
    if failed:
        raise InvalidParameter(
            f"EASE: regularization={regularization!r} is too small: items that the same users rated in the "
            "same way cannot be told apart",
            hint="regularization=1000.0",
        )
    for start in range(0, len(inverse), 512):  # LAPACK gives one triangle
        end = start + 512
        inverse[start:end, end:] = inverse[end:, start:end].T
        corner = np.tril(inverse[start:end, start:end])
        inverse[start:end, start:end] = corner + np.tril(corner, -1).T
    return np.asarray(inverse.T)  # symmetric; so its rows lie together
