"""The fusion flow: one coupling across all pyramid levels.

Maps of features are (B, C, H, W); a log-determinant is (B,), the sum over C, H and W.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers import PlaneNorm, conv3, reorder

FUSION_LIMIT = 1e6


class Permutation(nn.Module):
    """A fixed random permutation of the planes: out[i] = x[perm[i]]."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("perm", torch.randperm(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same with its planes in another order."""
        return reorder(x, self.perm)

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
        self.conv1 = conv3(sum(planes), width, line)
        self.norm = PlaneNorm(width)
        self.conv2 = conv3(width, sum(planes), line)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Levels (B, C_l, H_l, W_l), the smallest last -> the same shapes."""
        *larger, smallest = levels
        pooled = [F.adaptive_avg_pool2d(level, smallest.shape[-2:]) for level in larger]
        x = torch.cat([*pooled, smallest], dim=1)
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
        self.conv_s = nn.ModuleList(conv3(i, o, line) for i, o in pairs)
        self.conv_t = nn.ModuleList(conv3(i, o, line) for i, o in pairs)

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
        z = [torch.cat(pair, dim=1).clamp_(-FUSION_LIMIT, FUSION_LIMIT) for pair in zip(y1, y2, strict=True)]
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
