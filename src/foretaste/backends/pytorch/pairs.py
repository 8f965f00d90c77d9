"""Learning from pairs of a user and an item, one rating each: the examples of most models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from foretaste import memory
from foretaste.backends.pytorch.base import Parts
from foretaste.backends.pytorch.learning import Figures, Learning
from foretaste.ratings import Ratings

_JUDGED = 200_000  # training rows by which an epoch is judged, at most; validation rows are all judged
_BLOCK = 65_536  # rows judged at once


class PairLearning(Learning):
    """A network that predicts the rating of pairs, in standard deviations from the mean.

    Parameters
    ----------
    network : torch.nn.Module
        ``network(user, item)``, int64 tensors of shape (n,), returns a tensor of shape (n,).
    loss : callable
        ``loss(predicted, rating)`` in standard deviations, shape (n,) each, returns shape (n,).
    train : Ratings
    parts : Parts
    moments : (float, float)
        The mean and the standard deviation in which the network predicts.
    device : torch.device
    """

    def __init__(
        self,
        network: Any,
        loss: Callable[[Any, Any], Any],
        train: Ratings,
        parts: Parts,
        moments: tuple[float, float],
        device: Any,
    ) -> None:
        # Order and batch of each row beside its columns: 24 bytes a rating, and 4 for a weight.
        memory.require(
            28 * len(train), f"learning from {len(train)} ratings", "fewer ratings: ratings.sample(n)"
        )
        self.network, self.device = network.to(device), device
        self.loss_of = loss
        self.mean, self.std = moments
        self.size = len(parts.learned)
        self.train_rows = self._tensors(train, parts.learned)
        self.held_rows = self._tensors(train, parts.held)
        step = -(-self.size // _JUDGED)
        self.judged_rows = tuple(None if column is None else column[::step] for column in self.train_rows)

    def _tensors(self, train: Ratings, rows: Any) -> tuple[Any, ...]:
        """Return user, item, standardised rating and weight of some rows, on the device."""
        import torch

        value = (train.value[rows].astype(np.float64) - self.mean) / (self.std or 1.0)
        columns = (train.user[rows], train.item[rows], value.astype(np.float32))
        found = [torch.from_numpy(column).to(self.device) for column in columns]
        weight = None if train.weight is None else torch.from_numpy(train.weight[rows]).to(self.device)
        return (*found, weight)

    def loss(self, examples: Any) -> Any:
        """Return the mean loss of a batch, and what regularization adds."""
        user, item, value, weight = self.train_rows
        weight = None if weight is None else weight[examples]
        return self.batch_loss(user[examples].long(), item[examples].long(), value[examples], weight)

    def batch_loss(self, user: Any, item: Any, value: Any, weight: Any) -> Any:
        """Return what a step makes smaller; a subclass adds its regularization here.

        Parameters
        ----------
        user, item : int64 tensor, shape (batch,)
        value : float32 tensor, shape (batch,)
            In standard deviations from the mean.
        weight : float32 tensor, shape (batch,), or None
        """
        return weighted_mean(self.loss_of(self.network(user, item), value), weight)

    def judge(self) -> Figures:
        """Return loss and RMSE of the training rows (of 200 000 at most) and of the validation rows."""
        train = self._figures(self.judged_rows)
        held = self._figures(self.held_rows) if len(self.held_rows[0]) else ()
        return Figures(*train, *held)

    def _figures(self, columns: tuple[Any, ...]) -> tuple[float, float]:
        total = losses = squares = 0.0
        for user, item, value, weight in _blocks(columns):
            predicted = self.network(user.long(), item.long())
            weights = 1.0 if weight is None else weight
            losses += float((weights * self.loss_of(predicted, value)).sum())
            squares += float((weights * (predicted - value) ** 2).sum())
            total += len(value) if weight is None else float(weight.sum())
        total = total or 1.0
        std = self.std or 1.0
        return losses / total * std**2, std * float(np.sqrt(squares / total))


def weighted_mean(loss: Any, weight: Any) -> Any:
    """Return the mean of a batch; where all its weights are 0, that is 0."""
    if weight is None:
        return loss.mean()
    return (weight * loss).sum() / weight.sum().clamp_min(1e-12)


def _blocks(columns: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(columns[0]), _BLOCK):
        yield tuple(None if column is None else column[start : start + _BLOCK] for column in columns)
