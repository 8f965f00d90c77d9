"""Networks of the autoencoders: linear and kernelized linear layers, and the stack of them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

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

_KERNEL_BLOCK_SIZE = 131_072  # weights at once, so that they stay in the cache: half a megabyte per matrix
_POSITION_INIT_STD = 0.001  # so small that every connection exists at first
# Positions move at a tenth of the learning rate; at the full rate most are 1 apart before weights have
# been trained.
_POSITION_STEP = 0.1


class Linear(nn.Module):
    """A linear layer with L2 regularization and Glorot initialization.

    Parameters
    ----------
    inputs, outputs : int
    regularization : float
        Penalty of a squared weight.
    random : torch.Generator
    transposed : bool
        Whether to store the weight as (outputs, inputs), so that the weights of one output are contiguous.
    """

    def __init__(
        self, inputs: int, outputs: int, regularization: float, random: Any, *, transposed: bool = False
    ) -> None:
        super().__init__()
        self.regularization, self.transposed = regularization, transposed
        bound = math.sqrt(6 / (inputs + outputs))  # Glorot and Bengio, 2010
        shape = (outputs, inputs) if transposed else (inputs, outputs)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=random))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def effective_weight(self) -> Any:
        """Return the weights of the forward pass, in the shape of ``weight``."""
        return self.weight

    def penalty(self) -> Any:
        """Return the regularization term; called after ``effective_weight``."""
        return self.regularization * squared_norm(self.weight)


class KernelizedLinear(Linear):
    """A layer whose weights are multiplied by a kernel ``max(0, 1 - |u - v|^2)`` of unit positions.

    Each input has a position u and each output a position v, both trained; units at least 1 apart are not
    connected.

    Parameters
    ----------
    inputs, outputs, regularization, random, transposed
        As in ``Linear``.
    dimensions : int
        Of the positions.
    kernel_regularization : float
        Penalty of a squared kernel value.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        regularization: float,
        random: Any,
        *,
        dimensions: int,
        kernel_regularization: float,
        transposed: bool = False,
    ) -> None:
        super().__init__(inputs, outputs, regularization, random, transposed=transposed)
        self.kernel_regularization = kernel_regularization
        init_std, shapes = _POSITION_INIT_STD / _POSITION_STEP, ((inputs, dimensions), (outputs, dimensions))
        self.input_position, self.output_position = (
            nn.Parameter(torch.empty(shape).normal_(0, init_std, generator=random)) for shape in shapes
        )
        self.last_norms: Any = None  # squared norms of weight and kernel, from the last forward pass

    def effective_weight(self) -> Any:
        """Return the weights of the forward pass, and store the norms that ``penalty`` needs."""
        positions = self.input_position, self.output_position
        u, v = (_POSITION_STEP * position for position in (positions[::-1] if self.transposed else positions))
        weights, *self.last_norms = _apply_kernel(self.weight, u, v)
        return weights

    def penalty(self) -> Any:
        """Return the regularization term of the last ``effective_weight``."""
        (weight_norm, kernel_norm), self.last_norms = self.last_norms, None
        return self.regularization * weight_norm + self.kernel_regularization * kernel_norm


class AutoencoderNetwork(nn.Module):
    """An autoencoder with sparse inputs and sparse outputs.

    Parameters
    ----------
    layers : list of Linear
        Only the last one, the decoder, is transposed.
    activation : str
        A name from ``ACTIVATIONS``, applied between the layers.
    """

    def __init__(self, layers: list[Linear], activation: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation = ACTIVATIONS[activation]

    def encode(self, pattern: SparsityPattern, values: Any) -> Any:
        """Return the last hidden layer of rows whose inputs are ``values`` at the rated cells, else 0."""
        first, *middle = self.layers[:-1]
        hidden = self.activation(sparse_embedding_sum(first.effective_weight(), pattern, values) + first.bias)
        for layer in middle:
            hidden = self.activation(torch.addmm(layer.bias, hidden, layer.effective_weight()))
        return hidden

    def decode(self, hidden: Any, *patterns: SparsityPattern) -> list[Any]:
        """Return the outputs at the cells of each pattern."""
        decoder = self.layers[-1]
        weights = decoder.effective_weight()
        return [sampled_dot(hidden, weights, pattern) + decoder.bias[pattern.column] for pattern in patterns]

    def penalty(self) -> Any:
        """Return the regularization term of all layers, after encoding and decoding."""
        return sum(layer.penalty() for layer in self.layers)


def _apply_kernel(weight: Any, u: Any, v: Any) -> tuple[Any, Any, Any]:
    """Return ``weight * kernel`` with the kernel ``max(0, 1 - |u_j - v_k|^2)``.

    Parameters
    ----------
    weight : float32 tensor, shape (n, m)
    u, v : float32 tensor, shapes (n, dimensions) and (m, dimensions)

    Returns
    -------
    tensor, shape (n, m)
    scalar tensor
        Squared norm of the weight, without the kernel.
    scalar tensor
        Squared norm of the kernel.
    """
    # 1 - |u - v|^2 as a single matrix product, so that no matrix but the kernel itself is materialized.
    left = torch.cat([2 * u, 1 - u.square().sum(1, keepdim=True), torch.ones_like(u[:, :1])], 1)
    right = torch.cat([v, torch.ones_like(v[:, :1]), -v.square().sum(1, keepdim=True)], 1)
    result: tuple[Any, Any, Any] = _ApplyKernel.apply(weight, left, right)
    return result


class _ApplyKernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Any, left: Any, right: Any) -> Any:
        ctx.save_for_backward(weight, left, right)
        output, right_transposed = torch.empty_like(weight), right.T.contiguous()
        weight_norm, kernel_norm = weight.new_zeros(()), weight.new_zeros(())
        for rows in _blocks(weight):
            kernel, block = torch.mm(left[rows], right_transposed).relu_(), weight[rows]
            torch.mul(block, kernel, out=output[rows])
            weight_norm += torch.dot(block.reshape(-1), block.reshape(-1))
            kernel_norm += torch.dot(kernel.view(-1), kernel.view(-1))
        return output, weight_norm, kernel_norm

    @staticmethod
    def backward(ctx: Any, grad_output: Any, grad_weight_norm: Any, grad_kernel_norm: Any) -> Any:
        weight, left, right = ctx.saved_tensors
        right_transposed = right.T.contiguous()
        grad_weight, grad_left, grad_right = (torch.zeros_like(tensor) for tensor in (weight, left, right))
        for rows in _blocks(weight):
            kernel = torch.mm(left[rows], right_transposed).relu_()
            grad_block, block = grad_output[rows], weight[rows]
            torch.mul(grad_block, kernel, out=grad_weight[rows])
            grad_weight[rows] += 2 * grad_weight_norm * block
            grad_kernel = torch.addcmul(2 * grad_kernel_norm * kernel, grad_block, block)
            grad_kernel *= kernel > 0
            torch.mm(grad_kernel, right, out=grad_left[rows])
            grad_right.addmm_(grad_kernel.T, left[rows])
        return grad_weight, grad_left, grad_right


def _blocks(table: Any) -> list[slice]:
    step = max(1, _KERNEL_BLOCK_SIZE // max(table.shape[1], 1))
    return [slice(start, start + step) for start in range(0, table.shape[0], step)]
