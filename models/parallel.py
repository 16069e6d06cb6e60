"""The parallel flow of a pyramid level: conditional coupling blocks in a row.

Maps of features are (B, C, H, W); a log-determinant is (B,), the sum over C, H and W.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from models.layers import PlaneNorm, conv3, reorder

SUBNET_SCALE = 0.1  # keeps the first steps of training close to the identity
SOFTPLUS_BETA = 0.5
FEW_ROWS = 4  # of rows that are alike, those that are convolved for all


@lru_cache(maxsize=32)
def position_condition(num_conditions: int, height: int, width: int) -> Tensor:
    """Sinusoids that tell the flow where in the picture it is: (num_conditions, height, width).

    The first half of the planes encodes the column x, the second half the row y. With P = num_conditions / 2,
    plane 2k of a half is sin(w_k x), plane 2k + 1 is cos(w_k x), w_k = 10000^(-2k / P)
    (Vaswani et al., "Attention Is All You Need", section 3.5, in two dimensions).

    `num_conditions` must be a multiple of 4.
    """
    half = num_conditions // 2
    frequencies = 10000.0 ** (-torch.arange(0, half, 2, dtype=torch.float64) / half)

    def sinusoids(length: int) -> Tensor:
        angles = frequencies[:, None] * torch.arange(length, dtype=torch.float64)
        return torch.stack([angles.sin(), angles.cos()], dim=1).reshape(half, length)

    columns = sinusoids(width)[:, None, :].expand(half, height, width)
    rows = sinusoids(height)[:, :, None].expand(half, height, width)
    return torch.cat([columns, rows]).float()


class Condition(nn.Module):
    """What the flow of one level is told beside its input: the position, the channel, both or none.

    `num_planes` planes each, the position as sinusoids, the channel as a learned embedding, constant over the map.
    """

    def __init__(self, kind: str, num_planes: int, num_channels: int) -> None:
        super().__init__()
        self.num_positions = num_planes if kind in ("position", "both") else 0
        self.embedding = nn.Embedding(num_channels, num_planes) if kind in ("channel", "both") else None
        self.num_planes = self.num_positions + (0 if self.embedding is None else num_planes)

    def forward(self, x: Tensor, channels: Tensor | None, offsets: Tensor | None) -> Tensor:
        """Planes (B, num_planes, H, W) for maps x (B, C, H, W) of `channels` (B,), x beginning at columns `offsets`.

        (1, num_planes, H, W) where all pictures share them.
        """
        shared = offsets is None and self.embedding is None
        size = (1 if shared else x.shape[0], -1, *x.shape[2:])
        planes = [x.new_zeros(size[0], 0, *x.shape[2:])]
        if self.num_positions and offsets is None:
            planes.append(position_condition(self.num_positions, *x.shape[2:]).to(x).expand(size))
        elif self.num_positions:
            # what is drawn before the first column, as in a mirror, has the positions of what it mirrors
            columns = (offsets[:, None] + torch.arange(x.shape[3], device=offsets.device)).abs()
            whole = position_condition(self.num_positions, x.shape[2], int(columns.max()) + 1).to(x)
            planes.append(whole[:, :, columns.to(x.device)].permute(2, 0, 1, 3))
        if self.embedding is not None:
            planes.append(self.embedding(channels)[:, :, None, None].expand(size))
        return torch.cat(planes, dim=1)


def _convolve_alike_rows(x: Tensor, weight: Tensor, bias: Tensor, padding: tuple[int, int]) -> Tensor:
    """A 3x3 convolution of maps whose rows are alike but for the first: the inner rows of the result are alike too."""
    # of four rows the first two see the upper edge or the first row, the third what all see, the fourth the lower edge
    first, inner, last = F.conv2d(x[:, :, :FEW_ROWS], weight, bias, padding=padding).split([2, 1, 1], dim=2)
    return torch.cat([first, inner.expand(-1, -1, x.shape[2] - 3, -1), last], dim=2)


class Subnet(nn.Module):
    """conv3x3 -> LayerNorm over planes -> ReLU -> conv3x3; 1x3 for pictures of one row (`line`).

    The input are maps and a condition, of `in_planes` planes together. A convolution is linear, so each of them is
    convolved by itself: a condition that all pictures share takes the work of one picture.
    """

    def __init__(self, in_planes: int, out_planes: int, line: bool = False) -> None:
        super().__init__()
        self.conv1 = conv3(in_planes, in_planes, line)
        self.ln = PlaneNorm(in_planes)
        self.conv2 = conv3(in_planes, out_planes, line)

    def forward(self, x: Tensor, condition: Tensor, rows_alike: bool = False) -> Tensor:
        """(B, in - c, H, W) and (B or 1, c, H, W) -> (B, out, H, W). `rows_alike`: see ParallelFlow."""
        # channels-last: LayerNorm over planes then reads memory in a row, without copies before and after it
        x, condition = (planes.contiguous(memory_format=torch.channels_last) for planes in (x, condition))
        of_x, of_condition = self.conv1.weight.split([x.shape[1], condition.shape[1]], dim=1)
        convolve = _convolve_alike_rows if rows_alike else F.conv2d
        hidden = convolve(x, of_x, self.conv1.bias, padding=self.conv1.padding)
        if condition.shape[1]:
            hidden = hidden + F.conv2d(condition, of_condition, padding=self.conv1.padding)
        return self.conv2(F.relu(self.ln(hidden)))


class CouplingBlock(nn.Module):
    """Conditional affine coupling with a global affine layer and a fixed permutation of the planes.

    x1, x2 = split(x) (x2 the last C // 2 planes); a = 0.1 subnet(x1, condition);
    s = clamp * tanh(a[: C // 2]), t = a[C // 2 :]; x2 <- x2 exp(s) + t; x <- g x + o; out[i] = x[perm[i]].
    Ardizzone et al., "Conditional Invertible Neural Networks for Diverse Image-to-Image Translation",
    GCPR 2020; the defaults are those of FrEIA 0.2's AllInOneBlock.
    """

    def __init__(self, num_features: int, num_conditions: int, clamp: float, line: bool = False) -> None:
        super().__init__()
        self.clamp = clamp
        self.active = num_features // 2
        self.passive = num_features - self.active
        self.subnet = Subnet(self.passive + num_conditions, 2 * self.active, line)
        # 0.1 softplus(G) = 1 at the start; log(expm1) is the inverse of softplus
        start = math.log(math.expm1(SOFTPLUS_BETA * 10.0)) / SOFTPLUS_BETA
        self.global_scale = nn.Parameter(torch.full((1, num_features, 1, 1), start))
        self.global_offset = nn.Parameter(torch.zeros(1, num_features, 1, 1))
        self.register_buffer("perm", torch.randperm(num_features))

    def _scale(self) -> Tensor:
        return 0.1 * F.softplus(self.global_scale, beta=SOFTPLUS_BETA)

    def _coefficients(self, x1: Tensor, condition: Tensor, rows_alike: bool = False) -> tuple[Tensor, Tensor]:
        # under autocast the subnet computes in half precision; what is summed and exponentiated does not
        a = SUBNET_SCALE * self.subnet(x1, condition, rows_alike).to(x1.dtype)
        s, t = a.split(self.active, dim=1)
        return self.clamp * torch.tanh(s), t

    def forward(self, x: Tensor, condition: Tensor, rows_alike: bool = False) -> tuple[Tensor, Tensor]:
        """(B, C, H, W), (B or 1, c, H, W) -> z (B, C, H, W), log|det dz/dx| (B,). `rows_alike`: see ParallelFlow."""
        x1, x2 = x.split([self.passive, self.active], dim=1)
        s, t = self._coefficients(x1, condition, rows_alike)
        scale = self._scale()
        z = torch.addcmul(self.global_offset, torch.cat([x1, torch.addcmul(t, x2, s.exp())], dim=1), scale)
        log_det = s.sum(dim=(1, 2, 3)) + x.shape[2] * x.shape[3] * scale.log().sum()
        return reorder(z, self.perm), log_det

    def inverse(self, z: Tensor, condition: Tensor) -> Tensor:
        """The x that `forward` maps to z."""
        x = (z[:, self.perm.argsort()] - self.global_offset) / self._scale()
        x1, x2 = x.split([self.passive, self.active], dim=1)
        s, t = self._coefficients(x1, condition)
        return torch.cat([x1, (x2 - t) * (-s).exp()], dim=1)


class ParallelFlow(nn.Module):
    """Coupling blocks in a row on one pyramid level, all with the same condition.

    Maps of pictures whose rows are all alike are too (`rows_alike`), but for the first row, at whose edge average
    pooling counts zeros: the first block then convolves a few rows for all. `recompute` keeps only the blocks' inputs
    for the backward pass, which then computes each block once more (Chen et al., "Training Deep Nets with Sublinear
    Memory Cost", 2016).
    """

    def __init__(
        self,
        num_features: int,
        num_conditions: int,
        num_blocks: int,
        clamp: float,
        condition: str = "position",
        num_channels: int = 0,
        line: bool = False,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.recompute = recompute
        self.condition = Condition(condition, num_conditions, num_channels)
        planes = self.condition.num_planes
        self.module_list = nn.ModuleList(CouplingBlock(num_features, planes, clamp, line) for _ in range(num_blocks))

    def forward(
        self, x: Tensor, channels: Tensor | None = None, offsets: Tensor | None = None, rows_alike: bool = False
    ) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> z (B, C, H, W), log|det dz/dx| (B,). `channels`, `offsets` (B,): see Condition."""
        condition = self.condition(x, channels, offsets)
        log_det = x.new_zeros(x.shape[0])  # a number that an export can leave open, as len(x) is not
        rows_alike &= x.shape[2] > FEW_ROWS
        for block in self.module_list:
            given = (x, condition, rows_alike)
            if self.recompute and torch.is_grad_enabled():
                x, block_log_det = checkpoint(block, *given, use_reentrant=False, preserve_rng_state=False)
            else:
                x, block_log_det = block(*given)
            rows_alike = False  # what a block sees of edges and position it writes into every row
            log_det = log_det + block_log_det
        return x, log_det

    def inverse(self, z: Tensor, channels: Tensor | None = None, offsets: Tensor | None = None) -> Tensor:
        """The x that `forward` maps to z."""
        condition = self.condition(z, channels, offsets)
        for block in reversed(self.module_list):
            z = block.inverse(z, condition)
        return z
