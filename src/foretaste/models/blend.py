"""Stacking: a weighted sum of several models, fitted on out-of-fold predictions."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import Hint, ModelFileError, NotSupportedError
from foretaste.models.base import Model
from foretaste.models.fold_in import with_new_ids
from foretaste.models.outputs import Contributions, Prediction
from foretaste.models.spec import (
    check_models,
    clone_members,
    model_names,
    nested_params,
    set_nested_params,
)
from foretaste.params import estimator, fitted_attribute, param, seed_param
from foretaste.ratings import Pairs, Ratings
from foretaste.splits import KFold
from foretaste.typing import Entity, Float32Array, Float64Array


@estimator
class Blend(Model):
    r"""Combine several models by ridge regression on their out-of-fold predictions (stacking).

    :math:`\hat r_{ui} = \mu + \sigma g_0(u, i) + \sum_m g_m(u, i) (\hat r^m_{ui} - \mu)`, where each weight
    depends on the numbers of ratings of user and item,

    .. math:: g_m(u, i) = w_m + v_m \log(1 + n_u) + v'_m \log(1 + n_i)

    (with ``support=False`` it is :math:`w_m` alone). The training ratings are split into ``folds``; each
    fold is predicted by models fitted on the others, and the weights are those of a ridge regression of the
    standardized ratings on these predictions and their products with the logarithms. They are shrunken to
    the unweighted mean of the models by ``regularization`` pseudo-counts. Then every model is fitted on all
    ratings: a blend takes ``folds`` + 1 times as long as its models.

    ``models`` holds names (``"SVD"`` with its defaults) and models (``SVD(factors=32)``), which stay
    unfitted; the fitted ones are ``members_``. Parameters of nested models are prefixed by their name:
    ``SVD__factors`` (of a second SVD ``SVD_2__factors``), for ``set_params`` and scikit-learn's searches.

    An unknown user or item has 0 ratings, and each model predicts its own fallback. Sample weights are
    supported if all models support them.

    Wolpert, "Stacked generalization", Neural Networks 5(2), 1992; Breiman, "Stacked regressions", Machine
    Learning 24(1), 1996; weights that depend on the support: Sill, Takács, Mackey and Lin,
    "Feature-weighted linear stacking", 2009.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights"})
    summary: ClassVar[str] = "a weighted sum of several models, fitted on out-of-fold predictions"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    models: list[str | Model] = param(
        ["GlobalEffects", "ItemKNN", "SVD", "SVDpp"],
        "the models, by name or as objects",
        is_model_list=True,
    )
    folds: int = param(5, "number of folds of the out-of-fold predictions", low=2)
    support: bool = param(True, "let the weights depend on the numbers of ratings of user and item")
    regularization: float = param(
        10.0,
        "ridge penalty that shrinks the weights to the unweighted mean of the models",
        low=0,
        exclusive_low=True,
    )
    seed: int = seed_param("random seed of the folds", high=2**32 - 1)

    mean_: float = fitted_attribute()
    std_: float = fitted_attribute()
    members_: list[Model] = fitted_attribute("models")
    weight_: Float64Array = fitted_attribute("supports", "terms", dtype="float64")
    user_support_: Float32Array = fitted_attribute("users")
    item_support_: Float32Array = fitted_attribute("items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, std = train.mean_std()
        self.std_ = std or 1.0
        folds = min(self.folds, len(train))
        splits = list(KFold(folds, self.seed).split(train)) if folds > 1 else []
        predicted, support = np.zeros((len(self.models), len(train))), np.zeros((2, len(train)))
        with progress.start_task("Blend", len(splits) + 1) as task:
            for train_rows, test_rows in splits:
                fold_train, fold_test = train[train_rows], train[test_rows]
                for index, model in enumerate(clone_members(self)):
                    predicted[index, test_rows] = model.fit(fold_train, progress=progress).predict(fold_test)
                support[:, test_rows] = _lookup_support(fold_test, fold_train)
                task.step()
            self.weight_ = self._fit_weights(train, predicted, support) if splits else self._equal_weights()
            self.user_support_, self.item_support_ = _log_support(train)
            self.members_ = [model.fit(train, progress=progress) for model in clone_members(self)]
            task.step()

    def _fit_weights(self, train: Ratings, predicted: Float64Array, support: Float64Array) -> Float64Array:
        """Return the weights by ridge regression, shape (1 + supports, models + 1)."""
        scaled = np.vstack([(predicted - self.mean_) / self.std_, np.ones((1, len(train)))])
        residual = (train.value - self.mean_) / self.std_ - scaled[:-1].mean(axis=0)
        mean, std = support.mean(axis=1), support.std(axis=1)
        rows = [np.ones(len(train)), *(s - m for s, m in zip(support, mean, strict=True))]
        unit = np.r_[1.0, np.where(std > 0, std, 1)]
        rows = rows[: 3 if self.support else 1]
        terms = [row / scale * column for row, scale in zip(rows, unit, strict=False) for column in scaled]
        solution = _ridge(terms, residual, train.weight, self.regularization).reshape(len(rows), -1)
        weights: Float64Array = np.zeros((3, len(scaled)))
        weights[: len(rows)] = solution / unit[: len(rows), None]
        weights[0] -= mean @ weights[1:]  # from centered to original supports
        return weights + self._equal_weights()

    def _equal_weights(self) -> Float64Array:
        weights = np.zeros((3, len(self.models) + 1))
        weights[0, :-1] = 1 / len(self.models)
        return weights

    def _member_contributions(self, pairs: Pairs) -> Float64Array:
        """Return the mean and the contribution of each model, shape (1 + models, n)."""
        supports = (
            np.where(codes >= 0, table[codes].astype(np.float64), 0)
            for codes, table in ((pairs.user, self.user_support_), (pairs.item, self.item_support_))
        )
        weight = np.einsum("sn,sm->mn", np.stack([np.ones(len(pairs)), *supports]), self.weight_)
        predictions = [member.predict_encoded(pairs).value for member in self.members_]
        contributions = [
            w * (prediction - self.mean_) for w, prediction in zip(weight[:-1], predictions, strict=True)
        ]
        return np.stack([self.mean_ + self.std_ * weight[-1], *contributions])

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._make_prediction(pairs, self._member_contributions(pairs).sum(axis=0))

    def contributions(self, pairs: Pairs) -> Contributions:
        return Contributions(
            ("mean", *model_names(self.models)),
            self._member_contributions(pairs).T.astype(np.float32),
        )

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        members = [member.fold_in(new, entity) for member in self.members_]
        axis = new.axis(entity)
        support = np.log1p(np.bincount(axis.codes, new.weight, len(axis.ids))).astype(np.float32)
        return with_new_ids(self, new, entity, {"members_": members}, support=support)

    def set_state(self, state: dict[str, Any]) -> Self:
        super().set_state(state)
        expected = [type(model) for model in clone_members(self)]
        shape = (3, len(expected) + 1)
        if [type(member) for member in self.members_] != expected or self.weight_.shape != shape:
            raise ModelFileError(
                "the models and weights in the file do not match the parameters of the blend"
            )
        return self

    def _check_train(self, train: Ratings) -> None:
        super()._check_train(train)
        unsupported = [type(model).__name__ for model in clone_members(self) if "weights" not in model.tags]
        if train.weight is not None and unsupported:
            raise NotSupportedError(
                f"this Blend does not support sample weights, because {unsupported[0]} does not",
                hint=Hint({"models": ["GlobalEffects", "SVD"]}, "or others that do"),
            )

    def check_params(self) -> None:
        """Check every hyperparameter, and those of nested models."""
        super().check_params()
        check_models("Blend", self.models)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyperparameters; with ``deep`` also those of models given as objects."""
        params = super().get_params(deep=False)
        return params | nested_params(self.models) if deep else params

    def set_params(self, **params: Any) -> Self:
        """Set hyperparameters by name, also of nested models; a model given by name becomes an object."""
        super().set_params(**{name: value for name, value in params.items() if "__" not in name})
        nested = {name: value for name, value in params.items() if "__" in name}
        if nested:
            self.models = set_nested_params("Blend", self.models, nested)
        return self


def _log_support(ratings: Ratings) -> tuple[Float32Array, Float32Array]:
    """Return ``log(1 + n)`` of the number of ratings (the sum of their weights), by user and by item."""
    user = np.bincount(ratings.user, ratings.weight, len(ratings.users))
    item = np.bincount(ratings.item, ratings.weight, len(ratings.items))
    return np.log1p(user).astype(np.float32), np.log1p(item).astype(np.float32)


def _lookup_support(test: Ratings, train: Ratings) -> Float64Array:
    """Return the supports of user and item of each test row in the training rows, shape (2, n)."""
    user, item = (
        train.users.indices_of(test.users.ids)[test.user],
        train.items.indices_of(test.items.ids)[test.item],
    )
    user_support, item_support = _log_support(train)
    return np.stack([np.where(user >= 0, user_support[user], 0), np.where(item >= 0, item_support[item], 0)])


def _ridge(
    terms: list[Float64Array], target: Float64Array, weight: Float32Array | None, penalty: float
) -> Float64Array:
    """Return the ridge regression of a target on terms; sums in a fixed order, for reproducible bits."""
    weighted = terms if weight is None else [weight * term for term in terms]
    gram = np.array([[float(np.sum(a * b)) for b in terms] for a in weighted])
    rhs = np.array([float(np.sum(a * target)) for a in weighted])
    return np.asarray(np.linalg.solve(gram + penalty * np.eye(len(terms)), rhs))
