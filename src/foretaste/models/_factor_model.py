"""Models whose prediction is a sum of biases and one product of factors, whatever learned these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from foretaste._native import dot_pairs
from foretaste._utils.threads import thread_count
from foretaste.models.base import Model
from foretaste.models.fold_in import (
    SPREAD,
    Doubles,
    KnownRows,
    check_penalties,
    fold,
    known_rows,
    penalty_of,
    require_kept,
    ridge_shares,
    solved_for,
    with_items,
    with_users,
)
from foretaste.models.outputs import Floats, Linear, Prediction, Sources
from foretaste.params import learned, model_class
from foretaste.ratings import Pairs, Ratings


@model_class
class FactorModel(Model):
    """``mean_ + std_ * (user_bias + item_bias + user_factors . item_factors)``.

    Biases and factors are in standard deviations; those of an unknown user or item are 0. A model declares
    the parameter ``threads`` itself, since not all have the same default, and ``train_rmse_``.
    """

    if TYPE_CHECKING:
        threads: int | None
        train_rmse_: Floats

    mean_: float = learned()
    std_: float = learned()
    user_bias_: Floats = learned("users")
    item_bias_: Floats = learned("items")
    user_factors_: Floats = learned("users", "factors")
    item_factors_: Floats = learned("items", "factors")

    def _level(self) -> float:
        """Return the rating that biases and factors of 0 stand for."""
        return self.mean_

    def _rmse(self) -> float:
        """Return the error in training of what was learned, in rating units."""
        return float(self.train_rmse_[-1])

    def _standardized(self, value: npt.NDArray[Any]) -> Doubles:
        """Return ratings as biases and factors explain them, in standard deviations from the level."""
        return np.asarray((value.astype(np.float64) - self._level()) / (self.std_ or 1.0))

    def _scaled(self, standard: Floats) -> Floats:
        """Return standard deviations from the level as ratings."""
        return np.float32(self._level()) + np.float32(self.std_) * standard

    def _standard(self, pairs: Pairs) -> Floats:
        """Predict in standard deviations from the level."""
        factors = self.user_factors_, self.item_factors_, self.user_bias_, self.item_bias_
        return dot_pairs(pairs.user, pairs.item, *factors, 0.0, thread_count(self.threads))

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._prediction(pairs, self._scaled(self._standard(pairs)))

    def _linear(self) -> Linear:
        std = np.float32(self.std_)
        factors = self.user_factors_ * std, self.item_factors_
        return Linear(self._level(), self.user_bias_ * std, self.item_bias_ * std, *factors)


@model_class
class RidgeFactorModel(FactorModel):
    """A model of factors that takes in new users, and new items, by one ridge regression each.

    The numbers of the other side stay as they are. Those of a new one are drawn to 0 by how the numbers of
    its like are spread, which ``_keep_spread`` measures once they are learned; see ``folding.penalty_of``.
    """

    user_penalty_: Doubles = learned("vector", "vector", dtype="float64", may_lack=True)
    item_penalty_: Doubles = learned("vector", "vector", dtype="float64", may_lack=True)

    def _has_biases(self) -> bool:
        return True

    def _keep_spread(self, rmse: float, user_factors: Floats | None = None) -> None:
        """Set what draws the numbers of new ones to 0.

        Parameters
        ----------
        rmse : float
            In training, in rating units.
        user_factors : float32 array, shape (users, factors), optional
            What the regression of a new user finds, where ``user_factors_`` hold more than that.
        """
        noise = rmse / (self.std_ or 1.0)
        users = self.user_factors_ if user_factors is None else user_factors
        self.user_penalty_, self.item_penalty_ = (
            penalty_of(bias if self._has_biases() else None, factors, noise)
            for bias, factors in ((self.user_bias_, users), (self.item_bias_, self.item_factors_))
        )

    def _left(self, rows: KnownRows, side: str) -> Doubles:
        """Return what the numbers of the other side leave of the ratings of new users, or of new items."""
        others = self.item_bias_ if side == "user" else self.user_bias_
        return np.asarray(self._standardized(rows.value) - others[rows.other])

    def _solved(self, rows: KnownRows, side: str) -> tuple[Floats, Floats]:
        """Return the biases and factors that are best for new users, or for new items, given the others."""
        if side == "user":
            others, penalty = self.item_factors_, self.user_penalty_
        else:
            others, penalty = self.user_factors_, self.item_penalty_
        require_kept(self, penalty, SPREAD)
        return fold(rows, self._left(rows, side), others, penalty, self.threads, self._has_biases())

    def _fold_in(self, new: Ratings) -> Self:
        bias, factors = self._solved(known_rows(self, new), "user")
        return with_users(self, new, user_bias_=bias, user_factors_=factors)

    def _fold_in_items(self, new: Ratings) -> Self:
        bias, factors = self._solved(known_rows(self, new, "item"), "item")
        return with_items(self, new, item_bias_=bias, item_factors_=factors)

    def _sources(self, user: int, item: int, own: Ratings | None) -> Sources | None:
        if own is None:
            return None
        require_kept(self, self.user_penalty_, SPREAD)
        rows = known_rows(self, own)
        share = self.std_ * self._shares(rows, self.item_factors_[item].astype(np.float64))
        return Sources("taste", "item", rows.other, rows.value, share)

    def _shares(self, rows: KnownRows, toward: Doubles) -> Doubles:
        """Return what each rating of a user adds to the product with an item's factors."""
        biases = int(self._has_biases())
        vectors = solved_for(self.item_factors_, bool(biases))
        goal = np.r_[np.zeros(biases), toward]
        return ridge_shares(rows, self._left(rows, "user"), vectors, self.user_penalty_, goal)

    def _from_state(self, state: dict[str, Any]) -> Self:
        super()._from_state(state)
        check_penalties(self, self.item_factors_.shape[1] + int(self._has_biases()))
        return self
