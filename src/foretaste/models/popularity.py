"""Popularity: items ranked by their number of ratings or their mean, the same for every user."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.models._calibration import fit_increasing_line
from foretaste.models._groupby import damped_group_mean, group_sum, sample_weights
from foretaste.models.base import Model
from foretaste.models.fold_in import with_new_ids
from foretaste.models.outputs import LinearForm, Prediction
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array


@estimator
class Popularity(Model):
    r"""Predict a rating that increases with the popularity of the item.

    With ``rank_by="count"``, :math:`\hat r_{ui} = a + b \log(1 + n_i)`, where :math:`n_i` is the number of
    ratings of the item (the sum of their weights), and :math:`a, b` are a least-squares fit to the training
    ratings. Items always rank by their number of ratings: where popular items are not rated higher, :math:`b`
    is such that the line rises by a tenth of a standard deviation from the least to the most rated item. The
    slope is reduced where the line would leave the range of the ratings, since clipped predictions tie.

    With ``rank_by="mean"``, :math:`\hat r_{ui} = \mu + \sum_u w_{ui} (r_{ui} - \mu) / (n_i + \lambda)`, the
    mean of the item shrunken by :math:`\lambda` pseudo-counts at the global mean.

    An unknown item has 0 ratings. Predictions do not depend on the user.

    Cremonesi, Koren and Turrin, "Performance of recommender algorithms on top-n recommendation tasks", RecSys
    2010, measure how hard the list of the most popular is to beat.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    summary: ClassVar[str] = "increasing function of the number of ratings, or the shrunken item mean"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset({Entity.USER})

    rank_by: str = param(
        "count", "rank items by number of ratings, or by mean rating", choices=("count", "mean")
    )
    damping: float = param(
        5.0, 'rank_by="mean": pseudo-count, number of prior ratings at the mean per item', low=0
    )

    mean_: float = fitted_attribute()
    item_bias_: Float32Array = fitted_attribute("items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        weight, n = sample_weights(train), len(train.items)
        mean, _ = train.mean_std()
        if self.rank_by == "mean":
            bias = damped_group_mean(
                train.item, train.value.astype(np.float64) - mean, weight, n, self.damping
            )
        else:
            score = np.log1p(group_sum(train.item, weight, n))
            ends = (0.0, float(score.max())), (self.low_, self.high_)
            mean, slope = fit_increasing_line(score[train.item], train.value, weight, ends)
            bias = slope * score
        self.mean_, self.item_bias_ = mean, bias.astype(np.float32)

    def _predict(self, pairs: Pairs) -> Prediction:
        value = self.mean_ + np.where(pairs.item >= 0, self.item_bias_[pairs.item], 0)
        return self._make_prediction(pairs, value)

    def as_linear(self) -> LinearForm:
        no_factors = np.zeros((len(self.users_), 0), np.float32), np.zeros((len(self.items_), 0), np.float32)
        return LinearForm(self.mean_, np.zeros(len(self.users_), np.float32), self.item_bias_, *no_factors)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        return with_new_ids(self, new, entity)
