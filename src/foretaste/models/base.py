"""Base class of all models: parameters, ``fit``, ``predict``, and the hooks that a model may implement.

Public methods check arguments and call the underscored methods that a model implements. ``Model`` satisfies
scikit-learn's estimator protocol without importing scikit-learn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from inspect import isabstract
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils import memory
from foretaste._utils.checks import check_choice
from foretaste._utils.html import notebook_html, notebook_table
from foretaste._utils.progress import Progress, get_progress
from foretaste.column_roles import check_finite_column
from foretaste.errors import DataError, Hint, InvalidParameterError, NotFittedError, NotSupportedError
from foretaste.fingerprint import fingerprint
from foretaste.ids import IdIndex
from foretaste.metrics.rating import r2
from foretaste.models._state import check_state
from foretaste.models.outputs import Contributions, Fallback, LinearForm, Prediction, RatingAttribution
from foretaste.params import ParamsMixin, estimator, fitted_attribute, param, to_source
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import AnyArray, BoolArray, Entity, Float32Array
from foretaste.validation import as_ratings, encode_pairs


@estimator
class Model(ParamsMixin, ABC):
    """Base class of all models.

    A model implements ``_fit`` and ``_predict``; optionally ``as_linear`` (a form of biases and factors,
    which top-N and similar items use), ``_fold_in`` with ``fold_in_entities``, ``contributions`` and
    ``attribute_ratings``. Parameters are declared by ``param``, fitted attributes by ``fitted_attribute``.

    Attributes after ``fit``
    ------------------------
    users_, items_ : IdIndex
        The known ids.
    low_, high_ : float
        Predictions are clipped to this range: the declared scale, else that of the training ratings.
    n_ratings_ : int
        Number of training ratings.
    fingerprint_ : str
        Hash of the training ratings, independent of their order.
    """

    requires: ClassVar[frozenset[str]] = frozenset()
    tags: ClassVar[frozenset[str]] = frozenset()
    extra: ClassVar[str] = ""  # of pip install "foretaste[...]", needed for fitting
    summary: ClassVar[str] = ""
    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset()  # that ``fold_in`` supports

    clip: bool = param(
        True, "clip predictions to the declared rating scale, else to the range of the training ratings"
    )

    users_: IdIndex = fitted_attribute("ids")
    items_: IdIndex = fitted_attribute("ids")
    low_: float = fitted_attribute()
    high_: float = fitted_attribute()
    n_ratings_: int = fitted_attribute()
    fingerprint_: str = fitted_attribute("text")

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, progress: bool | Progress = False
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : Ratings, data frame, or array-like of shape (n, 2)
            Ratings, or pairs of a user id and an item id.
        y : array-like, shape (n,), optional
            Ratings, in rating units; required where X has none, else they replace those of X.
        sample_weight : array-like, shape (n,), optional
            At least 0; an error for models that do not support weights.
        progress : bool or Progress
            Show a progress bar.

        Raises
        ------
        InvalidParameterError
            If a hyperparameter is invalid, or training diverged.
        DataError
            If the ratings are invalid, or lack something that this model requires.
        NotSupportedError
            If weights are given to a model that does not support them.
        MissingDependencyError
            If fitting needs a package that is not installed.
        """
        self._reset()
        self._check_extra()
        self.check_params()
        train = as_ratings(X, y, sample_weight)
        self._check_train(train)
        low, high = train.scale or (float(train.value.min()), float(train.value.max()))
        self.low_, self.high_, self.n_ratings_ = float(low), float(high), len(train)
        self.users_, self.items_, self.fingerprint_ = train.users, train.items, fingerprint(train)
        try:
            self._fit(train, get_progress(progress))
            self._check_finite()
        except BaseException:
            self._reset()
            raise
        return self

    def predict(self, X: Any) -> Float32Array:
        """Predict ratings.

        Parameters
        ----------
        X : Ratings, data frame, or array-like of shape (n, 2)
            Pairs of a user id and an item id; unknown ones get the model's documented fallback.

        Returns
        -------
        float32 array, shape (n,)
            In rating units.
        """
        return self.predict_details(X).value

    def predict_details(self, X: Any) -> Prediction:
        """Predict ratings, with the rows that are fallbacks and, from some models, their uncertainty."""
        self.check_fitted()
        return self.predict_encoded(encode_pairs(X, self.users_, self.items_))

    def predict_encoded(self, pairs: Pairs, *, clip: bool = True) -> Prediction:
        """Predict pairs that are encoded in the ids of the model.

        Parameters
        ----------
        pairs : Pairs
            Indices into ``users_`` and ``items_``; -1 is unknown.
        clip : bool
            Clip to the rating range if the model is set to. Ranking needs unclipped values: clipped ones tie.
        """
        prediction = self._predict(pairs)
        return self.clip_predictions(prediction) if clip else prediction

    def predict_matrix(self, users: IdIndex | None = None, items: IdIndex | None = None) -> Float32Array:
        """Predict every user for every item.

        Parameters
        ----------
        users, items : IdIndex, optional
            Rows and columns of the matrix, so that it aligns with others; default: the known ones.

        Returns
        -------
        float32 array, shape (users, items)
        """
        self.check_fitted()
        users, items = users or self.users_, items or self.items_
        what = f"a matrix of {len(users)} x {len(items)} predictions"
        memory.check_available(4 * len(users) * len(items), what, "predict(pairs) in parts")
        user, item = self.users_.indices_of(users.ids), self.items_.indices_of(items.ids)
        matrix = np.empty((len(users), len(items)), np.float32)
        step = max(1, 1_000_000 // max(1, len(items)))
        for start in range(0, len(users), step):
            rows = user[start : start + step]
            pairs = Pairs(np.repeat(rows, len(item)), np.tile(item, len(rows)))
            matrix[start : start + step] = self.predict_encoded(pairs).value.reshape(len(rows), -1)
        return matrix

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return R squared of the predictions, as scikit-learn's regressors do; y may stand in X."""
        y_true = as_ratings(X).value if y is None else check_finite_column(y, "rating")
        return r2(y_true, self.predict(X), sample_weight)

    # Implemented by every model --------------------------------------------------------------------

    @abstractmethod
    def _fit(self, train: Ratings, progress: Progress) -> None:
        """Set the fitted attributes from validated, non-empty ratings."""

    @abstractmethod
    def _predict(self, pairs: Pairs) -> Prediction:
        """Predict encoded pairs, unclipped; -1 is unknown."""

    # Hooks with a default --------------------------------------------------------------------------

    def as_linear(self) -> LinearForm:
        """Return the model as biases and factors, in rating units."""
        raise self._linear_not_supported()

    def fold_in(self, new: Ratings, entity: str = Entity.USER) -> Self:
        """Return a fitted model of new users (or items), without refitting the other entity.

        Parameters
        ----------
        new : Ratings
            Ratings of the new users (items); rows of items (users) unknown to the model are ignored.
        entity : {"user", "item"}
            Which of the two is new.

        Returns
        -------
        Model
            Of the same type and parameters; its users (items) are exactly those of ``new``.

        Raises
        ------
        NotSupportedError
            If ``entity`` is not in ``fold_in_entities``; the hint names models that support it.
        NotFittedError
            If the model is not fitted.
        DataError
            If the ids of ``new`` are of another type than those of the model.
        """
        self.check_fitted()
        entity = Entity(check_choice("entity", str(entity), ("user", "item")))
        self.check_fold_in(entity)
        return self._fold_in(new, entity)

    def check_fold_in(self, entity: Entity) -> None:
        """Raise NotSupportedError unless this model can fold in new users (or items)."""
        if entity not in self.fold_in_entities:
            raise self._fold_in_not_supported(entity)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        """Fold in an entity of ``fold_in_entities``; written by models that declare any."""
        raise NotImplementedError

    def contributions(self, pairs: Pairs) -> Contributions:
        """Return the parts of each prediction, before clipping; by default, those of ``as_linear``."""
        linear, known = self.as_linear(), self._known_mask(pairs)
        values = linear.parts(np.where(known, pairs.user, 0), np.where(known, pairs.item, 0))
        if not known.all():
            values[~known] = 0
            values[~known, 0] = self._predict(pairs).value[~known]
        return Contributions(("mean", "user", "item", "taste"), values)

    def attribute_ratings(
        self, user: int, item: int, user_ratings: Ratings | None
    ) -> RatingAttribution | None:
        """Return how much each rating contributes to one part of a prediction; None where it is undefined.

        Parameters
        ----------
        user, item : int
            Indices of known ones.
        user_ratings : Ratings, optional
            Ratings of this user alone, in the model's items; needed by models that do not store them.
        """
        return None

    def get_state(self) -> dict[str, Any]:
        """Return the fitted attributes by name: arrays, numbers, id maps and nested models."""
        self.check_fitted()
        return {name: getattr(self, name) for name in self.fitted_shapes()}

    def set_state(self, state: dict[str, Any]) -> Self:
        """Set the fitted attributes, checking every shape and dtype against its declaration.

        Optional attributes that are missing, as in files of earlier versions, become empty.

        Raises
        ------
        ModelFileError
            If an attribute is missing, unexpected, of the wrong shape or type, or not finite.
        """
        for name, value in check_state(type(self), state).items():
            setattr(self, name, value)
        return self

    # Helpers for models ----------------------------------------------------------------------------

    def entity_ids(self, entity: Entity) -> IdIndex:
        """Return ``users_`` or ``items_``."""
        return self.users_ if entity is Entity.USER else self.items_

    def entity_array(self, entity: Entity, name: str) -> Any:
        """Return a fitted array of one entity: ``user_bias_`` is that of ``Entity.USER`` and ``"bias"``."""
        return getattr(self, f"{entity}_{name}_")

    def set_entity_array(self, entity: Entity, name: str, value: Any) -> None:
        """Set a fitted array of one entity; see ``entity_array``."""
        setattr(self, f"{entity}_{name}_", value)

    def _reset(self) -> None:
        """Delete the fitted attributes, so that the model is unfitted after a failed fit."""
        for name in self.fitted_shapes():
            self.__dict__.pop(name, None)

    def _known_mask(self, pairs: Pairs) -> BoolArray:
        return np.asarray((pairs.user >= 0) & (pairs.item >= 0))

    def _make_prediction(self, pairs: Pairs, value: AnyArray) -> Prediction:
        """Return predicted values as a ``Prediction``, marking rows whose user or item is unknown."""
        fallback = Fallback.USER * (pairs.user < 0) + Fallback.ITEM * (pairs.item < 0)
        return Prediction(value.astype(np.float32, copy=False), fallback.astype(np.int8))

    def clip_predictions(self, prediction: Prediction) -> Prediction:
        """Return a prediction clipped to ``[low_, high_]`` if ``clip`` is set."""
        return prediction.clip(self.low_, self.high_) if self.clip else prediction

    def _check_finite(self) -> None:
        for name in self.fitted_shapes():
            value = getattr(self, name)
            arrays = value.values() if isinstance(value, dict) else [value]
            if any(isinstance(a, np.ndarray | float) and not np.isfinite(a).all() for a in arrays):
                raise InvalidParameterError(
                    f"{self!r}: training diverged ({name} is not finite)",
                    hint="a smaller learning rate or more regularization; the defaults suit most ratings",
                )

    def check_fitted(self) -> None:
        """Raise NotFittedError unless the model is fitted."""
        if not self.__sklearn_is_fitted__():
            name = type(self).__name__
            raise NotFittedError(f"this {name} has not been fitted", hint="model.fit(ratings) first")

    def _check_extra(self) -> None:
        """Raise MissingDependencyError if fitting needs a package that is not installed."""

    def _check_train(self, train: Ratings) -> None:
        name = type(self).__name__
        if len(train) == 0:
            raise DataError(f"{name}: no ratings to train on")
        for requirement in sorted(self.requires):
            if getattr(train, requirement) is None:
                raise DataError(
                    f"{name} needs {requirement}, and the ratings have none",
                    hint=_REQUIREMENT_HINTS[requirement],
                )
        if train.weight is not None:
            if "weights" not in self.tags:
                capable = sorted(cls.__name__ for cls in all_models() if "weights" in cls.tags)
                raise NotSupportedError(
                    f"{name} does not support sample weights", hint=f"models that do: {', '.join(capable)}"
                )
            if not train.weight.any():
                raise DataError(f"{name}: all sample weights are 0")

    def _not_supported(self, action: str, capable: list[type[Model]]) -> NotSupportedError:
        names = ", ".join(sorted(cls.__name__ for cls in capable)) or "none yet"
        hint = f"models that can: {names}"
        return NotSupportedError(f"{type(self).__name__} cannot {action}", hint=hint)

    def _linear_not_supported(self, setting: str = "") -> NotSupportedError:
        """Return the error of a model without linear form; ``setting`` is the parameter that prevents it."""
        capable = [cls for cls in all_models() if cls.as_linear is not Model.as_linear]
        return self._not_supported(
            f"be written as biases and factors{setting and f' with {setting}'}", capable
        )

    def _fold_in_not_supported(self, entity: Entity, setting: str = "") -> NotSupportedError:
        """Return the error of a model that cannot fold in; ``setting`` is the parameter that prevents it."""
        capable = [cls for cls in all_models() if entity in cls.fold_in_entities]
        return self._not_supported(f"fold in new {entity.plural}{setting and f' with {setting}'}", capable)

    # scikit-learn's protocol -----------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return "users_" in self.__dict__

    def __sklearn_tags__(self) -> Any:
        from sklearn import utils  # only scikit-learn asks for this

        return utils.Tags(
            estimator_type="regressor",
            target_tags=utils.TargetTags(required=True),
            regressor_tags=utils.RegressorTags(),
            input_tags=utils.InputTags(string=True, two_d_array=True),
        )

    def _repr_html_(self) -> str:
        rows = [[name, to_source(getattr(self, name)), spec.doc] for name, spec in self.param_specs().items()]
        state = "not fitted"
        if self.__sklearn_is_fitted__():
            sizes = f"{len(self.users_):,} users, {len(self.items_):,} items"
            state = f"fitted on {self.n_ratings_:,} ratings, {sizes}"
        return notebook_html(notebook_table([], rows, "lrl", f"{type(self).__name__}: {state}"))


_REQUIREMENT_HINTS: dict[str, Hint | str] = {
    "timestamp": Hint({"timestamp": ...}, lead="name its column when reading"),
    "user_features": "ratings.with_features(users=frame)",
    "item_features": "ratings.with_features(items=frame)",
    "weight": "Ratings.from_columns(..., weight=COLUMN)",
}


def all_models() -> list[type[Model]]:
    """Return the model classes of this package that have been imported, without base classes."""
    found: dict[type[Model], None] = {}
    queue: list[Any] = [Model]
    while queue:
        for subclass in queue.pop().__subclasses__():
            queue.append(subclass)
            if subclass.__module__.startswith("foretaste.") and subclass.summary and not isabstract(subclass):
                found[subclass] = None
    return list(found)
