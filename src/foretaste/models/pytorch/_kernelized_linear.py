"""Weights under a kernel of the places of both their ends, worked out in blocks that stay in the cache."""

from __future__ import annotations

from typing import Any

import torch

_BLOCK = 131_072  # weights worked out at once: half a megabyte of each of the four tables that meet there


def under_kernel(weight: Any, u: Any, v: Any) -> tuple[Any, Any, Any]:
    """Return ``weight * kernel``, where the kernel is ``max(0, 1 - |u_j - v_k|^2)``.

    Parameters
    ----------
    weight : float32 tensor, shape (n, m)
    u, v : float32 tensor, shapes (n, dimensions) and (m, dimensions)

    Returns
    -------
    tensor, shape (n, m)
    tensor, one number
        The sum of the squared weights, without the kernel.
    tensor, one number
        The sum of the squares of the kernel.
    """
    # 1 - |u - v|^2 as one product of both: no table but the kernel itself need be written
    left = torch.cat([2 * u, 1 - u.square().sum(1, keepdim=True), torch.ones_like(u[:, :1])], 1)
    right = torch.cat([v, torch.ones_like(v[:, :1]), -v.square().sum(1, keepdim=True)], 1)
    found: tuple[Any, Any, Any] = _UnderKernel.apply(weight, left, right)
    return found


class _UnderKernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Any, left: Any, right: Any) -> Any:
        ctx.save_for_backward(weight, left, right)
        under, turned = torch.empty_like(weight), right.T.contiguous()
        of_weight, of_kernel = weight.new_zeros(()), weight.new_zeros(())
        for rows in _blocks(weight):
            kernel, own = torch.mm(left[rows], turned).relu_(), weight[rows]
            torch.mul(own, kernel, out=under[rows])
            of_weight += torch.dot(own.reshape(-1), own.reshape(-1))
            of_kernel += torch.dot(kernel.view(-1), kernel.view(-1))
        return under, of_weight, of_kernel

    @staticmethod
    def backward(ctx: Any, gradient: Any, of_weight: Any, of_kernel: Any) -> Any:
        weight, left, right = ctx.saved_tensors
        turned = right.T.contiguous()
        to_weight, to_left, to_right = (torch.zeros_like(one) for one in (weight, left, right))
        for rows in _blocks(weight):
            kernel, given, own = torch.mm(left[rows], turned).relu_(), gradient[rows], weight[rows]
            torch.mul(given, kernel, out=to_weight[rows])
            to_weight[rows] += 2 * of_weight * own
            to_kernel = torch.addcmul(2 * of_kernel * kernel, given, own)
            to_kernel *= kernel > 0
            torch.mm(to_kernel, right, out=to_left[rows])
            to_right.addmm_(to_kernel.T, left[rows])
        return to_weight, to_left, to_right


def _blocks(table: Any) -> list[slice]:
    step = max(1, _BLOCK // max(table.shape[1], 1))
    return [slice(start, start + step) for start in range(0, table.shape[0], step)]
