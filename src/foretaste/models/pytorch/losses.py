"""Loss functions, and how each turns a network's output into a rating.

Ratings are standardized. A loss is a torch module, so that its own trained weights (the thresholds of the
ordinal loss) and the buffers that prediction needs are saved with the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from foretaste._utils.groupby import group_mean, group_sum, sample_weights
from foretaste.errors import InvalidParameterError
from foretaste.typing import AnyArray

_MAX_LEVELS = 20  # distinct ratings that are levels of their own; more are binned into as many levels


class Loss(nn.Module):
    """Base class of the losses; itself the squared error."""

    def per_sample(self, output: Any, value: Any) -> Any:
        """Return the loss of each row.

        Parameters
        ----------
        output : float tensor, shape (n,)
            Output of the network.
        value : float32 tensor, shape (n,)
            Standardized ratings.
        """
        return (output - value) ** 2

    def to_rating(self, output: Any) -> Any:
        """Return the predicted standardized rating of an output."""
        return output

    def predictive_std(self, output: Any) -> Any:
        """Return the predictive standard deviation, standardized, or None if the loss has none."""
        return None

    def scale(self, std: float) -> float:
        """Return the factor that turns a loss of standardized ratings into rating units."""
        return std**2

    def as_line(self) -> tuple[float, float] | None:
        """Return intercept and slope of ``to_rating``, or None if it is not affine."""
        return 0.0, 1.0


class HuberLoss(Loss):
    """Huber loss: squared up to ``delta`` standard deviations, absolute beyond."""

    def __init__(self, delta: float) -> None:
        super().__init__()
        self.delta = delta

    def per_sample(self, output: Any, value: Any) -> Any:
        return functional.huber_loss(output, value, reduction="none", delta=self.delta)


class QuantileLoss(Loss):
    """Pinball loss, minimized by this quantile of the ratings."""

    def __init__(self, quantile: float) -> None:
        super().__init__()
        self.quantile = quantile

    def per_sample(self, output: Any, value: Any) -> Any:
        above = value - output
        return torch.maximum(self.quantile * above, (self.quantile - 1) * above)

    def scale(self, std: float) -> float:
        return std


class BinaryLoss(Loss):
    """Binary cross-entropy of "rated at least ``threshold``"; the output is the logit.

    A prediction is the mean of the ratings below the threshold and the mean of the others, weighted by the
    probability of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("ends", torch.zeros(2))

    def fit_threshold(self, value: AnyArray, weight: AnyArray | None, threshold: float) -> Self:
        """Set the threshold, standardized, and the means of the training ratings on either side of it."""
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
    r"""Cumulative link model: :math:`P(r \le l_j) = \operatorname{sigmoid}(\theta_j - s)` for an output s.

    The thresholds are trained and stay ordered. Levels are the distinct ratings; more than 20 are binned into
    20 levels of about equal size, each represented by its mean. A prediction is the expected level, its
    uncertainty the standard deviation of the levels under the predicted distribution.

    Parameters
    ----------
    n_levels : int
    """

    def __init__(self, n_levels: int) -> None:
        super().__init__()
        self.register_buffer("edges", torch.zeros(n_levels - 1))
        self.register_buffer("levels", torch.zeros(n_levels))
        self.first = nn.Parameter(torch.zeros(min(n_levels - 1, 1)))
        self.gaps = nn.Parameter(torch.zeros(max(n_levels - 2, 0)))

    @classmethod
    def from_ratings(cls, value: AnyArray, weight: AnyArray | None) -> Self:
        """Return the loss for some training ratings, its thresholds fitted to outputs of 0."""
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
    """Bayesian personalized ranking; the output of ``per_sample`` is the score difference of a pair of items.

    A prediction is an increasing linear function of the score, set by ``calibrate``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ends", torch.tensor([0.0, 1.0]))  # intercept and slope

    def per_sample(self, output: Any, value: Any) -> Any:
        return functional.softplus(-output)

    def calibrate(self, intercept: float, slope: float) -> None:
        """Set the line from scores to standardized ratings."""
        self.ends[0], self.ends[1] = intercept, slope

    def to_rating(self, output: Any) -> Any:
        return self.ends[0] + self.ends[1] * output

    def as_line(self) -> tuple[float, float]:
        return float(self.ends[0]), float(self.ends[1])

    def scale(self, std: float) -> float:
        return 1.0


class CustomLoss(Loss):
    """A user-defined function ``loss(predicted, rating)``, both in rating units."""

    def __init__(self, function: Callable[[Any, Any], Any], mean: float, std: float) -> None:
        super().__init__()
        self.function, self.mean, self.std = function, mean, std

    def per_sample(self, output: Any, value: Any) -> Any:
        loss = self.function(self.mean + self.std * output, self.mean + self.std * value)
        if not isinstance(loss, torch.Tensor) or loss.shape not in (output.shape, torch.Size([])):
            shape = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise InvalidParameterError(
                f"loss returned {shape} for a batch of {len(output)}; it must return one number per rating",
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
    """Return a loss by name, or a user-defined one.

    Parameters
    ----------
    loss : str or callable
    delta : float
        For ``"huber"``, in standard deviations.
    quantile : float
        For ``"quantile"``.
    n_levels : int
        For ``"ordinal"``.
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
    """Return the weighted mean of some rows; if their weights sum to 0, of all rows."""
    weights = sample_weights(weight, len(value))
    selected = weights * rows if (weights * rows).sum() > 0 else weights
    return float(np.average(value, weights=selected))


def _ordinal_levels(value: AnyArray, weight: AnyArray | None) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return the lower edges of the levels (but the first), their means, and their shares of the ratings."""
    weights = sample_weights(weight, len(value))
    distinct, counts = np.unique(value, return_counts=True)
    last_ratings = np.arange(len(distinct) - 1)  # the last rating of each level but the highest
    if len(distinct) > _MAX_LEVELS:
        cut_counts = np.arange(1, _MAX_LEVELS) / _MAX_LEVELS * len(value)
        last_ratings = np.unique(
            np.minimum(np.searchsorted(np.cumsum(counts), cut_counts), len(distinct) - 2)
        )
    edges = (distinct[last_ratings] + distinct[last_ratings + 1]) / 2
    level = np.searchsorted(edges, value, side="right")
    share = group_sum(level, weights, len(edges) + 1)
    unweighted = group_mean(level, value, len(edges) + 1)
    levels = group_mean(level, value, len(edges) + 1, weights, default=unweighted)
    return edges, levels, share / share.sum()
