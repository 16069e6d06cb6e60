"""What several networks are built of."""

from typing import Any

import torch
from torch import Tensor, nn


class PlaneNorm(nn.LayerNorm):
    """Layer normalisation over the planes of (B, C, ..). timm has one, and takes seconds to import."""

    def forward(self, x: Tensor) -> Tensor:
        """Each place by itself."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


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
