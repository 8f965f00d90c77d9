"""Models whose factors of a user, or of an item, are computed from its id and its features."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import NotSupportedError
from foretaste.features import FeatureTable
from foretaste.ids import IdIndex
from foretaste.models._sgd import schedule_param
from foretaste.models.outputs import Prediction
from foretaste.models.pytorch._base import TrainValidRows
from foretaste.models.pytorch._feature_scaler import FeatureScaler
from foretaste.models.pytorch._linear_model import LinearTorchModel, to_numpy
from foretaste.params import estimator, fitted_attribute, param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Float32Array, IndexArray
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
    def _build_network(
        self, sizes: tuple[int, int], features: tuple[Float32Array, Float32Array], random: Any
    ) -> Any:
        """Return a two-tower network of these numbers of users and items, with these features."""

    @abstractmethod
    def _set_fitted_network(self, network: Any) -> None:
        """Set the fitted attributes that ``_factors_from_features`` needs."""

    @abstractmethod
    def _factors_from_features(self, entity: str, values: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return bias, (n,), and factors, (n, factors), of users or items from their features alone."""

    # Shared implementation -------------------------------------------------------------------------

    def _fit(self, train: Ratings, progress: Progress) -> None:
        tables = train.user_features, train.item_features
        users, items = (FeatureScaler.from_table(table) for table in tables)
        self.user_columns_, self.item_columns_ = users.columns_json(), items.columns_json()
        self.user_units_, self.item_units_ = users.center_scale(), items.center_scale()
        super()._fit(train, progress)

    def _make_training_task(self, train: Ratings, split: TrainValidRows, device: Any) -> Any:
        import torch

        from foretaste.models.pytorch._two_tower import TwoTowerTask

        random = torch.Generator().manual_seed(self.seed)
        sizes = len(train.users), len(train.items)
        features = (
            self._feature_scaler("user").transform(train.user_features, sizes[0], "user"),
            self._feature_scaler("item").transform(train.item_features, sizes[1], "item"),
        )
        network = self._build_network(sizes, features, random)
        return TwoTowerTask(network, train, split, train.mean_std(), device, self.id_dropout, random)

    def _set_fitted(self, training: Any) -> None:
        import torch

        self.mean_, self.std_ = training.mean, training.std
        with torch.no_grad():
            bias, factors = training.network.embed_all("user")
            self.user_bias_, self.user_factors_ = to_numpy(bias), to_numpy(factors)
            bias, factors = training.network.embed_all("item")
            self.item_bias_, self.item_factors_ = to_numpy(bias), to_numpy(factors)
        self._set_fitted_network(training.network)

    def _fitted_array(self, entity: str, name: str) -> Float32Array:
        """Return the fitted attribute ``user_NAME_`` or ``item_NAME_``."""
        array: Float32Array = getattr(self, f"{entity}_{name}_")
        return array

    def _feature_scaler(self, entity: str) -> FeatureScaler:
        columns = self.user_columns_ if entity == "user" else self.item_columns_
        return FeatureScaler.from_json(columns, self._fitted_array(entity, "units"))

    def _predict(self, pairs: Pairs) -> Prediction:
        user, user_bias, user_factors = self._factors_of_pairs(pairs, "user")
        item, item_bias, item_factors = self._factors_of_pairs(pairs, "item")
        value = self._predict_from(user, item, (user_factors, item_factors), (user_bias, item_bias))
        return self._make_prediction(pairs, value)

    def _factors_of_pairs(self, pairs: Pairs, entity: str) -> tuple[IndexArray, Float32Array, Float32Array]:
        """Return codes, biases and factors of users or items, including unknown ones that have features."""
        axis, scaler = pairs.axis(entity), self._feature_scaler(entity)
        bias, factors = self._fitted_array(entity, "bias"), self._fitted_array(entity, "factors")
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
        self.check_fitted()
        model = type(self)(**self.get_params(deep=False)).set_state(self.get_state())
        for entity, frame in (("user", users), ("item", items)):
            if frame is not None:
                model._add_new(entity, frame)
        return model

    def _add_new(self, entity: str, frame: Any) -> None:
        """Add the unknown ids of a frame, with bias and factors from their features."""
        scaler = self._feature_scaler(entity)
        if not scaler.columns:
            raise NotSupportedError(
                f"this {type(self).__name__} was trained without {entity} features",
                hint=f"ratings.with_features({entity}s=frame) before fit",
            )
        known: IdIndex = getattr(self, f"{entity}s_")
        frame_ids = FeatureTable.ids_from_frame(frame, entity)
        check_id_types(frame_ids, known, entity)
        new = frame_ids.take_ids(known.indices_of(frame_ids.ids) < 0)
        table = FeatureTable.from_frame(frame, new, entity)
        bias, factors = self._factors_from_features(entity, scaler.transform(table, len(new), entity))
        ids = np.concatenate([known.ids, new.ids])
        order = np.argsort(ids, kind="stable")
        setattr(self, f"{entity}s_", IdIndex(ids[order]))
        for name, array in (("bias", bias), ("factors", factors)):
            extended = np.concatenate([self._fitted_array(entity, name), array])[order]
            setattr(self, f"{entity}_{name}_", extended)
