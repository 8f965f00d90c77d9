"""Base classes of models that predict a sum of biases and a dot product of factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from foretaste._native import dot_pairs
from foretaste._utils.threads import resolve_threads
from foretaste.models.base import Model
from foretaste.models.fold_in import (
    PRIOR_NAME,
    FoldInRows,
    check_penalties,
    design_matrix,
    fold_in_rows,
    prior_precision,
    require_fitted_attr,
    ridge_attribution,
    solve_ridge,
    with_new_ids,
)
from foretaste.models.outputs import LinearForm, Prediction, RatingAttribution
from foretaste.params import estimator, fitted_attribute
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import AnyArray, Entity, Float32Array, Float64Array


@estimator
class FactorModel(Model):
    """``mean_ + std_ * (user_bias + item_bias + user_factors . item_factors)``.

    Biases and factors are in standard deviations; those of an unknown user or item are 0. Subclasses declare
    ``train_rmse_`` and the parameter ``threads``, whose defaults differ.
    """

    if TYPE_CHECKING:
        threads: int | None
        train_rmse_: Float32Array

    mean_: float = fitted_attribute()
    std_: float = fitted_attribute()
    user_bias_: Float32Array = fitted_attribute("users")
    item_bias_: Float32Array = fitted_attribute("items")
    user_factors_: Float32Array = fitted_attribute("users", "factors")
    item_factors_: Float32Array = fitted_attribute("items", "factors")

    def _intercept(self) -> float:
        """Return the prediction of biases and factors of 0."""
        return self.mean_

    def training_rmse(self) -> float:
        """Return the RMSE of the final parameters in training, in rating units."""
        return float(self.train_rmse_[-1])

    def _standardize(self, value: AnyArray) -> Float64Array:
        """Return ratings in standard deviations from the intercept."""
        return np.asarray((value.astype(np.float64) - self._intercept()) / (self.std_ or 1.0))

    def _to_rating(self, standardized: Float32Array) -> Float32Array:
        """Return standard deviations from the intercept in rating units."""
        return np.float32(self._intercept()) + np.float32(self.std_) * standardized

    def _predict_standardized(self, pairs: Pairs) -> Float32Array:
        """Predict in standard deviations from the intercept."""
        factors = self.user_factors_, self.item_factors_, self.user_bias_, self.item_bias_
        return dot_pairs(pairs.user, pairs.item, *factors, 0.0, resolve_threads(self.threads))

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._make_prediction(pairs, self._to_rating(self._predict_standardized(pairs)))

    def as_linear(self) -> LinearForm:
        std = np.float32(self.std_)
        factors = self.user_factors_ * std, self.item_factors_
        return LinearForm(self._intercept(), self.user_bias_ * std, self.item_bias_ * std, *factors)


@estimator
class RidgeFactorModel(FactorModel):
    """A factor model that folds in new users and items by one ridge regression each.

    The opposite entity is fixed. The prior is Gaussian, with the covariance of the fitted biases and factors,
    stored by ``_set_prior_precision``; see ``fold_in.prior_precision``.
    """

    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    user_penalty_: Float64Array = fitted_attribute("vector", "vector", dtype="float64", optional=True)
    item_penalty_: Float64Array = fitted_attribute("vector", "vector", dtype="float64", optional=True)

    def _has_biases(self) -> bool:
        return True

    def _set_prior_precision(self, rmse: float, user_factors: Float32Array | None = None) -> None:
        """Set the prior precisions of new users and items.

        Parameters
        ----------
        rmse : float
            RMSE in training, in rating units.
        user_factors : float32 array, shape (users, factors), optional
            The part of the factors that a fold-in estimates, where ``user_factors_`` have other parts.
        """
        noise = rmse / (self.std_ or 1.0)
        users = self.user_factors_ if user_factors is None else user_factors
        self.user_penalty_, self.item_penalty_ = (
            prior_precision(bias if self._has_biases() else None, factors, noise)
            for bias, factors in ((self.user_bias_, users), (self.item_bias_, self.item_factors_))
        )

    def _residual(self, rows: FoldInRows, entity: Entity) -> Float64Array:
        """Return the residual that biases and factors of new users (or items) have to explain."""
        fixed_bias = self.entity_array(entity.opposite, "bias")
        return np.asarray(self._standardize(rows.value) - fixed_bias[rows.known_indices])

    def _solve_fold_in(self, rows: FoldInRows, entity: Entity) -> tuple[Float32Array, Float32Array]:
        """Return the optimal biases and factors of new users (or items), the opposite entity fixed."""
        fixed_factors = self.entity_array(entity.opposite, "factors")
        penalty = self.entity_array(entity, "penalty")
        require_fitted_attr(self, penalty, PRIOR_NAME)
        return solve_ridge(
            rows, self._residual(rows, entity), fixed_factors, penalty, self.threads, self._has_biases()
        )

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        bias, factors = self._solve_fold_in(fold_in_rows(self, new, entity), entity)
        return with_new_ids(self, new, entity, bias=bias, factors=factors)

    def attribute_ratings(
        self, user: int, item: int, user_ratings: Ratings | None
    ) -> RatingAttribution | None:
        if user_ratings is None:
            return None
        require_fitted_attr(self, self.user_penalty_, PRIOR_NAME)
        rows = fold_in_rows(self, user_ratings)
        contribution = self.std_ * self._rating_contributions(
            rows, self.item_factors_[item].astype(np.float64)
        )
        return RatingAttribution("taste", "item", rows.known_indices, rows.value, contribution)

    def _rating_contributions(self, rows: FoldInRows, item_factors: Float64Array) -> Float64Array:
        """Return the contribution of each rating of a user to the dot product with an item's factors."""
        biased = int(self._has_biases())
        design = design_matrix(self.item_factors_, bool(biased))
        target = np.r_[np.zeros(biased), item_factors]
        return ridge_attribution(rows, self._residual(rows, Entity.USER), design, self.user_penalty_, target)

    def set_state(self, state: dict[str, Any]) -> Self:
        super().set_state(state)
        check_penalties(self, self.item_factors_.shape[1] + int(self._has_biases()))
        return self
