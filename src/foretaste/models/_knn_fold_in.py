"""Fold-in of k-nearest-neighbor models: new rows find neighbors, new columns are averaged over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from foretaste._utils.groupby import group_mean
from foretaste.errors import NotSupportedError
from foretaste.models._knn import KNNModel, NeighborLists
from foretaste.models.fold_in import known_ratings, with_new_ids
from foretaste.params import estimator
from foretaste.ratings import Ratings
from foretaste.typing import AnyArray, Entity, Float32Array, Float64Array, IndexArray


@dataclass(frozen=True, eq=False)
class NewRows:
    """Biases and standard deviations of new rows, and residuals of their and of the training ratings."""

    bias: Float32Array
    std: Float32Array
    residual: Float64Array
    train_residual: Float64Array


@estimator
class FoldInKNNModel(KNNModel):
    """A k-nearest-neighbor model that folds in new rows and new columns."""

    fold_in_entities: ClassVar[frozenset[Entity]] = frozenset(Entity)

    def _fold_in(self, new: Ratings, entity: Entity) -> Self:
        return self._with_new_rows(new) if entity is self.row_entity else self._with_new_columns(new)

    def _with_new_rows(self, new: Ratings) -> Self:
        """Return a model of new rows, whose neighbors are among the rows of the training ratings.

        A row is never its own neighbor: the list of one that was in the training ratings leaves it out.
        """
        entity, source, train = self.row_entity, self._neighbor_source(), self._reconstruct_train_ratings()
        known = known_ratings(self, new, entity)
        new_ids, n = new.axis(entity).ids, len(source.ids)
        new_rows = self._center_new_rows(known, train)
        row = np.r_[train.axis(entity).codes, known.axis(entity).codes + np.int32(n)]
        column = np.r_[train.axis(self.column_entity).codes, known.axis(self.column_entity).codes]
        residual = np.r_[new_rows.train_residual, new_rows.residual]
        values = self._similarity_values(row, column, np.r_[train.value, known.value], residual, train)
        max_stored = n if self.max_stored_neighbors is None else min(int(self.max_stored_neighbors), n)
        size = n + len(new_ids), len(self.entity_ids(self.column_entity))
        lists = self._find_neighbors(row, column, values, size, max_stored + 1, n)
        own_index = source.ids.indices_of(new_ids.ids)
        start, neighbor, similarity = _drop_self(lists, own_index, n, max_stored)
        attributes = {
            "list_start_": start,
            "neighbor_": neighbor,
            "similarity_": similarity,
            "source_ids_": source.ids,
            "source_bias_": source.bias,
            "source_std_": source.std,
            "row_std_": new_rows.std,
        }
        return with_new_ids(self, new, entity, attributes, bias=new_rows.bias)

    def _reconstruct_train_ratings(self) -> Ratings:
        """Return the training ratings from what the model stores of them, exact up to rounding."""
        source, column_ids = self._neighbor_source(), self.entity_ids(self.column_entity)
        column = np.repeat(np.arange(len(column_ids), dtype=np.int32), np.diff(self.rated_start_))
        row, deviation = self.rated_, self.deviation_.astype(np.float64)
        column_bias = self.entity_array(self.column_entity, "bias")
        value = self.mean_ + source.bias[row].astype(np.float64) + column_bias[column]
        value += deviation * source.std[row]
        if self.row_entity is Entity.USER:
            user, item, users, items = row, column, source.ids, column_ids
        else:
            user, item, users, items = column, row, column_ids, source.ids
        return Ratings(user=user, item=item, users=users, items=items, value=value.astype(np.float32))

    def _center_new_rows(self, known: Ratings, train: Ratings) -> NewRows:
        """Return means, standard deviations and residuals of new rows, and the training residuals."""
        axis, column = known.axis(self.row_entity), known.axis(self.column_entity).codes
        row, m = axis.codes, len(axis.ids)
        value = known.value.astype(np.float64) - self.mean_
        biases: dict[Entity, AnyArray] = {
            self.row_entity: self._neighbor_source().bias,
            self.column_entity: self.entity_array(self.column_entity, "bias"),
        }
        if self.similarity == "pearson_bias" and self.centering != "bias":  # biases that are not stored
            biases = dict(zip((Entity.USER, Entity.ITEM), self._fit_biases(train), strict=True))
        train_residual = train.value.astype(np.float64) - self.mean_
        for entity, bias in biases.items():
            train_residual = train_residual - bias[train.axis(entity).codes]
        residual = value - biases[self.column_entity][column]
        row_bias = group_mean(row, residual, m, damping=self._bias_damping(self.row_entity))
        residual = residual - row_bias[row]
        row_mean, std = np.zeros(m), np.ones(m)
        if self.centering == "bias":
            row_mean = row_bias
        elif self.centering in ("mean", "z_score"):
            row_mean = group_mean(row, value, m)
        if self.centering == "z_score":
            std = self._compute_row_std(row, value - row_mean[row], m, train.mean_std()[1])
        return NewRows(row_mean.astype(np.float32), std.astype(np.float32), residual, train_residual)

    def _with_new_columns(self, new: Ratings) -> Self:
        """Return a model of new columns, from their ratings of the rows of the training ratings."""
        entity, row_entity = self.column_entity, self.row_entity
        if len(self.source_ids_):
            raise NotSupportedError(
                f"new {entity.plural} need the {row_entity.plural} of the training ratings, and this "
                f"{type(self).__name__} has folded in its {row_entity.plural}",
                hint=f"fold_in(model, {entity.plural}=...) first, then "
                f"fold_in(folded, {row_entity.plural}=...)",
            )
        known = known_ratings(self, new, entity)
        row, axis = known.axis(row_entity).codes, known.axis(entity)
        baseline = self.mean_ + self.entity_array(row_entity, "bias")[row].astype(np.float64)
        residual, bias = known.value - baseline, np.zeros(len(axis.ids))
        if self.centering == "bias":  # the step of the alternation that follows the biases of the rows
            damping = self._bias_damping(entity)
            bias = group_mean(axis.codes, residual, len(bias), damping=damping)
        folded = with_new_ids(self, new, entity, bias=bias.astype(np.float32))
        folded._store_ratings(known, (residual - bias[axis.codes]) / self.row_std_[row])
        return folded

    def _bias_damping(self, entity: Entity) -> float:
        return self.user_damping if entity is Entity.USER else self.item_damping


def _drop_self(lists: NeighborLists, own_index: IndexArray, first_row: int, max_stored: int) -> NeighborLists:
    """Return the lists of the rows from ``first_row`` on, without the row itself, cut to ``max_stored``."""
    start, neighbor, similarity = lists
    count = np.diff(start[first_row:])
    row = np.repeat(np.arange(len(count)), count)
    mask = neighbor != own_index[row]
    n_before = np.r_[0, np.cumsum(np.bincount(row, mask, len(count)))][row]
    mask &= np.cumsum(mask) - n_before <= max_stored
    ends = np.r_[0, np.cumsum(np.bincount(row[mask], minlength=len(count)))]
    return ends.astype(np.int64), neighbor[mask], similarity[mask]
