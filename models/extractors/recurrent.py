"""The extractor `recurrent`: gated recurrent units that read towards each step from both sides.

Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014, section 2.3, with the dilation of
Chang et al., "Dilated Recurrent Neural Networks", NeurIPS 2017, section 2.1. A unit starts anew a fixed number of
places before each, so that a line of any length can be read in pieces.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.extractors.pretrained import LineExtractor, build

SHA256 = "10e457094b2f6cc8c231557c8f8ccede9b47f8733a7feba10f8a0c6edc4dafd7"
WIDTHS = (32, 64, 96)  # of the levels
FEATURES = (48, 64, 96)  # that each level gives
PATCH = 9  # steps that a place of the first level is made of
PLACES = 6  # that a unit reads towards each place, with itself
DILATIONS = (1, 2)  # places from one to the next, by unit of a level


class Gated(nn.Module):
    """Gated recurrent units from both sides, added to what goes in: (B, C, W) -> (B, C, W)."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation, hidden = dilation, width // 2
        self.norm = nn.LayerNorm(width)
        self.inputs = nn.ModuleList(nn.Linear(width, 3 * hidden) for _ in range(2))
        self.states = nn.ModuleList(nn.Linear(hidden, 3 * hidden) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Beyond the ends a unit reads nothing and keeps its state."""
        normed = self.norm(x.transpose(1, 2))
        sides = [self._read(normed, 0), self._read(normed.flip(1), 1).flip(1)]
        return x + torch.cat(sides, dim=-1).transpose(1, 2)

    def _read(self, x: Tensor, side: int) -> Tensor:
        """The state (B, W, C / 2) of a unit at every place of (B, W, C), which it reads from the left."""
        gates = self.inputs[side](x)
        state = x.new_zeros(*x.shape[:2], gates.shape[-1] // 3)
        for back in range(PLACES - 1, -1, -1):
            shift = back * self.dilation
            read = F.pad(gates, (0, 0, shift, 0))[:, : x.shape[1]]
            known = (torch.arange(x.shape[1], device=x.device) >= shift)[:, None]
            reset, update, new = read.chunk(3, dim=-1)
            own_reset, own_update, own_new = self.states[side](state).chunk(3, dim=-1)
            update = torch.sigmoid(update + own_update)
            new = torch.tanh(new + torch.sigmoid(reset + own_reset) * own_new)
            state = torch.where(known, update * state + (1 - update) * new, state)
        return state


class RecurrentNetwork(nn.Module):
    """Patches of the line, half as many at every level: (B, 1, W) -> levels (B, C_l, ceil(W / s_l))."""

    num_features = list(FEATURES)
    reductions = [4, 8, 16]

    def __init__(self) -> None:
        super().__init__()
        before, kernels, strides = (1, *WIDTHS), (PATCH, 3, 3), (4, 2, 2)
        self.places = nn.ModuleList(
            nn.Conv1d(few, many, kernel, stride, kernel // 2, padding_mode="reflect")
            for few, many, kernel, stride in zip(before, WIDTHS, kernels, strides, strict=False)
        )
        self.levels = nn.ModuleList(nn.Sequential(*(Gated(width, d) for d in DILATIONS)) for width in WIDTHS)
        self.features = nn.ModuleList(nn.Conv1d(w, f, 1) for w, f in zip(WIDTHS, FEATURES, strict=True))

    @property
    def reach(self) -> int:
        """Columns on either side of its own that a feature of any level sees."""
        return PATCH // 2 + sum(self.reductions[:-1]) + (PLACES - 1) * sum(DILATIONS) * sum(self.reductions)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Lines (B, 1, W) -> levels (B, C_l, ceil(W / s_l))."""
        found = []
        for places, level, features in zip(self.places, self.levels, self.features, strict=True):
            x = level(F.relu(places(x)))
            found.append(features(x))
        return found


def recurrent(name: str, weights: str, seed: int) -> LineExtractor:
    """The extractor."""
    return build(RecurrentNetwork, SHA256, name, weights, seed)
