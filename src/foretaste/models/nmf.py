"""Non-negative matrix factorization."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.models._als import AlsBase, AlsSolver, EntityFactors
from foretaste.params import estimator, param
from foretaste.ratings import Ratings


@estimator
class NMF(AlsBase):
    r"""Non-negative matrix factorization with biases, fitted by multiplicative updates.

    :math:`\hat r_{ui} = \mu + \sigma (b_u + b_i + p_u \cdot q_i)` with :math:`p_u, q_i \ge 0`: the
    parts of a prediction only add up. Over ratings in standard deviations
    :math:`z = (r - \mu) / \sigma`, biases and factors minimize

    .. math:: \sum_{(u,i)} w_{ui} (z_{ui} - b_u - b_i - p_u \cdot q_i)^2
              + \sum_u \left[ (\lambda n_u + \delta) \lVert p_u \rVert^2 + \beta b_u^2 \right]
              + \sum_i \left[ (\lambda n_i + \delta) \lVert q_i \rVert^2 + \beta b_i^2 \right] .

    Each epoch solves the biases of all items and multiplies their factors by

    .. math:: \frac{\sum_u w_{ui} \, t^+_{ui} \, p_u}{\sum_u w_{ui} (p_u \cdot q_i + t^-_{ui}) p_u
              + (\lambda n_i + \delta) q_i} , \quad t_{ui} = z_{ui} - b_u - b_i ,

    where :math:`t^+` and :math:`t^-` are the positive and negative parts of :math:`t`; then the same for
    users. No update increases the objective. An unknown user or item has bias and factors 0.

    Without biases, ratings are measured from an origin ``margin`` rating ranges below the lowest one instead
    of from the mean, so that they are non-negative, and an unknown pair gets the mean.

    Lee and Seung, "Algorithms for non-negative matrix factorization", NIPS 2000; Luo, Zhou, Xia and Zhu,
    "An efficient non-negative matrix-factorization-based approach to collaborative filtering for
    recommender systems", IEEE Transactions on Industrial Informatics 10(2), 2014.
    """

    summary: ClassVar[str] = "non-negative matrix factorization with biases, by multiplicative updates"

    epochs: int = param(100, "number of alternations", low=1)
    update_order: str = param(
        "alternating",
        "users are updated with the new items, or simultaneously with the previous ones (as in "
        "scikit-surprise), which may oscillate",
        choices=("alternating", "simultaneous"),
    )
    margin: float = param(
        0.0,
        "without biases: distance of the origin below the lowest rating, as a fraction of the range",
        low=0,
        high=1000,
    )
    init_max: float = param(
        0.3, "initial factors are uniform from 0 to this", low=0, high=1000, exclusive_low=True
    )

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self._fit_alternating(train, self.epochs, progress)

    def _init_factors(self, random: np.random.Generator, users: EntityFactors, items: EntityFactors) -> None:
        for entity_factors in (users, items):
            entity_factors.init_factors(lambda n: random.uniform(0, self.init_max, (n, self.factors)))

    def _run_epoch(self, als_solver: AlsSolver, users: EntityFactors, items: EntityFactors) -> float:
        if self.update_order == "alternating":
            als_solver.solve(items, users, "multiplicative")
            return als_solver.solve(users, items, "multiplicative")
        previous = items.copy()
        als_solver.solve(items, users, "multiplicative")
        return als_solver.solve(users, previous, "multiplicative")

    def _fold_in_solver(self) -> str:
        return "coordinates"

    def _origin_margin(self) -> float | None:
        return None if self.biased else self.margin
