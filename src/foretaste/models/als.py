"""Matrix factorization by alternating least squares."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import Hint, InvalidParameterError
from foretaste.models._als import AlsBase, AlsSolver, EntityFactors
from foretaste.params import estimator, param
from foretaste.ratings import Ratings

_CG_MIN_FACTORS = 64  # above, conjugate gradients are much faster
_MAX_SWEEPS = 50  # of coordinate descent; mostly converges earlier


@estimator
class ALS(AlsBase):
    r"""Matrix factorization with biases, fitted by alternating least squares.

    :math:`\hat r_{ui} = \mu + \sigma (b_u + b_i + p_u \cdot q_i)`, where, over ratings in standard
    deviations :math:`z = (r - \mu) / \sigma`, biases and factors minimize

    .. math:: \sum_{(u,i)} w_{ui} (z_{ui} - b_u - b_i - p_u \cdot q_i)^2
              + \sum_u \Bigl[ (\lambda n_u + \delta) \sum_{j=1}^{k} j^g p_{uj}^2 + \beta b_u^2 \Bigr]
              + \sum_i \Bigl[ (\lambda n_i + \delta) \sum_{j=1}^{k} j^g q_{ij}^2 + \beta b_i^2 \Bigr] .

    :math:`\lambda` is ``regularization``, :math:`\delta` ``damping``, :math:`g` ``growth``, :math:`\beta`
    ``bias_damping``, and :math:`n` the number of ratings (the sum of their weights) of a user or item.
    ``damping=0`` with ``growth=0`` is ALS-WR, ``regularization=0`` least squares with a constant ridge.
    Given the items, bias and factors of each user have a joint closed-form solution, and vice versa: each
    epoch solves for all items, then for all users. An unknown user or item has bias
    and factors 0; without biases and with ``non_negative``, an unknown pair gets the mean.

    Zhou, Wilkinson, Schreiber and Pan, "Large-scale parallel collaborative filtering for the Netflix
    Prize", AAIM 2008; conjugate gradients: Takács, Pilászy and Tikk, "Applications of the conjugate
    gradient method for implicit feedback collaborative filtering", RecSys 2011.
    """

    summary: ClassVar[str] = "matrix factorization with biases, by alternating least squares"

    epochs: int = param(20, "number of alternations", low=1)
    growth: float = param(0.15, "exponent g: the penalty of factor j is multiplied by j**g", low=0, high=4)
    non_negative: bool = param(False, "constrain factors to be non-negative (biases may be negative)")
    solver: str = param(
        "auto",
        "exact (cholesky), or conjugate gradients (cg) warm-started from the last epoch; auto: exact up to "
        "64 factors",
        choices=("auto", "cholesky", "cg"),
    )
    cg_steps: int = param(3, "conjugate gradient steps per user or item and epoch", low=1, high=1000)
    init_std: float = param(
        0.1, "standard deviation of the initial factors", low=0, high=1000, exclusive_low=True
    )

    def _fit(self, train: Ratings, progress: Progress) -> None:
        if self.non_negative and self.solver != "auto":
            raise InvalidParameterError(
                f"ALS: solver={self.solver!r} does not support non_negative=True, which has its own solver",
                hint=Hint({"solver": "auto"}),
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
