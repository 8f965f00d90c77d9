"""Alternating least squares: base class of its models, factors of an entity, solver of a half step."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from foretaste._native import als_half, group_rows
from foretaste._utils.progress import Progress
from foretaste._utils.threads import resolve_threads
from foretaste.errors import ModelFileError
from foretaste.models._factor_model import FactorModel
from foretaste.models._sgd import aligned_zeros, pad_to_simd
from foretaste.models.fold_in import (
    design_matrix,
    fold_in_rows,
    known_ratings,
    ridge_attribution,
    uncentered_covariance,
    with_new_ids,
)
from foretaste.models.outputs import Prediction, RatingAttribution
from foretaste.params import estimator, fitted_attribute, param, seed_param, threads_param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array, IndexArray, Int64Array

F = TypeVar("F", bound=FactorModel)

_MAX_FOLD_IN_STEPS = 1000  # of an iterative solver; mostly converges earlier


@dataclass
class EntityFactors:
    """Grouped ratings, factors and biases of the users or of the items.

    Parameters
    ----------
    indptr : int64 array, shape (n + 1,)
        Where the ratings of each user (item) start.
    indices : int32 array, shape (ratings,)
        The item (user) of each rating.
    value, weight : float32 array, shape (ratings,)
        In standard deviations; weight is None if all are 1.
    total : float64 array, shape (n,)
        The sum of weights of each.
    factors : float32 array, shape (n, width)
        Padded with zeros to a multiple of 16.
    bias : float32 array, shape (n,), or None
    """

    indptr: Int64Array
    indices: IndexArray
    value: Float32Array
    weight: Float32Array | None
    total: Float64Array
    factors: Float32Array
    bias: Float32Array | None

    def init_factors(self, sample: Callable[[int], Float64Array]) -> None:
        """Set the initial factors to ``sample(n)``, shape (n, factors).

        Only of those with ratings of a weight above 0, so that weight 0 equals a missing row.
        """
        rated = np.flatnonzero(self.total > 0)
        values = sample(len(rated))
        self.factors[rated, : values.shape[1]] = values

    def copy(self) -> EntityFactors:
        """Return a copy with its own factors and biases."""
        bias = None if self.bias is None else self.bias.copy()
        return dataclasses.replace(self, factors=self.factors.copy(), bias=bias)

    def result(self, factors: int) -> tuple[Float32Array, Float32Array]:
        """Return the biases (0 if unbiased) and the factors without padding."""
        bias = np.zeros(len(self.factors), np.float32) if self.bias is None else self.bias
        return bias, np.ascontiguousarray(self.factors[:, :factors])


def make_entity_factors(
    codes: IndexArray,
    indices: IndexArray,
    value: Float32Array,
    weight: Float32Array | None,
    n: int,
    factors: int,
    biased: bool,
) -> EntityFactors:
    """Group ratings by ``codes`` into n users (or items), with factors and biases 0."""
    indptr, rows = group_rows(codes, n)
    total = np.diff(indptr) if weight is None else np.bincount(codes, weight.astype(np.float64), n)
    return EntityFactors(
        indptr,
        indices[rows],
        value[rows],
        None if weight is None else weight[rows],
        total.astype(np.float64),
        aligned_zeros(n, pad_to_simd(factors)),
        np.zeros(n, np.float32) if biased else None,
    )


def as_entity_factors(bias: Float32Array, factors: Float32Array, biased: bool) -> EntityFactors:
    """Return fitted biases and factors as the fixed entity of a half step."""
    no_values, no_indices = np.empty(0, np.float32), np.empty(0, np.int32)
    result = make_entity_factors(
        no_indices, no_indices, no_values, None, len(factors), factors.shape[1], biased
    )
    result.factors[:, : factors.shape[1]] = factors
    result.bias = bias if biased else None
    return result


@dataclass
class AlsSolver:
    """Solves the factors of one entity while the other is fixed.

    Parameters
    ----------
    factors : int
    regularization, damping : float
        L2 penalty of factors: ``regularization`` per rating plus ``damping``.
    growth : float
        The penalty of factor j is multiplied by j to this power.
    bias_damping : float
        L2 penalty of biases.
    threads : int
    """

    factors: int
    regularization: float
    damping: float
    growth: float
    bias_damping: float
    threads: int

    def solve(self, target: EntityFactors, fixed: EntityFactors, solver: str, max_steps: int = 1) -> float:
        """Solve ``target`` in place, ``fixed`` given; return the RMSE in standard deviations.

        Parameters
        ----------
        target, fixed : EntityFactors
        solver : {"cholesky", "gradients", "coordinates", "multiplicative"}
            Exact least squares; conjugate gradient steps; coordinate descent to non-negative factors;
            multiplicative updates. The last returns the error before its last update.
        max_steps : int
            Maximal number of steps of the iterative solvers.
        """
        ridge = (self.regularization * target.total + self.damping).astype(np.float32)
        growth = np.arange(1.0, target.factors.shape[1] + 1) ** self.growth
        bias_ridge = None if target.bias is None else np.full(len(ridge), self.bias_damping, np.float32)
        error = als_half(
            target.indptr, target.indices, target.value, target.weight, fixed.factors, fixed.bias,
            target.factors, target.bias, ridge, growth.astype(np.float32), bias_ridge, self.factors, solver,
            max_steps, self.threads,
        )  # fmt: skip
        total = target.total.sum()
        return float(np.sqrt(error / total)) if total > 0 else 0.0


@estimator
class AlsBase(FactorModel):
    """Biases and factors, fitted by alternation: one entity is solved while the other is fixed.

    The intercept of ``FactorModel`` is ``origin_``, the mean; non-negative factors without biases need one
    below the ratings.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact"})
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    factors: int = param(64, "number of latent factors", low=1, high=1024)
    regularization: float = param(0.03, "L2 regularization of factors per rating", low=0, high=1e6)
    damping: float = param(
        5.0, "L2 regularization of factors, independent of the number of ratings", low=0, high=1e6
    )
    biased: bool = param(True, "fit user and item biases")
    bias_damping: float = param(
        3.0, "pseudo-count: number of prior ratings at the mean per user and item", low=0, high=1e6
    )
    seed: int = seed_param()
    threads: int | None = threads_param()

    origin_: float = fitted_attribute()
    train_rmse_: Float32Array = fitted_attribute("epochs")
    user_covariance_: Float64Array = fitted_attribute("vector", "vector", dtype="float64", optional=True)

    @abstractmethod
    def _run_epoch(self, als_solver: AlsSolver, users: EntityFactors, items: EntityFactors) -> float:
        """Solve items and users once; return the RMSE in standard deviations."""

    @abstractmethod
    def _init_factors(self, random: np.random.Generator, users: EntityFactors, items: EntityFactors) -> None:
        """Set the initial factors."""

    @abstractmethod
    def _fold_in_solver(self) -> str:
        """Return the exact solver of new users, items given."""

    def _origin_margin(self) -> float | None:
        """Return how far the origin is below the lowest rating, in rating ranges; None for the mean."""
        return None

    def _growth_exponent(self) -> float:
        return 0.0

    def _fit_alternating(self, train: Ratings, epochs: int, progress: Progress) -> None:
        self.mean_, self.std_ = train.mean_std()
        self.origin_ = self._compute_origin(train)
        value = self._standardize(train.value).astype(np.float32)
        size = len(train.users), len(train.items)
        users = make_entity_factors(
            train.user, train.item, value, train.weight, size[0], self.factors, self.biased
        )
        items = make_entity_factors(
            train.item, train.user, value, train.weight, size[1], self.factors, self.biased
        )
        self._init_factors(np.random.default_rng(self.seed), users, items)
        als_solver, errors = self._make_solver(), list[float]()
        with progress.start_task(type(self).__name__, epochs) as task:
            for _ in range(epochs):
                errors.append(self.std_ * self._run_epoch(als_solver, users, items))
                task.step(note=f"train RMSE {errors[-1]:.4f}")
        self.train_rmse_ = np.array(errors, np.float32)
        self.user_bias_, self.user_factors_ = users.result(self.factors)
        self.item_bias_, self.item_factors_ = items.result(self.factors)
        self.user_covariance_ = uncentered_covariance(self.user_bias_, self.user_factors_)

    def _compute_origin(self, train: Ratings) -> float:
        margin = self._origin_margin()
        if margin is None:
            return self.mean_
        values = train.value if train.weight is None else train.value[train.weight > 0]
        low, high = float(values.min()), float(values.max())
        return low - margin * (high - low)

    def _intercept(self) -> float:
        return self.origin_

    def _make_solver(self) -> AlsSolver:
        damping = self.damping, self._growth_exponent(), self.bias_damping
        return AlsSolver(self.factors, self.regularization, *damping, resolve_threads(self.threads))

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        return fold_in_by_als(self, new, entity, self._make_solver(), self._fold_in_solver(), self.biased)

    def attribute_ratings(
        self, user: int, item: int, user_ratings: Ratings | None
    ) -> RatingAttribution | None:
        if user_ratings is None:
            return None
        rows = fold_in_rows(self, user_ratings)
        folded = self.fold_in(user_ratings)
        # Factors clamped at 0 are inactive; the others are the solution of a ridge regression.
        active = (
            folded.user_factors_[0] != 0
            if self._fold_in_solver() == "coordinates"
            else np.full(self.factors, True)
        )
        total, growth = rows.weight.sum(), np.arange(1.0, self.factors + 1) ** self._growth_exponent()
        ridge = (self.regularization * total + self.damping) * growth
        if self.biased:
            active, ridge = np.r_[True, active], np.r_[self.bias_damping, ridge]
        residual = self._standardize(rows.value) - self.item_bias_[rows.known_indices]
        design = design_matrix(self.item_factors_, self.biased)
        target = np.r_[np.zeros(int(self.biased)), self.item_factors_[item].astype(np.float64)]
        system = design[:, active], np.diag(np.maximum(ridge[active], 1e-9)), target[active]
        contribution = self.std_ * ridge_attribution(rows, residual, *system)
        return RatingAttribution("taste", "item", rows.known_indices, rows.value, contribution)

    def _predict(self, pairs: Pairs) -> Prediction:
        prediction = super()._predict(pairs)
        if self.origin_ != self.mean_:  # the origin is no sensible fallback
            prediction.value[~self._known_mask(pairs)] = self.mean_
        return prediction

    def set_state(self, state: dict[str, Any]) -> Self:
        super().set_state(state)
        size = self.item_factors_.shape[1] + 1
        if self.user_covariance_.shape not in ((0, 0), (size, size)):
            raise ModelFileError("user_covariance_ in the file does not fit its factors")
        return self


def fold_in_by_als(
    model: F, new: Ratings, entity: Entity, als_solver: AlsSolver, solver: str, biased: bool = True
) -> F:
    """Return a model of new users (or items), solved by a half step with the opposite entity fixed.

    Parameters
    ----------
    model : FactorModel
    new : Ratings
    entity : Entity
        Which of the two is new.
    als_solver : AlsSolver
    solver : str
        As in ``AlsSolver.solve``; an iterative one runs until it converges.
    biased : bool
        Whether biases are solved, too.
    """
    known = known_ratings(model, new, entity)
    new_axis, fixed_axis = known.axis(entity), known.axis(entity.opposite)
    value = model._standardize(known.value).astype(np.float32)
    n, width = len(new_axis.ids), als_solver.factors
    target = make_entity_factors(new_axis.codes, fixed_axis.codes, value, known.weight, n, width, biased)
    fixed_bias = model.entity_array(entity.opposite, "bias")
    fixed = as_entity_factors(fixed_bias, model.entity_array(entity.opposite, "factors"), biased)
    als_solver.solve(target, fixed, solver, _MAX_FOLD_IN_STEPS)
    bias, factors = target.result(width)
    return with_new_ids(model, new, entity, bias=bias, factors=factors)
