"""Training of autoencoders on whole rows: one example is all ratings of an item, or of a user."""

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
from foretaste.typing import Entity, Float32Array, Float64Array, Int64Array

_BLOCK_SIZE = 1024  # rows evaluated at once
_MAX_EVAL_ROWS = 512  # rows evaluated after an epoch without a validation set
_MAX_ITERATIONS = 200  # of the bias fit, which converges long before


class RowTask(TrainingTask):
    """Trains autoencoders to reconstruct the rated cells of rows.

    The input of a cell is ``s (z + rated_offset)`` where there is a rating of positive weight, else 0; its
    target is ``z``, the residual of ``baseline`` in standard deviations; ``s`` is the square root of the mean
    number of ratings of a row over that of this row. An ensemble's networks train independently, with other
    initial weights and dropout masks; the prediction is their mean.

    Parameters
    ----------
    networks : list of AutoencoderNetwork
    train : Ratings
    split : TrainValidRows
    item_based : bool
        Whether rows are items and columns users, or the other way round.
    baseline : Baseline
    rated_offset : float
        In standard deviations.
    dropout : float
        Fraction of the inputs set to 0 in training; the others are not rescaled.
    random : torch.Generator
    device : torch.device
    """

    def __init__(
        self,
        networks: list[AutoencoderNetwork],
        train: Ratings,
        split: TrainValidRows,
        *,
        item_based: bool,
        baseline: Baseline,
        rated_offset: float,
        dropout: float,
        random: Any,
        device: Any,
    ) -> None:
        self.network, self.device, self.random = nn.ModuleList(networks).to(device), device, random
        self.baseline, self.std = baseline, baseline.std
        self.dropout = dropout
        row_entity = Entity.ITEM if item_based else Entity.USER
        rows, columns = train.axis(row_entity), train.axis(row_entity.opposite)
        self.size, self.n_columns = len(rows.ids), len(columns.ids)
        value = baseline.residual(train)
        self.train_cells, self.valid_cells = (
            CSRRatings(rows.codes, columns.codes, value, train.weight, selected, self.size, device)
            for selected in (split.train, split.valid)
        )
        self.inputs = self.train_cells.input_scale() * (self.train_cells.value + rated_offset)

    def loss(self, examples: Any) -> Any:
        """Return the mean squared error of some rows plus their share of the penalty, per rating."""
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
        """Return the sparsity pattern of some rows, and the indices of its ratings in ``cells``."""
        row, index = cells.gather_rows(rows)
        return SparsityPattern(row, cells.column[index], len(rows), self.n_columns), index

    def apply_dropout(self, values: Any) -> Any:
        """Return the inputs with a random fraction set to 0."""
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
        return [torch.cat(blocks) for blocks in zip(*hidden, strict=True)]

    def evaluate(self) -> EpochMetrics:
        """Return loss and RMSE of the validation ratings, and of the training ratings of the same rows."""
        has_validation = len(self.valid_cells.value) > 0
        sums = np.zeros((2, 2))
        for rows in self._blocks(1 if has_validation else -(-self.size // _MAX_EVAL_ROWS)):
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
        train, valid = ((mse, float(np.sqrt(mse))) for mse in loss)
        return EpochMetrics(*train, *valid) if has_validation else EpochMetrics(*train)

    def _blocks(self, step: int) -> Any:
        """Return every ``step``-th row, in blocks."""
        return torch.arange(0, self.size, step, device=self.device).split(_BLOCK_SIZE)


@dataclass(frozen=True)
class Baseline:
    """Baseline predictor: mean plus user and item biases.

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
        """Return the baseline fitted to some rows of the training ratings; ``damping=None`` has no biases."""
        weight = None if train.weight is None else train.weight[rows]
        if weight is not None and not weight.any():  # all rows with a weight are held out
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
        """Return the residual of each rating, in standard deviations."""
        biases = self.user_bias[ratings.user] + self.item_bias[ratings.item]
        return ((ratings.value - self.mean - biases) / (self.std or 1.0)).astype(np.float32)


class CSRRatings:
    """Some of the ratings in compressed sparse row form, on the device.

    Parameters
    ----------
    row_codes, column_codes : int32 array, shape (ratings,)
    value : float32 array, shape (ratings,)
    weight : float32 array, shape (ratings,), or None
    selected : int64 array
        Indices of the ratings to store.
    rows : int
        Number of rows.
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
        """Return the position in ``rows`` of each of their ratings, and the indices of these ratings."""
        starts = self.starts[rows]
        counts = self.starts[rows + 1] - starts
        row = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), counts)
        row_starts = torch.cumsum(counts, 0) - counts
        return row, torch.arange(len(row), device=rows.device) + (starts - row_starts)[row]

    def input_scale(self) -> Any:
        """Return sqrt(mean ratings per row / ratings of this row) for each rating.

        Ratings of weight 0 are not counted, and get 0.
        """
        counts = torch.diff(self.starts)
        row = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        has_weight = torch.ones_like(self.value) if self.weight is None else (self.weight > 0).float()
        counts = torch.bincount(row, has_weight, len(counts)).float()
        mean = counts.sum() / (counts > 0).sum().clamp_min(1)
        return has_weight * torch.sqrt(mean / counts.clamp_min(1))[row]

    def apply_weights(self, errors: Any, index: Any) -> Any:
        """Return errors multiplied by the sample weights of their ratings."""
        return errors if self.weight is None else errors * self.weight[index]

    def sum_weights(self, index: Any) -> float:
        """Return the sum of the sample weights of some ratings."""
        return float(len(index)) if self.weight is None else float(self.weight[index].sum())
