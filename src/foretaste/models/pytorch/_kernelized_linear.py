"""Weights times a kernel of unit positions, computed in blocks that stay in the processor's cache."""

from __future__ import annotations

from typing import Any

import torch

_BLOCK_SIZE = 131_072  # weights per block: half a megabyte for each of the four matrices involved


def apply_kernel(weight: Any, u: Any, v: Any) -> tuple[Any, Any, Any]:
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
    step = max(1, _BLOCK_SIZE // max(table.shape[1], 1))
    return [slice(start, start + step) for start in range(0, table.shape[0], step)]
