"""Matrix factorisation by alternating least squares."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import InvalidParameter
from foretaste.models._als import Alternating
from foretaste.models._als_factors import Side, Steps
from foretaste.params import model_class, param
from foretaste.ratings import Ratings

_MANY = 64  # above so many factors, conjugate gradients are much quicker
_SWEEPS = 50  # of coordinate descent over the factors of a row; it mostly ends earlier


@model_class
class ALS(Alternating):
    r"""Matrix factorisation with biases, learned by alternating least squares.

    :math:`\hat r_{ui} = \mu + \sigma (b_u + b_i + p_u \cdot q_i)`, where, over ratings in standard
    deviations :math:`z = (r - \mu) / \sigma`, biases and factors minimise

    .. math:: \sum_{(u,i)} w_{ui} (z_{ui} - b_u - b_i - p_u \cdot q_i)^2
              + \sum_u \Bigl[ (\lambda n_u + \delta) \sum_{j=1}^{k} j^g p_{uj}^2 + \beta b_u^2 \Bigr]
              + \sum_i \Bigl[ (\lambda n_i + \delta) \sum_{j=1}^{k} j^g q_{ij}^2 + \beta b_i^2 \Bigr] .

    :math:`\lambda` is ``regularization``, :math:`\delta` ``damping``, :math:`g` ``growth``, :math:`\beta`
    ``bias_damping``, and :math:`n` the number of ratings (the sum of their weights) of a user or item.
    ``damping=0`` with ``growth=0`` is ALS-WR, ``regularization=0`` plain least squares with one ridge for
    all. Given the items, the bias and the factors of each user have one best solution together, and the
    other way about: each epoch solves for all items, then for all users. An unknown user or item has bias
    and factors 0; without biases and with ``non_negative``, a pair that is not known gets the mean.

    Zhou, Wilkinson, Schreiber and Pan, "Large-scale parallel collaborative filtering for the Netflix
    Prize", AAIM 2008; conjugate gradients: Takács, Pilászy and Tikk, "Applications of the conjugate
    gradient method for implicit feedback collaborative filtering", RecSys 2011.
    """

    summary: ClassVar[str] = "biases and factors of users and items, by alternating least squares"

    epochs: int = param(20, "how many times items and users are solved for", low=1)
    growth: float = param(
        0.15, "factor number j is drawn to 0 by j to this power times as strongly as the first", low=0, high=4
    )
    non_negative: bool = param(False, "keep factors at 0 or above (biases may be below)")
    solver: str = param(
        "auto",
        "exact (cholesky), or a few conjugate gradients (cg) from where the last epoch ended; auto: exact up "
        "to 64 factors",
        one_of=("auto", "cholesky", "cg"),
    )
    steps: int = param(3, "conjugate gradients of a user or item in an epoch", low=1, high=1000)
    initial_std: float = param(0.1, "the spread of the first random factors", low=0, high=1000, open_low=True)

    def _fit(self, train: Ratings, progress: Progress) -> None:
        if self.non_negative and self.solver != "auto":
            raise InvalidParameter(
                f"ALS: solver={self.solver!r} cannot keep factors at 0 or above; non_negative=True has a "
                "solver of its own",
                hint='solver="auto"',
            )
        self._learn(train, self.epochs, progress)

    def _first(self, random: np.random.Generator, users: Side, items: Side) -> None:
        def draw(n: int) -> np.ndarray:
            drawn = random.normal(0, self.initial_std, (n, self.factors))
            return np.abs(drawn) if self.non_negative else drawn

        users.begin(draw)

    def _epoch(self, steps: Steps, users: Side, items: Side) -> float:
        solver = self._exact()
        if solver == "cholesky" and (self.solver == "cg" or self._many()):
            solver = "gradients"
        most = _SWEEPS if self.non_negative else self.steps
        steps.learn(items, users, solver, most)
        return steps.learn(users, items, solver, most)

    def _many(self) -> bool:
        return self.solver == "auto" and self.factors > _MANY

    def _exact(self) -> str:
        return "coordinates" if self.non_negative else "cholesky"

    def _margin(self) -> float | None:
        return 0.0 if self.non_negative and not self.biases else None

    def _growth(self) -> float:
        return self.growth
