"""Models with one planted fault each, to test the battery; a pytest plugin that registers them.

Loaded only by ``test_contract_faults.py``, in a subprocess.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from foretaste.models import MODELS, SVD, Bias, NormalRandom, Prediction
from foretaste.params import estimator, fitted_attribute, param


def fault(check: str):
    """Register a model; ``check`` must find its fault: test_contract_faults reads it here."""

    def register(cls):
        cls = estimator(cls)
        MODELS[cls.__name__] = cls
        return cls

    return register


@fault("refit_resets_the_state")
class Remembers(Bias):
    def _fit(self, train, progress):
        before = self.__dict__.get("_before", 0.0)
        super()._fit(train, progress)
        self.mean_ += before
        self._before = 1.0


@fault("fit_sets_the_declared_attributes")
class Undeclared(Bias):
    def _fit(self, train, progress):
        super()._fit(train, progress)
        self.extra_ = 1.0


@fault("save_and_load_preserve_every_bit")
class NumpyNumber(Bias):
    def _fit(self, train, progress):
        super()._fit(train, progress)
        self.mean_ = np.float64(self.mean_)


@fault("failed_fit_leaves_the_model_unfitted")
class KeepsHalf(Bias):
    def _reset(self):
        self.__dict__.pop("users_", None)


@fault("predict_changes_nothing")
class Counts(Bias):
    def _predict(self, pairs):
        self.n_ratings_ += 1
        return super()._predict(pairs)


@fault("fit_does_not_change_the_ratings")
class CentresInPlace(Bias):
    def _fit(self, train, progress):
        super()._fit(train, progress)
        train.value[:1] += 1


@fault("same_seed_gives_the_same_bits")
class Fresh(Bias):
    def _fit(self, train, progress):
        super()._fit(train, progress)
        self.mean_ += 1e-9 * float(np.random.default_rng().random())


@fault("another_seed_gives_other_predictions")
class DeafToItsSeed(NormalRandom):
    def _predict(self, pairs):
        seed, self.seed = self.seed, 0
        try:
            return super()._predict(pairs)
        finally:
            self.seed = seed


@fault("threads_do_not_change_a_bit")
class Threads(Bias):
    threads: int = param(1, "how many threads there are", low=1)

    def _fit(self, train, progress):
        super()._fit(train, progress)
        self.mean_ += 1e-12 * self.threads


@fault("predictions_are_scale_free")
class RatingUnits(Bias):
    def _fit(self, train, progress):
        super()._fit(train, progress)
        self.user_bias_ = self.user_bias_.clip(-0.5, 0.5)


@fault("constant_ratings_predict_that_constant")
class Shrinks(Bias):
    def _fit(self, train, progress):
        super()._fit(train, progress)
        self.mean_ *= 0.999


@fault("relabeled_ids_change_nothing")
class ReadsIds(Bias):
    def _fit(self, train, progress):
        super()._fit(train, progress)
        if train.users.dtype == "int":
            self.user_bias_[train.users.ids % 2 == 1] += 1e-6


@fault("zero_is_a_valid_rating")
class DropsZeros(Bias):
    def _fit(self, train, progress):
        super()._fit(train[train.value != 0] if train.value.any() else train, progress)


@fault("unknown_users_and_items_get_a_marked_fallback")
class MarksNothing(Bias):
    def _predict(self, pairs):
        found = super()._predict(pairs)
        return Prediction(found.value, np.zeros_like(found.fallback))


@fault("fit_accepts_every_input_form_alike")
class KnowsItsDoor(Bias):
    def fit(self, X, *arguments, **named):
        super().fit(X, *arguments, **named)
        self.mean_ += 1e-9 * hasattr(X, "users")
        return self


@fault("predict_matrix_equals_predict_on_all_pairs")
class OtherMatrix(Bias):
    def predict_matrix(self, users=None, items=None):
        return super().predict_matrix(users, items) + np.float32(1e-5)


@fault("predict_accepts_every_input_form_alike")
class ByBatch(Bias):
    def _predict(self, pairs):
        found = super()._predict(pairs)
        return Prediction(found.value + np.float32(1e-3) * (pairs.timestamp is None), found.fallback)

    def predict(self, X):
        return super().predict(X.replace(timestamp=np.zeros(len(X), np.int64)) if hasattr(X, "users") else X)


@fault("clip_keeps_predictions_inside_the_scale")
class Spills(Bias):
    def clip_predictions(self, prediction):
        return prediction


@fault("contributions_sum_to_the_prediction")
class ExplainsOther(Bias):
    def contributions(self, pairs):
        result = super().contributions(pairs)
        result.values[0] += 0.01
        return result


@fault("explanation_parts_sum_to_the_prediction")
class ExplainsMore(Bias):
    def contributions(self, pairs):
        result = super().contributions(pairs)
        result.values[:, 1] *= 1.01
        return result


@fault("attributions_sum_to_their_part")
class SharesOut(SVD):
    def attribute_ratings(self, user, item, own):
        result = super().attribute_ratings(user, item, own)
        return (
            result if result is None else dataclasses.replace(result, contribution=1.02 * result.contribution)
        )


@fault("fold_in_is_independent_of_order_and_other_new_ids")
class FoldsTogether(Bias):
    def _fold_in(self, new, entity):
        folded = super()._fold_in(new, entity)
        folded.user_bias_ = folded.user_bias_ - folded.user_bias_.mean()
        return folded


@fault("folded_in_model_can_be_saved")
class LosesAnItem(Bias):
    def _fold_in(self, new, entity):
        folded = super()._fold_in(new, entity)
        if entity == "item":
            folded.item_bias_ = folded.item_bias_[1:]
        return folded


@fault("linear_form_equals_the_prediction")
class LinearOther(Bias):
    def as_linear(self):
        linear = super().as_linear()
        return dataclasses.replace(linear, user_bias=linear.user_bias + np.float32(0.01))


@fault("recommendations_equal_sorted_predictions")
class LinearHides(Bias):
    def as_linear(self):
        linear = super().as_linear()
        hidden = linear.item_bias == linear.item_bias.max()
        return dataclasses.replace(linear, item_bias=np.where(hidden, np.float32(-9), linear.item_bias))


@fault("weights_are_honored_or_refused")
class IgnoresWeights(Bias):
    def _fit(self, train, progress):
        super()._fit(train.replace(weight=None), progress)


@fault("weight_two_is_the_row_given_twice")
class WeightsSquared(Bias):
    def _fit(self, train, progress):
        weight = None if train.weight is None else train.weight**2
        super()._fit(train.replace(weight=weight), progress)


@fault("clone_is_unfitted_and_equal")
class Converts(Bias):
    def set_params(self, **params):
        return super().set_params(**{k: float(v) if k == "user_damping" else v for k, v in params.items()})

    def get_params(self, deep=True):
        return super().get_params(deep) | {"user_damping": float(np.random.default_rng().random())}


@fault("invalid_parameter_is_named")
class Unbounded(Bias):
    def check_params(self):
        pass


@fault("repr_recreates_the_model")
class ShortRepr(Bias):
    def __repr__(self):
        return "ShortRepr()"


@fault("every_parameter_is_documented")
class Unsaid(Bias):
    depth: int = param(1, "", low=1)
    depth_: int = fitted_attribute()

    def _fit(self, train, progress):
        super()._fit(train, progress)
        self.depth_ = 1
