"""The flows of MSFlow: a conditional flow per pyramid level, then one coupling across the levels.

Zhou et al., "MSFlow: Multi-Scale Flow-based Framework for Unsupervised Anomaly Detection", TNNLS 2024,
section III. Pictures of features are (B, C, H, W); a log-determinant is (B,), the sum over C, H and W.
"""

import math
from functools import lru_cache
from typing import Any

import torch
from timm.layers import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

POOLINGS = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}
LAYER_NORM_EPS = 1e-5  # torch.nn.LayerNorm's, which the original uses
SUBNET_SCALE = 0.1  # keeps the first steps of training close to the identity
SOFTPLUS_BETA = 0.5
FUSION_LIMIT = 1e6


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


def _conv3(in_planes: int, out_planes: int, line: bool) -> nn.Conv2d:
    """A convolution with zero padding: 3x3, or 1x3 for pictures of one row, where the other rows would see zeros."""
    return nn.Conv2d(in_planes, out_planes, (1, 3) if line else 3, padding=(0, 1) if line else 1)


def _rows_alike(x: Tensor) -> bool:
    """Whether the rows of maps (B, C, H, W) are alike but for the first, at whose edge average pooling counts zeros.

    Of series that are stretched they are.
    """
    return x.shape[2] > 4 and torch.equal(x[:, :, 1:-1], x[:, :, 2:])


def _convolve_alike_rows(x: Tensor, weight: Tensor, bias: Tensor, padding: tuple[int, int]) -> Tensor:
    """A 3x3 convolution of maps whose rows are alike but for the first: the inner rows of the result are alike too."""
    first, inner, last = F.conv2d(x[:, :, :4], weight, bias, padding=padding).split([2, 1, 1], dim=2)
    return torch.cat([first, inner.expand(-1, -1, x.shape[2] - 3, -1), last], dim=2)


class Subnet(nn.Module):
    """conv3x3 -> LayerNorm over planes -> ReLU -> conv3x3; 1x3 for pictures of one row (`line`).

    The input are maps and a condition, of `in_planes` planes together. A convolution is linear, so each of them is
    convolved by itself: a condition that all pictures share takes the work of one picture.
    """

    def __init__(self, in_planes: int, out_planes: int, line: bool = False) -> None:
        super().__init__()
        self.conv1 = _conv3(in_planes, in_planes, line)
        self.ln = LayerNorm2d(in_planes, eps=LAYER_NORM_EPS)
        self.conv2 = _conv3(in_planes, out_planes, line)

    def forward(self, x: Tensor, condition: Tensor, rows_alike: bool = False) -> Tensor:
        """(B, in - c, H, W) and (B or 1, c, H, W) -> (B, out, H, W). `rows_alike`: see _rows_alike."""
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
        """(B, C, H, W), (B or 1, c, H, W) -> z (B, C, H, W), log|det dz/dx| (B,). `rows_alike`: see _rows_alike."""
        x1, x2 = x.split([self.passive, self.active], dim=1)
        s, t = self._coefficients(x1, condition, rows_alike)
        scale = self._scale()
        z = torch.addcmul(self.global_offset, torch.cat([x1, torch.addcmul(t, x2, s.exp())], dim=1), scale)
        log_det = s.sum(dim=(1, 2, 3)) + x.shape[2] * x.shape[3] * scale.log().sum()
        return _Reorder.apply(z, self.perm), log_det

    def inverse(self, z: Tensor, condition: Tensor) -> Tensor:
        """The x that `forward` maps to z."""
        x = (z[:, self.perm.argsort()] - self.global_offset) / self._scale()
        x1, x2 = x.split([self.passive, self.active], dim=1)
        s, t = self._coefficients(x1, condition)
        return torch.cat([x1, (x2 - t) * (-s).exp()], dim=1)


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
        size = (1 if shared else len(x), -1, *x.shape[2:])
        planes = [x.new_zeros(size[0], 0, *x.shape[2:])]
        if self.num_positions and offsets is None:
            planes.append(position_condition(self.num_positions, *x.shape[2:]).to(x).expand(size))
        elif self.num_positions:
            whole = position_condition(self.num_positions, x.shape[2], int(offsets.max()) + x.shape[3]).to(x)
            planes.append(torch.stack([whole[..., start : start + x.shape[3]] for start in offsets.tolist()]))
        if self.embedding is not None:
            planes.append(self.embedding(channels)[:, :, None, None].expand(size))
        return torch.cat(planes, dim=1)


class ParallelFlow(nn.Module):
    """Coupling blocks in a row on one pyramid level, all with the same condition.

    `recompute` keeps only the blocks' inputs for the backward pass, which then computes each block once more (Chen et
    al., "Training Deep Nets with Sublinear Memory Cost", 2016).
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
        self, x: Tensor, channels: Tensor | None = None, offsets: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> z (B, C, H, W), log|det dz/dx| (B,). `channels`, `offsets` (B,): see Condition."""
        condition = self.condition(x, channels, offsets)
        log_det = x.new_zeros(len(x))
        rows_alike = _rows_alike(x)
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


