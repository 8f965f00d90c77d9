"""A blend: several models, weighted by how they predict what they have not seen."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import ModelFileError, NotSupportedError
from foretaste.models import nested_models
from foretaste.models.base import Model
from foretaste.models.fold_in import with_new_ids
from foretaste.models.outputs import Contributions, Prediction
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Pairs, Ratings
from foretaste.splits import KFold
from foretaste.typing import Entity, Float32Array, Float64Array


@estimator
class Blend(Model):
    r"""Weigh several models by ridge regression on what they predict for ratings that they have not seen.

    :math:`\hat r_{ui} = \mu + \sigma g_0(u, i) + \sum_m g_m(u, i) (\hat r^m_{ui} - \mu)`, where each weight
    depends on how much is known of user and item,

    .. math:: g_m(u, i) = w_m + v_m \log(1 + n_u) + v'_m \log(1 + n_i)

    (with ``support=False`` it is :math:`w_m` alone). The training ratings are cut into ``folds``; each fold
    is predicted by models that learned from the others, and the weights are those of ridge regression of
    the ratings on these predictions and their products with the logarithms, over ratings in standard
    deviations. They are drawn to the plain mean of the models, as if by ``regularization`` ratings that
    speak for it. Then every model learns from all ratings. So a blend takes ``folds`` + 1 times as long as
    its models.

    ``models`` holds names (``"SVD"`` has its defaults) and models (``SVD(factors=32)``), which stay
    unfitted; those that learned are ``members_``. The parameters of a model inside are those of its name:
    ``SVD__factors`` (of a second SVD ``SVD_2__factors``), for ``set_params`` and scikit-learn's searches.

    An unknown user or item has no ratings, and each model answers by its own fallback. Sample weights are
    honoured if all models honour them.

    Wolpert, "Stacked generalization", Neural Networks 5(2), 1992; Breiman, "Stacked regressions", Machine
    Learning 24(1), 1996; weights that depend on the support: Sill, Takács, Mackey and Lin,
    "Feature-weighted linear stacking", 2009.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights"})
    summary: ClassVar[str] = "several models, weighted by how they predict ratings they have not seen"
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    models: list[str | Model] = param(
        ["GlobalEffects", "ItemKNN", "SVD", "SVDpp"],
        "the models that are weighed, by name or as they are",
        is_model_list=True,
    )
    folds: int = param(5, "into how many parts the ratings are cut to find the weights", low=2)
    support: bool = param(True, "whether the weights depend on how many ratings the user and the item have")
    regularization: float = param(
        10.0, "how strongly the weights are drawn to the plain mean of the models", low=0, exclusive_low=True
    )
    seed: int = param(0, "chooses the folds", low=0, high=2**32 - 1)

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
                for index, model in enumerate(nested_models.clone_members(self)):
                    predicted[index, test_rows] = model.fit(fold_train, progress=progress).predict(fold_test)
                support[:, test_rows] = _lookup_support(fold_test, fold_train)
                task.step()
            self.weight_ = self._fit_weights(train, predicted, support) if splits else self._equal_weights()
            self.user_support_, self.item_support_ = _log_support(train)
            self.members_ = [
                model.fit(train, progress=progress) for model in nested_models.clone_members(self)
            ]
            task.step()

    def _fit_weights(self, train: Ratings, predicted: Float64Array, support: Float64Array) -> Float64Array:
        """Return the weights by ridge regression, shape (1 and supports, models and constant)."""
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
        weights[0] -= mean @ weights[1:]  # from supports less their mean to supports as they are
        return weights + self._equal_weights()

    def _equal_weights(self) -> Float64Array:
        weights = np.zeros((3, len(self.models) + 1))
        weights[0, :-1] = 1 / len(self.models)
        return weights

    def _member_contributions(self, pairs: Pairs) -> Float64Array:
        """Return the mean and what each model adds to it, shape (1 + models, n)."""
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
            ("mean", *nested_models.model_names(self.models)),
            self._member_contributions(pairs).T.astype(np.float32),
        )

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        members = [member.fold_in(new, entity) for member in self.members_]
        axis = new.axis(entity)
        support = np.log1p(np.bincount(axis.codes, new.weight, len(axis.ids))).astype(np.float32)
        return with_new_ids(self, new, entity, {"members_": members}, support=support)

    def set_state(self, state: dict[str, Any]) -> Self:
        super().set_state(state)
        expected = [type(model) for model in nested_models.clone_members(self)]
        shape = (3, len(expected) + 1)
        if [type(member) for member in self.members_] != expected or self.weight_.shape != shape:
            raise ModelFileError("the models and weights in the file are not those that the blend names")
        return self

    def _check_train(self, train: Ratings) -> None:
        super()._check_train(train)
        unsupported = [
            type(model).__name__ for model in nested_models.clone_members(self) if "weights" not in model.tags
        ]
        if train.weight is not None and unsupported:
            raise NotSupportedError(
                f"this Blend cannot honour sample weights, because {unsupported[0]} cannot",
                hint='models=["GlobalEffects", "SVD"], or others that can',
            )

    def check_params(self) -> None:
        """Check every hyperparameter, and those of the models inside."""
        super().check_params()
        nested_models.check_models("Blend", self.models)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyperparameters, and with ``deep`` those of models given as such (``SVD__factors``)."""
        params = super().get_params(deep=False)
        return params | nested_models.nested_params(self.models) if deep else params

    def set_params(self, **params: Any) -> Self:
        """Set hyperparameters by name, also those of the models inside; a name becomes its model then."""
        super().set_params(**{name: value for name, value in params.items() if "__" not in name})
        nested = {name: value for name, value in params.items() if "__" in name}
        if nested:
            self.models = nested_models.set_nested_params("Blend", self.models, nested)
        return self


def _log_support(ratings: Ratings) -> tuple[Float32Array, Float32Array]:
    """Return the logarithm of 1 and the number of ratings (the sum of their weights), by user and by item."""
    user = np.bincount(ratings.user, ratings.weight, len(ratings.users))
    item = np.bincount(ratings.item, ratings.weight, len(ratings.items))
    return np.log1p(user).astype(np.float32), np.log1p(item).astype(np.float32)


def _lookup_support(test: Ratings, train: Ratings) -> Float64Array:
    """Return the supports that the user and the item of each held row have in the kept rows, shape (2, n)."""
    user, item = (
        train.users.indices_of(test.users.ids)[test.user],
        train.items.indices_of(test.items.ids)[test.item],
    )
    user_support, item_support = _log_support(train)
    return np.stack([np.where(user >= 0, user_support[user], 0), np.where(item >= 0, item_support[item], 0)])


def _ridge(
    terms: list[Float64Array], target: Float64Array, weight: Float32Array | None, penalty: float
) -> Float64Array:
    """Return the ridge regression of a target on terms; sums in a fixed order, so bits do not change."""
    weighted = terms if weight is None else [weight * term for term in terms]
    gram = np.array([[float(np.sum(a * b)) for b in terms] for a in weighted])
    rhs = np.array([float(np.sum(a * target)) for a in weighted])
    return np.asarray(np.linalg.solve(gram + penalty * np.eye(len(terms)), rhs))
