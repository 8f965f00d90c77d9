"""Global effects: successive shrunken regressions, each on the residuals of those before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from foretaste._utils.groupby import group_mean, group_sum, safe_divide, sample_weights
from foretaste._utils.progress import Progress, ProgressTask
from foretaste.models.base import Model
from foretaste.models.fold_in import known_ratings, with_new_ids
from foretaste.models.outputs import Contributions, Prediction
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array, Int64Array

_DAY = 86_400.0  # seconds
_ENTITIES = (Entity.USER, Entity.ITEM)


@dataclass(frozen=True)
class Effect:
    """A regression with one coefficient per user (or item) on an explanatory variable.

    Parameters
    ----------
    name : str
    entity : Entity
        Which entity has the coefficients.
    statistic : {"constant", "time", "average", "support"}
        The variable: 1, or the square root of the days since the first rating, the average rating or the
        square root of the number of ratings of ``statistic_entity``.
    statistic_entity : Entity
    """

    name: str
    entity: Entity
    statistic: str
    statistic_entity: Entity

    @property
    def column(self) -> int:
        """The column of its coefficients among those of its entity."""
        return [effect for effect in EFFECTS if effect.entity == self.entity].index(self)


EFFECTS = (
    Effect("item", Entity.ITEM, "constant", Entity.ITEM),
    Effect("user", Entity.USER, "constant", Entity.USER),
    Effect("user x time of user", Entity.USER, "time", Entity.USER),
    Effect("user x time of item", Entity.USER, "time", Entity.ITEM),
    Effect("item x time of item", Entity.ITEM, "time", Entity.ITEM),
    Effect("item x time of user", Entity.ITEM, "time", Entity.USER),
    Effect("user x average of item", Entity.USER, "average", Entity.ITEM),
    Effect("user x support of item", Entity.USER, "support", Entity.ITEM),
    Effect("item x average of user", Entity.ITEM, "average", Entity.USER),
    Effect("item x support of user", Entity.ITEM, "support", Entity.USER),
)


def n_effects(entity: Entity) -> int:
    """Return the number of effects whose coefficients belong to users (or items)."""
    return sum(effect.entity == entity for effect in EFFECTS)


@estimator
class GlobalEffects(Model):
    r"""Fit successive shrunken regressions: item and user means, time trends, averages and supports.

    :math:`\hat r_{ui} = \mu + \sum_k \theta^k x^k_{ui}`, where :math:`\theta^k` belongs to the user or to the
    item and :math:`x^k_{ui}` is 1, or the square root of the days since the user's (the item's) first rating,
    or the average rating or the square root of the number of ratings of the opposite entity, less its mean
    over the ratings of the user (the item). In this order, the residuals :math:`e` of the effects before give

    .. math:: \theta^k_u = \frac{\sum_i w_{ui} x^k_{ui} e_{ui}}
              {\sum_i w_{ui} (x^k_{ui})^2 + \lambda \overline{(x^k)^2}} ,

    shrunken by :math:`\lambda` pseudo-counts without effect (:math:`\overline{(x^k)^2}` is the mean over all
    ratings, which makes it independent of units). ``sweeps`` above 1 refit the effects, each given all others
    (backfitting).

    The four time effects are fitted only if the ratings have timestamps; where a pair to be predicted has
    none, they are 0. An unknown user has no effects, nor has an unknown item.

    Bell and Koren, "Scalable collaborative filtering with jointly derived neighborhood interpolation
    weights", ICDM 2007, section 3; backfitting: Hastie and Tibshirani, "Generalized additive models", 1990.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact", "times"})
    summary: ClassVar[str] = (
        "successive shrunken regressions: item, user, their time trends, averages and supports"
    )
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    user_damping: float = param(5.0, "pseudo-count: number of prior ratings without effect per user", low=0)
    item_damping: float = param(5.0, "pseudo-count: number of prior ratings without effect per item", low=0)
    slope_damping: float = param(
        70.0, "pseudo-count of the effects of time, average and support", low=0, exclusive_low=True
    )
    sweeps: int = param(5, "number of passes over all effects; 1 is the published algorithm", low=1)

    mean_: float = fitted_attribute()
    has_timestamps_: int = fitted_attribute()
    user_effect_: Float32Array = fitted_attribute("users", "user_effects")
    item_effect_: Float32Array = fitted_attribute("items", "item_effects")
    user_center_: Float32Array = fitted_attribute("users", "user_effects")
    item_center_: Float32Array = fitted_attribute("items", "item_effects")
    user_mean_square_: Float32Array = fitted_attribute("user_effects")
    item_mean_square_: Float32Array = fitted_attribute("item_effects")
    user_average_: Float32Array = fitted_attribute("users")
    item_average_: Float32Array = fitted_attribute("items")
    user_support_: Float32Array = fitted_attribute("users")
    item_support_: Float32Array = fitted_attribute("items")
    user_first_: Int64Array = fitted_attribute("users", dtype="int64")
    item_first_: Int64Array = fitted_attribute("items", dtype="int64")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.mean_std()
        self.has_timestamps_ = int(train.timestamp is not None)
        self.user_mean_square_, self.item_mean_square_ = (
            np.zeros(n_effects(entity), np.float32) for entity in _ENTITIES
        )
        with progress.start_task("GlobalEffects", self.sweeps) as task:
            self._fit_effects(train, _ENTITIES, task)

    def _fit_effects(self, ratings: Ratings, entities: tuple[Entity, ...], task: ProgressTask) -> None:
        """Fit the effects of these entities; those of others are fixed."""
        for entity in entities:
            self._init_statistics(entity, ratings)
        residual = ratings.value.astype(np.float64) - self.mean_
        for sweep in range(self.sweeps):
            for effect in self._effects():
                x = self._variable(effect, ratings)
                if effect.entity in entities:
                    if sweep == 0:
                        x = self._center(effect, ratings, x, fit_mean_square=entities == _ENTITIES)
                    residual = self._regress(effect, ratings, x, residual)
                elif sweep == 0:
                    residual -= self._effect_column("effect", effect)[ratings.axis(effect.entity).codes] * x
            task.step()

    def _init_statistics(self, entity: Entity, ratings: Ratings) -> None:
        """Set average, support and first timestamp of every user (or item); effects are 0."""
        axis, weight = ratings.axis(entity), sample_weights(ratings.weight, len(ratings))
        codes, n = axis.codes, len(axis.ids)
        centered = ratings.value.astype(np.float64) - self.mean_
        damping = self.user_damping if entity is Entity.USER else self.item_damping
        deviation = group_mean(codes, centered, n, weight, damping=damping)
        first = np.zeros(n, np.int64)
        if ratings.timestamp is not None:
            latest = np.iinfo(np.int64).max
            first[:] = latest
            np.minimum.at(first, codes[weight > 0], ratings.timestamp[weight > 0])
            first[first == latest] = 0
        statistics = {
            "average": (self.mean_ + deviation).astype(np.float32),
            "support": np.sqrt(group_sum(codes, weight, n)).astype(np.float32),
            "first": first,
            "effect": np.zeros((n, n_effects(entity)), np.float32),
            "center": np.zeros((n, n_effects(entity)), np.float32),
        }
        for name, value in statistics.items():
            self.set_entity_array(entity, name, value)

    def _center(
        self, effect: Effect, ratings: Ratings, x: Float64Array, *, fit_mean_square: bool
    ) -> Float64Array:
        """Store the mean of a variable per user (or item) and its mean square; return it centered."""
        codes, center = ratings.axis(effect.entity).codes, self._effect_column("center", effect)
        weight = sample_weights(ratings.weight, len(ratings))
        if effect.statistic != "constant":
            center[:] = group_mean(codes, x, len(center), weight)
            x = x - center[codes]
        if fit_mean_square:
            self.entity_array(effect.entity, "mean_square")[effect.column] = float(
                np.sum(weight * x * x) / weight.sum()
            )
        return x

    def _regress(
        self, effect: Effect, ratings: Ratings, x: Float64Array, residual: Float64Array
    ) -> Float64Array:
        """Refit the coefficients of an effect; return the residuals."""
        codes, coefficient = ratings.axis(effect.entity).codes, self._effect_column("effect", effect)
        weight = sample_weights(ratings.weight, len(ratings))
        residual = residual + coefficient[codes] * x
        numerator = group_sum(codes, weight * x * residual, len(coefficient))
        denominator = group_sum(codes, weight * x * x, len(coefficient))
        mean_square = float(self.entity_array(effect.entity, "mean_square")[effect.column])
        coefficient[:] = safe_divide(numerator, denominator + self._effect_damping(effect) * mean_square)
        return np.asarray(residual - coefficient[codes] * x)

    def _effects(self) -> list[Effect]:
        return [effect for effect in EFFECTS if self.has_timestamps_ or effect.statistic != "time"]

    def _effect_damping(self, effect: Effect) -> float:
        if effect.statistic != "constant":
            return self.slope_damping
        return self.user_damping if effect.entity is Entity.USER else self.item_damping

    def _effect_column(self, statistic: str, effect: Effect) -> Float32Array:
        table: Float32Array = self.entity_array(effect.entity, statistic)
        return table[:, effect.column]

    def _variable(self, effect: Effect, pairs: Pairs) -> Float64Array:
        """Return the variable of an effect, shape (n,); 0 where user or item is unknown."""
        if effect.statistic == "constant":
            return np.ones(len(pairs))
        entity = effect.statistic_entity
        codes = pairs.axis(entity).codes
        if effect.statistic == "time":
            if pairs.timestamp is None:
                return np.zeros(len(pairs))
            days = (pairs.timestamp - self.entity_array(entity, "first")[codes]) / _DAY
            value = np.sqrt(np.maximum(days, 0))
        else:
            value = self.entity_array(entity, effect.statistic)[codes].astype(np.float64)
        centered = value - self._effect_column("center", effect)[pairs.axis(effect.entity).codes]
        return np.where((pairs.user >= 0) & (pairs.item >= 0), centered, 0)

    def _effect_contribution(self, effect: Effect, pairs: Pairs) -> Float64Array:
        """Return the contribution of an effect to each prediction."""
        codes = pairs.axis(effect.entity).codes
        contribution = self._effect_column("effect", effect)[codes] * self._variable(effect, pairs)
        return np.where(codes >= 0, contribution, 0)

    def _predict(self, pairs: Pairs) -> Prediction:
        value = np.full(len(pairs), self.mean_)
        for effect in self._effects():
            value += self._effect_contribution(effect, pairs)
        return self._make_prediction(pairs, value)

    def contributions(self, pairs: Pairs) -> Contributions:
        parts = [
            np.full(len(pairs), self.mean_),
            *(self._effect_contribution(effect, pairs) for effect in self._effects()),
        ]
        names = "mean", *(effect.name for effect in self._effects())
        return Contributions(names, np.column_stack(parts).astype(np.float32))

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        known = known_ratings(self, new, entity)
        if not self.has_timestamps_:
            known = known.replace(timestamp=None)
        folded = with_new_ids(self, new, entity)
        folded._fit_effects(known, (entity,), ProgressTask())
        return folded
