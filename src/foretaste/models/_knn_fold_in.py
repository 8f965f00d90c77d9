"""Taking in new rows of neighbourhood models: people who are like people, items that are like items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from foretaste.ids import IdIndex
from foretaste.models._groupby import damped_group_mean, group_mean
from foretaste.models.fold_in import known_items, known_users, with_items, with_users
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array, Float64Array, IndexArray, Int64Array

if TYPE_CHECKING:
    from foretaste.models._knn import KNNBase

M = TypeVar("M", bound="KNNBase")
NeighborLists = tuple[Int64Array, IndexArray, Float32Array]


@dataclass(frozen=True, eq=False)
class NeighborSource:
    """The rows that neighbours are from: their ids, their biases and spreads, shape (rows,)."""

    ids: IdIndex
    bias: Float32Array
    std: Float32Array


@dataclass(frozen=True, eq=False)
class _NewRows:
    """The biases and spreads of new rows, and what is left of their ratings and of those learned from."""

    bias: Float32Array
    std: Float32Array
    residual: Float64Array
    train_residual: Float64Array


def with_new_rows(model: M, new: Ratings) -> M:
    """Return a model of new rows, whose neighbours are among those that the model learned from.

    Nobody is a neighbour of their own: of one whom the model knows by that id, the others are.

    Parameters
    ----------
    model : ItemKNN or UserKNN
    new : Ratings
        Of new items, or of new people.
    """
    entity, source, train = model.row_entity, model._neighbor_source(), reconstruct_train_ratings(model)
    known = known_items(model, new) if entity == "user" else known_users(model, new)
    n, m, columns = (
        len(source.ids),
        len(getattr(new, f"{entity}s")),
        len(getattr(model, f"{model.column_entity}s_")),
    )
    new_rows = _compute_new_rows(model, known, train)
    row = np.r_[getattr(train, entity), getattr(known, entity) + np.int32(n)]
    column = np.r_[getattr(train, model.column_entity), getattr(known, model.column_entity)]
    residual = np.r_[new_rows.train_residual, new_rows.residual]
    values = model._similarity_values(row, column, np.r_[train.value, known.value], residual, train)
    max_stored = n if model.max_stored_neighbors is None else min(int(model.max_stored_neighbors), n)
    lists = model._find_neighbors(row, column, values, (n + m, columns), max_stored + 1, n)
    start, neighbor, similarity = _drop_self(
        lists, source.ids.indices_of(getattr(new, f"{entity}s").ids), n, max_stored
    )
    attributes = {"list_start_": start, "neighbor_": neighbor, "similarity_": similarity}
    attributes |= {"base_": source.ids, "base_bias_": source.bias, "base_spread_": source.std}
    attributes |= {f"{entity}_bias_": new_rows.bias, "spread_": new_rows.std}
    return with_users(model, new, **attributes) if entity == "user" else with_items(model, new, **attributes)


def reconstruct_train_ratings(model: KNNBase) -> Ratings:
    """Return the ratings by which rows were compared: the model keeps them, up to rounding."""
    column_entity, source, column_ids = (
        model.column_entity,
        model._neighbor_source(),
        getattr(model, f"{model.column_entity}s_"),
    )
    column = np.repeat(np.arange(len(column_ids), dtype=np.int32), np.diff(model.rated_start_))
    row, deviation = model.rated_, model.deviation_.astype(np.float64)
    value = (
        model.mean_ + source.bias[row].astype(np.float64) + getattr(model, f"{column_entity}_bias_")[column]
    )
    value += deviation * source.std[row]
    codes = {
        model.row_entity: row,
        column_entity: column,
        f"{model.row_entity}s": source.ids,
        f"{column_entity}s": column_ids,
    }
    return Ratings(value=value.astype(np.float32), **codes)


def _compute_new_rows(model: KNNBase, known: Ratings, train: Ratings) -> _NewRows:
    entity, column_entity = model.row_entity, model.column_entity
    row, m = getattr(known, entity), len(getattr(known, f"{entity}s"))
    value = known.value.astype(np.float64) - model.mean_
    biases = {entity: model._neighbor_source().bias, column_entity: getattr(model, f"{column_entity}_bias_")}
    if model.similarity == "pearson_bias" and model.centering != "bias":  # compared by what is not kept
        biases = dict(zip(("user", "item"), model._fit_biases(train), strict=True))
    train_residual = train.value.astype(np.float64) - model.mean_
    for name, bias in biases.items():
        train_residual = train_residual - bias[getattr(train, name)]
    residual = value - biases[column_entity][getattr(known, column_entity)]
    damping = model.user_damping if entity == "user" else model.item_damping
    bias = damped_group_mean(row, residual, np.ones(len(known)), m, damping)
    residual = residual - bias[row]
    row_mean, std = np.zeros(m), np.ones(m)
    if model.centering == "bias":
        row_mean = bias
    elif model.centering in ("mean", "z_score"):
        row_mean = group_mean(row, value, m)
    if model.centering == "z_score":
        std = model._compute_row_std(row, value - row_mean[row], m, train.mean_std()[1])
    return _NewRows(row_mean.astype(np.float32), std.astype(np.float32), residual, train_residual)


def _drop_self(lists: NeighborLists, own_index: IndexArray, first_row: int, max_stored: int) -> NeighborLists:
    """Return the lists of the rows from ``first_row`` on, without the rows themselves, cut to ``max_stored``."""
    start, neighbor, similarity = lists
    count = np.diff(start[first_row:])
    row = np.repeat(np.arange(len(count)), count)
    mask = neighbor != own_index[row]
    n_before = np.r_[0, np.cumsum(np.bincount(row, mask, len(count)))][row]
    mask &= np.cumsum(mask) - n_before <= max_stored
    ends = np.r_[0, np.cumsum(np.bincount(row[mask], minlength=len(count)))]
    return ends.astype(np.int64), neighbor[mask], similarity[mask]
