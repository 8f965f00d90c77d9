"""Learning from whole rows: all ratings of an item, or of a user, are one example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from foretaste._utils.progress import progress_for
from foretaste.models.bias import alternate
from foretaste.models.pytorch._autoencoder_layers import Coder
from foretaste.models.pytorch._base import Parts
from foretaste.models.pytorch._sparse_ops import Rated
from foretaste.models.pytorch._trainer import Figures, Learning
from foretaste.ratings import Ratings

_BLOCK = 1024  # rows judged at once
_JUDGED = 512  # rows by which an epoch without validation ratings is judged, at most
_TURNS = 200  # of biases, at most; they stand still long before


class RowLearning(Learning):
    """Autoencoders that fill in rows; only rated cells count.

    A row goes in as ``s (z + presence)`` where there is a rating of a weight above 0, else 0, and comes out
    as ``z``, both in standard deviations from what ``level`` predicts; s is the root of how many ratings a
    row has in the mean over how many this one has. Of several networks, each learns for itself, with other
    first weights and other ratings left out; what comes out is their mean.

    Parameters
    ----------
    coders : list of Coder
    train : Ratings
    parts : Parts
    by_item : bool
        Whether a row is an item and its cells are users.
    level : Level
    presence, dropout : float
        Dropout is the share of ratings that do not go in while learning; those that do are not changed.
    random : torch.Generator
    device : torch.device
    """

    def __init__(
        self, coders: list[Coder], train: Ratings, parts: Parts, *, by_item: bool, level: Level,
        presence: float, dropout: float, random: Any, device: Any,
    ) -> None:  # fmt: skip
        self.network, self.device, self.random = nn.ModuleList(coders).to(device), device, random
        self.level, self.std = level, level.std
        self.dropout = dropout
        sides = (train.item, train.user), (len(train.items), len(train.users))
        (own, other), (self.size, self.width) = sides if by_item else (sides[0][::-1], sides[1][::-1])
        value = level.left(train)
        self.learned = Cells(own, other, value, train.weight, parts.learned, self.size, device)
        self.held = Cells(own, other, value, train.weight, parts.held, self.size, device)
        self.inputs = self.learned.scale() * (self.learned.value + presence)

    def loss(self, examples: Any) -> Any:
        """Return the squared errors of some rows and their share of the penalty, a mean over ratings."""
        rated, place = self.rated(self.learned, examples)
        z, given = self.learned.value[place], self.inputs[place]
        share = len(examples) / self.size
        total: Any = 0.0
        for coder in self.network:
            (out,) = coder.decoded(coder.encoded(rated, self.dropped(given)), rated)
            errors = self.learned.weighted((out - z) ** 2, place)
            total = total + errors.sum() + share * coder.penalty()
        return total / (share * self.learned.total)

    def rated(self, cells: Cells, rows: Any) -> tuple[Rated, Any]:
        """Return the cells of some rows, and which ratings these are."""
        row, place = cells.of_rows(rows)
        return Rated(row, cells.column[place], len(rows), self.width), place

    def dropped(self, given: Any) -> Any:
        """Return what goes in while learning: a share of it does not."""
        if not self.dropout:
            return given
        drawn = torch.rand(len(given), generator=self.random).to(self.device)
        return given * (drawn >= self.dropout)

    def hidden(self) -> list[Any]:
        """Return the last hidden layer of every row, shape (size, hidden), of each network."""
        found = []
        for rows in self._blocks(1):
            rated, place = self.rated(self.learned, rows)
            found.append([coder.encoded(rated, self.inputs[place]) for coder in self.network])
        return [torch.cat(parts) for parts in zip(*found, strict=True)]

    def judge(self) -> Figures:
        """Return loss and RMSE of validation ratings, and of the learned ratings of the rows gone through."""
        validated = len(self.held.value) > 0
        sums = np.zeros((2, 2))
        for rows in self._blocks(1 if validated else -(-self.size // _JUDGED)):
            asked = [(cells, *self.rated(cells, rows)) for cells in (self.learned, self.held)]
            _, rated, place = asked[0]
            given, wanted = self.inputs[place], [rated for _, rated, _ in asked]
            outs = [coder.decoded(coder.encoded(rated, given), *wanted) for coder in self.network]
            for (cells, _, place), out, total in zip(asked, zip(*outs, strict=True), sums, strict=True):
                errors = (sum(out) / len(out) - cells.value[place]) ** 2
                total += float(cells.weighted(errors, place).sum()), cells.weight_of(place)
        loss = [squares / (weight or 1.0) * (self.std or 1.0) ** 2 for squares, weight in sums]
        train = loss[0], float(np.sqrt(loss[0]))
        return Figures(*train, loss[1], float(np.sqrt(loss[1]))) if validated else Figures(*train)

    def _blocks(self, step: int) -> Any:
        """Return every ``step``-th row, so many at a time that memory stays small."""
        return torch.arange(0, self.size, step, device=self.device).split(_BLOCK)


@dataclass(frozen=True)
class Level:
    """What is predicted before anything is known of taste: the mean, and biases on it.

    Parameters
    ----------
    mean, std : float
        Of the ratings, in rating units.
    user_bias, item_bias : float64 array, shapes (users,) and (items,)
        In rating units.
    """

    mean: float
    std: float
    user_bias: npt.NDArray[np.float64]
    item_bias: npt.NDArray[np.float64]

    @classmethod
    def of(cls, train: Ratings, rows: npt.NDArray[np.int64], damping: float | None) -> Level:
        """Return the level of some rows of the training ratings; without a damping, no biases."""
        weight = None if train.weight is None else train.weight[rows]
        if weight is not None and not weight.any():  # all that weighs is held out
            weight = None
        part = train.replace(
            user=train.user[rows], item=train.item[rows], value=train.value[rows], weight=weight
        )
        if damping is None:
            return cls(*part.moments(), np.zeros(len(train.users)), np.zeros(len(train.items)))
        with progress_for(False).task("biases", _TURNS) as task:
            return cls(*part.moments(), *alternate(part, damping, damping, _TURNS, False, task))

    def left(self, ratings: Ratings) -> npt.NDArray[np.float32]:
        """Return what is left of each rating, in standard deviations."""
        biases = self.user_bias[ratings.user] + self.item_bias[ratings.item]
        return ((ratings.value - self.mean - biases) / (self.std or 1.0)).astype(np.float32)


class Cells:
    """Some ratings, grouped by row.

    Parameters
    ----------
    own, other : int32 array, shape (ratings,)
        Row and column of each rating.
    value : float32 array, shape (ratings,)
    weight : float32 array, shape (ratings,), or None
    chosen : int64 array
        The ratings that are wanted.
    rows : int
    device : torch.device
    """

    def __init__(
        self, own: Any, other: Any, value: Any, weight: Any, chosen: Any, rows: int, device: Any
    ) -> None:
        order = chosen[np.argsort(own[chosen], kind="stable")]
        starts = np.zeros(rows + 1, np.int64)
        np.cumsum(np.bincount(own[chosen], minlength=rows), out=starts[1:])
        self.starts = torch.from_numpy(starts).to(device)
        self.column = torch.from_numpy(other[order].astype(np.int64)).to(device)
        self.value = torch.from_numpy(value[order]).to(device)
        self.weight = None if weight is None else torch.from_numpy(weight[order]).to(device)
        self.total = float(len(order)) if self.weight is None else max(float(self.weight.sum()), 1e-12)

    def of_rows(self, rows: Any) -> tuple[Any, Any]:
        """Return where in ``rows`` the row of each of their ratings is, and which ratings these are."""
        starts = self.starts[rows]
        counts = self.starts[rows + 1] - starts
        row = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), counts)
        before = torch.cumsum(counts, 0) - counts
        return row, torch.arange(len(row), device=rows.device) + (starts - before)[row]

    def scale(self) -> Any:
        """Return for each rating the root of how many ratings a row has in the mean over those of its own.

        Ratings of the weight 0 do not count, and get 0.
        """
        counts = torch.diff(self.starts)
        row = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        there = torch.ones_like(self.value) if self.weight is None else (self.weight > 0).float()
        counts = torch.bincount(row, there, len(counts)).float()
        mean = counts.sum() / (counts > 0).sum().clamp_min(1)
        return there * torch.sqrt(mean / counts.clamp_min(1))[row]

    def weighted(self, errors: Any, place: Any) -> Any:
        """Return errors times the weights of their ratings."""
        return errors if self.weight is None else errors * self.weight[place]

    def weight_of(self, place: Any) -> float:
        """Return the sum of the weights of some ratings."""
        return float(len(place)) if self.weight is None else float(self.weight[place].sum())
