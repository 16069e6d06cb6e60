"""The extractor `transformer`: attention over the steps around each.

Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2, in the pre-norm form, over a window of places
(Ramachandran et al., "Stand-Alone Self-Attention in Vision Models", NeurIPS 2019, section 3.1) with a learned bias per
distance, so that a line of any length can be read in pieces.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.extractors.pretrained import LineExtractor, build
from models.layers import PlaneNorm

SHA256 = "dd05a3b5e9c0368bb42d7a75052ba43dc97f41323e9b87ea17cd619d21036fe3"
WIDTHS = (32, 64, 96)  # of the levels
FEATURES = (48, 64, 96)  # that each level gives
PATCH = 9  # steps that a token of the first level is made of
BLOCKS = 2  # per level
HEADS = 4
NEIGHBOURS = 8  # on either side, that a token attends to
RUN = 16  # tokens whose attention is computed at once


class Attention(nn.Module):
    """Attention (B, C, W) -> (B, C, W) of every place to those around it, in runs of places with their neighbours."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.asked, self.out = nn.Conv1d(width, 3 * width, 1), nn.Conv1d(width, width, 1)
        self.bias = nn.Parameter(torch.zeros(HEADS, 2 * NEIGHBOURS + 1))

    def forward(self, x: Tensor) -> Tensor:
        """Places beyond the ends are not attended to."""
        batch, width, length = x.shape
        missing = -length % RUN
        asked = F.pad(self.asked(x), (0, missing)).reshape(batch, 3, HEADS, width // HEADS, -1, RUN)
        query, key, value = asked.permute(1, 0, 4, 2, 5, 3)  # (B, runs, heads, RUN, C / heads) each
        key, value = (_with_neighbours(part) for part in (key, value))
        found = F.scaled_dot_product_attention(query, key, value, self._bias(length, x.device))
        return self.out(found.permute(0, 2, 4, 1, 3).reshape(batch, width, -1)[..., :length])

    def _bias(self, length: int, device: torch.device) -> Tensor:
        """What is added to the agreement of places with those around them, (runs, heads, RUN, 3 RUN)."""
        place = torch.arange(-RUN, 2 * RUN, device=device)
        distance = place - torch.arange(RUN, device=device)[:, None]
        bias = self.bias[:, (distance + NEIGHBOURS).clamp(0, 2 * NEIGHBOURS)]
        bias = bias.masked_fill(distance.abs() > NEIGHBOURS, -torch.inf)
        at = torch.arange(0, length, RUN, device=device)[:, None] + place
        outside = ((at < 0) | (at >= length))[:, None, None]
        # a place beyond the end of the last run attends to itself: softmax of nothing would be NaN
        return bias.masked_fill(outside & (distance != 0), -torch.inf)


def _with_neighbours(runs: Tensor) -> Tensor:
    """Runs (B, N, heads, RUN, C), each with the one before and the one behind it: (B, N, heads, 3 RUN, C)."""
    padded = F.pad(runs, (0, 0, 0, 0, 0, 0, 1, 1))
    return torch.cat([padded[:, :-2], runs, padded[:, 2:]], dim=3)


class Block(nn.Module):
    """Attention and a small network, each added to what goes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(PlaneNorm(width), Attention(width))
        self.network = nn.Sequential(
            PlaneNorm(width), nn.Conv1d(width, 2 * width, 1), nn.GELU(), nn.Conv1d(2 * width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, W) -> (B, C, W)."""
        x = x + self.attention(x)
        return x + self.network(x)


class TransformerNetwork(nn.Module):
    """Patches of the line as tokens, half as many at every level: (B, 1, W) -> levels (B, C_l, ceil(W / s_l))."""

    num_features = list(FEATURES)
    reductions = [4, 8, 16]

    def __init__(self) -> None:
        super().__init__()
        before = (1, *WIDTHS)
        self.tokens = nn.ModuleList(
            nn.Conv1d(few, many, PATCH if first else 3, 4 if first else 2, (PATCH if first else 3) // 2,
                      padding_mode="reflect")
            for few, many, first in zip(before, WIDTHS, (True, False, False), strict=False)
        )  # fmt: skip
        self.levels = nn.ModuleList(nn.Sequential(*(Block(width) for _ in range(BLOCKS))) for width in WIDTHS)
        self.features = nn.ModuleList(
            nn.Sequential(PlaneNorm(w), nn.Conv1d(w, f, 1)) for w, f in zip(WIDTHS, FEATURES, strict=True)
        )

    @property
    def reach(self) -> int:
        """Columns on either side of its own that a feature of any level sees."""
        tokens = PATCH // 2 + sum(self.reductions[:-1])
        return tokens + BLOCKS * NEIGHBOURS * sum(self.reductions)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Lines (B, 1, W) -> levels (B, C_l, ceil(W / s_l))."""
        found = []
        for tokens, level, features in zip(self.tokens, self.levels, self.features, strict=True):
            x = level(tokens(x))
            found.append(features(x))
        return found


def transformer(name: str, weights: str, seed: int) -> LineExtractor:
    """The extractor."""
    return build(TransformerNetwork, SHA256, name, weights, seed)
