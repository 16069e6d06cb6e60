"""The extractor `telemetry`: a residual network of one dimension.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 3.3, with kernels along time alone, and a
linear map at the end of each level in place of what follows there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.extractors.pretrained import LineExtractor, build

SHA256 = "670e92d0bceea8daefd071a95f5b70f5639762a6ec0b1d3f04001adee1783811"
WIDTHS = (32, 64, 128)  # of the levels
FEATURES = (48, 64, 96)  # that each level gives
STEM = 7  # steps that the first layer sees


class RowConvolution(nn.Conv1d):
    """A convolution (B, C, W) -> (B, C', ceil(W / stride)) that reflects at the ends.

    Outside of training it goes by the kernels for two dimensions, with the features of a place side by side in memory:
    on CPUs that takes less than half the time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """As its parent."""
        if self.training:
            return super().forward(x)
        rows = x[:, :, None].contiguous(memory_format=torch.channels_last)
        (before,) = self.padding
        if before:
            rows = F.pad(rows, (before, before, 0, 0), mode="reflect")
        return F.conv2d(rows, self.weight[:, :, None], self.bias, (1, *self.stride))[:, :, 0]


class Convolution(nn.Sequential):
    """A convolution and what normalises a batch."""

    def __init__(self, channels: int, features: int, kernel: int, stride: int = 1) -> None:
        conv = RowConvolution(channels, features, kernel, stride, kernel // 2, padding_mode="reflect")
        super().__init__(conv, nn.BatchNorm1d(features))

    def fuse(self) -> None:
        """Take the normalisation, as it is outside of training, into the convolution."""
        conv, norm = self
        self[0], self[1] = fuse_conv_bn_eval(conv.eval(), norm.eval()), nn.Identity()


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, channels: int, features: int, stride: int) -> None:
        super().__init__()
        self.first = Convolution(channels, features, 3, stride)
        self.second = Convolution(features, features, 3)
        same = channels == features and stride == 1
        self.shortcut = nn.Identity() if same else Convolution(channels, features, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, W) -> (B, C', ceil(W / stride))."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


class TelemetryNetwork(nn.Module):
    """Two residual blocks per level behind one convolution: (B, 1, W) -> levels (B, C_l, ceil(W / s_l))."""

    num_features = list(FEATURES)
    reductions = [4, 8, 16]

    def __init__(self, fused: bool = True) -> None:
        super().__init__()
        self.stem = Convolution(1, WIDTHS[0], STEM, 2)
        before = (WIDTHS[0], *WIDTHS)
        self.levels = nn.ModuleList(
            nn.Sequential(Block(narrow, wide, 2), Block(wide, wide, 1))
            for narrow, wide in zip(before, WIDTHS, strict=False)
        )
        self.features = nn.ModuleList(RowConvolution(w, f, 1) for w, f in zip(WIDTHS, FEATURES, strict=True))
        if fused:
            self.fuse()

    @property
    def reach(self) -> int:
        """Columns on either side of its own that a feature of any level sees."""
        seen, stride = STEM // 2, 2
        for _ in self.levels:
            seen += stride + 3 * 2 * stride  # one kernel of 3 at the old stride, three at the new
            stride *= 2
        return seen

    def fuse(self) -> None:
        """Make it what it is outside of training."""
        for module in self.modules():
            if isinstance(module, Convolution):
                module.fuse()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Lines (B, 1, W) -> levels (B, C_l, ceil(W / s_l))."""
        x, found = torch.relu(self.stem(x)), []
        for level, features in zip(self.levels, self.features, strict=True):
            x = level(x)
            found.append(features(x))
        return found


def telemetry(name: str, weights: str, seed: int) -> LineExtractor:
    """The extractor."""
    return build(TelemetryNetwork, SHA256, name, weights, seed)
