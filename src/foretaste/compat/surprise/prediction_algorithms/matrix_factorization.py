"""Matrix factorization: SVD, SVD++ and NMF, by sequential float64 updates as in scikit-surprise."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from foretaste._native import surprise_implicit, surprise_nmf, surprise_svd, surprise_svdpp
from foretaste._utils.checks import check_number
from foretaste.compat.surprise.prediction_algorithms._factors import FactorModel, collect_rates
from foretaste.compat.surprise.trainset import Trainset
from foretaste.compat.surprise.utils import get_rng
from foretaste.typing import Float64Array, IndexArray

__all__ = ["NMF", "SVD", "SVDpp"]


class SVD(FactorModel):
    """Biased matrix factorization by stochastic gradient descent."""

    def __init__(
        self, n_factors: int = 100, n_epochs: int = 20, biased: bool = True, init_mean: float = 0,
        init_std_dev: float = 0.1, lr_all: float = 0.005, reg_all: float = 0.02, lr_bu: float | None = None,
        lr_bi: float | None = None, lr_pu: float | None = None, lr_qi: float | None = None,
        reg_bu: float | None = None, reg_bi: float | None = None, reg_pu: float | None = None,
        reg_qi: float | None = None, random_state: Any = None, verbose: bool = False,
    ) -> None:  # fmt: skip
        self.n_factors = n_factors
        self.n_epochs = n_epochs
        self.biased = biased
        self.init_mean = init_mean
        self.init_std_dev = init_std_dev
        self.lr_bu, self.lr_bi, self.lr_pu, self.lr_qi = _with_default(lr_all, lr_bu, lr_bi, lr_pu, lr_qi)
        self.reg_bu, self.reg_bi, self.reg_pu, self.reg_qi = _with_default(
            reg_all, reg_bu, reg_bi, reg_pu, reg_qi
        )
        self.random_state = random_state
        self.verbose = verbose
        super().__init__()

    def sgd(self, trainset: Trainset) -> None:
        """Initialize the factors and run all epochs; called by ``fit``."""
        rng = get_rng(self.random_state)
        bu, bi = np.zeros(trainset.n_users), np.zeros(trainset.n_items)
        pu = rng.normal(self.init_mean, self.init_std_dev, (trainset.n_users, self.n_factors))
        qi = rng.normal(self.init_mean, self.init_std_dev, (trainset.n_items, self.n_factors))
        rows, mean = trainset.by_user(), float(self.trainset.global_mean) if self.biased else 0.0
        rates, regs = collect_rates(self, "lr", "bu bi pu qi"), collect_rates(self, "reg", "bu bi pu qi")
        if not self.biased:
            rates[:2] = 0  # biases stay 0
        for epochs in self._iter_epochs():
            surprise_svd(rows.starts, rows.items, rows.values, mean, pu, qi, bu, bi, rates, regs, epochs)
        self.bu, self.bi, self.pu, self.qi = bu, bi, pu, qi


class SVDpp(FactorModel):
    """Matrix factorization with implicit feedback: which items a user rated.

    ``cache_ratings`` has no effect.
    """

    yj: Float64Array
    _epoch_line: ClassVar[str] = " processing epoch {}"

    def __init__(
        self, n_factors: int = 20, n_epochs: int = 20, init_mean: float = 0, init_std_dev: float = 0.1,
        lr_all: float = 0.007, reg_all: float = 0.02, lr_bu: float | None = None, lr_bi: float | None = None,
        lr_pu: float | None = None, lr_qi: float | None = None, lr_yj: float | None = None,
        reg_bu: float | None = None, reg_bi: float | None = None, reg_pu: float | None = None,
        reg_qi: float | None = None, reg_yj: float | None = None, random_state: Any = None,
        verbose: bool = False, cache_ratings: bool = False,
    ) -> None:  # fmt: skip
        self.n_factors = n_factors
        self.n_epochs = n_epochs
        self.init_mean = init_mean
        self.init_std_dev = init_std_dev
        rates, regs = (lr_bu, lr_bi, lr_pu, lr_qi, lr_yj), (reg_bu, reg_bi, reg_pu, reg_qi, reg_yj)
        self.lr_bu, self.lr_bi, self.lr_pu, self.lr_qi, self.lr_yj = _with_default(lr_all, *rates)
        self.reg_bu, self.reg_bi, self.reg_pu, self.reg_qi, self.reg_yj = _with_default(reg_all, *regs)
        self.random_state = random_state
        self.verbose = verbose
        self.cache_ratings = cache_ratings
        super().__init__()

    def sgd(self, trainset: Trainset) -> None:
        """Initialize the factors and run all epochs; called by ``fit``."""
        rng = get_rng(self.random_state)
        bu, bi = np.zeros(trainset.n_users), np.zeros(trainset.n_items)
        pu = rng.normal(self.init_mean, self.init_std_dev, (trainset.n_users, self.n_factors))
        qi = rng.normal(self.init_mean, self.init_std_dev, (trainset.n_items, self.n_factors))
        yj = rng.normal(self.init_mean, self.init_std_dev, (trainset.n_items, self.n_factors))
        rows, mean = trainset.by_user(), float(self.trainset.global_mean)
        rates, regs = (
            collect_rates(self, "lr", "bu bi pu qi yj"),
            collect_rates(self, "reg", "bu bi pu qi yj"),
        )
        for epochs in self._iter_epochs():
            surprise_svdpp(
                rows.starts, rows.items, rows.values, mean, pu, qi, yj, bu, bi, rates, regs, epochs
            )
        self.bu, self.bi, self.pu, self.qi, self.yj = bu, bi, pu, qi, yj

    def _user_vectors(
        self, users: IndexArray, bu: Float64Array
    ) -> tuple[Float64Array, Float64Array, IndexArray]:
        known = users >= 0
        distinct, inverse = np.unique(users[known], return_inverse=True)
        rows, yj = self.trainset.by_user(), np.ascontiguousarray(self.yj, np.float64)
        implicit = surprise_implicit(rows.starts, rows.items, yj, distinct)
        positions = np.full(len(users), -1, np.int32)
        positions[known] = inverse
        return self.pu[distinct] + implicit, bu[distinct], positions


class NMF(FactorModel):
    """Non-negative matrix factorization by multiplicative updates."""

    def __init__(
        self, n_factors: int = 15, n_epochs: int = 50, biased: bool = False, reg_pu: float = 0.06,
        reg_qi: float = 0.06, reg_bu: float = 0.02, reg_bi: float = 0.02, lr_bu: float = 0.005,
        lr_bi: float = 0.005, init_low: float = 0, init_high: float = 1, random_state: Any = None,
        verbose: bool = False,
    ) -> None:  # fmt: skip
        self.n_factors = n_factors
        self.n_epochs = n_epochs
        self.biased = biased
        self.reg_pu, self.reg_qi, self.reg_bu, self.reg_bi = reg_pu, reg_qi, reg_bu, reg_bi
        self.lr_bu, self.lr_bi = lr_bu, lr_bi
        self.init_low, self.init_high = init_low, init_high
        self.random_state = random_state
        self.verbose = verbose
        check_number("init_low", init_low, low=0, suggestion=0)
        super().__init__()

    def sgd(self, trainset: Trainset) -> None:
        """Initialize the factors and run all epochs; called by ``fit``."""
        rng = get_rng(self.random_state)
        pu = rng.uniform(self.init_low, self.init_high, (trainset.n_users, self.n_factors))
        qi = rng.uniform(self.init_low, self.init_high, (trainset.n_items, self.n_factors))
        bu, bi = np.zeros(trainset.n_users), np.zeros(trainset.n_items)
        rows, mean = trainset.by_user(), float(self.trainset.global_mean) if self.biased else 0.0
        rates, regs = collect_rates(self, "lr", "bu bi"), collect_rates(self, "reg", "bu bi pu qi")
        for epochs in self._iter_epochs():
            is_valid = surprise_nmf(
                rows.starts, rows.items, rows.values, mean, pu, qi, bu, bi, rates, regs,
                bool(self.biased), epochs,
            )  # fmt: skip
            if not is_valid:
                raise ZeroDivisionError("a factor was divided by 0; give reg_pu and reg_qi above 0")
        self.bu, self.bi, self.pu, self.qi = bu, bi, pu, qi


def _with_default(default: Any, *values: Any) -> list[Any]:
    """Return each value, or the default where it is None."""
    return [default if value is None else value for value in values]
