"""Models whose factors of a user, or of an item, come of its id and of its features."""

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
    """Base of the models that make use of ``ratings.with_features(users=..., items=...)``.

    A user or an item that was not learned from, but whose features are given, gets bias and factors by these
    alone: ``predict`` looks for them in the ratings that it is given, and ``with_new`` returns a model that
    knows them. Without features this is a model of ids, and an unknown one has bias and factors 0.
    """

    tags: ClassVar[frozenset[str]] = LinearTorchModel.tags | {"features"}
    uses_global_rng: ClassVar[bool] = False

    epochs: int = param(20, "how many times each rating is visited, at most", low=1)
    batch_size: int = param(4096, "how many ratings a step looks at", low=1)
    schedule: str = schedule_param("linear")
    id_dropout: float = param(
        0.3,
        "share of the ratings that are learned by features alone, as if the user, and likewise the item, "
        "were unknown; only of a side that has features",
        low=0,
        high=0.9,
    )

    user_columns_: str = fitted_attribute("text")
    item_columns_: str = fitted_attribute("text")
    user_units_: Float32Array = fitted_attribute("user_features", "units")
    item_units_: Float32Array = fitted_attribute("item_features", "units")

    # What a model writes ---------------------------------------------------------------------------

    @abstractmethod
    def _build_network(
        self, sizes: tuple[int, int], features: tuple[Float32Array, Float32Array], random: Any
    ) -> Any:
        """Return the network of so many users and items with these features."""

    @abstractmethod
    def _set_fitted_network(self, network: Any) -> None:
        """Set the learned attributes that make bias and factors of features."""

    @abstractmethod
    def _factors_from_features(self, entity: str, values: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return bias, (n,), and factors, (n, factors), of users or items by their features alone."""

    # The rest --------------------------------------------------------------------------------------

    def _fit(self, train: Ratings, progress: Progress) -> None:
        users, items = (
            FeatureScaler.from_table(train.user_features),
            FeatureScaler.from_table(train.item_features),
        )
        self.user_columns_, self.item_columns_ = users.columns_json(), items.columns_json()
        self.user_units_, self.item_units_ = users.center_scale(), items.center_scale()
        super()._fit(train, progress)

    def _make_training_task(self, train: Ratings, split: TrainValidRows, device: Any) -> Any:
        import torch

        from foretaste.models.pytorch._two_tower import TwoTowerTask

        random = torch.Generator().manual_seed(self.seed)
        sizes = len(train.users), len(train.items)
        values = (
            self._feature_scaler("user").transform(train.user_features, sizes[0], "user"),
            self._feature_scaler("item").transform(train.item_features, sizes[1], "item"),
        )
        network = self._build_network(sizes, values, random)
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

    def _feature_scaler(self, entity: str) -> FeatureScaler:
        return FeatureScaler.from_json(getattr(self, f"{entity}_columns_"), getattr(self, f"{entity}_units_"))

    def _predict(self, pairs: Pairs) -> Prediction:
        user, user_bias, user_factors = self._factors_of_pairs(pairs, "user")
        item, item_bias, item_factors = self._factors_of_pairs(pairs, "item")
        value = self._predict_from(user, item, (user_factors, item_factors), (user_bias, item_bias))
        return self._make_prediction(pairs, value)

    def _factors_of_pairs(self, pairs: Pairs, entity: str) -> tuple[IndexArray, Float32Array, Float32Array]:
        """Return index, biases and factors of one side, with those that only features are known of."""
        index, table = getattr(pairs, entity), getattr(pairs, f"{entity}_features")
        bias, factors = getattr(self, f"{entity}_bias_"), getattr(self, f"{entity}_factors_")
        row = getattr(pairs, f"{entity}_feature_row")
        if (
            table is None
            or row is None
            or not (index < 0).any()
            or not len(self._feature_scaler(entity).columns)
        ):
            return index, bias, factors
        rows, positions = np.unique(row[index < 0], return_inverse=True)
        values = self._feature_scaler(entity).transform(table.take_rows(rows), len(rows), entity)
        more_bias, more_factors = self._factors_from_features(entity, values)
        index = index.copy()
        index[index < 0] = len(bias) + positions
        return index, np.concatenate([bias, more_bias]), np.concatenate([factors, more_factors])

    def with_new(self, users: Any = None, items: Any = None) -> Self:
        """Return a fitted model that also knows users and items by their features alone.

        So they can be predicted, recommended and compared as any other; this model stays as it is.

        Parameters
        ----------
        users, items : data frame, optional
            One row an id, with the columns that the model has learned from. Ids that the model knows
            already stay as they are.

        Raises
        ------
        DataError
            If a frame has other columns, or ids of another type.
        NotSupportedError
            If the model has learned from no features of that side.
        """
        self.check_fitted()
        model = type(self)(**self.get_params(deep=False)).set_state(self.get_state())
        for entity, frame in (("user", users), ("item", items)):
            if frame is not None:
                model._add_new(entity, frame)
        return model

    def _add_new(self, entity: str, frame: Any) -> None:
        """Take in the ids of a frame that are not known yet, by their features."""
        features = self._feature_scaler(entity)
        if not features.columns:
            raise NotSupportedError(
                f"this {type(self).__name__} has learned from no features of {entity}s",
                hint=f"ratings.with_features({entity}s=frame) before fit",
            )
        known: IdIndex = getattr(self, f"{entity}s_")
        frame_ids = FeatureTable.ids_from_frame(frame, entity)
        check_id_types(frame_ids, known, entity)
        new = frame_ids.take_ids(known.indices_of(frame_ids.ids) < 0)
        table = FeatureTable.from_frame(frame, new, entity)
        bias, factors = self._factors_from_features(entity, features.transform(table, len(new), entity))
        ids = np.concatenate([known.ids, new.ids])
        order = np.argsort(ids, kind="stable")
        setattr(self, f"{entity}s_", IdIndex(ids[order]))
        setattr(self, f"{entity}_bias_", np.concatenate([getattr(self, f"{entity}_bias_"), bias])[order])
        setattr(
            self, f"{entity}_factors_", np.concatenate([getattr(self, f"{entity}_factors_"), factors])[order]
        )
