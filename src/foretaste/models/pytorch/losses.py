"""What a network is taught to make smaller, and what its output then says of a rating.

Ratings come in standard deviations from their mean. A loss is a torch module, so that what it learns itself
(the thresholds of the ordinal one) and what it must know to predict is kept with the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from foretaste.errors import InvalidParameterError
from foretaste.typing import AnyArray

_MAX_LEVELS = 20  # different ratings that are levels of their own; more are cut into as many parts


class Loss(nn.Module):
    """Base of the losses; as it stands, the squared error."""

    def per_sample(self, output: Any, value: Any) -> Any:
        """Return the loss of each row.

        Parameters
        ----------
        output : float tensor, shape (n,)
            Of the network.
        value : float32 tensor, shape (n,)
            Ratings in standard deviations.
        """
        return (output - value) ** 2

    def to_rating(self, output: Any) -> Any:
        """Return the rating that an output stands for, in standard deviations."""
        return output

    def predictive_std(self, output: Any) -> Any:
        """Return how unsure that rating is, in standard deviations, or None if the loss does not tell."""
        return None

    def scale(self, std: float) -> float:
        """Return what a loss of 1 is in rating units, where one standard deviation is ``std``."""
        return std**2

    def as_line(self) -> tuple[float, float] | None:
        """Return intercept and slope of ``to_rating`` where that is a line."""
        return 0.0, 1.0


class HuberLoss(Loss):
    """Squared errors up to ``delta`` standard deviations, absolute ones beyond."""

    def __init__(self, delta: float) -> None:
        super().__init__()
        self.delta = delta

    def per_sample(self, output: Any, value: Any) -> Any:
        return functional.huber_loss(output, value, reduction="none", delta=self.delta)


class QuantileLoss(Loss):
    """The pinball loss, least where this share of the ratings lies below the prediction."""

    def __init__(self, quantile: float) -> None:
        super().__init__()
        self.quantile = quantile

    def per_sample(self, output: Any, value: Any) -> Any:
        above = value - output
        return torch.maximum(self.quantile * above, (self.quantile - 1) * above)

    def scale(self, std: float) -> float:
        return std


class BinaryLoss(Loss):
    """Whether a rating is at least ``threshold``: the output is its log odds.

    A prediction is the mean of the ratings below the threshold, plus that probability times how much higher
    the mean of the others is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("ends", torch.zeros(2))

    def fit_threshold(self, value: AnyArray, weight: AnyArray | None, threshold: float) -> Self:
        """Take in the ratings learned from, and the threshold, in standard deviations."""
        self.threshold.fill_(threshold)
        high = value >= self.threshold.numpy()
        self.ends.copy_(torch.tensor([_weighted_mean(value, weight, rows) for rows in (~high, high)]))
        return self

    def per_sample(self, output: Any, value: Any) -> Any:
        liked = (value >= self.threshold).to(output.dtype)
        return functional.binary_cross_entropy_with_logits(output, liked, reduction="none")

    def to_rating(self, output: Any) -> Any:
        return self.ends[0] + torch.sigmoid(output) * (self.ends[1] - self.ends[0])

    def as_line(self) -> None:
        return None

    def scale(self, std: float) -> float:
        return 1.0


class OrdinalLoss(Loss):
    r"""Cumulative link: :math:`P(r \le l_j) = \operatorname{sigmoid}(\theta_j - s)` for a network's output s.

    The thresholds are learned and stay in their order. Levels are the ratings that occur; where these are
    more than 20, they are cut into 20 parts of about equal size, each with its mean. A prediction is the mean
    of the levels, each with its probability; its spread is their standard deviation.

    Parameters
    ----------
    levels : int
    """

    def __init__(self, n_levels: int) -> None:
        super().__init__()
        self.register_buffer("edges", torch.zeros(n_levels - 1))
        self.register_buffer("levels", torch.zeros(n_levels))
        self.first = nn.Parameter(torch.zeros(min(n_levels - 1, 1)))
        self.gaps = nn.Parameter(torch.zeros(max(n_levels - 2, 0)))

    @classmethod
    def from_ratings(cls, value: AnyArray, weight: AnyArray | None) -> Self:
        """Return the loss for the ratings learned from, its thresholds as if all outputs were 0."""
        edges, levels, share = _ordinal_levels(value, weight)
        loss = cls(len(levels))
        below = np.clip(np.cumsum(share)[:-1], 1e-4, 1 - 1e-4)
        log_odds = np.log(below) - np.log1p(-below)
        gaps = np.log(np.maximum(np.diff(log_odds), 1e-3))
        with torch.no_grad():
            for weights, initial in zip(
                (loss.edges, loss.levels, loss.first, loss.gaps),
                (edges, levels, log_odds[:1], gaps),
                strict=True,
            ):
                weights.copy_(torch.from_numpy(initial.astype(np.float32)))
        return loss

    def thresholds(self) -> Any:
        """Return the thresholds between the levels, increasing, shape (levels - 1,)."""
        return torch.cat([self.first, self.first + torch.cumsum(torch.exp(self.gaps), 0)])

    def per_sample(self, output: Any, value: Any) -> Any:
        if len(self.levels) == 1:
            return 0 * output
        level = torch.bucketize(value, self.edges, right=True)  # (n,)
        thresholds = self.thresholds()
        last = len(thresholds)
        upper = thresholds[level.clamp_max(last - 1)] - output
        lower = thresholds[(level - 1).clamp_min(0)] - output
        log_upper = torch.where(level < last, functional.logsigmoid(upper), torch.zeros_like(output))
        log_lower = torch.where(level > 0, functional.logsigmoid(-lower), torch.zeros_like(output))
        inside = (level > 0) & (level < last)
        gap = torch.where(inside, upper - lower, torch.ones_like(output))
        between = torch.where(inside, torch.log1p(-torch.exp(-gap)), torch.zeros_like(output))
        return -(log_upper + log_lower + between)

    def probabilities(self, output: Any) -> Any:
        """Return the probability of each level, shape (n, levels)."""
        if len(self.levels) == 1:
            return torch.ones_like(output)[:, None]
        below = torch.sigmoid(self.thresholds() - output[:, None])  # (n, levels - 1)
        ones = torch.ones_like(output)[:, None]
        return torch.diff(torch.cat([0 * ones, below, ones], 1), dim=1)

    def to_rating(self, output: Any) -> Any:
        return (self.probabilities(output) * self.levels).sum(1)

    def predictive_std(self, output: Any) -> Any:
        probabilities = self.probabilities(output)
        mean = (probabilities * self.levels).sum(1)
        return ((probabilities * self.levels**2).sum(1) - mean**2).clamp_min(0).sqrt()

    def as_line(self) -> None:
        return None

    def scale(self, std: float) -> float:
        return 1.0


