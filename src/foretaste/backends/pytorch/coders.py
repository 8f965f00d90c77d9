"""The networks of the autoencoders: layers of weights, and layers of weights under a kernel."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "elu": functional.elu,
    "identity": lambda x: x,
}

_NEAR = 0.001  # the spread of the first places, so that at first every connection is there


class Dense(nn.Module):
    """``x W + b``.

    Parameters
    ----------
    inputs, outputs : int
    regularization : float
        What a squared weight costs.
    random : torch.Generator
    """

    def __init__(self, inputs: int, outputs: int, regularization: float, random: Any) -> None:
        super().__init__()
        self.regularization = regularization
        bound = math.sqrt(6 / (inputs + outputs))  # Glorot and Bengio, 2010
        self.weight = nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound, generator=random))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Any) -> Any:
        """Return what comes out of rows ``x``, shape (rows, outputs)."""
        return torch.addmm(self.bias, x, self.effective())

    def effective(self) -> Any:
        """Return the weights that are used, shape (inputs, outputs)."""
        return self.weight

    def penalty(self) -> Any:
        """Return what regularization adds."""
        return self.regularization * self.weight.square().sum()


class Kernelised(Dense):
    """A layer whose weights are multiplied by ``max(0, 1 - |u - v|^2)``, of places u and v of both ends.

    The places are learned; where they lie at least 1 apart nothing connects them.

    Parameters
    ----------
    inputs, outputs, regularization, random
        As in ``Dense``.
    dimensions : int
        Of the places.
    kernel_regularization : float
        What a squared kernel value costs.
    """

    def __init__(
        self, inputs: int, outputs: int, regularization: float, random: Any,
        dimensions: int, kernel_regularization: float,
    ) -> None:  # fmt: skip
        super().__init__(inputs, outputs, regularization, random)
        self.kernel_regularization = kernel_regularization
        self.input_place = nn.Parameter(torch.empty(inputs, dimensions).normal_(0, _NEAR, generator=random))
        self.output_place = nn.Parameter(torch.empty(outputs, dimensions).normal_(0, _NEAR, generator=random))
        self.now: Any = None

    def kernel(self) -> Any:
        """Return the kernel of every connection, shape (inputs, outputs), from 0 to 1."""
        u, v = self.input_place, self.output_place
        squares = u.square().sum(1)[:, None] + v.square().sum(1) - 2 * (u @ v.T)
        return torch.relu(1 - squares)

    def forward(self, x: Any) -> Any:
        """Return what comes out of rows ``x``; the kernel is kept for ``penalty``."""
        self.now = self.kernel()
        return torch.addmm(self.bias, x, self.weight * self.now)

    def effective(self) -> Any:
        """Return the weights that are used, shape (inputs, outputs)."""
        return self.weight * self.kernel()

    def penalty(self) -> Any:
        """Return what regularization adds, by the kernel of the last ``forward``."""
        kernel, self.now = self.now, None
        return super().penalty() + self.kernel_regularization * kernel.square().sum()


class Coder(nn.Module):
    """Layers with an activation between them.

    Parameters
    ----------
    layers : list of Dense
    activation : str
        A word of ``ACTIVATIONS``.
    """

    def __init__(self, layers: list[Dense], activation: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation = ACTIVATIONS[activation]

    def encoded(self, rows: Any) -> Any:
        """Return the last hidden layer."""
        for layer in self.layers[:-1]:
            rows = self.activation(layer(rows))
        return rows

    def forward(self, rows: Any) -> Any:
        """Return rows of the same shape."""
        return self.layers[-1](self.encoded(rows))

    def penalty(self) -> Any:
        """Return what regularization adds to the sum of squared errors."""
        return sum(layer.penalty() for layer in self.layers)
