"""The networks of the autoencoders: layers of weights, and layers of weights under a kernel."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from foretaste.models.pytorch._kernelized_linear import under_kernel
from foretaste.models.pytorch._sparse_ops import Rated, products, squares, summed

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "elu": functional.elu,
    "identity": lambda x: x,
}

_NEAR = 0.001  # the spread of the first places, so that at first every connection is there
_PACE = 0.1  # places move a tenth of a step: of whole ones most are 1 apart before weights have learned


class Dense(nn.Module):
    """Weights from some units to others, and what is added there.

    Parameters
    ----------
    inputs, outputs : int
    regularization : float
        What a squared weight costs.
    random : torch.Generator
    turned : bool
        Weights lie as (outputs, inputs), so that those of one output are side by side.
    """

    def __init__(
        self, inputs: int, outputs: int, regularization: float, random: Any,
        *, turned: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.regularization, self.turned = regularization, turned
        bound = math.sqrt(6 / (inputs + outputs))  # Glorot and Bengio, 2010
        shape = (outputs, inputs) if turned else (inputs, outputs)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=random))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def effective(self) -> Any:
        """Return the weights that are used, of the shape of ``weight``; kept is what ``penalty`` needs."""
        return self.weight

    def penalty(self) -> Any:
        """Return what regularization adds, after ``effective``."""
        return self.regularization * squares(self.weight)


class Kernelised(Dense):
    """A layer whose weights are multiplied by ``max(0, 1 - |u - v|^2)``, of places u and v of both ends.

    The places are learned; where they lie at least 1 apart nothing connects them.

    Parameters
    ----------
    inputs, outputs, regularization, random, turned
        As in ``Dense``.
    dimensions : int
        Of the places.
    kernel_regularization : float
        What a squared kernel value costs.
    """

    def __init__(
        self, inputs: int, outputs: int, regularization: float, random: Any,
        *, dimensions: int, kernel_regularization: float, turned: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(inputs, outputs, regularization, random, turned=turned)
        self.kernel_regularization = kernel_regularization
        near, shapes = _NEAR / _PACE, ((inputs, dimensions), (outputs, dimensions))
        self.input_place, self.output_place = (
            nn.Parameter(torch.empty(shape).normal_(0, near, generator=random)) for shape in shapes
        )
        self.costs: Any = None

    def effective(self) -> Any:
        """Return the weights that are used; what ``penalty`` needs is kept."""
        places = self.input_place, self.output_place
        u, v = (_PACE * place for place in (places[::-1] if self.turned else places))
        weights, *self.costs = under_kernel(self.weight, u, v)
        return weights

    def penalty(self) -> Any:
        """Return what regularization adds, by the weights and the kernel of the last ``effective``."""
        (of_weights, of_kernel), self.costs = self.costs, None
        return self.regularization * of_weights + self.kernel_regularization * of_kernel


class Coder(nn.Module):
    """Layers with an activation between them, from rated cells to rated cells.

    Parameters
    ----------
    layers : list of Dense
        Only the last is turned: the decoder, whose weights of one cell are side by side.
    activation : str
        A word of ``ACTIVATIONS``.
    """

    def __init__(self, layers: list[Dense], activation: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation = ACTIVATIONS[activation]

    def encoded(self, rated: Rated, values: Any) -> Any:
        """Return the last hidden layer of rows of which ``values`` go in at the rated cells, else 0."""
        first, *between = self.layers[:-1]
        hidden = self.activation(summed(first.effective(), rated, values) + first.bias)
        for layer in between:
            hidden = self.activation(torch.addmm(layer.bias, hidden, layer.effective()))
        return hidden

    def decoded(self, hidden: Any, *asked: Rated) -> list[Any]:
        """Return what comes out at each of some sets of cells of these rows."""
        decoder = self.layers[-1]
        weights = decoder.effective()
        return [products(hidden, weights, rated) + decoder.bias[rated.column] for rated in asked]

    def penalty(self) -> Any:
        """Return what regularization adds to the sum of squared errors, after coding and decoding."""
        return sum(layer.penalty() for layer in self.layers)
