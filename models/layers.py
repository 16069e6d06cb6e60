"""What parallel flows and fusion flow are both built of."""

from typing import Any

import torch
from torch import Tensor, nn

LAYER_NORM_EPS = 1e-5  # torch.nn.LayerNorm's, which the original uses


class _Reorder(torch.autograd.Function):
    """x[:, order] with a gradient that is one more such selection: that of indexing adds element by element."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return x[:, order]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return gradient[:, order.argsort()], None


def reorder(x: Tensor, order: Tensor) -> Tensor:
    """Planes of (B, C, H, W) in the order (C,): out[:, i] = x[:, order[i]]."""
    return _Reorder.apply(x, order)


def conv3(in_planes: int, out_planes: int, line: bool) -> nn.Conv2d:
    """A convolution with zero padding: 3x3, or 1x3 for pictures of one row, where the other rows would see zeros."""
    return nn.Conv2d(in_planes, out_planes, (1, 3) if line else 3, padding=(0, 1) if line else 1)
