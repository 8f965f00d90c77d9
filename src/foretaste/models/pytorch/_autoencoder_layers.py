"""The networks of the autoencoders: layers of weights, and layers of weights under a kernel."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from foretaste.models.pytorch._kernelized_linear import apply_kernel
from foretaste.models.pytorch._sparse_ops import (
    SparsityPattern,
    sampled_dot,
    sparse_embedding_sum,
    squared_norm,
)

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "elu": functional.elu,
    "identity": lambda x: x,
}

_POSITION_INIT_STD = 0.001  # the spread of the first places, so that at first every connection is there
_POSITION_STEP = (
    0.1  # places move a tenth of a step: of whole ones most are 1 apart before weights have learned
)


class Linear(nn.Module):
    """Weights from some units to others, and what is added there.

    Parameters
    ----------
    inputs, outputs : int
    regularization : float
        What a squared weight costs.
    random : torch.Generator
    transposed : bool
        Weights lie as (outputs, inputs), so that those of one output are side by side.
    """

    def __init__(
        self, inputs: int, outputs: int, regularization: float, random: Any,
        *, transposed: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.regularization, self.transposed = regularization, transposed
        bound = math.sqrt(6 / (inputs + outputs))  # Glorot and Bengio, 2010
        shape = (outputs, inputs) if transposed else (inputs, outputs)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=random))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def effective_weight(self) -> Any:
        """Return the weights that are used, of the shape of ``weight``; kept is what ``penalty`` needs."""
        return self.weight

    def penalty(self) -> Any:
        """Return what regularization adds, after ``effective_weight``."""
        return self.regularization * squared_norm(self.weight)


class KernelizedLinear(Linear):
    """A layer whose weights are multiplied by ``max(0, 1 - |u - v|^2)``, of places u and v of both ends.

    The places are learned; where they lie at least 1 apart nothing connects them.

    Parameters
    ----------
    inputs, outputs, regularization, random, turned
        As in ``Linear``.
    dimensions : int
        Of the places.
    kernel_regularization : float
        What a squared kernel value costs.
    """

    def __init__(
        self, inputs: int, outputs: int, regularization: float, random: Any,
        *, dimensions: int, kernel_regularization: float, transposed: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(inputs, outputs, regularization, random, transposed=transposed)
        self.kernel_regularization = kernel_regularization
        init_std, shapes = _POSITION_INIT_STD / _POSITION_STEP, ((inputs, dimensions), (outputs, dimensions))
        self.input_position, self.output_position = (
            nn.Parameter(torch.empty(shape).normal_(0, init_std, generator=random)) for shape in shapes
        )
        self.last_norms: Any = None

    def effective_weight(self) -> Any:
        """Return the weights that are used; what ``penalty`` needs is kept."""
        positions = self.input_position, self.output_position
        u, v = (_POSITION_STEP * position for position in (positions[::-1] if self.transposed else positions))
        weights, *self.last_norms = apply_kernel(self.weight, u, v)
        return weights

    def penalty(self) -> Any:
        """Return what regularization adds, by the weights and the kernel of the last ``effective``."""
        (weight_norm, kernel_norm), self.last_norms = self.last_norms, None
        return self.regularization * weight_norm + self.kernel_regularization * kernel_norm


class AutoencoderNetwork(nn.Module):
    """Layers with an activation between them, from rated cells to rated cells.

    Parameters
    ----------
    layers : list of Dense
        Only the last is turned: the decoder, whose weights of one cell are side by side.
    activation : str
        A word of ``ACTIVATIONS``.
    """

    def __init__(self, layers: list[Linear], activation: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation = ACTIVATIONS[activation]

    def encode(self, pattern: SparsityPattern, values: Any) -> Any:
        """Return the last hidden layer of rows of which ``values`` go in at the rated cells, else 0."""
        first, *middle = self.layers[:-1]
        hidden = self.activation(sparse_embedding_sum(first.effective_weight(), pattern, values) + first.bias)
        for layer in middle:
            hidden = self.activation(torch.addmm(layer.bias, hidden, layer.effective_weight()))
        return hidden

    def decode(self, hidden: Any, *patterns: SparsityPattern) -> list[Any]:
        """Return what comes out at each of some sets of cells of these rows."""
        decoder = self.layers[-1]
        weights = decoder.effective_weight()
        return [sampled_dot(hidden, weights, pattern) + decoder.bias[pattern.column] for pattern in patterns]

    def penalty(self) -> Any:
        """Return what regularization adds to the sum of squared errors, after coding and decoding."""
        return sum(layer.penalty() for layer in self.layers)
