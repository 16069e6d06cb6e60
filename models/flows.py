"""The flows of MSFlow: a conditional flow per pyramid level, then one coupling across the levels.

Zhou et al., "MSFlow: Multi-Scale Flow-based Framework for Unsupervised Anomaly Detection", TNNLS 2024,
section III. Maps of features are (B, C, H, W); a log-determinant is (B,), the sum over C, H and W.
"""

import torch
from torch import Tensor, nn

from models.fusion import FusionFlow
from models.parallel import ParallelFlow

POOLINGS = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}


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
        self,
        pooled: list[Tensor],
        channels: Tensor | None = None,
        offsets: list[Tensor] | None = None,
        rows_alike: bool = False,
    ) -> tuple[list[Tensor], Tensor]:
        """The same from a pooled pyramid. `channels` (B,) and, by level, `offsets` (B,): see Condition.

        `rows_alike`: the rows of the pictures are all alike, see ParallelFlow.
        """
        levels, log_dets = [], []
        with torch.autocast(pooled[0].device.type, torch.bfloat16, enabled=self.amp):
            for number, (flow, features) in enumerate(zip(self.parallel_flows, pooled, strict=True)):
                level, log_det = flow(features, channels, offsets and offsets[number], rows_alike)
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


def log_likelihood_maps(z: list[Tensor]) -> list[Tensor]:
    """Per level the log-likelihood of every place, up to a constant: -1/2 mean_c z^2.

    z (B, C_l, H_l, W_l) -> (B, H_l, W_l).
    """
    return [-0.5 * level.square().mean(dim=1) for level in z]
