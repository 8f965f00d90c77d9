"""Optimisers by name, or of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OPTIMIZERS = ("adam", "adamw", "adagrad", "sgd")


def make_optimizer(optimizer: str | Callable[..., Any], network: Any, learning_rate: float) -> Any:
    """Return a torch optimiser of all weights of a network.

    Parameters
    ----------
    optimizer : str or callable
        A word of ``OPTIMIZERS``, or what is called with the parameters and ``lr=``, such as a class of
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
    # On the CPU one kernel for each table instead of a dozen calls; elsewhere torch knows what is best.
    fused = all(weight.device.type == "cpu" for weight in weights) or None
    return classes[optimizer](weights, lr=learning_rate, fused=fused)
