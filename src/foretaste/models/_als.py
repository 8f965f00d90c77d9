"""What models have in common that learn users and items in turn."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste._utils.threads import thread_count
from foretaste.errors import BadModelFile
from foretaste.ids import Indices
from foretaste.models._als_factors import Side, Steps, learned_side, side_of
from foretaste.models._factor_model import FactorModel
from foretaste.models.fold_in import (
    Doubles,
    known_items,
    known_rows,
    known_users,
    ridge_shares,
    solved_for,
    spread_of,
    with_items,
    with_users,
)
from foretaste.models.outputs import Floats, Prediction, Sources
from foretaste.params import learned, model_class, param
from foretaste.ratings import Pairs, Ratings


@model_class
class Alternating(FactorModel):
    """Biases and factors, learned by turns: one side of the ratings while the other stands still.

    The level of ``FactorModel`` is ``origin_``, the mean; only factors at 0 or above without biases need one
    that lies below the ratings.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})

    factors: int = param(64, "how many numbers describe a user's or an item's taste", low=1, high=1024)
    regularization: float = param(
        0.03, "how strongly each rating of a user or item draws its factors to 0", low=0, high=1e6
    )
    damping: float = param(
        5.0, "how strongly factors are drawn to 0 besides, whatever the number of ratings", low=0, high=1e6
    )
    biases: bool = param(True, "learn a bias of each user and of each item beside the factors")
    bias_damping: float = param(
        3.0, "how many ratings at the mean a user or item is given beforehand", low=0, high=1e6
    )
    seed: int = param(0, "of the random numbers", low=0)
    threads: int | None = param(
        None, "how many threads; None is all; never changes the result", low=1, high=1024, optional=True
    )

    origin_: float = learned()
    train_rmse_: Floats = learned("epochs")
    user_covariance_: Doubles = learned("vector", "vector", dtype="float64", may_lack=True)

    @abstractmethod
    def _epoch(self, steps: Steps, users: Side, items: Side) -> float:
        """Learn both sides once; return the error in standard deviations."""

    @abstractmethod
    def _first(self, random: np.random.Generator, users: Side, items: Side) -> None:
        """Set the first factors."""

    @abstractmethod
    def _exact(self) -> str:
        """Return the solver that finds the best biases and factors of a user, given the items."""

    def _margin(self) -> float | None:
        """Return how far below the lowest rating the origin lies, in ranges; None: it is the mean."""
        return None

    def _growth(self) -> float:
        return 0.0

    def _learn(self, train: Ratings, epochs: int, progress: Progress) -> None:
        self.mean_, self.std_ = train.moments()
        self.origin_ = self._origin(train)
        value = self._standardized(train.value).astype(np.float32)
        size = len(train.users), len(train.items)
        users = side_of(train.user, train.item, value, train.weight, size[0], self.factors, self.biases)
        items = side_of(train.item, train.user, value, train.weight, size[1], self.factors, self.biases)
        self._first(np.random.default_rng(self.seed), users, items)
        steps, errors = self._steps(), list[float]()
        with progress.task(type(self).__name__, epochs) as task:
            for _ in range(epochs):
                errors.append(self.std_ * self._epoch(steps, users, items))
                task.step(note=f"train RMSE {errors[-1]:.4f}")
        self.train_rmse_ = np.array(errors, np.float32)
        self.user_bias_, self.user_factors_ = users.learned(self.factors)
        self.item_bias_, self.item_factors_ = items.learned(self.factors)
        self.user_covariance_ = spread_of(self.user_bias_, self.user_factors_)

    def _origin(self, train: Ratings) -> float:
        margin = self._margin()
        if margin is None:
            return self.mean_
        seen = train.value if train.weight is None else train.value[train.weight > 0]
        low, high = float(seen.min()), float(seen.max())
        return low - margin * (high - low)

    def _level(self) -> float:
        return self.origin_

    def _steps(self) -> Steps:
        damping = self.damping, self._growth(), self.bias_damping
        return Steps(self.factors, self.regularization, *damping, thread_count(self.threads))

    def _fold_in(self, new: Ratings) -> Self:
        """Return a model of the new users: biases and factors that are best for their ratings.

        Ratings of unknown items say nothing; a user with no others has bias and factors 0.
        """
        rated = known_items(self, new)
        items = learned_side(self.item_bias_, self.item_factors_, self.biases)
        bias, factors = self._best(rated, (rated.user, rated.item), len(new.users), items)
        return with_users(self, new, user_bias_=bias, user_factors_=factors)

    def _fold_in_items(self, new: Ratings) -> Self:
        """Return a model of the new items: biases and factors that are best for their ratings."""
        rated = known_users(self, new)
        users = learned_side(self.user_bias_, self.user_factors_, self.biases)
        bias, factors = self._best(rated, (rated.item, rated.user), len(new.items), users)
        return with_items(self, new, item_bias_=bias, item_factors_=factors)

    def _best(
        self, rated: Ratings, codes: tuple[Indices, Indices], n: int, others: Side
    ) -> tuple[Floats, Floats]:
        """Return the biases and factors that are best for n new users (or items), given the others."""
        value = self._standardized(rated.value).astype(np.float32)
        side = side_of(*codes, value, rated.weight, n, self.factors, self.biases)
        self._steps().learn(side, others, self._exact(), 1000)
        return side.learned(self.factors)

    def _sources(self, user: int, item: int, own: Ratings | None) -> Sources | None:
        if own is None:
            return None
        rows = known_rows(self, own)
        folded = self._fold_in(own)
        # What is kept at 0 takes no part; the rest is a ridge regression like any other.
        kept = folded.user_factors_[0] != 0 if self._exact() == "coordinates" else np.full(self.factors, True)
        total, growth = rows.weight.sum(), np.arange(1.0, self.factors + 1) ** self._growth()
        ridge = (self.regularization * total + self.damping) * growth
        if self.biases:
            kept, ridge = np.r_[True, kept], np.r_[self.bias_damping, ridge]
        residual = self._standardized(rows.value) - self.item_bias_[rows.other]
        vectors = solved_for(self.item_factors_, self.biases)
        toward = np.r_[np.zeros(int(self.biases)), self.item_factors_[item].astype(np.float64)]
        part = vectors[:, kept], np.diag(np.maximum(ridge[kept], 1e-9)), toward[kept]
        share = self.std_ * ridge_shares(rows, residual, *part)
        return Sources("taste", "item", rows.other, rows.value, share)

    def _predict(self, pairs: Pairs) -> Prediction:
        told = super()._predict(pairs)
        if self.origin_ != self.mean_:  # below the ratings, and no guess for those of whom nothing is known
            told.value[~self._known(pairs)] = self.mean_
        return told

    def _from_state(self, state: dict[str, Any]) -> Self:
        super()._from_state(state)
        size = self.item_factors_.shape[1] + 1
        if self.user_covariance_.shape not in ((0, 0), (size, size)):
            raise BadModelFile("user_covariance_ in the file does not fit its factors")
        return self