class Permutation(nn.Module):
    """A fixed random permutation of the planes: out[i] = x[perm[i]]."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("perm", torch.randperm(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same with its planes in another order."""
        return _Reorder.apply(x, self.perm)

    def inverse(self, z: Tensor) -> Tensor:
        """The x that `forward` maps to z."""
        return z[:, self.perm.argsort()]


class CrossConvs(nn.Module):
    """Lets the levels exchange what they see at the size of the smallest map, as a residual."""

    def __init__(self, planes: list[int], line: bool = False) -> None:
        super().__init__()
        self.planes = planes
        # corners on corners moves with the length of a line: a part of it would not get what the whole gets there
        self.align_corners = not line
        width = sum(planes) // 4
        self.conv1 = _conv3(sum(planes), width, line)
        self.norm = LayerNorm2d(width, eps=LAYER_NORM_EPS)
        self.conv2 = _conv3(width, sum(planes), line)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Levels (B, C_l, H_l, W_l), the smallest last -> the same shapes."""
        smallest = levels[-1].shape[-2:]
        x = torch.cat([F.adaptive_avg_pool2d(level, smallest) for level in levels], dim=1)
        x = F.relu(self.conv2(F.relu(self.norm(self.conv1(x)))))
        return [
            level + F.interpolate(part, size=level.shape[-2:], mode="bilinear", align_corners=self.align_corners)
            for level, part in zip(levels, x.split(self.planes, dim=1), strict=True)
        ]


class FusionSubnet(nn.Module):
    """Scales and translations of one side of the fusion coupling from the other side, per level."""

    def __init__(self, in_planes: list[int], out_planes: list[int], line: bool = False) -> None:
        super().__init__()
        self.cross_convs = CrossConvs(in_planes, line)
        pairs = list(zip(in_planes, out_planes, strict=True))
        self.conv_s = nn.ModuleList(_conv3(i, o, line) for i, o in pairs)
        self.conv_t = nn.ModuleList(_conv3(i, o, line) for i, o in pairs)

    def forward(self, levels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Levels (B, in_l, H_l, W_l) -> s and t per level, (B, out_l, H_l, W_l)."""
        dtype, levels = levels[0].dtype, self.cross_convs(levels)
        scales = [conv(level).to(dtype) for conv, level in zip(self.conv_s, levels, strict=True)]
        translations = [conv(level).to(dtype) for conv, level in zip(self.conv_t, levels, strict=True)]
        return scales, translations


