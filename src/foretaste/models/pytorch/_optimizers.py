"""Optimizers by name, or as a callable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OPTIMIZERS = ("adam", "adamw", "adagrad", "sgd")


def make_optimizer(optimizer: str | Callable[..., Any], network: Any, learning_rate: float) -> Any:
    """Return a torch optimizer of all trainable weights of a network.

    Parameters
    ----------
    optimizer : str or callable
        A name from ``OPTIMIZERS``, or a callable that takes the weights and ``lr=``, such as a class of
        ``torch.optim``.
    network : torch.nn.Module
    learning_rate : float
    """
    import torch

    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if callable(optimizer):
        return optimizer(weights, lr=learning_rate)
    classes = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adagrad": torch.optim.Adagrad,
        "sgd": torch.optim.SGD,
    }
    # On the CPU the fused kernel replaces a dozen calls per tensor; elsewhere torch's default is best.
    fused = all(weight.device.type == "cpu" for weight in weights) or None
    return classes[optimizer](weights, lr=learning_rate, fused=fused)
