"""Training on single ratings, pairs of a user and an item: the network and the task of most models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from foretaste._utils import memory
from foretaste.errors import InvalidParameterError
from foretaste.models.pytorch._base import TrainValidRows
from foretaste.models.pytorch._factors import FactorModule
from foretaste.models.pytorch._trainer import EpochMetrics, TrainingTask
from foretaste.models.pytorch.losses import Loss
from foretaste.ratings import Ratings

_BYTES_PER_RATING = 48  # in addition to the ratings themselves
_MAX_EVAL_ROWS = 200_000  # training rows evaluated after an epoch; validation rows are all evaluated
_BLOCK_SIZE = 4096  # rows evaluated at once, so that their embeddings stay in the processor's cache


class Network(nn.Module):
    """All weights of a model of pairs: the module and those of its loss.

    Parameters
    ----------
    module : torch.nn.Module
        ``module(user, item)``, int64 tensors of shape (n,), returns a tensor of shape (n,).
    loss : Loss
    """

    def __init__(self, module: Any, loss: Loss) -> None:
        super().__init__()
        self.module, self.loss = module, loss

    def forward(self, user: Any, item: Any) -> Any:
        """Return the outputs of pairs of indices, shape (n,)."""
        output = self.module(user, item)
        if not isinstance(output, torch.Tensor) or output.shape != user.shape:
            shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
            raise InvalidParameterError(
                f"{type(self.module).__name__} returned {shape} for {len(user)} pairs; "
                f"it must return a tensor of shape ({len(user)},)",
                hint="return output.squeeze(1), if it has one column",
            )
        return output

    def forward_with_penalty(self, user: Any, item: Any) -> tuple[Any, Any]:
        """Return the outputs, and the regularization term of each row."""
        if isinstance(self.module, FactorModule):
            return self.module.forward_with_penalty(user, item)
        return self(user, item), 0.0


class PairTask(TrainingTask):
    """Trains a network that predicts standardized ratings of pairs.

    Parameters
    ----------
    network : Network
    train : Ratings
    split : TrainValidRows
    mean_std : (float, float)
        Mean and standard deviation by which ratings are standardized.
    device : torch.device
    regularizer : callable, optional
        ``regularizer(module)`` returns a scalar that is added to the mean loss of a batch.
    batch_size : int
        Ratings per batch, to estimate memory: ten times the embeddings of a batch, as measured.
    """

    def __init__(
        self,
        network: Network,
        train: Ratings,
        split: TrainValidRows,
        mean_std: tuple[float, float],
        device: Any,
        regularizer: Callable[[Any], Any] | None = None,
        batch_size: int = 0,
    ) -> None:
        # Columns, splits and order of the rows, as measured; each weight has a gradient, two moments of Adam
        # and a copy of the best epoch.
        weights = sum(weight.numel() for weight in network.parameters())
        ids = len(train.users) + len(train.items)
        lookup_bytes = 10 * 4 * min(batch_size, len(train)) * weights // ids
        memory.check_available(
            _BYTES_PER_RATING * len(train) + 5 * 4 * weights + lookup_bytes,
            f"training {weights:,} weights on {len(train):,} ratings",
            "fewer ratings: ratings.sample(n)",
        )
        self.network, self.device, self.regularizer = network.to(device), device, regularizer
        self.mean, self.std = mean_std
        self.size, self.n_items = len(split.train), len(train.items)
        self.train_rows = self.to_tensors(train, split.train)
        self.valid_rows = self.to_tensors(train, split.valid)
        step = -(-self.size // _MAX_EVAL_ROWS)
        self.train_eval_rows: tuple[Any, ...] = tuple(
            None if column is None else column[::step] for column in self.train_rows
        )

    def to_tensors(self, train: Ratings, rows: Any) -> tuple[Any, ...]:
        """Return user, item, standardized rating and weight of some rows, on the device."""
        value = (train.value[rows] - np.float32(self.mean)) / np.float32(self.std or 1.0)
        columns = (train.user[rows], train.item[rows], value)
        tensors = [torch.from_numpy(column).to(self.device) for column in columns]
        weight = None if train.weight is None else torch.from_numpy(train.weight[rows]).to(self.device)
        return (*tensors, weight)

    def loss(self, examples: Any) -> Any:
        """Return the mean loss of a batch plus regularization."""
        user, item, value, weight = self.train_rows
        weight = None if weight is None else weight[examples]
        return self.batch_loss(user[examples].long(), item[examples].long(), value[examples], weight)

    def batch_loss(self, user: Any, item: Any, value: Any, weight: Any) -> Any:
        """Return the loss of a batch of gathered columns.

        Parameters
        ----------
        user, item : int64 tensor, shape (batch,)
        value : float32 tensor, shape (batch,)
            Standardized ratings.
        weight : float32 tensor, shape (batch,), or None
        """
        output, penalty = self.network.forward_with_penalty(user, item)
        return (
            weighted_mean(self.network.loss.per_sample(output, value) + penalty, weight)
            + self.regularization()
        )

    def regularization(self) -> Any:
        """Return the term that ``regularizer`` adds to the loss of a batch."""
        return 0.0 if self.regularizer is None else self.regularizer(self.network.module)

    def evaluate(self) -> EpochMetrics:
        """Return loss and RMSE of the training rows (a sample of at most 200,000) and the validation rows."""
        train = self._metrics(self.train_eval_rows)
        valid = self._metrics(self.valid_rows) if len(self.valid_rows[0]) else ()
        return EpochMetrics(*train, *valid)

    def _metrics(self, columns: tuple[Any, ...]) -> tuple[float, float]:
        loss = self.network.loss
        total = losses = squares = 0.0
        for user, item, value, weight in iter_blocks(columns):
            output = self.network(user.long(), item.long()).float()
            weights = 1.0 if weight is None else weight
            losses += float((weights * loss.per_sample(output, value)).sum())
            squares += float((weights * (loss.to_rating(output) - value) ** 2).sum())
            total += len(value) if weight is None else float(weight.sum())
        total = total or 1.0
        std = self.std or 1.0
        return losses / total * loss.scale(std), std * float(np.sqrt(squares / total))


def weighted_mean(loss: Any, weight: Any) -> Any:
    """Return the weighted mean of a batch; 0 if all its weights are 0."""
    if weight is None:
        return loss.mean()
    return (weight * loss).sum() / weight.sum().clamp_min(1e-12)


def iter_blocks(columns: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of some columns in blocks."""
    for start in range(0, len(columns[0]), _BLOCK_SIZE):
        yield tuple(None if column is None else column[start : start + _BLOCK_SIZE] for column in columns)
