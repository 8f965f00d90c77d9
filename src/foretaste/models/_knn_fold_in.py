"""Taking in new rows of neighbourhood models: people who are like people, items that are like items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from foretaste.ids import IdIndex, Indices
from foretaste.models._groupby import Numbers, damped_mean, mean_by
from foretaste.models.fold_in import known_items, known_users, with_items, with_users
from foretaste.models.outputs import Floats
from foretaste.ratings import Ratings

if TYPE_CHECKING:
    from foretaste.models._knn import Neighbors

M = TypeVar("M", bound="Neighbors")
Lists = tuple[npt.NDArray[np.int64], Indices, Floats]


@dataclass(frozen=True, eq=False)
class Base:
    """The rows that neighbours are from: their ids, their biases and spreads, shape (rows,)."""

    ids: IdIndex
    bias: Floats
    spread: Floats


@dataclass(frozen=True, eq=False)
class _Rows:
    """The biases and spreads of new rows, and what is left of their ratings and of those learned from."""

    bias: Floats
    spread: Floats
    residual: Numbers
    others: Numbers


def with_rows(model: M, new: Ratings) -> M:
    """Return a model of new rows, whose neighbours are among those that the model learned from.

    Nobody is a neighbour of their own: of one whom the model knows by that id, the others are.

    Parameters
    ----------
    model : ItemKNN or UserKNN
    new : Ratings
        Of new items, or of new people.
    """
    side, base, train = model.rows, model._base(), learned_from(model)
    known = known_items(model, new) if side == "user" else known_users(model, new)
    n, m, columns = len(base.ids), len(getattr(new, f"{side}s")), len(getattr(model, f"{model.columns}s_"))
    found = _rows_of(model, known, train)
    row = np.r_[getattr(train, side), getattr(known, side) + np.int32(n)]
    column = np.r_[getattr(train, model.columns), getattr(known, model.columns)]
    residual = np.r_[found.others, found.residual]
    compared = model._compared(row, column, np.r_[train.value, known.value], residual, train)
    keep = n if model.stored is None else min(int(model.stored), n)
    lists = model._nearest(row, column, compared, (n + m, columns), keep + 1, n)
    start, neighbor, similarity = _without(lists, base.ids.remap(getattr(new, f"{side}s").ids), n, keep)
    learned = {"list_start_": start, "neighbor_": neighbor, "similarity_": similarity}
    learned |= {"base_": base.ids, "base_bias_": base.bias, "base_spread_": base.spread}
    learned |= {f"{side}_bias_": found.bias, "spread_": found.spread}
    return with_users(model, new, **learned) if side == "user" else with_items(model, new, **learned)


def learned_from(model: Neighbors) -> Ratings:
    """Return the ratings by which rows were compared: the model keeps them, up to rounding."""
    side, base, index = model.columns, model._base(), getattr(model, f"{model.columns}s_")
    column = np.repeat(np.arange(len(index), dtype=np.int32), np.diff(model.rated_start_))
    row, deviation = model.rated_, model.deviation_.astype(np.float64)
    value = model.mean_ + base.bias[row].astype(np.float64) + getattr(model, f"{side}_bias_")[column]
    value += deviation * base.spread[row]
    codes = {model.rows: row, side: column, f"{model.rows}s": base.ids, f"{side}s": index}
    return Ratings(value=value.astype(np.float32), **codes)


def _rows_of(model: Neighbors, known: Ratings, train: Ratings) -> _Rows:
    side, other = model.rows, model.columns
    row, m = getattr(known, side), len(getattr(known, f"{side}s"))
    value = known.value.astype(np.float64) - model.mean_
    biases = {side: model._base().bias, other: getattr(model, f"{other}_bias_")}
    if model.similarity == "pearson_bias" and model.centring != "bias":  # compared by what is not kept
        biases = dict(zip(("user", "item"), model._biases(train), strict=True))
    left = train.value.astype(np.float64) - model.mean_
    for name, bias in biases.items():
        left = left - bias[getattr(train, name)]
    residual = value - biases[other][getattr(known, other)]
    damping = model.user_damping if side == "user" else model.item_damping
    bias = damped_mean(row, residual, np.ones(len(known)), m, damping)
    residual = residual - bias[row]
    own, spread = np.zeros(m), np.ones(m)
    if model.centring == "bias":
        own = bias
    elif model.centring in ("mean", "z_score"):
        own = mean_by(row, value, m)
    if model.centring == "z_score":
        spread = model._spread(row, value - own[row], m, train.moments()[1])
    return _Rows(own.astype(np.float32), spread.astype(np.float32), residual, left)


def _without(lists: Lists, same: Indices, first: int, keep: int) -> Lists:
    """Return the lists of the rows from ``first`` on, without the rows themselves, cut to ``keep``."""
    start, other, similarity = lists
    count = np.diff(start[first:])
    row = np.repeat(np.arange(len(count)), count)
    kept = other != same[row]
    before = np.r_[0, np.cumsum(np.bincount(row, kept, len(count)))][row]
    kept &= np.cumsum(kept) - before <= keep
    ends = np.r_[0, np.cumsum(np.bincount(row[kept], minlength=len(count)))]
    return ends.astype(np.int64), other[kept], similarity[kept]
