"""A module that scores pairs, together with the loss that turns its output into ratings."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from foretaste.errors import InvalidParameterError
from foretaste.models.pytorch._factors import FactorModule
from foretaste.models.pytorch.losses import Loss


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
