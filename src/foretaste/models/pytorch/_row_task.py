"""Learning from whole rows: all ratings of an item, or of a user, are one example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from foretaste._utils.progress import get_progress
from foretaste.models.bias import fit_biases
from foretaste.models.pytorch._autoencoder_layers import AutoencoderNetwork
from foretaste.models.pytorch._base import TrainValidRows
from foretaste.models.pytorch._sparse_ops import SparsityPattern
from foretaste.models.pytorch._trainer import EpochMetrics, TrainingTask
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array, Float64Array, Int64Array

_BLOCK_SIZE = 1024  # rows judged at once
_MAX_EVAL_ROWS = 512  # rows by which an epoch without validation ratings is judged, at most
_MAX_ITERATIONS = 200  # of biases, at most; they stand still long before


class RowTask(TrainingTask):
    """Autoencoders that fill in rows; only rated cells count.

    A row goes in as ``s (z + presence)`` where there is a rating of a weight above 0, else 0, and comes out
    as ``z``, both in standard deviations from what ``baseline`` predicts; s is the root of how many ratings a
    row has in the mean over how many this one has. Of several networks, each learns for itself, with other
    first weights and other ratings left out; what comes out is their mean.

    Parameters
    ----------
    coders : list of Coder
    train : Ratings
    parts : Parts
    by_item : bool
        Whether a row is an item and its cells are users.
    baseline : Level
    presence, dropout : float
        Dropout is the share of ratings that do not go in while learning; those that do are not changed.
    random : torch.Generator
    device : torch.device
    """

    def __init__(
        self, networks: list[AutoencoderNetwork], train: Ratings, split: TrainValidRows, *, item_based: bool, baseline: Baseline,
        rated_offset: float, dropout: float, random: Any, device: Any,
    ) -> None:  # fmt: skip
        self.network, self.device, self.random = nn.ModuleList(networks).to(device), device, random
        self.baseline, self.std = baseline, baseline.std
        self.dropout = dropout
        axes = (train.item, train.user), (len(train.items), len(train.users))
        (row_codes, column_codes), (self.size, self.n_columns) = (
            axes if item_based else (axes[0][::-1], axes[1][::-1])
        )
        value = baseline.residual(train)
        self.train_cells = CSRRatings(
            row_codes, column_codes, value, train.weight, split.train, self.size, device
        )
        self.valid_cells = CSRRatings(
            row_codes, column_codes, value, train.weight, split.valid, self.size, device
        )
        self.inputs = self.train_cells.input_scale() * (self.train_cells.value + rated_offset)

    def loss(self, examples: Any) -> Any:
        """Return the squared errors of some rows and their share of the penalty, a mean over ratings."""
        pattern, index = self.gather_cells(self.train_cells, examples)
        z, values = self.train_cells.value[index], self.inputs[index]
        share = len(examples) / self.size
        total: Any = 0.0
        for network in self.network:
            (output,) = network.decode(network.encode(pattern, self.apply_dropout(values)), pattern)
            errors = self.train_cells.apply_weights((output - z) ** 2, index)
            total = total + errors.sum() + share * network.penalty()
        return total / (share * self.train_cells.total)

    def gather_cells(self, cells: CSRRatings, rows: Any) -> tuple[SparsityPattern, Any]:
        """Return the cells of some rows, and which ratings these are."""
        row, index = cells.gather_rows(rows)
        return SparsityPattern(row, cells.column[index], len(rows), self.n_columns), index

    def apply_dropout(self, values: Any) -> Any:
        """Return what goes in while learning: a share of it does not."""
        if not self.dropout:
            return values
        uniform = torch.rand(len(values), generator=self.random).to(self.device)
        return values * (uniform >= self.dropout)

    def encode_rows(self) -> list[Any]:
        """Return the last hidden layer of every row, shape (size, hidden), of each network."""
        hidden = []
        for rows in self._blocks(1):
            pattern, index = self.gather_cells(self.train_cells, rows)
            hidden.append([network.encode(pattern, self.inputs[index]) for network in self.network])
        return [torch.cat(split) for split in zip(*hidden, strict=True)]

    def evaluate(self) -> EpochMetrics:
        """Return loss and RMSE of validation ratings, and of the learned ratings of the rows gone through."""
        validated = len(self.valid_cells.value) > 0
        sums = np.zeros((2, 2))
        for rows in self._blocks(1 if validated else -(-self.size // _MAX_EVAL_ROWS)):
            gathered = [
                (cells, *self.gather_cells(cells, rows)) for cells in (self.train_cells, self.valid_cells)
            ]
            _, pattern, index = gathered[0]
            values, patterns = self.inputs[index], [pattern for _, pattern, _ in gathered]
            outputs = [network.decode(network.encode(pattern, values), *patterns) for network in self.network]
            for (cells, _, index), output, total in zip(
                gathered, zip(*outputs, strict=True), sums, strict=True
            ):
                errors = (sum(output) / len(output) - cells.value[index]) ** 2
                total += float(cells.apply_weights(errors, index).sum()), cells.sum_weights(index)
        loss = [squares / (weight or 1.0) * (self.std or 1.0) ** 2 for squares, weight in sums]
        train = loss[0], float(np.sqrt(loss[0]))
        return EpochMetrics(*train, loss[1], float(np.sqrt(loss[1]))) if validated else EpochMetrics(*train)

    def _blocks(self, step: int) -> Any:
        """Return every ``step``-th row, so many at a time that memory stays small."""
        return torch.arange(0, self.size, step, device=self.device).split(_BLOCK_SIZE)


@dataclass(frozen=True)
class Baseline:
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
    user_bias: Float64Array
    item_bias: Float64Array

    @classmethod
    def fit(cls, train: Ratings, rows: Int64Array, damping: float | None) -> Baseline:
        """Return the level of some rows of the training ratings; without a damping, no biases."""
        weight = None if train.weight is None else train.weight[rows]
        if weight is not None and not weight.any():  # all that weighs is held out
            weight = None
        subset = train.replace(
            user=train.user[rows], item=train.item[rows], value=train.value[rows], weight=weight
        )
        if damping is None:
            return cls(*subset.mean_std(), np.zeros(len(train.users)), np.zeros(len(train.items)))
        with get_progress(False).start_task("biases", _MAX_ITERATIONS) as task:
            return cls(
                *subset.mean_std(), *fit_biases(subset, damping, damping, _MAX_ITERATIONS, False, task)
            )

    def residual(self, ratings: Ratings) -> Float32Array:
        """Return what is left of each rating, in standard deviations."""
        biases = self.user_bias[ratings.user] + self.item_bias[ratings.item]
        return ((ratings.value - self.mean - biases) / (self.std or 1.0)).astype(np.float32)


class CSRRatings:
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
        self,
        row_codes: Any,
        column_codes: Any,
        value: Any,
        weight: Any,
        selected: Any,
        rows: int,
        device: Any,
    ) -> None:
        order = selected[np.argsort(row_codes[selected], kind="stable")]
        starts = np.zeros(rows + 1, np.int64)
        np.cumsum(np.bincount(row_codes[selected], minlength=rows), out=starts[1:])
        self.starts = torch.from_numpy(starts).to(device)
        self.column = torch.from_numpy(column_codes[order].astype(np.int64)).to(device)
        self.value = torch.from_numpy(value[order]).to(device)
        self.weight = None if weight is None else torch.from_numpy(weight[order]).to(device)
        self.total = float(len(order)) if self.weight is None else max(float(self.weight.sum()), 1e-12)

    def gather_rows(self, rows: Any) -> tuple[Any, Any]:
        """Return where in ``rows`` the row of each of their ratings is, and which ratings these are."""
        starts = self.starts[rows]
        counts = self.starts[rows + 1] - starts
        row = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), counts)
        row_starts = torch.cumsum(counts, 0) - counts
        return row, torch.arange(len(row), device=rows.device) + (starts - row_starts)[row]

    def input_scale(self) -> Any:
        """Return for each rating the root of how many ratings a row has in the mean over those of its own.

        Ratings of the weight 0 do not count, and get 0.
        """
        counts = torch.diff(self.starts)
        row = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        has_weight = torch.ones_like(self.value) if self.weight is None else (self.weight > 0).float()
        counts = torch.bincount(row, has_weight, len(counts)).float()
        mean = counts.sum() / (counts > 0).sum().clamp_min(1)
        return has_weight * torch.sqrt(mean / counts.clamp_min(1))[row]

    def apply_weights(self, errors: Any, index: Any) -> Any:
        """Return errors times the weights of their ratings."""
        return errors if self.weight is None else errors * self.weight[index]

    def sum_weights(self, index: Any) -> float:
        """Return the sum of the weights of some ratings."""
        return float(len(index)) if self.weight is None else float(self.weight[index].sum())