class BPRLoss(Loss):
    """BPR: a liked item above another; ``each`` takes by how much it is above.

    A prediction is the line of least squares from scores to ratings, kept rising: ``calibrate`` sets it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ends", torch.tensor([0.0, 1.0]))  # intercept and slope

    def per_sample(self, output: Any, value: Any) -> Any:
        return functional.softplus(-output)

    def calibrate(self, intercept: float, slope: float) -> None:
        """Set the line from scores to ratings in standard deviations."""
        self.ends[0], self.ends[1] = intercept, slope

    def to_rating(self, output: Any) -> Any:
        return self.ends[0] + self.ends[1] * output

    def as_line(self) -> tuple[float, float]:
        return float(self.ends[0]), float(self.ends[1])

    def scale(self, std: float) -> float:
        return 1.0


class CustomLoss(Loss):
    """A function of one's own, ``loss(predicted, rating)``, both in rating units."""

    def __init__(self, function: Callable[[Any, Any], Any], mean: float, std: float) -> None:
        super().__init__()
        self.function, self.mean, self.std = function, mean, std

    def per_sample(self, output: Any, value: Any) -> Any:
        loss = self.function(self.mean + self.std * output, self.mean + self.std * value)
        if not isinstance(loss, torch.Tensor) or loss.shape not in (output.shape, torch.Size([])):
            shape = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise InvalidParameterError(
                f"loss returned {shape} for a batch of {len(output)}; it must return one number a rating",
                hint="def loss(predicted, rating): return (predicted - rating) ** 2",
            )
        return loss.expand(output.shape)

    def scale(self, std: float) -> float:
        return 1.0


def make_loss(
    loss: str | Callable[[Any, Any], Any],
    *,
    delta: float,
    quantile: float,
    n_levels: int,
    mean_std: tuple[float, float],
) -> Loss:
    """Return the loss of a word, or of a function of one's own.

    Parameters
    ----------
    loss : str or callable
    delta : float
        Of ``"huber"``, in standard deviations.
    quantile : float
    n_levels : int
        Of ``"ordinal"``.
    mean_std : (float, float)
        Mean and standard deviation of the ratings.
    """
    if callable(loss):
        return CustomLoss(loss, *mean_std)
    factories: dict[str, Callable[[], Loss]] = {
        "mse": Loss,
        "huber": lambda: HuberLoss(delta),
        "quantile": lambda: QuantileLoss(quantile),
        "ordinal": lambda: OrdinalLoss(n_levels),
        "binary": BinaryLoss,
        "bpr": BPRLoss,
    }
    return factories[loss]()


def _weighted_mean(value: AnyArray, weight: AnyArray | None, rows: AnyArray) -> float:
    """Return the weighted mean of some rows; where there are none, of all."""
    weights = np.ones(len(value)) if weight is None else weight.astype(np.float64)
    selected = weights * rows if (weights * rows).sum() > 0 else weights
    return float(np.average(value, weights=selected))


def _ordinal_levels(value: AnyArray, weight: AnyArray | None) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return where levels begin (but the first), what they stand for, and their shares of the ratings."""
    weights = np.ones(len(value)) if weight is None else weight.astype(np.float64)
    distinct, counts = np.unique(value, return_counts=True)
    last_ratings = np.arange(len(distinct) - 1)  # the last rating of each level but the highest
    if len(distinct) > _MAX_LEVELS:
        cut_counts = np.arange(1, _MAX_LEVELS) / _MAX_LEVELS * len(value)
        last_ratings = np.unique(
            np.minimum(np.searchsorted(np.cumsum(counts), cut_counts), len(distinct) - 2)
        )
    edges = (distinct[last_ratings] + distinct[last_ratings + 1]) / 2
    level = np.searchsorted(edges, value, side="right")
    share = np.bincount(level, weights, len(edges) + 1)
    total = np.bincount(level, weights * value, len(edges) + 1)
    unweighted = np.bincount(level, value, len(edges) + 1) / np.bincount(level, minlength=len(edges) + 1)
    levels = np.where(share > 0, total / np.where(share > 0, share, 1), unweighted)
    return edges, levels, share / share.sum()