class FusionCoupling(nn.Module):
    """One two-sided affine coupling over all levels (MSFlow section III-C).

    y1 = e(s2) x1 + t2 with s2, t2 from all x2; y2 = e(s1) x2 + t1 with s1, t1 from all y1;
    e(s) = exp(clamp 0.636 atan(s / clamp)) (GLOWCouplingBlock of FrEIA; Kingma & Dhariwal, "Glow",
    NeurIPS 2018, section 3.3).
    """

    def __init__(self, num_features: list[int], clamp: float, line: bool = False) -> None:
        super().__init__()
        self.clamp = clamp
        self.first = [n // 2 for n in num_features]
        self.second = [n - n // 2 for n in num_features]
        self.subnet_1 = FusionSubnet(self.first, self.second, line)
        self.subnet_2 = FusionSubnet(self.second, self.first, line)

    def _coefficients(self, subnet: FusionSubnet, levels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        scales, translations = subnet(levels)
        return [self.clamp * 0.636 * torch.atan(s / self.clamp) for s in scales], translations

    def _split(self, levels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        halves = [x.split([a, b], dim=1) for x, a, b in zip(levels, self.first, self.second, strict=True)]
        return [x1 for x1, _ in halves], [x2 for _, x2 in halves]

    def forward(self, levels: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Levels (B, C_l, H_l, W_l) -> z of the same shapes, log|det dz/dx| (B,)."""
        x1, x2 = self._split(levels)
        s2, t2 = self._coefficients(self.subnet_2, x2)
        y1 = [torch.addcmul(t, x, s.exp()) for x, s, t in zip(x1, s2, t2, strict=True)]
        s1, t1 = self._coefficients(self.subnet_1, y1)
        y2 = [torch.addcmul(t, x, s.exp()) for x, s, t in zip(x2, s1, t1, strict=True)]
        log_det = torch.stack([s.sum(dim=(1, 2, 3)) for s in s1 + s2]).sum(dim=0)
        z = [torch.cat(pair, dim=1).clamp(-FUSION_LIMIT, FUSION_LIMIT) for pair in zip(y1, y2, strict=True)]
        return z, log_det

    def inverse(self, z: list[Tensor]) -> list[Tensor]:
        """The levels that `forward` maps to z (where it did not clamp)."""
        y1, y2 = self._split(z)
        s1, t1 = self._coefficients(self.subnet_1, y1)
        x2 = [(y - t) * (-s).exp() for y, s, t in zip(y2, s1, t1, strict=True)]
        s2, t2 = self._coefficients(self.subnet_2, x2)
        x1 = [(y - t) * (-s).exp() for y, s, t in zip(y1, s2, t2, strict=True)]
        return [torch.cat(pair, dim=1) for pair in zip(x1, x2, strict=True)]


class FusionFlow(nn.Module):
    """A permutation of the planes of every level, then one coupling across the levels."""

    def __init__(self, num_features: list[int], clamp: float, line: bool = False) -> None:
        super().__init__()
        coupling = FusionCoupling(num_features, clamp, line)
        self.module_list = nn.ModuleList([*(Permutation(n) for n in num_features), coupling])

    def forward(self, levels: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Levels (B, C_l, H_l, W_l) -> z of the same shapes, log|det dz/dx| (B,)."""
        *permutations, coupling = self.module_list
        return coupling([permute(x) for permute, x in zip(permutations, levels, strict=True)])

    def inverse(self, z: list[Tensor]) -> list[Tensor]:
        """The levels that `forward` maps to z."""
        *permutations, coupling = self.module_list
        return [permute.inverse(x) for permute, x in zip(permutations, coupling.inverse(z), strict=True)]


def make_pool(pool_type: str, line: bool = False) -> nn.Module:
    """3x3 pooling with stride 2 (1x3 for pictures of one row), or none."""
    shape = [(1, 3), (1, 2), (0, 1)] if line else [3, 2, 1]
    return POOLINGS[pool_type](*shape) if pool_type != "none" else nn.Identity()


class MSFlow(nn.Module):
    """Pooling, parallel flows and fusion flow: the trained part of the detector.

    `num_features`, `num_conditions` (multiples of 4) and `num_blocks` have one entry per pyramid level. `condition` is
    position, channel, both or none, `num_channels` how many there are to embed; `line` is for pictures of one row,
    `amp` lets the subnets compute in bfloat16, `recompute` saves memory in training (see ParallelFlow).
    """

    def __init__(
        self,
        num_features: list[int],
        num_conditions: list[int],
        num_blocks: list[int],
        clamp: float,
        pool_type: str,
        condition: str = "position",
        num_channels: int = 0,
        line: bool = False,
        amp: bool = False,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.amp = amp
        self.pool = make_pool(pool_type, line)
        self.parallel_flows = nn.ModuleList(
            ParallelFlow(f, c, n, clamp, condition, num_channels, line, recompute)
            for f, c, n in zip(num_features, num_conditions, num_blocks, strict=True)
        )
        self.fusion_flow = FusionFlow(num_features, clamp, line)

    def forward(
        self, pyramid: list[Tensor], channels: Tensor | None = None, offsets: list[Tensor] | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Pyramid of features, level l (B, C_l, H_l, W_l) -> z per pooled level, log|det J| (B,)."""
        return self.transform([self.pool(features) for features in pyramid], channels, offsets)

    def transform(
        self, pooled: list[Tensor], channels: Tensor | None = None, offsets: list[Tensor] | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """The same from a pooled pyramid. `channels` (B,) and, by level, `offsets` (B,): see Condition."""
        levels, log_dets = [], []
        with torch.autocast(pooled[0].device.type, torch.bfloat16, enabled=self.amp):
            for number, (flow, features) in enumerate(zip(self.parallel_flows, pooled, strict=True)):
                level, log_det = flow(features, channels, offsets and offsets[number])
                levels.append(level)
                log_dets.append(log_det)
            z, log_det = self.fusion_flow(levels)
        return z, log_det + torch.stack(log_dets).sum(dim=0)

    def inverse(
        self, z: list[Tensor], channels: Tensor | None = None, offsets: list[Tensor] | None = None
    ) -> list[Tensor]:
        """The pooled pyramid that `transform` maps to z."""
        levels = zip(self.parallel_flows, self.fusion_flow.inverse(z), offsets or [None] * len(z), strict=True)
        return [flow.inverse(x, channels, offset) for flow, x, offset in levels]


def negative_log_likelihood(z: list[Tensor], log_det: Tensor) -> Tensor:
    """The loss of MSFlow: mean over the batch of sum_l 1/2 sum z_l^2 - log|det J|, up to a constant. Scalar."""
    energy = torch.stack([0.5 * level.square().sum(dim=(1, 2, 3)) for level in z]).sum(dim=0)
    return (energy - log_det).mean()
