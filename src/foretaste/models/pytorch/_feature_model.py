"""Models whose factors of a user, or of an item, are computed from its id and its features."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import DataError, NotSupportedError
from foretaste.features import FeatureTable
from foretaste.ids import IdIndex
from foretaste.models._sgd import schedule_param
from foretaste.models.fold_in import copy_fitted
from foretaste.models.outputs import Prediction
from foretaste.models.pytorch._base import LinearTorchModel, TrainValidRows, to_numpy
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, IndexArray
from foretaste.validation import check_id_types


@estimator
class FeatureModel(LinearTorchModel):
    """Base of the models that use the features of ``ratings.with_features(users=..., items=...)``.

    An unknown user or item with features gets bias and factors from these alone (cold start): ``predict``
    finds them in the ratings it is called with, and ``with_new`` returns a model that knows them. Without
    features, an unknown user or item has zero bias and factors.
    """

    tags: ClassVar[frozenset[str]] = LinearTorchModel.tags | {"features"}
    uses_global_rng: ClassVar[bool] = False

    epochs: int = param(20, "maximum number of epochs", low=1)
    batch_size: int = param(4096, "ratings per batch", low=1)
    schedule: str = schedule_param("linear")
    id_dropout: float = param(
        0.3,
        "fraction of the ratings whose user id, and likewise item id, is masked in training; only where "
        "there are features, which so learn to stand in for unknown ids",
        low=0,
        high=0.9,
    )

    user_columns_: str = fitted_attribute("text")
    item_columns_: str = fitted_attribute("text")
    user_units_: Float32Array = fitted_attribute("user_features", "units")
    item_units_: Float32Array = fitted_attribute("item_features", "units")

    # Implemented by a subclass ---------------------------------------------------------------------

    @abstractmethod
    def _build_network(self, features: tuple[Float32Array, Float32Array], random: Any) -> Any:
        """Return a two-tower network of users and items with these scaled features, a row per id."""

    @abstractmethod
    def _set_fitted_network(self, network: Any) -> None:
        """Set the fitted attributes that ``_factors_from_features`` needs."""

    @abstractmethod
    def _factors_from_features(
        self, entity: Entity, values: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        """Return bias, (n,), and factors, (n, factors), of users or items from their features alone."""

    # Shared implementation -------------------------------------------------------------------------

    def _fit(self, train: Ratings, progress: Progress) -> None:
        for entity in Entity:
            scaler = FeatureScaler.from_table(train.axis(entity).features)
            self.set_entity_array(entity, "columns", scaler.columns_json())
            self.set_entity_array(entity, "units", scaler.center_scale())
        super()._fit(train, progress)

    def _make_training_task(self, train: Ratings, split: TrainValidRows, device: Any) -> Any:
        import torch

        from foretaste.models.pytorch._two_tower import TwoTowerTask

        random = torch.Generator().manual_seed(self.seed)
        users, items = (
            self._feature_scaler(axis.entity).transform(axis.features, len(axis.ids), axis.entity)
            for axis in (train.axis(Entity.USER), train.axis(Entity.ITEM))
        )
        network = self._build_network((users, items), random)
        return TwoTowerTask(network, train, split, train.mean_std(), device, self.id_dropout, random)

    def _set_fitted(self, training: Any) -> None:
        import torch

        self.mean_, self.std_ = training.mean, training.std
        for entity in Entity:
            with torch.no_grad():
                bias, factors = training.network.embed_all(entity)
            self.set_entity_array(entity, "bias", to_numpy(bias))
            self.set_entity_array(entity, "factors", to_numpy(factors))
        self._set_fitted_network(training.network)

    def _feature_scaler(self, entity: Entity) -> FeatureScaler:
        return FeatureScaler.from_json(
            self.entity_array(entity, "columns"), self.entity_array(entity, "units")
        )

    def _predict(self, pairs: Pairs) -> Prediction:
        user, user_bias, user_factors = self._factors_of_pairs(pairs, Entity.USER)
        item, item_bias, item_factors = self._factors_of_pairs(pairs, Entity.ITEM)
        value = self._predict_from(user, item, (user_factors, item_factors), (user_bias, item_bias))
        return self._make_prediction(pairs, value)

    def _factors_of_pairs(
        self, pairs: Pairs, entity: Entity
    ) -> tuple[IndexArray, Float32Array, Float32Array]:
        """Return codes, biases and factors of users or items, including unknown ones that have features."""
        axis, scaler = pairs.axis(entity), self._feature_scaler(entity)
        bias, factors = self.entity_array(entity, "bias"), self.entity_array(entity, "factors")
        unknown = axis.codes < 0
        if axis.features is None or axis.feature_row is None or not unknown.any() or not scaler.columns:
            return axis.codes, bias, factors
        rows, positions = np.unique(axis.feature_row[unknown], return_inverse=True)
        values = scaler.transform(axis.features.take_rows(rows), len(rows), entity)
        new_bias, new_factors = self._factors_from_features(entity, values)
        codes = axis.codes.copy()
        codes[unknown] = len(bias) + positions
        return codes, np.concatenate([bias, new_bias]), np.concatenate([factors, new_factors])

    def with_new(self, users: Any = None, items: Any = None) -> Self:
        """Return a copy of the model that also knows new users and items, from their features alone.

        They can then be predicted, recommended and compared like any other; this model is unchanged.

        Parameters
        ----------
        users, items : data frame, optional
            One row per id, with the columns that the model was trained on. Ids that the model knows already
            keep their factors.

        Raises
        ------
        DataError
            If a frame has other columns, or ids of another type.
        NotSupportedError
            If the model was trained without features of users (or items).
        """
        model = copy_fitted(self)
        for entity, frame in ((Entity.USER, users), (Entity.ITEM, items)):
            if frame is not None:
                model._add_new(entity, frame)
        return model

    def _add_new(self, entity: Entity, frame: Any) -> None:
        """Add the unknown ids of a frame, with bias and factors from their features."""
        scaler = self._feature_scaler(entity)
        if not scaler.columns:
            raise NotSupportedError(
                f"this {type(self).__name__} was trained without {entity} features",
                hint=f"ratings.with_features({entity.plural}=frame) before fit",
            )
        known = self.entity_ids(entity)
        frame_ids = FeatureTable.ids_from_frame(frame, entity)
        check_id_types(frame_ids, known, entity)
        new = frame_ids.take_ids(known.indices_of(frame_ids.ids) < 0)
        table = FeatureTable.from_frame(frame, new, entity)
        bias, factors = self._factors_from_features(entity, scaler.transform(table, len(new), entity))
        ids = np.concatenate([known.ids, new.ids])
        order = np.argsort(ids, kind="stable")
        index = IdIndex(ids[order])
        if entity is Entity.USER:
            self.users_ = index
        else:
            self.items_ = index
        for name, array in (("bias", bias), ("factors", factors)):
            extended = np.concatenate([self.entity_array(entity, name), array])[order]
            self.set_entity_array(entity, name, extended)


@dataclass(frozen=True, eq=False)
class FeatureScaler:
    """Standardizes feature columns as they were in training.

    Parameters
    ----------
    columns : tuple of str
        As in ``FeatureTable``; a category is one-hot encoded, one column per value: ``genre=comedy``.
    center, scale : float32 array, shape (columns,)
        A column is transformed to ``(value - center) / scale``. Binary columns are unchanged, others have
        zero mean and unit variance over the known users or items.
    """

    columns: tuple[str, ...]
    center: Float32Array
    scale: Float32Array

    @classmethod
    def from_table(cls, table: FeatureTable | None) -> FeatureScaler:
        """Return the scaler fitted to a training table; None has no columns."""
        if table is None:
            return cls((), np.empty(0, np.float32), np.empty(0, np.float32))
        values = table.values.astype(np.float64)
        is_binary = ((values == 0) | (values == 1)).all(axis=0)
        std = values.std(axis=0)
        center = np.where(is_binary, 0, values.mean(axis=0))
        scale = np.where(is_binary | (std == 0), 1, std)
        return cls(table.columns, center.astype(np.float32), scale.astype(np.float32))

    @classmethod
    def from_json(cls, columns_json: str, center_scale: Float32Array) -> FeatureScaler:
        """Return the scaler from its stored parts, the inverse of ``columns_json`` and ``center_scale``."""
        return cls(tuple(json.loads(columns_json)), center_scale[:, 0], center_scale[:, 1])

    def columns_json(self) -> str:
        """Return the column names as a JSON array."""
        return json.dumps(self.columns, ensure_ascii=False)

    def center_scale(self) -> Float32Array:
        """Return center and scale, shape (columns, 2)."""
        return np.ascontiguousarray(np.column_stack([self.center, self.scale]), dtype=np.float32)

    def transform(self, table: FeatureTable | None, n: int, entity: str) -> Float32Array:
        """Return the scaled columns of a table, in the order of training.

        Parameters
        ----------
        table : FeatureTable or None
            None: zeros, as if all values were missing.
        n : int
            Number of rows.
        entity : {"user", "item"}
            For errors.

        Returns
        -------
        float32 array, shape (n, columns)

        Raises
        ------
        DataError
            If the table has other columns. Only the values of a category may differ: one that did not occur
            in training is ignored.
        """
        if table is None:
            return np.zeros((n, len(self.columns)), np.float32)
        index = {column: k for k, column in enumerate(self.columns)}
        self._check_columns(table.columns, entity)
        values = np.tile(self.center, (n, 1))
        for k, column in enumerate(table.columns):
            if column in index:
                values[:, index[column]] = table.values[:, k]
        return np.ascontiguousarray((values - self.center) / self.scale)

    def _check_columns(self, columns: tuple[str, ...], entity: str) -> None:
        """Raise if columns are missing or were not in training; a category may have other values."""
        known, categories = set(self.columns), _categorical_features(self.columns)
        feature_names = ", ".join(dict.fromkeys(map(_feature_name, self.columns))) or "none"
        unexpected = [c for c in columns if c not in known and _feature_name(c) not in categories]
        if unexpected:
            raise DataError(
                f'{entity} feature "{unexpected[0]}" was not in the training data',
                hint=f"the features of the training data: {feature_names}",
            )
        present = set(columns) | _categorical_features(columns)
        missing = [
            _feature_name(c) for c in self.columns if c not in present and _feature_name(c) not in present
        ]
        if missing:
            raise DataError(
                f'{entity} feature "{missing[0]}" is missing; the model was trained on it',
                hint=f"all features of the training data: {feature_names}",
            )


def _feature_name(column: str) -> str:
    """Return the name of a feature, without the value of a category."""
    return column.partition("=")[0]


def _categorical_features(columns: tuple[str, ...]) -> set[str]:
    return {_feature_name(column) for column in columns if "=" in column}
