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
    """A convolution (B, C, W) -> (B, C', ceil(W / stride)) that reflects at the ends."""

    def __init__(self, channels: int, features: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels, features, kernel, stride, kernel // 2, padding_mode="reflect")
        # in memory the kernel's places stand first, a whole matrix each
        self.weight.data = self.weight.data.permute(2, 1, 0).contiguous().permute(2, 1, 0)

    def of_rows(self, rows: Tensor, beside: int = 0) -> Tensor:
        """Rows (W + kernel - 1, C), a step each and reflected -> (ceil(W / stride) + 2 beside, C').

        The first and last `beside` are left for who reflects them. A product of matrices for each place of the kernel:
        so narrow, that takes about two thirds of the time of a library's convolution, which copies what it reads.
        """
        (stride,), (kernel,) = self.stride, self.kernel_size
        count = (len(rows) - kernel) // stride + 1
        found = rows.new_empty(count + 2 * beside, self.out_channels)
        inner = found[beside : beside + count]
        if self.in_channels == 1:
            torch.addmm(self.bias, rows[:, 0].unfold(0, kernel, stride), self.weight[:, 0].T, out=inner)
            return found
        first, *others = self.weight.permute(2, 1, 0)
        last = stride * (count - 1) + 1
        torch.addmm(self.bias, rows[:last:stride], first, out=inner)
        for place, weight in enumerate(others, 1):
            inner.addmm_(rows[place : place + last : stride], weight)
        return found


class Convolution(nn.Sequential):
    """A convolution and what normalises a batch."""

    def __init__(self, channels: int, features: int, kernel: int, stride: int = 1) -> None:
        super().__init__(RowConvolution(channels, features, kernel, stride), nn.BatchNorm1d(features))

    def fuse(self) -> None:
        """Take the normalisation, as it is outside of training, into the convolution."""
        conv, norm = self
        self[0], self[1] = fuse_conv_bn_eval(conv.eval(), norm.eval()), nn.Identity()

    def of_rows(self, rows: Tensor, beside: int = 0) -> Tensor:
        """The fused convolution of rows."""
        return self[0].of_rows(rows, beside)


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

    def of_rows(self, rows: Tensor) -> Tensor:
        """Reflected rows (W + 2, C) -> the next level's or block's (ceil(W / stride) + 2, C'), fused."""
        inner = reflected(self.first.of_rows(rows, 1).relu_())
        found = self.second.of_rows(inner, 1)
        same = isinstance(self.shortcut, nn.Identity)
        found[1:-1] += rows[1:-1] if same else self.shortcut.of_rows(rows[1:-1])
        return reflected(found.relu_())


def reflected(rows: Tensor) -> Tensor:
    """Rows (W + 2, C) whose first and last are made those beside the ends."""
    rows[0], rows[-1] = rows[2], rows[-3]
    return rows


class TelemetryNetwork(nn.Module):
    """Two residual blocks per level behind one convolution: (B, 1, W) -> levels (B, C_l, ceil(W / s_l))."""

    num_features = list(FEATURES)
    reductions = [4, 8, 16]

    def __init__(self, fused: bool = True) -> None:
        super().__init__()
        self.fused = False
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
        """Make it what it is outside of training, and quick."""
        self.fused = True
        for module in self.modules():
            if isinstance(module, Convolution):
                module.fuse()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Lines (B, 1, W) -> levels (B, C_l, ceil(W / s_l))."""
        if self.fused:
            lines = zip(*(self._of_line(line) for line in x[:, 0]), strict=True)
            return [torch.stack(level).transpose(1, 2) for level in lines]
        x, found = torch.relu(self.stem(x)), []
        for level, features in zip(self.levels, self.features, strict=True):
            x = level(x)
            found.append(features(x))
        return found

    def _of_line(self, line: Tensor) -> list[Tensor]:
        """A line (W,) -> levels (ceil(W / s_l), C_l)."""
        beside = STEM // 2
        columns = F.pad(line[None], (beside, beside), mode="reflect")[0, :, None]
        rows, found = reflected(self.stem.of_rows(columns, 1).relu_()), []
        for level, features in zip(self.levels, self.features, strict=True):
            for block in level:
                rows = block.of_rows(rows)
            found.append(features.of_rows(rows[1:-1]))
        return found


def telemetry(name: str, weights: str, seed: int) -> LineExtractor:
    """The extractor."""
    return build(TelemetryNetwork, SHA256, name, weights, seed)
