"""Base class of k-nearest-neighbor models: similarities, neighbor lists, weighted means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from foretaste._native import nearest_rows, neighbor_means, neighbor_shares
from foretaste._utils import memory
from foretaste._utils.groupby import group_mean
from foretaste._utils.progress import Progress, ProgressTask
from foretaste._utils.threads import resolve_threads
from foretaste.errors import Hint, ModelFileError
from foretaste.ids import IdIndex
from foretaste.models._state import are_lists
from foretaste.models.base import Model
from foretaste.models.bias import fit_biases
from foretaste.models.outputs import Contributions, Prediction, RatingAttribution
from foretaste.params import estimator, fitted_attribute, param, threads_param
from foretaste.ratings import Pairs, Ratings
from foretaste.typing import Entity, Float32Array, Float64Array, IndexArray, Int64Array

NeighborLists = tuple[Int64Array, IndexArray, Float32Array]  # starts, neighbors, similarities


@dataclass(frozen=True, eq=False)
class NeighborSource:
    """The rows that neighbors come from: ids, biases and standard deviations, shape (rows,)."""

    ids: IdIndex
    bias: Float32Array
    std: Float32Array


@estimator
class KNNModel(Model):
    """Predict from the most similar rows (items or users) with a rating in the same column.

    ``ItemKNN`` and ``UserKNN`` set the entity of the rows; their docstrings have the equations.
    """

    row_entity: ClassVar[Entity] = Entity.ITEM
    column_entity: ClassVar[Entity] = Entity.USER

    neighbors: int = param(40, "maximal number of neighbors of a prediction", low=1)
    min_neighbors: int = param(1, "with fewer neighbors, the baseline is predicted", low=1)
    max_stored_neighbors: int | None = param(
        500, "number of neighbors stored per row; None stores all with a rating in common",
        low=1, optional=True,
    )  # fmt: skip
    similarity: str = param(
        "pearson_bias",
        "of ratings (cosine, msd), of deviations from the row mean (pearson), the column mean "
        "(adjusted_cosine) or the biases (pearson_bias)",
        choices=("cosine", "adjusted_cosine", "pearson", "pearson_bias", "msd"),
    )
    norm_over: str = param(
        "all", "compute norms and means over all ratings, or over those in common", choices=("all", "common")
    )
    standardize: bool = param(
        True,
        "standardize ratings before cosine and msd; False computes on raw ratings in float64, as other "
        "libraries do",
    )
    shrinkage: float = param(
        30.0, "multiply similarities of n common ratings by (n - 1) / (n - 1 + shrinkage); 0 is off", low=0
    )
    min_support: int = param(1, "minimal number of common ratings of neighbors", low=1)
    significance_weighting: int = param(
        0, "multiply similarities of n common ratings by min(1, n / significance_weighting); 0 is off", low=0
    )
    negative: bool = param(False, "include negative similarities, ranked by absolute value")
    centering: str = param(
        "bias",
        "baseline that ratings are deviations from: global mean (none), row mean, row mean with row standard "
        "deviation (z_score), or biases",
        choices=("none", "mean", "z_score", "bias"),
    )
    damping: float = param(0.2, "constant added to the sum of similarities: shrinks to the baseline", low=0)
    user_damping: float = param(5.0, "biases: number of prior ratings at the mean per user", low=0)
    item_damping: float = param(5.0, "biases: number of prior ratings at the mean per item", low=0)
    bias_epochs: int | None = param(
        None, "biases: number of alternations, items first; None iterates to convergence",
        low=1, optional=True,
    )  # fmt: skip
    threads: int | None = threads_param()

    mean_: float = fitted_attribute()
    user_bias_: Float32Array = fitted_attribute("users")
    item_bias_: Float32Array = fitted_attribute("items")
    list_start_: Int64Array = fitted_attribute("row_bounds", dtype="int64")
    neighbor_: IndexArray = fitted_attribute("stored", dtype="int32")
    similarity_: Float32Array = fitted_attribute("stored")
    rated_start_: Int64Array = fitted_attribute("column_bounds", dtype="int64")
    rated_: IndexArray = fitted_attribute("ratings", dtype="int32")
    deviation_: Float32Array = fitted_attribute("ratings")
    row_std_: Float32Array  # of the rows: declared by subclasses
    # The training rows, where the rows of the model were folded in; else empty.
    source_ids_: IdIndex = fitted_attribute("ids", optional=True)
    source_bias_: Float32Array = fitted_attribute("sources", optional=True)
    source_std_: Float32Array = fitted_attribute("sources", optional=True)

    def _fit(self, train: Ratings, progress: Progress) -> None:
        row_axis, column_axis = train.axis(self.row_entity), train.axis(self.column_entity)
        row, column = row_axis.codes, column_axis.codes
        rows, columns = len(row_axis.ids), len(column_axis.ids)
        threads = resolve_threads(self.threads)
        max_stored = rows if self.max_stored_neighbors is None else min(int(self.max_stored_neighbors), rows)
        self._check_memory(row, column, rows, columns, max_stored, threads)
        empty = np.empty(0, np.float32)
        self.source_ids_, self.source_bias_, self.source_std_ = IdIndex(np.empty(0, np.int64)), empty, empty
        with progress.start_task(type(self).__name__, 3) as task:
            residual = self._fit_residual(train, task)
            deviation = self._center(train, residual)
            task.step(note="similarities")
            values = self._similarity_values(row, column, train.value, residual, train)
            lists = self._find_neighbors(row, column, values, (rows, columns), max_stored)
            self.list_start_, self.neighbor_, self.similarity_ = lists
            task.step()
        self._store_ratings(train, deviation)

    def _find_neighbors(
        self, row: IndexArray, column: IndexArray, values: npt.NDArray[np.floating], size: tuple[int, int],
        max_stored: int, first_row: int = 0,
    ) -> NeighborLists:  # fmt: skip
        """Return the neighbor lists; of rows from ``first_row`` on, if given, among the rows before it."""
        options = (
            self.shrinkage,
            self.min_support,
            self.significance_weighting,
            self.negative,
            not self.standardize,
        )
        kernel, threads = self._kernel_name(), resolve_threads(self.threads)
        rows, columns = size
        return nearest_rows(
            row, column, values, rows, columns, kernel, max_stored, *options, threads, first_row
        )

    def _fit_residual(self, train: Ratings, task: ProgressTask) -> Float64Array:
        """Fit the biases, if they are needed; return the residuals."""
        self.mean_, _ = train.mean_std()
        user_bias, item_bias = np.zeros(len(train.users)), np.zeros(len(train.items))
        if "bias" in (self.centering, self.similarity.removeprefix("pearson_")):
            user_bias, item_bias = self._fit_biases(train)
        task.step(note="biases")
        self.user_bias_, self.item_bias_ = user_bias.astype(np.float32), item_bias.astype(np.float32)
        return train.value.astype(np.float64) - (self.mean_ + user_bias[train.user] + item_bias[train.item])

    def _fit_biases(self, train: Ratings) -> tuple[Float64Array, Float64Array]:
        """Return the biases of users and of items."""
        items_first, epochs = self.bias_epochs is not None, int(self.bias_epochs or 200)
        return fit_biases(train, self.user_damping, self.item_damping, epochs, items_first, ProgressTask())

    def _center(self, train: Ratings, residual: Float64Array) -> Float64Array:
        """Set the baseline; return the deviations from it."""
        axis = train.axis(self.row_entity)
        row, rows = axis.codes, len(axis.ids)
        row_std = np.ones(rows)
        if self.centering != "bias":
            self.user_bias_, self.item_bias_ = np.zeros_like(self.user_bias_), np.zeros_like(self.item_bias_)
            residual = train.value.astype(np.float64) - self.mean_
        if self.centering in ("mean", "z_score"):
            mean = group_mean(row, residual, rows)
            self.set_entity_array(self.row_entity, "bias", mean.astype(np.float32))
            residual -= mean[row]
        if self.centering == "z_score":
            row_std = self._compute_row_std(row, residual, rows, train.mean_std()[1])
            residual /= row_std[row]
        self.row_std_ = row_std.astype(np.float32)
        return residual

    def _compute_row_std(
        self, row: IndexArray, deviation: Float64Array, rows: int, std: float
    ) -> Float64Array:
        """Return the standard deviation of each row; that of all ratings where it is 0."""
        row_std = np.sqrt(group_mean(row, deviation**2, rows))
        row_std[row_std <= 1e-6 * std] = std or 1.0
        return np.asarray(row_std)

    def _kernel_name(self) -> str:
        """Return the kernel of the similarity."""
        if self.similarity == "msd":
            return "msd"
        if self.norm_over == "all":
            return "product"
        return "pearson" if self.similarity == "pearson" else "cosine"

    def _similarity_values(
        self, row: IndexArray, column: IndexArray, value: Float32Array, residual: Float64Array, train: Ratings
    ) -> npt.NDArray[np.floating]:
        """Return the values that similarities compare; column and global means are those of ``train``."""
        mean, std = train.mean_std() if self.standardize else (0.0, 1.0)
        values = (value.astype(np.float64) - mean) / (std or 1.0)
        if self.similarity == "pearson_bias":
            values = residual
        elif self.similarity == "adjusted_cosine":
            train_values = (train.value.astype(np.float64) - mean) / (std or 1.0)
            axis = train.axis(self.column_entity)
            values = values - group_mean(axis.codes, train_values, len(axis.ids))[column]
        elif (self.similarity, self.norm_over) == ("pearson", "all"):
            values = values - group_mean(row, values, int(row.max(initial=0)) + 1)[row]
        return values.astype(np.float32) if self._kernel_name() == "product" else values

    def _store_ratings(self, ratings: Ratings, deviation: Float64Array) -> None:
        """Store the ratings by column."""
        axis = ratings.axis(self.column_entity)
        self.rated_start_, order = axis.group_rows()
        self.rated_ = np.ascontiguousarray(ratings.axis(self.row_entity).codes[order])
        self.deviation_ = deviation[order].astype(np.float32)

    def _neighbor_source(self) -> NeighborSource:
        """Return the rows that neighbors come from: those of the training ratings."""
        if len(self.source_ids_):
            return NeighborSource(self.source_ids_, self.source_bias_, self.source_std_)
        entity = self.row_entity
        return NeighborSource(self.entity_ids(entity), self.entity_array(entity, "bias"), self.row_std_)

    def _kernel_rows(self, row: IndexArray) -> IndexArray:
        """Return row indices of the kernels, where folded-in rows follow the training rows."""
        return np.where(row >= 0, row + np.int32(len(self.source_ids_)), row)

    def _kernel_arrays(
        self,
    ) -> tuple[Int64Array, IndexArray, Float32Array, Int64Array, IndexArray, Float32Array]:
        empty_lists = np.zeros(len(self.source_ids_), np.int64)
        return (
            np.r_[empty_lists, self.list_start_], self.neighbor_, self.similarity_,
            self.rated_start_, self.rated_, self.deviation_,
        )  # fmt: skip

    def _baseline(self, pairs: Pairs) -> Float64Array:
        user = np.where(pairs.user >= 0, self.user_bias_[pairs.user], 0)
        item = np.where(pairs.item >= 0, self.item_bias_[pairs.item], 0)
        return np.asarray(self.mean_ + user.astype(np.float64) + item)

    def _neighbor_mean(self, pairs: Pairs) -> Float32Array:
        """Return the mean deviation over the neighbors, in rating units."""
        row, column = pairs.axis(self.row_entity).codes, pairs.axis(self.column_entity).codes
        counts = min(int(self.neighbors), 2**31 - 1), min(int(self.min_neighbors), 2**31 - 1)
        mean = neighbor_means(
            self._kernel_rows(row),
            column,
            *self._kernel_arrays(),
            *counts,
            self.damping,
            resolve_threads(self.threads),
        )
        return np.asarray(mean * self.row_std_[row])

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._make_prediction(pairs, self._baseline(pairs) + self._neighbor_mean(pairs))

    def contributions(self, pairs: Pairs) -> Contributions:
        user = np.where(pairs.user >= 0, self.user_bias_[pairs.user], 0)
        item = np.where(pairs.item >= 0, self.item_bias_[pairs.item], 0)
        mean = np.full(len(pairs), self.mean_)
        values = np.column_stack([mean, user, item, self._neighbor_mean(pairs)]).astype(np.float32)
        return Contributions(("mean", "user", "item", "neighbors"), values)

    def _neighbor_contributions(self, pairs: Pairs) -> tuple[IndexArray, Float32Array]:
        """Return the contribution of each neighbor to the part "neighbors" of each prediction.

        Returns
        -------
        neighbor : int32 array, shape (n, neighbors)
            Indices of items (or users), the most similar first; -1 after the last.
        contribution : float32 array, shape (n, neighbors)
            In rating units.
        """
        row, column = pairs.axis(self.row_entity).codes, pairs.axis(self.column_entity).codes
        counts = min(int(self.neighbors), 2**31 - 1), min(int(self.min_neighbors), 2**31 - 1)
        neighbor, contribution = neighbor_shares(
            self._kernel_rows(row), column, *self._kernel_arrays(), *counts, self.damping
        )
        return neighbor, contribution * self.row_std_[row][:, None]

    def attribute_ratings(
        self, user: int, item: int, user_ratings: Ratings | None
    ) -> RatingAttribution | None:
        """Return the neighbors and their stored ratings in the column."""
        neighbor, contribution = self._neighbor_contributions(
            Pairs(np.array([user], np.int32), np.array([item], np.int32))
        )
        mask = neighbor[0] >= 0
        rows = neighbor[0][mask]
        column = user if self.column_entity is Entity.USER else item
        rated_slice = slice(*self.rated_start_[column : column + 2].tolist())
        order = np.argsort(self.rated_[rated_slice])
        positions = order[np.searchsorted(self.rated_[rated_slice], rows, sorter=order)]
        source, bias = self._neighbor_source(), float(self.entity_array(self.column_entity, "bias")[column])
        rating = self.mean_ + bias + source.bias[rows].astype(np.float64)
        rating += self.deviation_[rated_slice][positions].astype(np.float64) * source.std[rows]
        contributions = contribution[0][mask].astype(np.float64)
        return RatingAttribution("neighbors", self.row_entity, rows, rating, contributions, source.ids)

    def _check_memory(
        self, row: IndexArray, column: IndexArray, rows: int, columns: int, max_stored: int, threads: int
    ) -> None:
        n_candidates = np.bincount(row, np.bincount(column, minlength=columns)[column] - 1.0, rows)
        size = neighbor_lists_bytes(np.minimum(n_candidates, rows - 1), max_stored, len(row), threads)
        what = f"{max_stored} neighbors of each of {rows} {self.row_entity.plural}"
        fewer = {"max_stored_neighbors": min(max_stored // 10 or 1, 100)}
        memory.check_available(
            size,
            f"{type(self).__name__} with up to {what}",
            Hint(fewer, "or SVD(), whose memory is linear in the ratings"),
        )

    def set_state(self, state: dict[str, object]) -> Self:
        super().set_state(state)
        rows, columns = len(self.row_std_), len(self.entity_ids(self.column_entity))
        source = self._neighbor_source()
        known = len(source.ids)
        well_formed = known == len(source.bias) and are_lists(self.list_start_, self.neighbor_, rows, known)
        if not well_formed or not are_lists(self.rated_start_, self.rated_, columns, known):
            raise ModelFileError(f"the lists of {self.row_entity.plural} in the file are malformed")
        return self


def neighbor_lists_bytes(n_candidates: Float64Array, max_stored: int, ratings: int, threads: int) -> int:
    """Return the approximate peak memory of fitting in bytes, besides the ratings.

    Parameters
    ----------
    n_candidates : float64 array, shape (rows,)
        Upper bound of the number of rows with a column in common, per row.
    max_stored : int
        Number of neighbors stored per row.
    ratings, threads : int
    """
    n_stored = int(np.minimum(n_candidates, max_stored).sum())
    gathered = threads * len(n_candidates) * (max_stored + max_stored // 2 + 8) * 16
    return (
        (gathered if gathered <= 1_000_000_000 else 16 * n_stored)
        + 8 * n_stored
        + threads * 80 * len(n_candidates)
        + 60 * ratings
    )
