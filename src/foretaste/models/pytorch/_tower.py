"""Models whose factors of a user, or of an item, come of its id and of its features."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from foretaste._utils.progress import Progress
from foretaste.errors import NotSupported
from foretaste.features import Table
from foretaste.ids import IdIndex
from foretaste.models._sgd import schedule_param
from foretaste.models.outputs import Floats, Prediction
from foretaste.models.pytorch._base import Parts
from foretaste.models.pytorch._feature_model import Features
from foretaste.models.pytorch._linear_form import LinearTorchModel, as_array
from foretaste.params import learned, model_class, param
from foretaste.ratings import Pairs, Ratings
from foretaste.validation import check_kinds


@model_class
class FeatureModel(LinearTorchModel):
    """Base of the models that make use of ``ratings.with_features(users=..., items=...)``.

    A user or an item that was not learned from, but whose features are given, gets bias and factors by these
    alone: ``predict`` looks for them in the ratings that it is given, and ``with_new`` returns a model that
    knows them. Without features this is a model of ids, and an unknown one has bias and factors 0.
    """

    tags: ClassVar[frozenset[str]] = LinearTorchModel.tags | {"features"}
    draws_alone: ClassVar[bool] = False

    epochs: int = param(20, "how many times each rating is visited, at most", low=1)
    batch: int = param(4096, "how many ratings a step looks at", low=1)
    schedule: str = schedule_param("linear")
    hide_ids: float = param(
        0.3,
        "share of the ratings that are learned by features alone, as if the user, and likewise the item, "
        "were unknown; only of a side that has features",
        low=0,
        high=0.9,
    )

    user_columns_: str = learned("text")
    item_columns_: str = learned("text")
    user_units_: Floats = learned("user_features", "units")
    item_units_: Floats = learned("item_features", "units")

    # What a model writes ---------------------------------------------------------------------------

    @abstractmethod
    def _network(self, sizes: tuple[int, int], features: tuple[Floats, Floats], random: Any) -> Any:
        """Return the network of so many users and items with these features."""

    @abstractmethod
    def _keep_network(self, network: Any) -> None:
        """Set the learned attributes that make bias and factors of features."""

    @abstractmethod
    def _of_features(self, name: str, values: Floats) -> tuple[Floats, Floats]:
        """Return bias, (n,), and factors, (n, factors), of users or items by their features alone."""

    # The rest --------------------------------------------------------------------------------------

    def _fit(self, train: Ratings, progress: Progress) -> None:
        users, items = Features.of(train.user_table), Features.of(train.item_table)
        self.user_columns_, self.item_columns_ = users.text(), items.text()
        self.user_units_, self.item_units_ = users.units(), items.units()
        super()._fit(train, progress)

    def _learning(self, train: Ratings, parts: Parts, device: Any) -> Any:
        import torch

        from foretaste.models.pytorch._two_tower import SidesLearning

        random = torch.Generator().manual_seed(self.seed)
        sizes = len(train.users), len(train.items)
        values = (
            self._features("user").of_rows(train.user_table, sizes[0], "user"),
            self._features("item").of_rows(train.item_table, sizes[1], "item"),
        )
        network = self._network(sizes, values, random)
        return SidesLearning(network, train, parts, train.moments(), device, self.hide_ids, random)

    def _keep(self, learning: Any) -> None:
        import torch

        self.mean_, self.std_ = learning.mean, learning.std
        with torch.no_grad():
            bias, factors = learning.network.all_of("user")
            self.user_bias_, self.user_factors_ = as_array(bias), as_array(factors)
            bias, factors = learning.network.all_of("item")
            self.item_bias_, self.item_factors_ = as_array(bias), as_array(factors)
        self._keep_network(learning.network)

    def _features(self, name: str) -> Features:
        return Features.from_text(getattr(self, f"{name}_columns_"), getattr(self, f"{name}_units_"))

    def _predict(self, pairs: Pairs) -> Prediction:
        user, user_bias, user_factors = self._side(pairs, "user")
        item, item_bias, item_factors = self._side(pairs, "item")
        value = self._in_units(user, item, (user_factors, item_factors), (user_bias, item_bias))
        return self._prediction(pairs, value)

    def _side(self, pairs: Pairs, name: str) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
        """Return index, biases and factors of one side, with those that only features are known of."""
        index, table = getattr(pairs, name), getattr(pairs, f"{name}_table")
        bias, factors = getattr(self, f"{name}_bias_"), getattr(self, f"{name}_factors_")
        row = getattr(pairs, f"{name}_row")
        if table is None or row is None or not (index < 0).any() or not len(self._features(name).columns):
            return index, bias, factors
        rows, place = np.unique(row[index < 0], return_inverse=True)
        values = self._features(name).of_rows(table.take(rows), len(rows), name)
        more_bias, more_factors = self._of_features(name, values)
        index = index.copy()
        index[index < 0] = len(bias) + place
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
        BadData
            If a frame has other columns, or ids of another type.
        NotSupported
            If the model has learned from no features of that side.
        """
        self._check_fitted()
        model = type(self)(**self.get_params(deep=False))._from_state(self._state())
        for name, frame in (("user", users), ("item", items)):
            if frame is not None:
                model._add(name, frame)
        return model

    def _add(self, name: str, frame: Any) -> None:
        """Take in the ids of a frame that are not known yet, by their features."""
        features = self._features(name)
        if not features.columns:
            raise NotSupported(
                f"this {type(self).__name__} has learned from no features of {name}s",
                hint=f"ratings.with_features({name}s=frame) before fit",
            )
        known: IdIndex = getattr(self, f"{name}s_")
        given = Table.ids_in(frame, name)
        check_kinds(given, known, name)
        new = given.take(known.remap(given.ids) < 0)
        table = Table.from_frame(frame, new, name)
        bias, factors = self._of_features(name, features.of_rows(table, len(new), name))
        ids = np.concatenate([known.ids, new.ids])
        order = np.argsort(ids, kind="stable")
        setattr(self, f"{name}s_", IdIndex(ids[order]))
        setattr(self, f"{name}_bias_", np.concatenate([getattr(self, f"{name}_bias_"), bias])[order])
        setattr(self, f"{name}_factors_", np.concatenate([getattr(self, f"{name}_factors_"), factors])[order])
