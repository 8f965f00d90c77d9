"""Matrix factorisation by alternating least squares."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import InvalidParameterError
from foretaste.models._als import AlsBase
from foretaste.models._als_factors import AlsSolver, EntityFactors
from foretaste.params import estimator, param
from foretaste.ratings import Ratings

_CG_MIN_FACTORS = 64  # above so many factors, conjugate gradients are much quicker
_MAX_SWEEPS = 50  # of coordinate descent over the factors of a row; it mostly ends earlier


@estimator
class ALS(AlsBase):
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
        choices=("auto", "cholesky", "cg"),
    )
    cg_steps: int = param(3, "conjugate gradients of a user or item in an epoch", low=1, high=1000)
    init_std: float = param(
        0.1, "the spread of the first random factors", low=0, high=1000, exclusive_low=True
    )

    def _fit(self, train: Ratings, progress: Progress) -> None:
        if self.non_negative and self.solver != "auto":
            raise InvalidParameterError(
                f"ALS: solver={self.solver!r} cannot keep factors at 0 or above; non_negative=True has a "
                "solver of its own",
                hint='solver="auto"',
            )
        self._fit_alternating(train, self.epochs, progress)

    def _init_factors(self, random: np.random.Generator, users: EntityFactors, items: EntityFactors) -> None:
        def sample(n: int) -> np.ndarray:
            values = random.normal(0, self.init_std, (n, self.factors))
            return np.abs(values) if self.non_negative else values

        users.init_factors(sample)

    def _run_epoch(self, als_solver: AlsSolver, users: EntityFactors, items: EntityFactors) -> float:
        solver = self._fold_in_solver()
        if solver == "cholesky" and (self.solver == "cg" or self._prefers_cg()):
            solver = "gradients"
        max_steps = _MAX_SWEEPS if self.non_negative else self.cg_steps
        als_solver.solve(items, users, solver, max_steps)
        return als_solver.solve(users, items, solver, max_steps)

    def _prefers_cg(self) -> bool:
        return self.solver == "auto" and self.factors > _CG_MIN_FACTORS

    def _fold_in_solver(self) -> str:
        return "coordinates" if self.non_negative else "cholesky"

    def _origin_margin(self) -> float | None:
        return 0.0 if self.non_negative and not self.biased else None

    def _growth_exponent(self) -> float:
        return self.growth
